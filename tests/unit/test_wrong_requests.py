"""What is wrong with a request or an event, to the letter: by these words the sender finds the field, and the cure."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.errors import InvalidRequest, UnknownEvent
from handler.model.history import Unused
from handler.model.message import LifecycleAction, Rejected, Waiting
from handler.model.request import DeletionRequest, Keep, Select, SweepRequest, Target
from handler.sources.schema import read_request
from handler.sources.shapes import read_event

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
MOMENT = "must be a time such as 2026-01-31T12:00:00Z (ISO 8601)"
NO_UUID = "must be a UUID with hyphens, not 'x'"
CUT = "not JSON at line 1, column 2: it ends too early"
STATUS = "must be active, deactivated, killed, queued, saving, uploading or importing"
UPLOAD = "sweep.select: status: queued needs older_than of at least 1d: a younger upload may still be going on"
SWITCH = "sweep: deactivate: needs grace, and can't be combined with select.status: it changes the status"


def sweep(select: object = None, **fields: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"} if select is None else select} | fields}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "exactly one of image_ids and images must be given"),
    ({"image_ids": [ID], "images": [{"id": ID}]}, "exactly one of image_ids and images must be given"),
    (
        {"images": [{"id": ID}, {"id": ID, "expect": {"name": "x"}}]},
        "images: one image is named twice, with different expectations",
    ),
    ({"image_ids": [ID, "x"]}, f"image_ids[1]: {NO_UUID}"),
    ({"images": [{"id": "x"}]}, f"images[0].id: {NO_UUID}"),
    ({"image_ids": [ID], "dryrun": True}, "dryrun: unknown field; did you mean dry_run?"),
    ({"image_ids": [ID], "x" * 100: True}, f"{'x' * 60}: unknown field"),
    ({"image_ids": [ID], "Xx": True}, "Xx: unknown field"),
    ({"image_ids": [ID], ".é": True}, "\\xe9: unknown field"),
    ({"images": [{"id": ID, "expect": {"nam": "x"}}]}, "images[0].expect.nam: unknown field; did you mean name?"),
    ({"image_ids": ["x"], "not_after": "soon"}, f"not_after: {MOMENT}; image_ids[0]: {NO_UUID}"),
    *(({"image_ids": [ID], "not_after": wrong}, f"not_after: {MOMENT}") for wrong in ("soon", 7, None)),
    (sweep({}), "sweep.select: at least one condition must be given"),
    (
        sweep({"older_than": "0d"}),
        "sweep.select.older_than: must be more than zero: every image is older than that",
    ),
    (
        sweep({"older_than": "x"}),
        "sweep.select.older_than: must be a whole number of hours, days or weeks, such as 12h, 30d or 2w, not 'x'",
    ),
    (sweep({"status": "activ"}), f"sweep.select.status: {STATUS}, not 'activ'; did you mean active?"),
    (sweep({"created_before": "x"}), f"sweep.select.created_before: {MOMENT}"),
    (sweep({"status": "queued"}), UPLOAD),
    (sweep({"status": "queued", "older_than": "23h"}), UPLOAD),
    (sweep(deactivate=True), SWITCH),
    (sweep({"status": "active"}, deactivate=True, grace="1d"), SWITCH),
]


def problem(request: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as raised:
        read_request(request)
    return str(raised.value)


@pytest.mark.parametrize(("request_", "words"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_request_is_told_by_its_field_and_the_cure(request_: dict[str, Any], words: str) -> None:
    assert problem(request_) == words


def test_ten_problems_are_told_and_more_are_counted() -> None:
    for number, more in ((1, ""), (10, ""), (11, "; and 1 more"), (12, "; and 2 more")):
        told = "; ".join(f"image_ids[{place}]: {NO_UUID}" for place in range(min(number, 10)))
        assert problem({"image_ids": ["x"] * number}) == told + more


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"image_ids": []}, "image_ids"),
    ({"image_ids": [ID] * 1001}, "image_ids"),
    ({"images": []}, "images"),
    ({"images": [{"id": ID}] * 1001}, "images"),
    ({"image_ids": [ID], "dry_run": "true"}, "dry_run"),
    ({"image_ids": [ID], "delete_backup": 1}, "delete_backup"),
    ({"image_ids": [ID], "project_id": "a b"}, "project_id"),
    ({"image_ids": [ID], "project_id": "x" * 65}, "project_id"),
    ({"image_ids": [ID], "reason": "x" * 257}, "reason"),
    ({"sweep": {}}, "sweep.select"),
    (sweep({"name": ""}), "sweep.select.name"),
    (sweep({"name": "x" * 256}), "sweep.select.name"),
    (sweep({"family": ""}), "sweep.select.family"),
    (sweep({"unused_for": "0d"}), "sweep.select.unused_for"),
    (sweep({"unused_for": "366d"}), "sweep.select.unused_for"),
    (sweep({"unused_for": "53w"}), "sweep.select.unused_for"),
    (sweep({"unused_for": 30}), "sweep.select.unused_for"),
    (sweep({"unused_for": "99999w"}), "sweep.select.unused_for"),
    (sweep({"tags": []}), "sweep.select.tags"),
    (sweep({"tags": [""]}), "sweep.select.tags[0]"),
    (sweep({"properties": {}}), "sweep.select.properties"),
    (sweep({"status": "deleted"}), "sweep.select.status"),
    (sweep({"size_over": -1}), "sweep.select.size_over"),
    (sweep(limit=-1), "sweep.limit"),
    (sweep(limit_percent=-1), "sweep.limit_percent"),
    (sweep(limit_percent=101), "sweep.limit_percent"),
    (sweep(keep={"newest": 0}), "sweep.keep.newest"),
    (sweep(keep={"newest": 1, "group_by": "x"}), "sweep.keep.group_by"),
    (sweep(grace="x"), "sweep.grace"),
]


@pytest.mark.parametrize(("request_", "field"), FIELDS, ids=range(len(FIELDS)))
def test_a_wrong_value_is_told_by_its_field(request_: dict[str, Any], field: str) -> None:
    assert problem(request_).startswith(f"{field}: ")


# What is right, to its limits


def test_a_deletion_may_reach_its_limits() -> None:
    common = {"project_id": "aZ0_-" * 12 + "abcd", "reason": "r" * 256, "delete_backup": True, "dry_run": True}
    given = {"image_ids": [ID, ID], "not_after": "2027-01-31T12:00:00", **common}
    moment = datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert read_request(given) == DeletionRequest(targets=(Target(ID),), not_after=moment, **common)  # type: ignore[arg-type]  # mixed
    many = [f"{number:08x}{ID[8:]}" for number in range(1000)]
    assert read_request({"image_ids": many}) == DeletionRequest(tuple(map(Target, many)))


def test_what_is_expected_of_an_image_keeps_its_order_and_null() -> None:
    given = {"images": [{"id": ID, "expect": {"tags": ["b", "a"], "name": None, "size": 7}}, {"id": ID.upper()}]}
    expect = (("name", None), ("size", 7), ("tags", frozenset({"a", "b"})))
    assert read_request(given) == DeletionRequest((Target(ID, expect), Target(ID.upper())))


def test_a_sweep_that_says_little_has_the_defaults() -> None:
    assert read_request(sweep()) == SweepRequest(
        select=Select(name="ci-*"), keep=None, limit=25, limit_percent=50, grace=timedelta(0), deactivate=False
    )
    assert read_request(sweep(keep={"newest": 1})) == SweepRequest(Select(name="ci-*"), Keep(1, "name"))


COMMON: dict[str, Any] = {"project_id": "p", "delete_backup": True, "dry_run": True, "reason": "r"}
SELECTED = Select(
    name="n" * 255,
    tags=frozenset({"t"}),
    properties=(("k", "v"),),
    older_than=timedelta(weeks=2),
    created_before=datetime(2027, 1, 31, 10, tzinfo=UTC),
    size_over=0,
    family="f",
    unused_for=Unused(timedelta(days=30)),
)


def test_every_field_of_a_sweep_arrives() -> None:
    select = {"name": "n" * 255, "tags": ["t"], "properties": {"k": "v"}, "older_than": "2w", "size_over": 0}
    select |= {"created_before": "2027-01-31T12:00:00+02:00", "family": "f", "unused_for": "30d"}
    given = sweep(select, keep={"newest": 2, "group_by": "property:p"}, limit=0, limit_percent=100.0, grace="3d")
    given["sweep"]["deactivate"] = True
    assert read_request(given | COMMON | {"not_after": "2027-01-31"}) == SweepRequest(
        SELECTED,
        Keep(2, "property:p"),
        limit=0,
        limit_percent=100,
        grace=timedelta(days=3),
        deactivate=True,
        not_after=datetime(2027, 1, 31, tzinfo=UTC),
        **COMMON,
    )


@pytest.mark.parametrize("status", ["queued", "saving", "uploading", "importing"])
def test_an_upload_may_be_swept_from_its_second_day_on(status: str) -> None:
    request = read_request(sweep({"status": status, "older_than": "24h"}))
    assert isinstance(request, SweepRequest)
    assert request.select == Select(status=status, older_than=timedelta(days=1))


@pytest.mark.parametrize("status", ["active", "deactivated", "killed"])
def test_an_image_at_rest_may_be_swept_at_any_age(status: str) -> None:
    request = read_request(sweep({"status": status}))
    assert isinstance(request, SweepRequest)
    assert request.select == Select(status=status)


# Events


def of_queue(body: object, message_id: object = "m") -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "messageId": message_id, "body": body, "attributes": {}}]}


def of_topic(message: object) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": message}}]}


def of_bus(detail: object, detail_type: object = "x") -> dict[str, Any]:
    return {"detail-type": detail_type, "detail": detail}


NO_EVENT = (
    "not an SQS, SNS, EventBridge or CloudFormation event, nor a request with image_ids, images, sweep or approve"
)
NO_RECORDS = "Records: must be a list of at least one record"
NO_ID = "Records: a record without messageId could not be returned to the queue by itself"
NO_LISTS: list[object] = [[], 7, [7], {}]
UNKNOWN: list[tuple[object, str]] = [
    (7, "an event is a JSON object, not a number"),
    ([], "an event is a JSON object, not a list"),
    ({}, f"{NO_EVENT}: it is empty"),
    *(({"Records": records}, NO_RECORDS) for records in NO_LISTS),
    ({"Records": [{}]}, "Records: from nowhere, not from aws:sqs or aws:sns"),
    (
        {"Records": [{"eventSource": "aws:s3"}, {"EventSource": "a"}]},
        "Records: from a, aws:s3, not from aws:sqs or aws:sns",
    ),
    (
        {"Records": [{"EventSource": "aws:sns"}, {"EventSource": "b"}]},
        "Records: from aws:sns, b, not from aws:sqs or aws:sns",
    ),
    *((of_queue("{}", message_id), NO_ID) for message_id in (None, "", 7)),
    (
        {"RequestType": "Create", "ResponseURL": "https://u:p@evil.com/x?sig=1"},
        "ResponseURL: https://evil.com/x is no https address of AWS",
    ),
    (
        {"RequestType": "Create", "ResponseURL": "https://u:p/@evil\n.com/\u00fc" + "y" * 300},
        f"ResponseURL: https://evil\\n.com/\\xfc{'y' * 177} is no https address of AWS",
    ),
]


@pytest.mark.parametrize(("event", "words"), UNKNOWN, ids=range(len(UNKNOWN)))
def test_what_is_no_event_is_told(event: object, words: str) -> None:
    with pytest.raises(UnknownEvent) as raised:
        read_event(event)
    assert str(raised.value) == words


REJECTED: list[tuple[dict[str, Any], str]] = [
    (of_queue("{"), f"body: {CUT}"),
    (of_queue("[" * 100_000), "body: not JSON: nested too deeply"),
    (of_queue("7"), "body: must be a JSON object"),
    (of_queue('{"a": 1, "a": 1}'), "body: a key is given twice in one object: a"),
    (of_queue('{"a": NaN}'), "body: NaN is not JSON"),
    (of_queue(json.dumps({"Type": "Notification", "Message": "{"})), f"Message: {CUT}"),
    (of_topic("{"), f"Sns.Message: {CUT}"),
    (of_topic(json.dumps({"Type": "Notification", "Message": "7"})), "Message: must be a JSON object"),
    (of_bus({}, "Scheduled Event"), "detail: is empty, and REAPER_SCHEDULED_REQUEST is not set"),
    (of_bus("{", "Scheduled Event"), f"detail: {CUT}"),
    (of_bus({"NotificationMetadata": "{"}), f"detail.NotificationMetadata: {CUT}"),
    (of_bus({"NotificationMetadata": 7}), "detail.NotificationMetadata: must be JSON in a string"),
    (
        of_bus({"name": "x"}, "Image Activated"),
        "detail: says that an image has become active, but REAPER_LIFECYCLE_REQUEST is not set",
    ),
    (of_bus({"oslo.message": "{"}), f"detail.oslo.message: {CUT}"),
]


def rejected(event: dict[str, Any], scheduled: str = "", lifecycle: str = "") -> str:
    (message,) = read_event(event, scheduled, lifecycle).messages
    assert isinstance(message.request, Rejected)
    return message.request.problem


@pytest.mark.parametrize(("event", "words"), REJECTED, ids=range(len(REJECTED)))
def test_what_an_event_holds_and_can_not_be_read_is_told_with_its_place(event: dict[str, Any], words: str) -> None:
    assert rejected(event) == words


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (of_queue(7), "body"),
        ({"Records": [{"EventSource": "aws:sns"}]}, "Sns"),
        (of_topic(7), "Sns.Message"),
        (of_queue(json.dumps({"Type": "Notification"})), "Message"),
        (of_bus({}, 7), "detail-type"),
        ({"detail-type": "x"}, "detail"),
        (of_bus(7), "detail"),
        (of_bus({"image_ids": ["x"]}), "image_ids[0]"),
    ],
    ids=str,
)
def test_a_wrong_field_of_an_event_is_named(event: dict[str, Any], field: str) -> None:
    assert rejected(event).startswith(f"{field}")


def test_the_operator_s_own_requests_are_named_by_their_settings() -> None:
    scheduled, activated = of_bus({}, "Scheduled Event"), of_bus({"name": "x"}, "Image Activated")
    assert rejected(scheduled, scheduled="{") == f"REAPER_SCHEDULED_REQUEST: {CUT}"
    assert rejected(activated, lifecycle="7") == "REAPER_LIFECYCLE_REQUEST: must be a JSON object"


def test_an_event_in_a_message_of_a_queue_is_read_as_if_it_came_directly() -> None:
    for event, setting in (
        (of_bus({}, "Scheduled Event"), "scheduled"),
        (of_bus({"image_id": ID, "name": "x"}, "Image Activated"), "lifecycle"),
    ):
        settings = {f"{setting}_request": json.dumps({"image_ids": [ID]})}
        (direct,) = read_event(event, **settings).messages  # type: ignore[arg-type]  # one of two names
        (queued,) = read_event(of_queue(json.dumps(event)), **settings).messages  # type: ignore[arg-type]  # the same
        assert isinstance(direct.request, DeletionRequest)
        assert queued.request == direct.request


BY_ID, BY_NAME = '{"image_ids": ["{image_id}"]}', '{"sweep": {"select": {"name": "{name}"}}}'


@pytest.mark.parametrize(
    ("template", "detail", "words"),
    [
        (BY_ID, {"name": "x"}, "the event does not give the image_id of the image"),
        (BY_NAME, {"name": "x"}, "the event does not give the image_id of the image"),
        (BY_NAME, {"image_id": ID}, "the event does not give the name of the image"),
        (BY_ID, {"image_id": "x"}, f"image_ids[0]: {NO_UUID}"),
        (BY_NAME, {"name": "x", "image_id": "x"}, f"image_id of the event: images[0].id: {NO_UUID}"),
        ('{"image_ids": ["{id}"]}', {"name": "x"}, "{id} is none of {name}, {family}, {image_id}, {owner}"),
    ],
)
def test_what_an_event_of_an_image_lacks_is_told(template: str, detail: dict[str, str], words: str) -> None:
    assert rejected(of_bus(detail, "Image Activated"), lifecycle=template) == words


def test_who_waits_for_an_answer_is_read_even_from_a_wrong_event() -> None:
    names = ("AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")
    event = of_bus(dict(zip(names, "ght", strict=True))) | {"source": "aws.autoscaling"}
    assert read_event(event).waiting == LifecycleAction(group="g", hook="h", token="t")
    for name in names:
        for value in (None, "", 7):
            assert read_event(event | {"detail": event["detail"] | {name: value}}).waiting is Waiting.NOBODY
    assert read_event(event | {"source": "aws.ec2"}).waiting is Waiting.NOBODY
    assert read_event(event | {"detail": 7}).waiting is Waiting.NOBODY
