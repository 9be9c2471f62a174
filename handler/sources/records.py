"""The records of AWS: messages of an SQS queue, and notifications of an SNS topic.

The models say no more than is read here: nothing else in a record can make a request wrong. AWS leaves fields out (FIFO
topics have no signature) and adds others. Powertools has models of it all, but making those takes longer than all that
a warm function does with an event.
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
    """Made when it is first needed: an event needs two of them at the most."""

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
    """A notification as SNS gives it to Lambda."""

    notification: Notification = Field(alias="Sns")


def are_of_queue(event: Mapping[str, Any]) -> bool:
    """Whether one of the records is SQS's: those of a queue are given back one by one, whatever is wrong with them."""
    return any(record.get("eventSource") == "aws:sqs" for record in _records(event))


def are_of_topic(event: Mapping[str, Any]) -> bool:
    """Whether all of the records are SNS's."""
    records = _records(event)
    return bool(records) and all(record.get("EventSource") == "aws:sns" for record in records)


def read_queue(event: Mapping[str, Any], standing: bus.StandingRequests) -> tuple[Message, ...]:
    """Read the message of each record."""
    records = _records(event)
    is_fifo = any(str(record.get("eventSourceARN")).endswith(".fifo") for record in records)
    return tuple(_queue_message(record, standing, is_fifo=is_fifo) for record in records)


def read_topic(event: Mapping[str, Any], standing: bus.StandingRequests) -> tuple[Message, ...]:
    """Read the notification of each record."""
    return tuple(message_of(partial(_topic_request, record, standing)) for record in _records(event))


def problem_of(event: Mapping[str, Any]) -> str:
    """What is wrong with records that are neither a queue's nor a topic's; empty if that is not so."""
    if "Records" not in event or are_of_queue(event) or are_of_topic(event):
        return ""
    records = _records(event)
    if not records:
        return "Records: must be a list of at least one record"
    sources = {str(record.get("eventSource") or record.get("EventSource"))[:60] for record in records}
    return f"Records: from {', '.join(sorted(sources))}, not from aws:sqs or aws:sns"


def _records(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of an event, none if one of them can't be a record."""
    records = event.get("Records")
    return records if isinstance(records, list) and all(isinstance(record, dict) for record in records) else []


def _queue_message(record: Mapping[str, Any], standing: bus.StandingRequests, *, is_fifo: bool) -> Message:
    message_id, attributes = record.get("messageId"), record.get("attributes")
    if not isinstance(message_id, str) or not message_id:
        problem = "Records: a record without messageId could not be given back to the queue alone"
        raise UnknownEvent(problem)
    group = str(attributes.get("MessageGroupId", "")) if isinstance(attributes, dict) else ""
    message = message_of(lambda: _request_in(read_json(valid(QueueRecord, record).body, "body"), standing))
    return message._replace(id=message_id, group=group if is_fifo else None)


def _topic_request(record: Mapping[str, Any], standing: bus.StandingRequests) -> Request:
    return _request_in(read_json(valid(TopicRecord, record).notification.message, "Sns.Message"), standing)


def _request_in(payload: Mapping[str, Any], standing: bus.StandingRequests) -> Request:
    """A request, or the one in an SNS notification or an EventBridge event."""
    if payload.get("Type") == "Notification":
        return _request_in(read_json(valid(Notification, payload).message, "Message"), standing)
    if bus.is_event(payload):
        return bus.read_bus_event(payload, standing)
    return read_request(payload)
