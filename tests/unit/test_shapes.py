"""Every wire format that a request arrives in, and what is no event of ours."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import UnknownEvent
from handler.model.message import Message, Receipt, Received, Rejected, StackCall, Waiting
from handler.model.request import DeletionRequest, SweepRequest, Target
from handler.sources.aws.records import stack_calls
from handler.sources.aws.stack import NEVER_CREATED, is_stack_event, physical_id, read_stack_call
from handler.sources.shapes import read_event
from handler.sources.surroundings import Surroundings
from tests.conftest import EVENTS, load_event, queue
from tests.growth import grows_as_its_input
from tests.properties import tried

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
OTHER = "6cad483b-e281-4985-a345-7afef1f3c502"
REQUEST = {"image_ids": [ID], "reason": "old"}
EXPECTED = DeletionRequest((Target(ID),), reason="old")
SCHEDULED_REQUEST = json.dumps({"image_ids": [OTHER], "reason": "nightly"})
BY_SCHEDULE = DeletionRequest((Target(OTHER),), reason="nightly")


def bus(detail: object, kind: str = "Image Deletion Requested", **more: object) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": kind,
        "source": "com.example.images",
        "account": "123456789012",
        "time": "2026-11-04T10:25:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    } | more


def schedule(detail: object, **more: object) -> dict[str, Any]:
    return bus(detail, "Scheduled Event", **{"source": "aws.events"} | more)


def lifecycle(metadata: object) -> dict[str, Any]:
    detail = {
        "LifecycleActionToken": "87654321-4321-4321-4321-210987654321",
        "AutoScalingGroupName": "build-agents",
        "LifecycleHookName": "delete-agent-images",
        "EC2InstanceId": "i-0c3a1f5d7e9b2a468",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": metadata,
    }
    return bus(detail, "EC2 Instance-terminate Lifecycle Action", source="aws.autoscaling")


def notification(message: object) -> dict[str, Any]:
    """An SNS notification as it stands in the body of a queue message."""
    return {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:image-builds",
        "Subject": "images superseded",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-04T10:25:00.123Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/cert.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {"stage": {"Type": "String", "Value": "nightly"}},
    }


def topic(*messages: object) -> dict[str, Any]:
    records = []
    for message in messages:
        sns = notification(message)
        sns |= {"SigningCertUrl": sns.pop("SigningCertURL"), "UnsubscribeUrl": sns.pop("UnsubscribeURL")}
        records.append({"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn", "Sns": sns})
    return {"Records": records}


def stack(request_type: str, properties: object, **more: object) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:image-reaper",
        "ResponseURL": "https://b.s3.eu-central-1.amazonaws.com/answer?X-Amz-Signature=EXAMPLE",
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/build-farm/5ef1",
        "RequestId": "c3a5b7f1-6e2d-4f39-8b1a-9d7e5c4f2b60",
        "LogicalResourceId": "BuildImages",
        "ResourceType": "Custom::Images",
        "PhysicalResourceId": "image-reaper/BuildImages/6d1f8a52",
        "ResourceProperties": properties,
    } | more


ACTIVATED_REQUEST = json.dumps({"sweep": {"select": {"name": "{family}-*"}}})


def requests_in(event: object, scheduled: str = "") -> list[DeletionRequest]:
    found = [message.request for message in read_event(event, scheduled, ACTIVATED_REQUEST).messages]
    return [request for request in found if isinstance(request, DeletionRequest)]


def problems_in(event: object, scheduled: str = "") -> list[str]:
    found = [message.request for message in read_event(event, scheduled, ACTIVATED_REQUEST).messages]
    return [request.problem for request in found if isinstance(request, Rejected)]


ENVELOPES: dict[str, tuple[str, Callable[[object], dict[str, Any]]]] = {
    "queue": ("queue", queue),
    "fifo queue": ("queue", partial(queue, fifo_groups=["g"])),
    "topic": ("topic", topic),
    "topic to queue": ("queue", lambda request: queue(notification(request))),
    "bus": ("lifecycle", bus),
    "bus with a detail in a string": ("lifecycle", lambda request: bus(json.dumps(request))),
    "bus to queue": ("queue", lambda request: queue(bus(request))),
    "bus to topic": ("topic", lambda request: topic(bus(request))),
    "bus to topic to queue": ("queue", lambda request: queue(notification(bus(request)))),
    "schedule": ("schedule", schedule),
    "scheduler": ("schedule", lambda request: schedule(json.dumps(request), source="aws.scheduler")),
    "schedule to queue": ("queue", lambda request: queue(schedule(request))),
    "lifecycle": ("lifecycle", lambda request: lifecycle(json.dumps(request))),
    "lifecycle to topic": ("topic", lambda request: topic(lifecycle(json.dumps(request)))),
    "lifecycle to queue": ("queue", lambda request: queue(lifecycle(json.dumps(request)))),
    "stack": ("stack", lambda request: stack("Delete", request)),
}
envelopes = pytest.mark.parametrize(("source", "envelope"), ENVELOPES.values(), ids=list(ENVELOPES))
Envelope = Callable[[object], dict[str, Any]]


@envelopes
def test_a_request_is_the_same_wherever_it_travels(source: str, envelope: Envelope) -> None:
    assert read_event(envelope(REQUEST)).source == source
    assert requests_in(envelope(REQUEST)) == [EXPECTED]


@pytest.mark.parametrize("envelope", [envelope for _, envelope in ENVELOPES.values()], ids=list(ENVELOPES))
def test_preconditions_and_a_rehearsal_arrive_through_every_envelope(envelope: Envelope) -> None:
    request = {"images": [{"id": ID, "expect": {"name": "n", "size": 7}}], "dry_run": True}
    assert requests_in(envelope(request)) == [
        DeletionRequest((Target(ID, (("name", "n"), ("size", 7))),), dry_run=True)
    ]


BAD_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "dryrun": (REQUEST | {"dryrun": True}, "dryrun: unknown field"),
    "dry_run yes": (REQUEST | {"dry_run": "yes"}, "dry_run"),
    "no images": ({"image_ids": []}, "image_ids"),
    "1001 images": ({"image_ids": [ID] * 1001}, "image_ids"),
    "no hyphens": ({"image_ids": [ID.replace("-", "")]}, "image_ids[0]"),
    "newline": ({"image_ids": [ID + "\n"]}, "image_ids[0]"),
    "parent": ({"image_ids": ["../" + ID]}, "image_ids[0]"),
    "surrogate": (REQUEST | {"reason": "\ud800"}, "reason"),
    "both": (REQUEST | {"images": [{"id": ID}]}, "exactly one of"),
    "sweep": ({"sweep": {"select": {}}}, "sweep.select: at least one condition"),
}


@envelopes
@pytest.mark.parametrize(("request_", "named"), BAD_REQUESTS.values(), ids=list(BAD_REQUESTS))
def test_a_bad_request_is_a_bad_request_in_every_envelope(
    source: str, envelope: Envelope, request_: dict[str, Any], named: str
) -> None:
    received = read_event(envelope(request_))
    assert received.source == source
    assert [message.request for message in received.messages if isinstance(message.request, DeletionRequest)] == []
    assert named in problems_in(envelope(request_))[0]


BAD_BODIES = ["", "please", "[]", '"{}"', "null", "{", "[" * 100_000, "NaN", '{"a":1,"a":2}', "x" * 6_000_000]


@pytest.mark.parametrize("body", BAD_BODIES, ids=[body[:8] or "empty" for body in BAD_BODIES])
@pytest.mark.parametrize(
    "envelope",
    [queue, topic, bus, lambda body: queue(notification(body)), lambda body: queue(bus(body)), schedule, lifecycle],
    ids=["queue", "topic", "bus", "topic to queue", "bus to queue", "schedule", "lifecycle"],
)
def test_what_is_no_json_object_is_refused_and_nothing_is_read_into_it(body: str, envelope: Envelope) -> None:
    event = envelope(body)
    assert requests_in(event, SCHEDULED_REQUEST) == []
    assert len(problems_in(event, SCHEDULED_REQUEST)[0]) < 500


def test_a_message_that_cannot_be_read_leaves_the_others_of_its_batch_alone() -> None:
    received = read_event(queue(REQUEST, "please", {"image_ids": [OTHER]}, REQUEST | {"dryrun": True}))
    good = {message.id for message in received.messages if isinstance(message.request, DeletionRequest)}
    assert good == {"m0", "m2"}
    assert [message.id for message in received.messages] == ["m0", "m1", "m2", "m3"]


def without(event: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in keys}


def test_of_a_queue_record_only_what_is_read_is_needed() -> None:
    record = queue(REQUEST)["Records"][0]
    bare = {key: record[key] for key in ("messageId", "body", "eventSource")}
    assert requests_in({"Records": [bare | {"somethingNew": {"a": 1}}]}) == [EXPECTED]


def test_of_a_notification_only_what_is_read_is_needed() -> None:
    assert requests_in(queue({"Type": "Notification", "Message": json.dumps(REQUEST)})) == [EXPECTED]
    record = topic(REQUEST)["Records"][0]
    fifo = record | {"Sns": without(record["Sns"], "Signature", "SignatureVersion", "SigningCertUrl")}
    assert requests_in({"Records": [fifo]}) == [EXPECTED]


def test_of_an_event_of_the_bus_only_what_is_read_is_needed() -> None:
    assert requests_in({"detail-type": "x", "detail": REQUEST}) == [EXPECTED]
    assert requests_in(bus(REQUEST) | {"replay-name": "again", "trace": [1]}) == [EXPECTED]


@pytest.mark.parametrize("body", [None, 7, {"image_ids": [ID]}, [REQUEST]], ids=repr)
def test_a_body_that_is_no_text_is_refused_with_the_id_of_its_message(body: object) -> None:
    event = queue(REQUEST, REQUEST)
    event["Records"][1]["body"] = body
    received = read_event(event)
    assert (received.messages[0].id, received.messages[0].request) == ("m0", EXPECTED)
    assert received.messages[1].id == "m1"
    assert isinstance(received.messages[1].request, Rejected)


def test_a_message_of_a_queue_brings_what_it_takes_to_put_it_off() -> None:
    event = queue(REQUEST, "unreadable")
    event["Records"][1]["attributes"]["ApproximateReceiveCount"] = "3"
    record = event["Records"][0]
    receipt = Receipt(queue=record["eventSourceARN"], handle=record["receiptHandle"], receives=1)
    assert [message.receipt for message in read_event(event).messages] == [receipt, receipt._replace(receives=3)]


SPOILT: list[dict[str, Any]] = [
    *({"receiptHandle": handle} for handle in ("", 7)),
    *(
        {"eventSourceARN": arn}
        for arn in ("", "arn:aws:sqs:eu/x:1:q", "arn:aws:sqs:eu-x:1:q:r", "arn:aws:sns:eu-x:1:q")
    ),
    *({"attributes": {"ApproximateReceiveCount": count}} for count in (1, "", "0", "-1", "1e3", "1" * 10)),
    {"attributes": []},
    {"attributes": {}},
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=str)
def test_a_message_that_does_not_bring_all_of_it_is_done_nevertheless(spoilt: dict[str, object]) -> None:
    event = queue(REQUEST)
    event["Records"][0] |= spoilt
    (message,) = read_event(event).messages
    assert message._replace(sent_at=None) == Message(EXPECTED, "m0")


@pytest.mark.parametrize("message_id", [None, "", 7])
def test_a_queue_record_that_could_not_be_given_back_alone_is_no_event_of_ours(message_id: object) -> None:
    event = queue(REQUEST, REQUEST)
    event["Records"][1]["messageId"] = message_id
    with pytest.raises(UnknownEvent, match="messageId"):
        read_event(event)


def test_a_record_of_another_source_among_queue_records_is_given_back() -> None:
    event = queue(REQUEST, REQUEST)
    event["Records"][1]["eventSource"] = "aws:kinesis"
    first, second = read_event(event).messages
    assert first.request == EXPECTED
    assert isinstance(second.request, Rejected)
    assert second.id == "m1"


def wave_ids(received: Received) -> list[list[str]]:
    return [[message.id for message in wave] for wave in received.waves()]


def test_the_messages_of_a_standard_queue_are_one_wave() -> None:
    assert wave_ids(read_event(queue(REQUEST, "bad", REQUEST))) == [["m0", "m1", "m2"]]


def test_message_groups_of_a_standard_queue_make_it_fair_but_give_it_no_order() -> None:
    event = queue(REQUEST, REQUEST)
    for record in event["Records"]:
        record["attributes"]["MessageGroupId"] = "tenant"
    received = read_event(event)
    assert {message.group for message in received.messages} == {None}
    assert wave_ids(received) == [["m0", "m1"]]


def test_each_group_of_a_fifo_queue_goes_one_message_after_the_other() -> None:
    received = read_event(queue(*[REQUEST] * 6, fifo_groups=["a", "a", "b", "a", "b", "c"]))
    assert wave_ids(received) == [["m0", "m2", "m5"], ["m1", "m4"], ["m3"]]
    assert [message.group for message in received.messages] == ["a", "a", "b", "a", "b", "c"]


def test_a_message_of_a_fifo_queue_keeps_its_group_though_it_cannot_be_read() -> None:
    received = read_event(queue("bad", REQUEST, fifo_groups=["a", "a"]))
    assert wave_ids(received) == [["m0"], ["m1"]]
    assert received.messages[0].group == "a"


@pytest.mark.parametrize("attributes", [None, {}, {"MessageGroupId": None}, []], ids=repr)
def test_messages_of_a_fifo_queue_without_a_group_go_one_after_the_other(attributes: object) -> None:
    event = queue(REQUEST, REQUEST, fifo_groups=["a", "b"])
    for record in event["Records"]:
        record["attributes"] = attributes
    assert wave_ids(read_event(event)) == [["m0"], ["m1"]]


def test_a_group_named_like_a_number_is_a_group() -> None:
    assert wave_ids(read_event(queue(*[REQUEST] * 3, fifo_groups=["1", "1", "0"]))) == [["m0", "m2"], ["m1"]]


@given(groups=st.lists(st.sampled_from(["a", "b", "", "0", "1"]), min_size=1, max_size=10))
def test_waves_hold_every_message_once_and_each_group_in_order(groups: list[str]) -> None:
    received = read_event(queue(*[REQUEST] * len(groups), fifo_groups=groups))
    waves = [list(wave) for wave in received.waves()]
    assert sorted(m.id for wave in waves for m in wave) == sorted(m.id for m in received.messages)
    assert all(len({m.group for m in wave}) == len(wave) for wave in waves)
    for group in set(groups):
        in_waves = [m.id for wave in waves for m in wave if m.group == group]
        assert in_waves == [m.id for m in received.messages if m.group == group]


def test_every_record_of_a_topic_is_a_message() -> None:
    assert requests_in(topic(REQUEST, {"image_ids": [OTHER]})) == [EXPECTED, DeletionRequest((Target(OTHER),))]


@pytest.mark.parametrize("source", ["aws.events", "aws.scheduler"])
@pytest.mark.parametrize("detail", [{}, "{}", " { } "], ids=repr)
def test_a_schedule_without_a_detail_stands_for_the_configured_request(source: str, detail: object) -> None:
    event = schedule(detail) | {"source": source}
    assert requests_in(event, SCHEDULED_REQUEST) == [BY_SCHEDULE]
    assert problems_in(event) == ["detail: is empty, and REAPER_SCHEDULED_REQUEST is not set"]


def test_a_schedule_with_a_detail_stands_for_that_alone() -> None:
    assert requests_in(schedule(REQUEST), SCHEDULED_REQUEST) == [EXPECTED]
    assert requests_in(schedule({"image_ids": []}), SCHEDULED_REQUEST) == []
    assert requests_in(schedule({"dry_run": True}), SCHEDULED_REQUEST) == []


@pytest.mark.parametrize("detail", [None, [], 7, True, [REQUEST]], ids=repr)
def test_a_detail_that_is_neither_object_nor_text_is_refused(detail: object) -> None:
    assert "detail" in problems_in(schedule(detail), SCHEDULED_REQUEST)[0]
    assert "detail" in problems_in(bus(detail), SCHEDULED_REQUEST)[0]
    assert "detail" in problems_in(without(schedule({}), "detail"), SCHEDULED_REQUEST)[0]


def test_only_a_schedule_stands_for_the_configured_request() -> None:
    for event in (bus({}), bus("{}"), queue({}), topic({}), lifecycle("{}"), stack("Delete", {})):
        assert requests_in(event, SCHEDULED_REQUEST) == []
        assert problems_in(event, SCHEDULED_REQUEST)


def test_a_bad_configured_request_is_named() -> None:
    assert "REAPER_SCHEDULED_REQUEST" in problems_in(schedule({}), "please")[0]
    assert "dryrun" in problems_in(schedule({}), json.dumps(REQUEST | {"dryrun": True}))[0]


@pytest.mark.parametrize("metadata", [None, 7, "", "image=" + ID, REQUEST, [ID]], ids=repr)
def test_lifecycle_metadata_that_is_no_json_in_a_text_is_refused_by_name(metadata: object) -> None:
    assert "detail.NotificationMetadata" in problems_in(lifecycle(metadata))[0]


def test_a_lifecycle_event_without_metadata_is_refused() -> None:
    event = lifecycle("")
    del event["detail"]["NotificationMetadata"]
    assert "unknown field" in problems_in(event)[0]


def test_only_the_deletion_of_a_stack_names_images() -> None:
    assert requests_in(stack("Delete", REQUEST, PhysicalResourceId="image-reaper/BuildImages/6d1f")) == [EXPECTED]
    for request_type in ("Create", "Update"):
        assert requests_in(stack(request_type, REQUEST)) == [EXPECTED._replace(targets=())]


def test_the_deletion_of_a_resource_that_was_never_created_names_no_images_whoever_reads_it() -> None:
    event = stack("Delete", REQUEST, PhysicalResourceId="image-reaper/never-created")
    assert read_event(event).messages == ()


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_bad_properties_fail_as_early_as_the_creation_of_the_stack(request_type: str) -> None:
    assert "dryrun: unknown field" in problems_in(stack(request_type, REQUEST | {"dryrun": "true"}))[0]


@pytest.mark.parametrize("request_type", ["", "delete", "DELETE", "Destroy", None, 7, ["Delete"]], ids=repr)
def test_another_kind_of_stack_call_deletes_nothing(request_type: Any) -> None:  # noqa: ANN401 (any JSON)
    assert requests_in(stack(request_type, REQUEST)) == []
    assert problems_in(stack(request_type, REQUEST))


def test_the_rollback_of_a_failed_creation_deletes_nothing() -> None:
    assert read_event(stack("Delete", REQUEST, PhysicalResourceId=NEVER_CREATED)).messages == ()
    assert read_event(stack("Delete", {"dryrun": 1}, PhysicalResourceId=NEVER_CREATED)).messages == ()


def test_the_texts_of_stack_properties_get_their_types_back() -> None:
    properties = {
        "ServiceToken": "arn",
        "ServiceTimeout": "60",
        "images": [{"id": ID, "expect": {"size": "1024", "name": "true"}}],
        "delete_backup": "true",
        "dry_run": "false",
        "reason": "true",
        "project_id": "123",
    }
    expected = DeletionRequest((Target(ID, (("name", "true"), ("size", 1024))),), "123", True, False, "true")  # noqa: FBT003
    assert requests_in(stack("Delete", properties)) == [expected]


@pytest.mark.parametrize("field", ["dry_run", "delete_backup"])
@pytest.mark.parametrize("value", ["True", "yes", "1", "", " true", ["true"], {"true": "true"}, None], ids=repr)
def test_a_switch_of_a_stack_that_is_neither_true_nor_false_is_refused(field: str, value: object) -> None:
    assert field in problems_in(stack("Delete", REQUEST | {field: value}))[0]


@pytest.mark.parametrize("size", ["", "-1", "1.5", "1e3", " 1", "big", "9" * 5_000], ids=lambda size: size[:8])
def test_a_size_of_a_stack_that_is_no_number_is_refused(size: str) -> None:
    properties = {"images": [{"id": ID, "expect": {"size": size}}]}
    assert "size" in problems_in(stack("Delete", properties))[0]


def test_deeply_nested_stack_properties_are_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(900):  # about as deep as the reader of Lambda's runtime goes
        nested = {"a": nested}
    assert problems_in(stack("Delete", {"images": nested}))


@pytest.mark.parametrize("properties", [None, [], "x", 7], ids=repr)
def test_stack_properties_that_are_no_object_are_refused(properties: object) -> None:
    assert "ResourceProperties" in problems_in(stack("Delete", properties))[0]


def test_only_a_call_with_an_address_waits_for_an_answer() -> None:
    event = stack("Delete", REQUEST)
    assert is_stack_event(event)
    assert not is_stack_event(without(event, "ResponseURL"))
    assert not is_stack_event(without(event, "RequestType"))
    assert not is_stack_event(event | {"ResponseURL": None})
    assert not is_stack_event([event])


def test_what_the_answer_needs_is_read_from_a_call_that_is_otherwise_wrong() -> None:
    call = read_stack_call(stack("Nonsense", None, StackId=None, PhysicalResourceId=7), answers_here=False)
    assert call.response_url == "https://b.s3.eu-central-1.amazonaws.com/answer?X-Amz-Signature=EXAMPLE"
    assert (call.stack_id, call.logical_resource_id, call.physical_resource_id) == ("", "BuildImages", "")
    assert call.request_id == "c3a5b7f1-6e2d-4f39-8b1a-9d7e5c4f2b60"


def test_the_physical_id_never_changes_after_the_creation() -> None:
    created = physical_id(created_by(REQUEST), failed=False)
    assert created == "image-reaper/BuildImages/c3a5b7f1-6e2d-4f39-8b1a-9d7e5c4f2b60"
    for request_type in ("Update", "Delete"):
        event = stack(request_type, REQUEST, PhysicalResourceId=created, RequestId="other")
        call = read_stack_call(event, answers_here=False)
        assert physical_id(call, failed=False) == physical_id(call, failed=True) == created


def test_a_failed_creation_has_the_id_that_its_rollback_is_known_by() -> None:
    assert physical_id(created_by({}), failed=True) == NEVER_CREATED


def created_by(properties: object) -> StackCall:
    """The call that creates a resource: it has no physical id yet."""
    return read_stack_call(without(stack("Create", properties), "PhysicalResourceId"), answers_here=False)


def test_a_request_may_be_sent_as_it_is() -> None:
    assert read_event(REQUEST) == Received("direct", (Message(EXPECTED),), Waiting.CALLER)


@pytest.mark.parametrize("field", ["images", "project_id", "dry_run", "delete_backup", "reason", "sweep"])
def test_whatever_has_a_field_of_a_request_is_meant_as_one(field: str) -> None:
    received = read_event({field: None})
    assert received.source == "direct"
    assert isinstance(received.messages[0].request, Rejected)


S3 = {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]}
OBS = {"Records": [{"eventVersion": "2.0", "s3": {"object": {"key": "job.png"}}, "eventName": "ObjectCreated:Post"}]}
NO_EVENTS: dict[str, object] = {
    "nothing": None,
    "text": json.dumps(REQUEST),
    "list": [REQUEST],
    "number": 7,
    "empty": {},
    "empty records": {"Records": []},
    "records of null": {"Records": None},
    "records as object": {"Records": queue(REQUEST)["Records"][0]},
    "records of text": {"Records": ["a"]},
    "records and a request": {"Records": []} | REQUEST,
    "null among records": {"Records": [*queue(REQUEST)["Records"], None]},
    "S3": S3,
    "OBS": OBS,
    "S3 with a body": {"Records": [S3["Records"][0] | {"messageId": "a", "body": json.dumps(REQUEST)}]},
    "topic and S3": {"Records": [*topic(REQUEST)["Records"], *S3["Records"]]},
    "SNS in the spelling of SQS": {"Records": [{"eventSource": "aws:sns", "Sns": {"Message": json.dumps(REQUEST)}}]},
    "SQS in the spelling of SNS": {"Records": [queue(REQUEST)["Records"][0] | {"eventSource": ""}]},
    "SMN": {"record": [{"smn": {"message": json.dumps(REQUEST)}, "event_source": "smn"}]},
    "HTTP": {"httpMethod": "POST", "body": json.dumps(REQUEST), "headers": {}},
    "timer": {"trigger_type": "TIMER", "user_event": json.dumps(REQUEST)},
    "stack call without address": {"RequestType": "Delete", "ResourceProperties": REQUEST},
    "detail alone": {"detail": REQUEST},
    "mistyped request": {"imageIds": [ID]},
}


@pytest.mark.parametrize("event", NO_EVENTS.values(), ids=list(NO_EVENTS))
def test_any_other_shape_is_an_unknown_event(event: object) -> None:
    with pytest.raises(UnknownEvent) as caught:
        read_event(event, SCHEDULED_REQUEST)
    assert 0 < len(str(caught.value)) < 300


FILES = sorted(path.stem for path in EVENTS.glob("*.json") if not path.stem.startswith("functiongraph"))


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("unknown")])
def test_every_example_event_is_read_as_its_name_says(name: str) -> None:
    event = load_event(name)
    assert read_event(event).source == name.partition("-")[0]
    assert bool(problems_in(event, SCHEDULED_REQUEST)) == ("bad" in name)


SWEEPS = ("schedule-sweep", "lifecycle-activated")


OTHERS = ("approve", "bad", "create", "s3", "test", *SWEEPS)


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(OTHERS)])
def test_every_good_example_event_holds_a_request(name: str) -> None:
    assert requests_in(load_event(name), SCHEDULED_REQUEST)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_example_of_a_sweep_is_one(name: str) -> None:
    (message,) = read_event(load_event(name), "", ACTIVATED_REQUEST).messages
    assert isinstance(message.request, SweepRequest)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("unknown")])
def test_the_example_of_an_unknown_event_is_one(name: str) -> None:
    with pytest.raises(UnknownEvent):
        read_event(load_event(name))


def test_there_is_an_example_event_of_every_source() -> None:
    sources = {"queue", "topic", "schedule", "lifecycle", "stack", "direct"}
    assert {name.partition("-")[0] for name in FILES} == {*sources, "unknown"}


ENVELOPE_KEYS = [
    "Records",
    "detail-type",
    "detail",
    "RequestType",
    "ResponseURL",
    "ResourceProperties",
    "Type",
    "Message",
]
RECORD_KEYS = ["eventSource", "EventSource", "Sns", "body", "messageId", "attributes", "eventSourceARN"]
KEYS = [*ENVELOPE_KEYS, *RECORD_KEYS, "NotificationMetadata", "image_ids", "images", "dry_run", "id", "expect", "size"]
WORDS = ["aws:sqs", "aws:sns", "aws:s3", "Scheduled Event", "Notification", "Delete", "{}", ID, json.dumps(REQUEST)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@tried(1_000)
@given(event=JSON)
def test_whatever_arrives_is_read_or_unknown_and_names_no_image_but_proper_ones(event: object) -> None:
    try:
        found = requests_in(event, SCHEDULED_REQUEST)
    except UnknownEvent:
        return
    assert {target.image_id for request in found for target in request.targets} <= {ID, OTHER}


DEEP_PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "source": lambda deep: {"eventSource": deep},
    "queue": lambda deep: queue(REQUEST)["Records"][0] | {"eventSourceARN": deep},
    "group": lambda deep: queue(REQUEST, fifo_groups=["a"])["Records"][0] | {"attributes": {"MessageGroupId": deep}},
    "body": lambda deep: queue(REQUEST)["Records"][0] | {"body": deep},
    "notification": lambda deep: {"EventSource": "aws:sns", "Sns": deep},
    "message": lambda deep: {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": deep}},
}


@pytest.mark.parametrize("place", DEEP_PLACES)
def test_a_record_is_read_however_deep_that_is_which_it_holds_in_place_of_a_text(place: str) -> None:
    # Up to the deepest that is JSON from up here: what is called from here has less of the stack.
    with suppress(RecursionError):
        for levels in range(900, 1000):
            deep = json.loads("[" * levels + "]" * levels)
            problem = outcome_of_reading({"Records": [DEEP_PLACES[place](deep)]})
            assert not isinstance(problem, RecursionError), levels


def outcome_of_reading(event: object) -> Exception | None:
    try:
        read_event(event)
    except (RecursionError, UnknownEvent) as exc:
        return exc
    return None


def test_the_sources_of_odd_records_are_named_but_not_all_of_them() -> None:
    with pytest.raises(UnknownEvent) as caught:
        read_event({"Records": [{"eventSource": f"\x1b[{number:03}"} for number in range(1000)]})
    named = r"\x1b[000, \x1b[001, \x1b[002"
    assert str(caught.value) == f"Records: from {named} and 997 more, not from aws:sqs or aws:sns"


@pytest.mark.slow("it takes the time of ever larger batches")
def test_a_batch_as_large_as_a_queue_has_is_looked_through_once() -> None:
    def look(records: int) -> None:
        odd = [{"eventSource": "", "body": "ResponseURL", "messageId": f"m{number}"} for number in range(records)]
        assert stack_calls({"Records": [*odd, *queue(REQUEST)["Records"]]}, Surroundings()) == {}

    assert grows_as_its_input(look, 2_500)
