"""The table of shapes: what an event may look like, how it is read, and who waits for an answer to it.

A new source needs a row here, a reader, a file in events/, and tests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from handler.errors import UnknownEvent
from handler.model.message import LifecycleAction, Message, Received, Waiting
from handler.model.request import Source
from handler.sources.aws import bus, records
from handler.sources.parsing import message_of
from handler.sources.schema import REQUEST_FIELDS, read_request

Event = Mapping[str, Any]


class Shape(NamedTuple):
    """One kind of event. `read` returns its messages; a request that can't be read becomes a message that says why."""

    source: Source
    is_one: Callable[[Event], bool]
    read: Callable[[Event, bus.Surroundings], tuple[Message, ...]]
    waiting: Callable[[Event], Waiting | LifecycleAction]


def _queue(_event: Event) -> Waiting:
    return Waiting.QUEUE


def _nobody(_event: Event) -> Waiting:
    return Waiting.NOBODY


def _caller(_event: Event) -> Waiting:
    return Waiting.CALLER


def _stack(_event: Event) -> Waiting:
    return Waiting.STACK


def _is_request(event: Event) -> bool:
    return bool(REQUEST_FIELDS & event.keys())


def _read_request(event: Event, _given: bus.Surroundings) -> tuple[Message, ...]:
    return (message_of(lambda: read_request(event)),)


def _read_nothing(_event: Event, _given: bus.Surroundings) -> tuple[Message, ...]:
    return ()


# The order matters for three rows: a call of CloudFormation may come through a topic, and an event of a schedule is one
# of EventBridge, too, so that `stack` stands before `topic`, and `schedule` before `lifecycle`; and `direct` stands
# last, since it recognises an event by a field that an envelope might have as well.
AWS = (
    Shape(source="stack", is_one=records.holds_stack_event, read=records.read_stack_event, waiting=_stack),
    Shape(source="queue", is_one=records.are_of_queue, read=records.read_queue, waiting=_queue),
    Shape(source="topic", is_one=records.are_of_topic, read=records.read_topic, waiting=_nobody),
    Shape(source="schedule", is_one=bus.is_schedule, read=bus.read_bus, waiting=bus.waiting),
    Shape(source="lifecycle", is_one=bus.is_event, read=bus.read_bus, waiting=bus.waiting),
    Shape(source="direct", is_one=records.is_test, read=_read_nothing, waiting=_caller),
    Shape(source="direct", is_one=_is_request, read=_read_request, waiting=_caller),
)
"""Tried from the top; the first shape that fits decides."""


def read_event(
    event: object,
    scheduled_request: str = "",
    lifecycle_request: str = "",
    shapes: Sequence[Shape] = AWS,
    *,
    answers_here: bool = False,
) -> Received:
    """Read an event of any source.

    `scheduled_request` is the request of a schedule whose event has no detail, `lifecycle_request` the template for an
    image that has become active. If `answers_here`, CloudFormation may be answered at this machine. Raises UnknownEvent
    if the event has none of the shapes.
    """
    if not isinstance(event, dict):
        message = f"an event is a JSON object, not {type(event).__name__}"
        raise UnknownEvent(message)
    # Said here, where it is known which records are wrong; the message below would only say that nothing fits.
    if problem := records.problem_of(event):
        raise UnknownEvent(problem)
    shape = next((shape for shape in shapes if shape.is_one(event)), None)
    if shape is None:
        message = "not an SQS, SNS, EventBridge or CloudFormation event, nor a request with image_ids, images or sweep"
        raise UnknownEvent(message)
    given = bus.Surroundings(scheduled=scheduled_request, lifecycle=lifecycle_request, answers_here=answers_here)
    return Received(source=shape.source, messages=shape.read(event, given), waiting=shape.waiting(event))
