"""What a call of CloudFormation holds: every value as a string, and what tells whose resource it is."""

import json
from typing import Any

import pytest

from handler.errors import UnknownEvent
from handler.model.message import Rejected, StackCall
from handler.model.request import DeletionRequest, Keep, Select, SweepRequest, Target
from handler.sources.aws.records import stack_calls
from handler.sources.aws.stack import NEVER_CREATED, is_stack_event, physical_id, read_stack_call
from handler.sources.shapes import read_event
from handler.sources.surroundings import Surroundings
from tests.unit.test_wrong_requests import of_queue, of_topic

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
URL = "https://cloudformation.s3.amazonaws.com/x?sig=1"
CALL = {
    "RequestType": "Delete",
    "ResponseURL": URL,
    "StackId": "stack",
    "RequestId": "request",
    "LogicalResourceId": "Images",
    "PhysicalResourceId": "image-reaper/Images/1",
}
READ = StackCall(
    response_url=URL,
    stack_id="stack",
    request_id="request",
    logical_resource_id="Images",
    physical_resource_id="image-reaper/Images/1",
    is_delete=True,
)


def request_of(properties: dict[str, Any], **changes: object) -> object:
    (message,) = read_event(CALL | changes | {"ResourceProperties": properties}).messages
    return message.request


def select(**conditions: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "x"} | conditions}}


def test_a_call_is_read_with_all_that_an_answer_needs() -> None:
    assert read_stack_call(CALL, answers_here=False) == READ
    nothing = read_stack_call({"ResponseURL": URL, "StackId": 7, "RequestType": "Create"}, answers_here=False)
    assert nothing == StackCall(URL, "", "", "", "", is_delete=False)


def test_each_value_gets_its_type_back() -> None:
    common = {"delete_backup": "true", "dry_run": "false", "ServiceToken": "arn", "ServiceTimeout": "60"}
    sweep = {
        "select": {"size_over": "007", "properties": {"limit": "7", "protected": "true"}, "name": "7"},
        "keep": {"newest": "3"},
        "limit": "0",
        "limit_percent": "12.5",
        "grace": "1d",
        "deactivate": "true",
    }
    wanted = Select(name="7", properties=(("limit", "7"), ("protected", "true")), size_over=7)
    found = request_of(common | {"sweep": sweep, "reason": "true"})
    assert isinstance(found, SweepRequest)
    assert (found.select, found.keep, found.limit, found.limit_percent) == (wanted, Keep(3), 0, 12.5)
    assert (found.deactivate, found.delete_backup, found.dry_run, found.reason) == (True, True, False, "true")


def test_what_is_expected_of_an_image_gets_its_type_back() -> None:
    expect = {"size": "7", "protected": "false", "tags": ["1", "true"], "name": "8"}
    found = request_of({"images": [{"id": ID, "expect": expect}]})
    said = (("name", "8"), ("protected", False), ("size", 7), ("tags", frozenset({"1", "true"})))
    assert found == DeletionRequest((Target(ID, said),))


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        (select(size_over="-1"), "sweep.select.size_over"),
        (select(size_over="1" * 19), "sweep.select.size_over"),
        (select(size_over="1x"), "sweep.select.size_over"),
        ({"image_ids": [ID], "dry_run": "True"}, "dry_run"),
        ({"image_ids": [ID], "dry_run": "1"}, "dry_run"),
        ({"image_ids": [ID], "limit": "1"}, "limit"),
        ({"sweep": {"select": {"name": "x"}, "limit_percent": "1.2.3"}}, "sweep.limit_percent"),
        ({"sweep": {"select": {"name": "x"}, "limit_percent": "."}}, "sweep.limit_percent"),
        ({"sweep": {"sweep": {"sweep": {"sweep": {"sweep": {"limit": "1"}}}}}}, "sweep.select"),
    ],
    ids=str,
)
def test_what_is_no_such_value_stays_a_string_and_is_turned_down(properties: dict[str, Any], field: str) -> None:
    found = request_of(properties)
    assert isinstance(found, Rejected)
    assert found.problem.startswith(f"{field}: ")


def test_numbers_may_be_as_long_as_they_can_be_read() -> None:
    found = request_of(select(size_over="9" * 18))
    assert isinstance(found, SweepRequest)
    assert found.select.size_over == 999_999_999_999_999_999


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_creation_is_the_same_request_without_its_images(kind: str) -> None:
    common = {"project_id": "p", "delete_backup": "true", "dry_run": "true", "reason": "r"}
    found = request_of({"image_ids": [ID], **common}, RequestType=kind)
    assert found == DeletionRequest(targets=(), project_id="p", delete_backup=True, dry_run=True, reason="r")
    assert request_of(select(), RequestType=kind) == DeletionRequest(targets=())
    assert isinstance(request_of({"image_ids": ["x"]}, RequestType=kind), Rejected)


@pytest.mark.parametrize(
    "physical", ["", "image-reaper/Images/", "image-reaper/Images", "image-reaper/Other/1", NEVER_CREATED, "x"]
)
def test_a_resource_that_was_never_created_asks_for_nothing(physical: str) -> None:
    assert read_event(CALL | {"PhysicalResourceId": physical}).messages == ()
    assert read_event(CALL | {"PhysicalResourceId": "image-reaper//1", "LogicalResourceId": ""}).messages == ()


def test_a_resource_keeps_its_id_from_its_creation_on() -> None:
    created = READ._replace(physical_resource_id="", is_delete=False)
    assert physical_id(READ, failed=False) == physical_id(READ, failed=True) == "image-reaper/Images/1"
    assert physical_id(created, failed=False) == "image-reaper/Images/request"
    assert physical_id(created, failed=True) == NEVER_CREATED == "image-reaper/never-created"
    assert physical_id(created._replace(is_delete=True), failed=False) == NEVER_CREATED


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        ("https://a.s3.amazonaws.com/x", True),
        ("https://A.S3.AmazonAWS.com/X", True),
        ("https://a.amazonaws.com:443?x", True),
        ("https://a.amazonaws.com.cn/", True),
        ("https://a.amazonaws.eu/", True),
        ("https://a.c2s.ic.gov/", True),
        ("https://a.sc2s.sgov.gov/", True),
        ("https://a.cloud.adc-e.uk/", True),
        ("https://a.csp.hci.ic.gov/", True),
        (f"https://{'a' * 63}.amazonaws.com/", True),
        (f"https://{'a' * 64}.amazonaws.com/", False),
        ("https://-a.amazonaws.com/", False),
        ("https://amazonaws.com/", False),
        ("https://a.amazonaws.com", False),
        ("https://a.amazonaws.com:444/", False),
        ("https://u@a.amazonaws.com/", False),
        ("https://a.amazonaws.com./", False),
        ("https://a.amazonawsxcom/", False),
        ("https://a.amazonaws.com/\u00e9", False),
        ("http://a.amazonaws.com/", False),
        (" https://a.amazonaws.com/", False),
    ],
)
def test_only_addresses_of_aws_are_answered(url: str, *, is_aws: bool) -> None:
    call = CALL | {"ResponseURL": url}
    if is_aws:
        assert read_stack_call(call, answers_here=False).response_url == url
        return
    for answers_here in (True, False):
        with pytest.raises(UnknownEvent, match=r"^ResponseURL: .* is no https address of AWS$"):
            read_stack_call(call, answers_here=answers_here)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:1", "localhost:65535"])
def test_this_machine_is_answered_only_where_that_is_asked_for(host: str) -> None:
    for scheme in ("http", "https"):
        call = CALL | {"ResponseURL": f"{scheme}://{host}/x"}
        assert read_stack_call(call, answers_here=True).response_url == f"{scheme}://{host}/x"
        with pytest.raises(UnknownEvent):
            read_stack_call(call, answers_here=False)


@pytest.mark.parametrize("event", [None, [], {}, {"RequestType": "x"}, {"ResponseURL": URL}, CALL | {"ResponseURL": 7}])
def test_what_lacks_the_two_marks_of_a_call_is_none(event: object) -> None:
    assert not is_stack_event(event)
    assert is_stack_event({"RequestType": None, "ResponseURL": ""})


def test_calls_are_found_in_every_envelope() -> None:
    body = json.dumps(CALL)
    given = Surroundings()
    assert stack_calls(CALL, given) == stack_calls(of_topic(body), given) == {"": READ}
    assert stack_calls(of_queue(body), given) == {"m": READ}
    escaped = body.replace("ResponseURL", "Respon\\u0073eURL").replace("RequestType", "Reques\\u0074Type")
    assert stack_calls(of_queue(escaped), given) == {"m": READ}
    assert stack_calls(of_topic(escaped), given) == {"": READ}
    others: list[object] = [None, [], {}, of_queue("{}"), of_topic("{}"), of_topic("{"), of_queue('{"ResponseURL": 7}')]
    assert [stack_calls(other, given) for other in others] == [{}] * 7
    two = of_topic(body)["Records"] * 2
    assert stack_calls({"Records": two}, given) == {}
