"""Records of AWS: messages of an SQS queue, and notifications of an SNS topic.

The models have only the fields that are read here, so that nothing else in a record can make a request invalid: AWS
leaves fields out (FIFO topics have no signature) and adds others. Powertools has complete models, but building them
takes longer than all the work of a warm function on an event.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handler.errors import InvalidRequest, UnknownEvent
from handler.model.message import Message, Rejected, StackCall
from handler.model.request import Request
from handler.sources.aws import bus, stack
from handler.sources.aws.delivery import group_of, is_fifo, receipt_of, sent_at, text_in
from handler.sources.parsing import message_of, read_json, shown, valid
from handler.sources.schema import REQUEST_FIELDS, read_request
from handler.sources.surroundings import Surroundings

TESTS = ("autoscaling:TEST_NOTIFICATION", "s3:TestEvent")
"""The events that AWS sends once to try a new destination."""
_MOST_SOURCES = 3


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


def holds_stack_event(event: Mapping[str, Any]) -> bool:
    """Whether this is a call of CloudFormation, by itself or as a topic delivers it."""
    return stack.is_stack_event(_through_topic(event))


def read_stack_event(event: Mapping[str, Any], given: Surroundings) -> tuple[Message, ...]:
    """Read the single message of a call of CloudFormation; raises UnknownEvent if it would be answered elsewhere."""
    message = _stack_message(_through_topic(event), given)
    # Nothing at all is asked for, so that not even the credentials need be right.
    return () if message.call and stack.is_never_created(message.call) else (message,)


def stack_calls(event: object, given: Surroundings) -> dict[str, StackCall]:
    """The calls of CloudFormation in an event: by the ids of the messages of a queue, or under an empty id.

    Raises UnknownEvent if the event is a call that would be answered elsewhere than at AWS.
    """
    if not isinstance(event, dict):
        return {}
    if holds_stack_event(event):
        return {"": stack.read_stack_call(_through_topic(event), answers_here=given.answers_here)}
    if not are_of_queue(event):
        return {}
    # Nearly no message is one: the others are not read twice.
    likely = [record for record in _records(event) if _may_name("ResponseURL", record.get("body"))]
    messages = [_queue_message(record, given, in_order=False) for record in likely]
    return {message.id: message.call for message in messages if message and message.call}


def is_test(payload: Mapping[str, Any]) -> bool:
    """Whether this is what AWS sends to try a new destination, and what asks for nothing."""
    return payload.get("Event") in TESTS and not REQUEST_FIELDS & payload.keys()


def read_queue(event: Mapping[str, Any], given: Surroundings) -> tuple[Message, ...]:
    """Read the message of each record."""
    records = _records(event)
    in_order = any(map(is_fifo, records))
    messages = (_queue_message(record, given, in_order=in_order) for record in records)
    return tuple(message for message in messages if message)


def read_topic(event: Mapping[str, Any], given: Surroundings) -> tuple[Message, ...]:
    """Read the notification of each record."""
    messages = (_message_in(partial(_topic_payload, record), given) for record in _records(event))
    return tuple(message for message in messages if message)


def problem_of(event: Mapping[str, Any]) -> str:
    """What is wrong with records that come from neither a queue nor a topic; empty if nothing is."""
    if "Records" not in event or are_of_queue(event) or are_of_topic(event):
        return ""
    records = _records(event)
    if not records:
        return "Records: must be a list of at least one record"
    named = {text_in(record.get("eventSource") or record.get("EventSource")) for record in records}
    sources = [shown(source) or "nowhere" for source in sorted(named)[:_MOST_SOURCES]]
    more = f" and {len(named) - _MOST_SOURCES} more" if len(named) > _MOST_SOURCES else ""
    return f"Records: from {', '.join(sources)}{more}, not from aws:sqs or aws:sns"


def _records(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of an event; none at all if any of them can't be a record."""
    records = event.get("Records")
    return records if isinstance(records, list) and all(isinstance(record, dict) for record in records) else []


def _may_name(key: str, value: object) -> bool:
    """Whether there may be this key in JSON, which may spell any letter as its number in Unicode."""
    text = text_in(value)
    return key in text or "\\u" in text


def _queue_message(record: Mapping[str, Any], given: Surroundings, *, in_order: bool) -> Message | None:
    """Read one record; None if there is nothing to do for it."""
    message_id = record.get("messageId")
    # SQS deletes every message that the answer does not name as failed. Without an id, this one could not be named.
    if not isinstance(message_id, str) or not message_id:
        problem = "Records: a record without messageId could not be returned to the queue by itself"
        raise UnknownEvent(problem)
    # Read even if the body can't be: a bad message holds up the rest of its group like any other that failed. Messages
    # of a FIFO queue without a group share the empty one, and so keep their order.
    group = group_of(record) if in_order else None
    message = _message_in(lambda: read_json(valid(QueueRecord, record).body, "body"), given)
    if message is None:
        return None
    return message._replace(id=message_id, group=group, receipt=receipt_of(record), sent_at=sent_at(record))


def _topic_payload(record: Mapping[str, Any]) -> dict[str, Any]:
    return read_json(valid(TopicRecord, record).notification.message, "Sns.Message")


def _message_in(read: Callable[[], dict[str, Any]], given: Surroundings) -> Message | None:
    """Read what a record holds; None if it is a test of AWS, for which nothing is to be done."""
    try:
        payload = _unwrapped(read())
        if stack.is_stack_event(payload):
            return _stack_message(payload, given)
    except (InvalidRequest, UnknownEvent) as error:
        return Message(Rejected(str(error)))
    return None if is_test(payload) else message_of(lambda: _request_in(payload, given))


def _unwrapped(payload: dict[str, Any]) -> dict[str, Any]:
    """What an SNS notification holds: topics wrap what they deliver to a queue, or to each other."""
    while payload.get("Type") == "Notification":
        payload = read_json(valid(Notification, payload).message, "Message")
    return payload


def _stack_message(payload: Mapping[str, Any], given: Surroundings) -> Message:
    call = stack.read_stack_call(payload, answers_here=given.answers_here)
    return stack.read_stack(payload, call)._replace(call=call)


def _message_of(record: Mapping[str, Any]) -> object:
    """What the notification in a record says, as it stands there."""
    notification = record.get("Sns")
    return notification.get("Message") if isinstance(notification, dict) else None


def _through_topic(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The call of CloudFormation that a topic delivers, or the event itself if it is anything else."""
    # SNS delivers one notification at a time to Lambda.
    records = _records(event)
    if len(records) != 1 or not are_of_topic(event) or not _may_name("RequestType", _message_of(records[0])):
        return event
    try:
        payload = _unwrapped(_topic_payload(records[0]))
    except InvalidRequest:
        return event
    return payload if stack.is_stack_event(payload) else event


def _request_in(payload: Mapping[str, Any], given: Surroundings) -> Request:
    """The request in a body, which may be wrapped in an EventBridge event."""
    return bus.read_bus_event(payload, given) if bus.is_event(payload) else read_request(payload)
