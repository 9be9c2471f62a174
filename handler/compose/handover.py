"""Events that the engine repeats if they fail: those that no repetition can cure are handed over, and told once."""

from typing import Any, NamedTuple

from handler.clock import Deadline
from handler.compose.ending import Context, remaining_of
from handler.compose.engines.engine import Engine
from handler.compose.invocation import handle
from handler.compose.warm import reporter
from handler.config.settings import Settings
from handler.errors import CloudError, InvalidRequest
from handler.model.message import Received
from handler.model.outcome import Result
from handler.report.report import Report
from handler.work.parallel import in_time
from handler.work.run import Progress

LAST_LINE = 0.5
"""Seconds kept back to say in the log what came of it."""
LASTING = frozenset({"over_limit", "backup_left"})
"""The reasons of failures that a repetition can't cure.

A cap holds again, and a backup that was left is no longer in sight once its image is gone. All others may pass: a cloud
that is away, credentials that are replaced, a budget in its next window, a function that is
paused, another run that does the same.
"""


class HandedOver(NamedTuple):
    """The answer to an event that was handed over: its report, with `rejected` if a request was turned down."""

    answer: dict[str, Any]


def handle_or_hand_over(
    event: object, received: Received, context: Context, settings: Settings, engine: Engine
) -> Report | HandedOver:
    """Carry out an event, and hand it over if nobody reads the answer and no repetition can cure what failed.

    Raises what `handle` raises, unless the event was handed over.
    """
    try:
        report = handle(received, context, settings, engine)
    except InvalidRequest as error:
        told = _turned_down(received, str(error), context, settings)
        if _is_handed_over(event, received, told, context, settings, engine):
            return HandedOver(told)
        raise
    # One such image is enough, whatever became of the others: if the event were repeated for their sake, it would fail
    # again, or delete more than MaxImages. All of them stand in the report that is handed over.
    if any(outcome.failed and outcome.reason in LASTING for outcome in report.outcomes):
        told = report.answer()
        if _is_handed_over(event, received, told, context, settings, engine):
            return HandedOver(told)
    return report


def _turned_down(received: Received, problem: str, context: Context, settings: Settings) -> dict[str, Any]:
    report = Report(
        source=received.source,
        mode=settings.mode,
        request_id=context.aws_request_id,
        project_id="",
        results=(Result("", None, problem=problem),),
    )
    return report.answer() | {"rejected": problem}


def _is_handed_over(  # noqa: PLR0913, PLR0917 (all that goes with an event that is handed over)
    event: object, received: Received, told: dict[str, Any], context: Context, settings: Settings, engine: Engine
) -> bool:
    """Hand an event over, if there is a queue or topic for that; returns whether it was taken."""
    # Not the deadline of the run, which has kept time back for this.
    deadline = Deadline(remaining_of(context), reserve=LAST_LINE)
    send = engine.hand_over(settings, deadline) if received.may_come_again else None
    if send is None:
        return False
    try:
        problem = in_time(lambda: send(event, told), deadline, Progress(0))
    except CloudError as error:
        problem = str(error)
    finally:
        # A late thread would hand over, during a later invocation, an event that is repeated by then.
        deadline.fence.cut()
    name = "event.not_handed_over" if problem else "event.handed_over"
    fields = {"problem": problem} if problem else {}
    origin = {"source": received.source, "request_id": context.aws_request_id}
    reporter(settings.service, settings.namespace).warn(name, **fields, **origin)
    return not problem
