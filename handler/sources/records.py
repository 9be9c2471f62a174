"""Records of AWS: messages of an SQS queue, and notifications of an SNS topic.

The models have only the fields that are read here, so that nothing else in a record can make a request invalid: AWS
leaves fields out (FIFO topics have no signature) and adds others. Powertools has complete models, but building them
takes longer than all the work of a warm function on an event.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handler.errors import UnknownEvent
from handler.model.message import Message
from handler.model.request import Request
from handler.sources import bus
from handler.sources.parsing import message_of, read_json, valid
from handler.sources.schema import read_request


class _Envelope(BaseModel):
    """A model that is built when first used: an event needs at most two of them."""

    model_config = ConfigDict(defer_build=True, frozen=True)


class QueueRecord(_Envelope):
    """A message of an SQS queue."""

    event_source: Literal["aws:sqs"] = Field(alias="eventSource")
    body: str


class Notification(_Envelope):
    """A notification of an SNS topic."""

    type: Literal["Notification"] = Field(alias="Type")
    message: str = Field(alias="Message")


class TopicRecord(_Envelope):
    """A notification as SNS delivers it to Lambda."""

    notification: Notification = Field(alias="Sns")


def are_of_queue(event: Mapping[str, Any]) -> bool:
    """Whether any of the records is from SQS."""
    # One is enough: to a queue, records can be returned one by one, so that the odd one spoils no other.
    return any(record.get("eventSource") == "aws:sqs" for record in _records(event))


def are_of_topic(event: Mapping[str, Any]) -> bool:
    """Whether all of the records are from SNS."""
    records = _records(event)
    # Nothing can be returned to a topic: one record of another kind makes the whole event an unknown one.
    return bool(records) and all(record.get("EventSource") == "aws:sns" for record in records)


def read_queue(event: Mapping[str, Any], standing: bus.StandingRequests) -> tuple[Message, ...]:
    """Read the message of each record."""
    records = _records(event)
    # By the name of the queue, not by the group: in a standard queue, a group makes delivery fair but sets no order.
    is_fifo = any(str(record.get("eventSourceARN")).endswith(".fifo") for record in records)
    return tuple(_queue_message(record, standing, is_fifo=is_fifo) for record in records)


def read_topic(event: Mapping[str, Any], standing: bus.StandingRequests) -> tuple[Message, ...]:
    """Read the notification of each record."""
    return tuple(message_of(partial(_topic_request, record, standing)) for record in _records(event))


def problem_of(event: Mapping[str, Any]) -> str:
    """What is wrong with records that come from neither a queue nor a topic; empty if nothing is."""
    if "Records" not in event or are_of_queue(event) or are_of_topic(event):
        return ""
    records = _records(event)
    if not records:
        return "Records: must be a list of at least one record"
    sources = {str(record.get("eventSource") or record.get("EventSource"))[:60] for record in records}
    return f"Records: from {', '.join(sorted(sources))}, not from aws:sqs or aws:sns"


def _records(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of an event; none at all if any of them can't be a record."""
    records = event.get("Records")
    return records if isinstance(records, list) and all(isinstance(record, dict) for record in records) else []


def _queue_message(record: Mapping[str, Any], standing: bus.StandingRequests, *, is_fifo: bool) -> Message:
    message_id, attributes = record.get("messageId"), record.get("attributes")
    # SQS deletes every message that the answer does not name as failed. Without an id, this one could not be named.
    if not isinstance(message_id, str) or not message_id:
        problem = "Records: a record without messageId could not be returned to the queue by itself"
        raise UnknownEvent(problem)
    # Read even if the body can't be: a bad message holds up the rest of its group like any other that failed. Messages
    # of a FIFO queue without a group share the empty one, and so keep their order.
    group = str(attributes.get("MessageGroupId", "")) if isinstance(attributes, dict) else ""
    message = message_of(lambda: _request_in(read_json(valid(QueueRecord, record).body, "body"), standing))
    return message._replace(id=message_id, group=group if is_fifo else None)


def _topic_request(record: Mapping[str, Any], standing: bus.StandingRequests) -> Request:
    return _request_in(read_json(valid(TopicRecord, record).notification.message, "Sns.Message"), standing)


def _request_in(payload: Mapping[str, Any], standing: bus.StandingRequests) -> Request:
    """The request in a body, which may be wrapped in an SNS notification, in an EventBridge event, or in both."""
    # Topics and buses may deliver to a queue or to each other, and each wraps what it delivers in its own envelope.
    if payload.get("Type") == "Notification":
        return _request_in(read_json(valid(Notification, payload).message, "Message"), standing)
    if bus.is_event(payload):
        return bus.read_bus_event(payload, standing)
    return read_request(payload)
