"""What the cloud's answers do to an image: what they prove, what is told of them, and what is tried again."""

import json
from typing import Any

import pytest

from tests.conftest import UNKNOWN_ID, Invoke
from tests.fakecloud import FakeCloud

TOKENS = "auth/tokens"
IN_USE = "Image 0 could not be deleted because it is in use"


def flat(code: str, message: str) -> dict[str, object]:
    """An error of the API gateway, and of IAM."""
    return {"error_code": code, "error_msg": message, "request_id": "f3a1"}


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handler.clock.FIRST_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (409, "APIGW.3716", "The orchestration rule is currently in use by another API"),
        (409, "APIG.3716", "Image 2932d747-9307-40a7-a47d-06f0504bd823 is in use"),
        (409, "InUse", "The image is in use by a snapshot"),
        (403, "APIGW.0302", "Image 2932d747-9307-40a7-a47d-06f0504bd823 is protected and cannot be deleted."),
        (403, "IAM.0003", "You do not own this image"),
        (400, "APIGW.0106", "Image status transition from active to deleted is not allowed"),
        (404, "XYZ.0404", "Image not found."),
        (404, "APIGW.0101", "Failed to find image 2932d747-9307-40a7-a47d-06f0504bd823 to delete"),
    ],
)
def test_a_gateway_that_uses_the_words_of_the_image_service_proves_nothing(
    invoke: Invoke, cloud: FakeCloud, status: int, code: str, words: str
) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=status, body=flat(code, words), times=None)
    run = invoke({"image_ids": [image]})
    assert run.outcomes[image][0] == "failed"
    assert words in run.answer["outcomes"][0]["detail"]


def test_a_codes_try_again_later_is_tried_again(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    words = "A system exception occurred. Try again later or contact customer service."
    for code in ("Ecs.0002", "Ecs.1300", "Common.0020"):
        cloud.fault("DELETE", image, status=400, body={"error": {"code": code, "message": words}})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert len(cloud.calls_of("DELETE")) == 4


def test_novas_text_for_an_image_that_is_gone_is_understood(invoke: Invoke, cloud: FakeCloud) -> None:
    body = {"itemNotFound": {"code": 404, "message": f"Image {UNKNOWN_ID} could not be found."}}
    cloud.fault("GET", UNKNOWN_ID, status=404, body=body)
    assert invoke({"image_ids": [UNKNOWN_ID]}).outcomes == {UNKNOWN_ID: ("already_gone", "")}


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "denied"), (403, "denied"), (429, "throttled"), (500, "unavailable")]
)
def test_what_iam_says_in_its_flat_form_reaches_the_detail(
    invoke: Invoke, cloud: FakeCloud, status: int, reason: str
) -> None:
    later = {"Retry-After": "3600"}
    cloud.fault("POST", TOKENS, status=status, headers=later, body=flat("IAM.0011", "Account locked."), times=None)
    run = invoke({"image_ids": [UNKNOWN_ID]})
    assert run.outcomes == {UNKNOWN_ID: ("failed", reason)}
    assert f"HTTP {status} IAM.0011 Account locked." in run.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("header", ["x-openstack-request-id", "X-Request-Id", "X-Compute-Request-Id"])
@pytest.mark.parametrize(
    ("method", "status"), [("GET", 403), ("GET", 200), ("DELETE", 403), ("DELETE", 409), ("POST", 401)]
)
def test_every_failure_names_the_clouds_request(
    invoke: Invoke, cloud: FakeCloud, method: str, status: int, header: str
) -> None:
    image = cloud.add_image()
    path = TOKENS if method == "POST" else image
    cloud.fault(method, path, status=status, headers={header: "req-4711"}, body="no", times=None)
    run = invoke({"image_ids": [image]})
    assert run.outcomes[image][0] == "failed"
    assert "req-4711" in run.answer["outcomes"][0]["detail"]


def test_a_refusal_of_the_cloud_names_its_request(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    words = f"Image {image} is protected and cannot be deleted."
    cloud.fault("DELETE", image, status=403, headers={"X-Request-Id": "req-4711"}, body={"message": words})
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("refused", "protected")}
    assert run.answer["outcomes"][0]["detail"] == f"HTTP 403 {words} (request req-4711)"


@pytest.mark.parametrize("password", ["found", "image", "p", "a", "204", "404", "No image", "Image", "ID"])
def test_a_password_that_is_a_word_of_an_answer_does_not_change_what_it_means(
    invoke: Invoke, cloud: FakeCloud, password: str
) -> None:
    cloud.users["reaper"].password = password
    protected, image = cloud.add_image(), cloud.add_image()
    words = f"Image {protected} is protected and cannot be deleted."
    cloud.fault("DELETE", protected, status=403, body={"message": words})
    run = invoke({"image_ids": [UNKNOWN_ID, protected, image]})
    assert run.outcomes == {
        UNKNOWN_ID: ("already_gone", ""),
        protected: ("refused", "protected"),
        image: ("deleted", ""),
    }


def test_a_very_short_secret_is_masked_where_it_stands_alone_and_leaves_words_readable(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    cloud.users["reaper"].password = "p"
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=403, body=json.dumps({"message": "https://op:p@host: no such p, please"}))
    detail = invoke({"image_ids": [image]}).answer["outcomes"][0]["detail"]
    assert "https://***@host: no such ***, please" in detail


@pytest.mark.parametrize("password", ["p", "e", "on", "Remo"])
def test_an_error_of_the_connection_stays_readable_with_a_short_password(
    invoke: Invoke, cloud: FakeCloud, password: str
) -> None:
    cloud.users["reaper"].password = password
    image = cloud.add_image()
    cloud.fault("GET", image, cut=True, times=None)
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("failed", "unavailable")}
    assert "the connection was cut" in run.answer["outcomes"][0]["detail"]


# Changes that were made though their answer was lost


LOST = [{"status": 502, "apply": True}, {"status": 504, "apply": True}, {"cut": True, "apply": True}]
GRACE = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, "grace": "7d"}}
OTC = pytest.mark.parametrize("cloud", ["openstack", "otc"], indirect=True)


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    """A cloud in the look that a test asks for."""
    return FakeCloud(getattr(request, "param", "openstack"))


def unmark(invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any], **settings: str) -> tuple[str, str]:
    """Mark an image, rename it, and let the next sweep take the mark off, with a fault at each step."""
    image = cloud.add_image("ci-1")
    invoke(GRACE, **settings)
    cloud.images[image].name = "web-1"
    cloud.fault("DELETE", "/tags/", times=2, **fault)
    outcome = invoke(GRACE, **settings).outcomes[image]
    assert not [tag for tag in cloud.images[image].tags if tag.startswith("reaper-")]
    return outcome


@OTC
@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_tag_that_was_taken_off_though_the_answer_was_lost_is_no_failure(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    api = "ims" if cloud.flavour == "otc" else "glance"
    assert unmark(invoke, cloud, fault, REAPER_IMAGE_API=api) == ("refused", "changed")


def test_a_tag_that_its_owner_has_taken_off_meanwhile_needs_no_step(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    invoke(GRACE)
    cloud.images[image].name = "web-1"
    cloud.fault("GET", f"{image}$", status=None, then=cloud.images[image].tags.clear)
    assert invoke(GRACE).outcomes == {image: ("refused", "changed")}


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("body", [flat("APIGW.0101", "The API does not exist"), "<h1>404 Not Found</h1>", ""], ids=str)
def test_a_tag_that_is_still_there_was_not_taken_off(
    invoke: Invoke,
    cloud: FakeCloud,
    status: int,
    body: Any,  # noqa: ANN401
) -> None:
    image = cloud.add_image("ci-1")
    invoke(GRACE)
    cloud.images[image].name = "web-1"
    cloud.fault("DELETE", "/tags/", status=status, body=body, times=None)
    assert invoke(GRACE).outcomes == {image: ("failed", "unexpected")}


@pytest.mark.parametrize("step", ["PUT /tags/", "POST /actions/deactivate", "DELETE /tags/"])
@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_mark_whose_answers_were_lost_is_set_all_the_same(
    invoke: Invoke, cloud: FakeCloud, step: str, fault: dict[str, Any]
) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault(*step.split(" "), times=3, **fault)
    graced = {"sweep": {**GRACE["sweep"], "deactivate": True}}
    assert invoke(graced).outcomes == {image: ("marked", "")}
    assert cloud.images[image].status == "deactivated"


def test_a_refused_list_of_members_names_the_permission_that_it_needs(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(visibility="shared")
    cloud.fault("GET", "/members$", status=403, times=None)
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("failed", "denied")}
    assert run.answer["outcomes"][0]["detail"].endswith(
        "listing the members of an image needs get_members in Glance's policy"
    )


# What a deletion leaves behind


def test_the_volume_snapshots_of_a_deleted_image_are_named_and_counted(invoke: Invoke, cloud: FakeCloud) -> None:
    mapping = json.dumps([{"snapshot_id": "11111111-aaaa", "boot_index": 0, "volume_size": 20}])
    image = cloud.add_image(size=0, block_device_mapping=mapping)
    run = invoke({"image_ids": [image, cloud.add_image()]})
    assert (len(cloud.dead), run.metric("BackupsLeft")) == (2, 1)
    assert run.answer["outcomes"][0]["detail"] == "its volume snapshots are left: 11111111-aaaa"


def test_a_backup_is_left_though_nothing_says_that_the_image_is_a_whole_server(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    run = invoke({"image_ids": [cloud.add_image(__backup_id="b1")]})
    assert (run.metric("BackupsLeft"), run.answer["outcomes"][0]["detail"]) == (1, "its backup is left")
