"""Wire formats to requests: where in an event its requests stand, and what the source will do with our answer."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple

from handler.errors import InvalidRequest, UnknownEvent
from handler.model.request import DeletionRequest, Request, Source
from handler.model.waiting import LifecycleAction, StackCall
from handler.sources import activation
from handler.sources.envelopes import BusEvent, Notification, QueueRecord, StackEvent, TopicRecord
from handler.sources.schema import REQUEST_FIELDS, SUBJECTS, read_json, read_request, valid

SCHEDULED = "Scheduled Event"
_NUMBER = re.compile(r"[0-9]{1,18}")
NEVER_CREATED = "image-reaper/never-created"
"""The physical id of a resource whose creation failed: deleting it, as CloudFormation will, deletes no image."""


class Standing(NamedTuple):
    """The operator's requests for events that bring none."""

    scheduled: str
    lifecycle: str


class Message(NamedTuple):
    """One request as it arrived, or why it can't be read.

    `id` is the queue's id of the message. In a FIFO queue, `group` is its message group; else it is None.
    """

    request: Request | InvalidRequest
    id: str = ""
    group: str | None = None


class Received(NamedTuple):
    """An event, read: where it came from, and the requests in it."""

    source: Source
    messages: tuple[Message, ...]

    def waves(self) -> Iterator[list[Message]]:
        """The messages in the order in which they may be dealt with.

        Those of one wave may be dealt with side by side. Only a FIFO queue has more than one wave: the first message
        of every group, then the second of every group, and so on.
        """
        queues: dict[str, list[Message]] = {}
        for number, message in enumerate(self.messages):
            queues.setdefault(f"group {message.group}" if message.group is not None else str(number), []).append(
                message
            )
        for wave in zip_longest(*queues.values()):
            yield [message for message in wave if message is not None]


def read_event(event: object, scheduled_request: str = "", lifecycle_request: str = "") -> Received:
    """Read an event of any source.

    `scheduled_request` is what a schedule without a detail stands for, `lifecycle_request` the template for the event
    that an image has become active.

    A request that can't be read becomes a message that says so. Raises UnknownEvent for any other shape.
    """
    if not isinstance(event, dict):
        message = f"an event is a JSON object, not {type(event).__name__}"
        raise UnknownEvent(message)
    standing = Standing(scheduled_request, lifecycle_request)
    if "Records" in event:
        return _read_records(event["Records"], standing)
    if is_stack_event(event):
        return Received("stack", tuple(_stack_messages(event)))
    if "detail-type" in event:
        source: Source = "schedule" if event["detail-type"] == SCHEDULED else "lifecycle"
        return Received(source, (_message(lambda: _bus_request(event, standing)),))
    if REQUEST_FIELDS & event.keys():
        return Received("direct", (_message(lambda: read_request(event)),))
    message = "not an SQS, SNS, EventBridge or CloudFormation event, nor a request with image_ids, images or sweep"
    raise UnknownEvent(message)


def is_stack_event(event: object) -> bool:
    """Whether CloudFormation waits for an answer to this event."""
    return isinstance(event, dict) and "RequestType" in event and isinstance(event.get("ResponseURL"), str)


def read_stack_call(event: Mapping[str, Any]) -> StackCall:
    """Read what is needed to answer CloudFormation, from an event that may otherwise be wrong."""
    known = (str(event.get(key) or "") for key in ("ResponseURL", "StackId", "RequestId", "LogicalResourceId"))
    url, stack, request, logical = known
    return StackCall(url, stack, request, logical, str(event.get("PhysicalResourceId") or ""))


def lifecycle_action(event: Mapping[str, Any]) -> LifecycleAction | None:
    """What Auto Scaling waits for, if this is an event of a lifecycle hook of its own."""
    detail = event.get("detail")
    if event.get("source") != "aws.autoscaling" or not isinstance(detail, dict):
        return None
    known = [detail.get(key) for key in ("AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")]
    group, hook, token = (value if isinstance(value, str) else "" for value in known)
    return LifecycleAction(group, hook, token) if group and hook and token else None


def physical_id(call: StackCall, *, failed: bool) -> str:
    """The id that a resource has from its creation on. If it changed, CloudFormation would delete the old resource."""
    created = NEVER_CREATED if failed else f"image-reaper/{call.logical_resource_id}/{call.request_id}"
    return call.physical_resource_id or created


def _read_records(records: object, standing: Standing) -> Received:
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        message = "Records: must be a list of at least one record"
        raise UnknownEvent(message)
    if any(record.get("eventSource") == "aws:sqs" for record in records):
        fifo = any(str(record.get("eventSourceARN")).endswith(".fifo") for record in records)
        return Received("queue", tuple(_queue_message(record, fifo, standing) for record in records))
    if all(record.get("EventSource") == "aws:sns" for record in records):
        return Received("topic", tuple(_message(partial(_topic_request, record, standing)) for record in records))
    sources = {str(record.get("eventSource") or record.get("EventSource"))[:60] for record in records}
    message = f"Records: from {', '.join(sorted(sources))}, not from aws:sqs or aws:sns"
    raise UnknownEvent(message)


def _queue_message(record: Mapping[str, Any], fifo: bool, standing: Standing) -> Message:  # noqa: FBT001 (a fact, no switch)
    message_id, attributes = record.get("messageId"), record.get("attributes")
    if not isinstance(message_id, str) or not message_id:
        message = "Records: a record without messageId could not be given back to the queue alone"
        raise UnknownEvent(message)
    group = str(attributes.get("MessageGroupId", "")) if isinstance(attributes, dict) else ""
    read = _message(lambda: _request_in(read_json(valid(QueueRecord, record).body, "body"), standing))
    return Message(read.request, message_id, group if fifo else None)


def _topic_request(record: Mapping[str, Any], standing: Standing) -> Request:
    return _request_in(read_json(valid(TopicRecord, record).notification.message, "Sns.Message"), standing)


def _request_in(payload: Mapping[str, Any], standing: Standing) -> Request:
    """A request, or the one in an SNS notification or an EventBridge event."""
    if payload.get("Type") == "Notification":
        return _request_in(read_json(valid(Notification, payload).message, "Message"), standing)
    if "detail-type" in payload:
        return _bus_request(payload, standing)
    return read_request(payload)


def _bus_request(event: Mapping[str, Any], standing: Standing) -> Request:
    bus_event = valid(BusEvent, event)
    detail = bus_event.detail
    if isinstance(detail, str):
        detail = read_json(detail, "detail")
    if bus_event.detail_type == SCHEDULED and not detail:
        if not standing.scheduled:
            message = "detail: is empty, and REAPER_SCHEDULED_REQUEST is not set"
            raise InvalidRequest(message)
        return read_request(read_json(standing.scheduled, "REAPER_SCHEDULED_REQUEST"))
    if "NotificationMetadata" in detail:
        return read_request(read_json(detail["NotificationMetadata"], "detail.NotificationMetadata"))
    values = None if SUBJECTS & detail.keys() else activation.activated(bus_event.detail_type, detail)
    return read_request(detail) if values is None else _activation_request(values, standing)


def _activation_request(values: Mapping[str, str], standing: Standing) -> Request:
    if not standing.lifecycle:
        message = f"detail: tells that an image has become active, and {activation.TEMPLATE} is not set"
        raise InvalidRequest(message)
    return activation.request_for(values, standing.lifecycle)


def _stack_messages(event: Mapping[str, Any]) -> Iterator[Message]:
    """The request of a deletion. Any other call gets it without its images: what is wrong with it then fails early."""
    if event.get("PhysicalResourceId") == NEVER_CREATED:
        return
    message = _message(lambda: _stack_request(event))
    if event.get("RequestType") == "Delete" or isinstance(message.request, InvalidRequest):
        yield message
    else:
        request = message.request
        empty = DeletionRequest((), request.project_id, request.delete_backup, request.dry_run, request.reason)
        yield message._replace(request=empty)


def _stack_request(event: Mapping[str, Any]) -> Request:
    properties = valid(StackEvent, event).resource_properties
    given = {key: value for key, value in properties.items() if key not in {"ServiceToken", "ServiceTimeout"}}
    return read_request({key: _typed(key, value) for key, value in given.items()})


def _typed(key: str, value: object, depth: int = 4) -> object:
    """Give a property its type back: CloudFormation makes a string of every value. No request is nested deeper."""
    if key in {"delete_backup", "dry_run", "deactivate"} and value in ("true", "false"):
        return value == "true"
    if key in {"size", "size_over", "limit", "newest"} and isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if key == "limit_percent" and isinstance(value, str) and _NUMBER.fullmatch(value.replace(".", "", 1)):
        return float(value)
    if isinstance(value, dict) and depth and key != "properties":  # those are texts in the cloud as well
        return {k: _typed(k, v, depth - 1) for k, v in value.items()}
    if isinstance(value, list) and depth:
        return [_typed("", item, depth - 1) for item in value]
    return value


def _message(read: Callable[[], Request]) -> Message:
    """Read a request; what is wrong with it is kept, not raised."""
    try:
        return Message(read())
    except InvalidRequest as error:
        return Message(error)
