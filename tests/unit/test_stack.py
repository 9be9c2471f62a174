"""A CloudFormation custom resource: answered whatever happens, exactly as CloudFormation wants it."""

import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from handler import app
from handler.errors import AnswerNotDelivered
from tests.conftest import UNKNOWN_ID, Context, Invocation, Invoke
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server

Call = Callable[..., Invocation]
Answer = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/build-farm/5ef1c5a0-b9aa-11f0-8d29-0a1b2c3d4e5f"
REQUEST = "6d1f8a52-0a5f-4f6e-9d0c-2f4b3c8e7a11"
CREATED = "image-reaper/BuildImages/0c0c0c0c-0a5f-4f6e-9d0c-2f4b3c8e7a11"
NEVER_CREATED = "image-reaper/never-created"
SIGNATURE = "X-Amz-Signature=5ec3e7"


def stack_event(kind: str, url: str, properties: object) -> dict[str, Any]:
    event = {
        "RequestType": kind,
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:image-reaper",
        "ResponseURL": url,
        "StackId": STACK,
        "RequestId": REQUEST,
        "LogicalResourceId": "BuildImages",
        "ResourceType": "Custom::Images",
        "ResourceProperties": properties,
    }
    return event if kind == "Create" else event | {"PhysicalResourceId": CREATED}


@pytest.fixture
def call(invoke: Invoke, server: Server) -> Call:
    """Let CloudFormation call: the properties are those of the template, all values as strings."""

    def call_once(kind: str, properties: object, *, changed: Answer | None = None, **settings: Any) -> Invocation:  # noqa: ANN401 (those of invoke)
        given = {"ServiceToken": "arn:aws:lambda:x", **properties} if isinstance(properties, dict) else properties
        event = stack_event(kind, f"{server.url}/sink/cfn?{SIGNATURE}", given)
        return invoke(event | (changed or {}), **settings)

    return call_once


def answered(cloud: FakeCloud) -> Answer:
    """The only answer that CloudFormation got, which has every field that it wants and no other."""
    assert len(cloud.sink["cfn"]) == 1
    answer: Answer = json.loads(cloud.sink["cfn"].pop())
    fields = {"Status", "Reason", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"}
    assert set(answer) == fields
    assert (answer["StackId"], answer["RequestId"], answer["LogicalResourceId"]) == (STACK, REQUEST, "BuildImages")
    return answer


# Create, update, delete


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_delete_nothing(call: Call, cloud: FakeCloud, kind: str) -> None:
    run = call(kind, {"image_ids": [cloud.add_image()]})
    assert (answered(cloud)["Status"], run.error, run.answer["ok"]) == ("SUCCESS", None, True)
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


def test_deleting_deletes_the_images(call: Call, cloud: FakeCloud) -> None:
    images, other = [cloud.add_image() for _ in range(2)], cloud.add_image()
    run = call("Delete", {"image_ids": [*images, UNKNOWN_ID], "reason": "stack deleted"})
    assert answered(cloud) == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": CREATED,
        "StackId": STACK,
        "RequestId": REQUEST,
        "LogicalResourceId": "BuildImages",
    }
    assert (run.answer["source"], run.answer["counts"]) == ("stack", {"deleted": 2, "already_gone": 1})
    assert (set(cloud.dead), set(cloud.images)) == (set(images), {other})


def test_a_refused_image_does_not_hold_a_stack_up(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image(protected=True)
    call("Delete", {"image_ids": [image]})
    assert (answered(cloud)["Status"], set(cloud.images)) == ("SUCCESS", {image})


def test_an_image_that_failed_fails_the_deletion_and_is_named(call: Call, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.fault("DELETE", image, status=403, body={"message": "Forbidden by policy"})
    run = call("Delete", {"image_ids": [image, other]})
    answer = answered(cloud)
    assert (answer["Status"], answer["PhysicalResourceId"], run.error) == ("FAILED", CREATED, None)
    assert answer["Reason"].startswith(f"1 of 2 images failed: {image} denied: ")
    assert set(cloud.dead) == {other}


def test_values_that_became_strings_get_their_type_back(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=2048)
    wish = {"id": image, "expect": {"size": "2048", "name": "ci-1"}}
    call("Delete", {"images": [wish], "dry_run": "false", "delete_backup": "true"}, REAPER_IMAGE_API="ims")
    assert [json.loads(call.body) for call in cloud.calls_of("DELETE")] == [{"delete_backup": True}]
    assert answered(cloud)["Status"] == "FAILED"  # Glance takes no body


def test_a_size_that_differs_refuses(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image(size=2048)
    run = call("Delete", {"images": [{"id": image, "expect": {"size": "2049"}}]})
    assert (run.outcomes, answered(cloud)["Status"]) == ({image: ("refused", "changed")}, "SUCCESS")


@pytest.mark.parametrize(("settings", "wish"), [({}, {"dry_run": "true"}), ({"REAPER_MODE": ""}, {"dry_run": "false"})])
def test_a_rehearsed_deletion_is_a_success_that_deletes_nothing(
    call: Call, cloud: FakeCloud, settings: dict[str, str], wish: dict[str, str]
) -> None:
    run = call("Delete", {"image_ids": [cloud.add_image()], **wish}, **settings)
    assert (run.answer["counts"], answered(cloud)["Status"]) == ({"would_delete": 1}, "SUCCESS")
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


@pytest.mark.parametrize("service_property", ["ServiceToken", "ServiceTimeout"])
def test_properties_of_cloudformation_s_own_are_no_fields(call: Call, cloud: FakeCloud, service_property: str) -> None:
    call("Delete", {"image_ids": [cloud.add_image()], service_property: "60"})
    assert (answered(cloud)["Status"], len(cloud.dead)) == ("SUCCESS", 1)


# The physical id


def test_a_resource_gets_an_id_that_names_it(call: Call, cloud: FakeCloud) -> None:
    call("Create", {"image_ids": [UNKNOWN_ID]})
    assert answered(cloud)["PhysicalResourceId"] == f"image-reaper/BuildImages/{REQUEST}"


@pytest.mark.parametrize("kind", ["Update", "Delete"])
@pytest.mark.parametrize("properties", [{"image_ids": [UNKNOWN_ID]}, {"image_ids": "x"}])
def test_the_id_of_a_resource_never_changes(call: Call, cloud: FakeCloud, kind: str, properties: Answer) -> None:
    call(kind, properties)
    assert answered(cloud)["PhysicalResourceId"] == CREATED


def test_a_resource_that_could_not_be_created_is_deleted_without_deleting_images(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    call("Create", {"image_ids": [image], "dryrun": "true"})
    failed = answered(cloud)
    assert (failed["Status"], failed["PhysicalResourceId"]) == ("FAILED", NEVER_CREATED)
    for settings in ({}, {"REAPER_MODE": "armed"}, {"OS_PASSWORD": "wr0ng-passw0rd"}):
        call("Delete", {"image_ids": [image]}, changed={"PhysicalResourceId": NEVER_CREATED}, **settings)
        assert answered(cloud)["Status"] == "SUCCESS"  # or the stack could not be rolled back
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


# Whatever happens, CloudFormation is told


WRONG: dict[str, tuple[object, str]] = {
    "nothing": ({}, "exactly one of image_ids and images"),
    "no list": ({"image_ids": UNKNOWN_ID}, "image_ids: "),
    "no id": ({"image_ids": ["x"]}, "image_ids[0]: must be a UUID"),
    "another spelling": ({"ImageIds": [UNKNOWN_ID]}, "ImageIds: unknown field"),
    "no truth": ({"image_ids": [UNKNOWN_ID], "dry_run": "maybe"}, "dry_run: "),
    "a truth in capitals": ({"image_ids": [UNKNOWN_ID], "dry_run": "True"}, "dry_run: "),
    "a negative size": ({"images": [{"id": UNKNOWN_ID, "expect": {"size": "-1"}}]}, "images[0].expect.size: "),
    "null": (None, "ResourceProperties"),
    "a text": ("x", "ResourceProperties"),
    "a list": ([], "ResourceProperties"),
}


@pytest.mark.parametrize(("properties", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_wrong_properties_fail_and_are_named(
    call: Call, cloud: FakeCloud, kind: str, properties: object, words: str
) -> None:
    assert call(kind, properties).error is None
    answer = answered(cloud)
    assert answer["Status"] == "FAILED"
    assert words in answer["Reason"]
    assert cloud.calls_of("DELETE") == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"project_id": OTHER}, "project_id: "), ({"delete_backup": "true"}, "delete_backup: needs REAPER_IMAGE_API=ims")],
)
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_what_these_settings_cannot_give_fails_as_early_as_the_creation(
    call: Call, cloud: FakeCloud, wish: dict[str, str], words: str, kind: str
) -> None:
    call(kind, {"image_ids": [cloud.add_image()], **wish})
    answer = answered(cloud)
    assert (answer["Status"], words in answer["Reason"], cloud.calls_of("DELETE")) == ("FAILED", True, [])


def test_our_own_project_is_no_mistake(call: Call, cloud: FakeCloud) -> None:
    call("Delete", {"image_ids": [cloud.add_image()], "project_id": DEMO})
    assert (answered(cloud)["Status"], len(cloud.dead)) == ("SUCCESS", 1)


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("REAPER_MODE", "armed"), ("REAPER_DRY_RUN", "1"), ("OS_AUTH_URL", ""), ("REAPER_SCHEDULED_REQUEST", "{}")],
)
def test_wrong_settings_fail_and_are_named(call: Call, cloud: FakeCloud, kind: str, name: str, value: str) -> None:
    run = call(kind, {"image_ids": [cloud.add_image()]}, **{name: value})
    answer = answered(cloud)
    assert (run.error, answer["Status"]) == (None, "FAILED")
    assert name in answer["Reason"]
    assert [call.method for call in cloud.calls] == ["PUT"]


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"OS_PASSWORD": "wr0ng-passw0rd"}, "CredentialsRefused: "),
        ({"REAPER_PROJECT_ID": OTHER}, "CredentialsRefused: the credentials are for project"),
        ({"OS_AUTH_URL": "http://127.0.0.1:1/v3"}, "Unreachable: "),
        ({"REAPER_MODE": "paused"}, "Paused: "),
    ],
)
def test_a_function_that_could_delete_nothing_fails_as_early_as_the_creation(
    call: Call, cloud: FakeCloud, kind: str, settings: dict[str, str], words: str
) -> None:
    call(kind, {"image_ids": [UNKNOWN_ID]}, seconds=12, **settings)
    answer = answered(cloud)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(words)


def test_a_request_of_an_unknown_type_fails(call: Call, cloud: FakeCloud) -> None:
    call("Purge", {"image_ids": [cloud.add_image()]})
    answer = answered(cloud)
    assert (answer["Status"], "RequestType" in answer["Reason"], cloud.dead) == ("FAILED", True, {})


def test_a_paused_function_fails_a_deletion(call: Call, cloud: FakeCloud) -> None:
    call("Delete", {"image_ids": [cloud.add_image()]}, REAPER_MODE="paused")
    answer = answered(cloud)
    assert (answer["Status"], "paused" in answer["Reason"]) == ("FAILED", True)
    assert [call.method for call in cloud.calls] == ["PUT"]


def test_a_cloud_that_cannot_be_reached_fails_a_deletion(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    call("Delete", {"image_ids": [image]}, OS_AUTH_URL="http://127.0.0.1:1/v3", seconds=2.2)
    answer = answered(cloud)
    assert (answer["Status"], image in answer["Reason"], set(cloud.images)) == ("FAILED", True, {image})


def test_credentials_that_are_refused_fail_a_deletion(call: Call, cloud: FakeCloud) -> None:
    call("Delete", {"image_ids": [cloud.add_image()]}, OS_PASSWORD="wr0ng-passw0rd")
    answer = answered(cloud)
    assert (answer["Status"], "denied" in answer["Reason"], cloud.dead) == ("FAILED", True, {})
    assert "wr0ng-passw0rd" not in answer["Reason"]


def test_a_deletion_that_finds_no_time_fails_and_is_answered_still(call: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    call("Delete", {"image_ids": [image]}, seconds=1.5)
    answer = answered(cloud)
    assert (answer["Status"], f"{image} deadline" in answer["Reason"], cloud.dead) == ("FAILED", True, {})


def test_a_fault_of_ours_is_answered_too_and_gives_nothing_away_but_its_kind(
    call: Call, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "s3cret"
        raise RuntimeError(message)

    image = cloud.add_image()
    monkeypatch.setattr(app, "process", broken)
    run = call("Delete", {"image_ids": [image]})
    answer = answered(cloud)
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "unexpected: RuntimeError")
    assert (len(run.logged("run.fault")), set(cloud.images)) == (1, {image})


def test_an_event_without_any_ids_is_answered(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    image = cloud.add_image()
    event = {"RequestType": "Delete", "ResponseURL": f"{server.url}/sink/x", "PhysicalResourceId": CREATED}
    invoke(event | {"ResourceProperties": {"image_ids": [image]}})
    answer = json.loads(cloud.sink["x"][0])
    assert (answer["Status"], answer["PhysicalResourceId"], set(cloud.images)) == ("SUCCESS", CREATED, {image})


def test_a_failure_of_one_stack_spoils_no_later_invocation(call: Call, invoke: Invoke, cloud: FakeCloud) -> None:
    image, ours = cloud.add_image(), {"POWERTOOLS_SERVICE_NAME": "stack-cleaner"}
    invoke({"image_ids": [UNKNOWN_ID]}, **ours)
    call("Delete", {"image_ids": "x"}, **ours)
    assert invoke({"image_ids": [image]}, **ours).outcomes == {image: ("deleted", "")}


# On the wire


def test_the_answer_goes_to_the_very_address_that_was_signed(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    path = "/sink/arn%3Aaws%3Acloudformation%7CBuildImages%7C6d1f8a52~x"
    query = "X-Amz-Credential=EXAMPLE%2F20261104%2Feu-central-1&X-Amz-Signature=a%2Bb%3D%3D&empty="
    invoke(stack_event("Create", f"{server.url}{path}?{query}", {"image_ids": [UNKNOWN_ID]}))
    put = cloud.calls_of("PUT")[0]
    assert (put.path, put.query, put.status) == (path, query, 200)


def test_the_answer_is_signed_for_an_empty_content_type(call: Call, cloud: FakeCloud) -> None:
    call("Create", {"image_ids": [UNKNOWN_ID]})
    headers = cloud.calls_of("PUT")[0].headers
    assert (headers["Content-Type"], "Transfer-Encoding" in headers) == ("", False)
    assert not {"authorization", "x-auth-token"} & set(headers)


def test_a_long_reason_is_cut(call: Call, cloud: FakeCloud) -> None:
    call("Delete", {"image_ids": ["x"] * 1000, **{f"field{'y' * 50}{number}": "" for number in range(50)}})
    body = cloud.sink["cfn"][0]
    assert (answered(cloud)["Status"], 100 < len(body) < 4096) == ("FAILED", True)


@pytest.mark.parametrize("character", ["x", "\u955c", "\N{FIRE}", '"', "\\"], ids=ascii)
def test_an_answer_is_never_longer_than_cloudformation_takes(call: Call, cloud: FakeCloud, character: str) -> None:
    images = [cloud.add_image() for _ in range(4)]
    body = json.dumps({"error": {"code": "IMG.9999", "message": character * 300}})
    cloud.fault("DELETE", "/v2/images/", status=400, body=body, times=None)
    call("Delete", {"image_ids": images})
    assert len(cloud.sink["cfn"][0]) <= 4096
    assert answered(cloud)["Status"] == "FAILED"


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 500}, {"cut": True, "status": None, "apply": False}])
def test_an_answer_that_did_not_get_through_is_sent_again(call: Call, cloud: FakeCloud, fault: dict[str, Any]) -> None:
    cloud.fault("PUT", "/sink/", **fault)
    image = cloud.add_image()
    assert call("Delete", {"image_ids": [image]}).error is None
    assert [json.loads(body)["Status"] for body in cloud.sink["cfn"]][-1] == "SUCCESS"
    assert (len(cloud.calls_of("PUT")), len(cloud.calls_of("DELETE"))) == (2, 1)


@pytest.mark.parametrize("status", [400, 403, 404, 301])
def test_an_answer_that_is_not_taken_is_an_error_that_does_not_give_the_address_away(
    call: Call, cloud: FakeCloud, server: Server, status: int
) -> None:
    cloud.fault("PUT", "/sink/", status=status, headers={"Location": f"{server.url}/sink/elsewhere"}, times=None)
    run = call("Delete", {"image_ids": [cloud.add_image()]})
    assert isinstance(run.error, AnswerNotDelivered)
    told = "".join(traceback.format_exception(run.error)) + run.printed
    assert not [secret for secret in (SIGNATURE, "/sink/cfn", server.url) if secret in told]
    assert (len(cloud.dead), cloud.sink) == (1, {})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/x?SECRET", "http://127.0.0.1:99999/?SECRET"],
)
def test_an_address_that_takes_nothing_is_an_error_that_does_not_give_it_away(invoke: Invoke, url: str) -> None:
    run = invoke(stack_event("Create", url, {"image_ids": [UNKNOWN_ID]}))
    assert isinstance(run.error, AnswerNotDelivered)
    assert "SECRET" not in "".join(traceback.format_exception(run.error)) + run.printed


@pytest.mark.slow("three requests run into their time-out")
def test_a_slow_address_is_given_no_more_time_than_there_is(
    cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value in (cloud.env(server.url) | {"REAPER_MODE": "delete"}).items():
        clean_environment.setenv(name, value)
    cloud.fault("PUT", "/sink/", delay=30, times=None)
    context = Context(10.5)
    with pytest.raises(AnswerNotDelivered):
        app.lambda_handler(stack_event("Delete", f"{server.url}/sink/cfn", {"image_ids": [UNKNOWN_ID]}), context)
    assert context.get_remaining_time_in_millis() > 0
    assert len(cloud.calls_of("PUT")) == 3
