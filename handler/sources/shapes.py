"""The table of shapes: what an event may look like, how it is read, and who waits for an answer to it.

A new source needs a row here, a reader, a file in events/, and tests.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handler.errors import UnknownEvent
from handler.model.message import LifecycleAction, Message, Received, Waiting
from handler.model.request import Source
from handler.sources.aws import bus, records
from handler.sources.functiongraph import envelopes, refusals, traces
from handler.sources.parsing import message_of
from handler.sources.schema import REQUEST_FIELDS, read_request
from handler.sources.surroundings import Surroundings

Event = Mapping[str, Any]


class Shape(NamedTuple):
    """One kind of event. `read` returns its messages; a request that can't be read becomes a message that says why."""

    source: Source
    is_one: Callable[[Event], bool]
    read: Callable[[Event, Surroundings], tuple[Message, ...]]
    waiting: Callable[[Event], Waiting | LifecycleAction]


class Table(NamedTuple):
    """The shapes of one engine, tried from the top; the first that fits decides.

    `problem_of` returns why an event has none of them, or an empty string where no more than `otherwise` can be said.
    """

    shapes: tuple[Shape, ...]
    problem_of: Callable[[Event], str]
    otherwise: str

    def knows(self, event: Event) -> bool:
        """Whether an event has one of the shapes."""
        return any(shape.is_one(event) for shape in self.shapes)


_A_REQUEST = "a request with image_ids, images, sweep or approve"


def _queue(_event: Event) -> Waiting:
    return Waiting.QUEUE


def _broker(_event: Event) -> Waiting:
    return Waiting.BROKER


def _nobody(_event: Event) -> Waiting:
    return Waiting.NOBODY


def _caller(_event: Event) -> Waiting:
    return Waiting.CALLER


def _stack(_event: Event) -> Waiting:
    return Waiting.STACK


def _is_request(event: Event) -> bool:
    return bool(REQUEST_FIELDS & event.keys())


def _read_request(event: Event, _given: Surroundings) -> tuple[Message, ...]:
    return (message_of(lambda: read_request(event)),)


def _read_nothing(_event: Event, _given: Surroundings) -> tuple[Message, ...]:
    return ()


# The order matters for three rows: a call of CloudFormation may come through a topic, and an event of a schedule is one
# of EventBridge, too, so that `stack` stands before `topic`, and `schedule` before `lifecycle`; and `direct` stands
# last, since it recognises an event by a field that an envelope might have as well.
AWS = Table(
    shapes=(
        Shape(source="stack", is_one=records.holds_stack_event, read=records.read_stack_event, waiting=_stack),
        Shape(source="queue", is_one=records.are_of_queue, read=records.read_queue, waiting=_queue),
        Shape(source="topic", is_one=records.are_of_topic, read=records.read_topic, waiting=_nobody),
        Shape(source="schedule", is_one=bus.is_schedule, read=bus.read_bus, waiting=bus.waiting),
        Shape(source="lifecycle", is_one=bus.is_event, read=bus.read_bus, waiting=bus.waiting),
        Shape(source="direct", is_one=records.is_test, read=_read_nothing, waiting=_caller),
        Shape(source="direct", is_one=_is_request, read=_read_request, waiting=_caller),
    ),
    # There it is known which of the records are wrong.
    problem_of=records.problem_of,
    otherwise=f"not an SQS, SNS, EventBridge or CloudFormation event, nor {_A_REQUEST}",
)


def _problem_on_functiongraph(event: Event) -> str:
    return refusals.problem_of(event) or envelopes.problem_of_topic(event) or envelopes.problem_of_batch(event)


# An event that might be two of these is turned down earlier, so the order does not matter.
FUNCTIONGRAPH = Table(
    shapes=(
        Shape(source="schedule", is_one=envelopes.is_timer, read=envelopes.read_timer, waiting=_nobody),
        Shape(source="topic", is_one=envelopes.is_topic, read=envelopes.read_topic, waiting=_nobody),
        Shape(source="queue", is_one=envelopes.is_batch, read=envelopes.read_batch, waiting=_broker),
        Shape(source="lifecycle", is_one=traces.is_trace, read=traces.read_traces, waiting=_nobody),
        Shape(source="direct", is_one=_is_request, read=_read_request, waiting=_caller),
    ),
    problem_of=_problem_on_functiongraph,
    otherwise=f"no TIMER, SMN, KAFKA, ROCKETMQ, CTS or EventGrid event, nor {_A_REQUEST}",
)
EVERYWHERE = Table(
    shapes=(*AWS.shapes, *FUNCTIONGRAPH.shapes),
    problem_of=lambda event: AWS.problem_of(event) or ("" if AWS.knows(event) else FUNCTIONGRAPH.problem_of(event)),
    otherwise=f"not an event of AWS or of FunctionGraph, nor {_A_REQUEST}",
)
"""What a shell reads: it belongs to no engine, and takes the events of each."""


def read_event(  # noqa: PLR0913 (all that an event does not say by itself)
    event: object,
    scheduled_request: str = "",
    lifecycle_request: str = "",
    table: Table = AWS,
    *,
    answers_here: bool = False,
    failed_to: str = "",
) -> Received:
    """Read an event of any source.

    `scheduled_request` is the request of a schedule whose event has no detail, `lifecycle_request` the template for an
    image that has become active. If `answers_here`, CloudFormation may be answered at this machine. `failed_to` is
    where failed events go. Raises UnknownEvent if the event has none of the shapes.
    """
    if not isinstance(event, dict):
        raise UnknownEvent(_why_unknown(event, ""))
    if problem := table.problem_of(event):
        raise UnknownEvent(problem)
    shape = next((shape for shape in table.shapes if shape.is_one(event)), None)
    if shape is None:
        raise UnknownEvent(_why_unknown(event, table.otherwise))
    given = Surroundings(
        scheduled=scheduled_request, lifecycle=lifecycle_request, answers_here=answers_here, failed_to=failed_to
    )
    return Received(source=shape.source, messages=shape.read(event, given), waiting=shape.waiting(event))


def _why_unknown(event: object, otherwise: str) -> str:
    """Why an event has none of the shapes, with what it looks like."""
    from handler.sources.problems.events import kind, likeness  # noqa: PLC0415 (a good event needs none of it)

    if not isinstance(event, dict):
        return f"an event is a JSON object, not {kind(event)}"
    alike = likeness(event)
    return f"{otherwise}: {alike}" if alike else otherwise
