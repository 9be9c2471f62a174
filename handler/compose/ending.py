"""How an invocation ends: early enough to say all that must be said, and so that nothing is sent afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from handler.clock import RESERVE, Deadline
from handler.config.settings import Settings
from handler.engine.ports import Allowance
from handler.errors import CloudError, DeadlineReached
from handler.model.message import Received, Waiting
from handler.report.reporter import Reporter
from handler.work.parallel import in_time
from handler.work.run import Progress

STACK_RESERVE = 10.0
"""Seconds kept back to answer CloudFormation."""
PUTTING_OFF = 1.5
"""Seconds kept back to put messages off, which takes no longer, beside those for the log and the answer."""
LAST_CALLS = 4.0
"""Seconds kept back to tell the state table, and the queue or topic of failures, how an event has ended."""

LAST_WORDS = 6.0
"""Seconds kept back to leave the files of a run in the bucket, and to send its notice."""


class Context(Protocol):
    """The part of Lambda's context that every door has."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime ends the invocation."""


def remaining_of(context: Context) -> Callable[[], float]:
    """The seconds that the runtime still grants."""
    return lambda: context.get_remaining_time_in_millis() / 1000


def function_of(context: Context, name: str) -> str:
    """What to call a function by that has this name, to reach the very version that was invoked; empty if it has none.

    That is the name with the alias or the number of the version, if it was invoked by one. Source: AWS Lambda developer
    guide, "Using the Lambda context object to retrieve Python function information": `invoked_function_arn`.
    """
    return name and ":".join([name, *getattr(context, "invoked_function_arn", "").split(":")[7:]])


def reserve_for(received: Received, settings: Settings) -> float:
    """Seconds to keep back at the end of an invocation; for many images, the run itself keeps back more."""
    reserve = STACK_RESERVE if any(message.call for message in received.messages) else RESERVE
    is_told_elsewhere = received.may_come_again or received.waiting is Waiting.BROKER
    if is_told_elsewhere and (settings.state_table or settings.failed_to):
        reserve += LAST_CALLS
    if any(message.receipt for message in received.messages):
        reserve += PUTTING_OFF
    return reserve + _last_words(settings)


def _last_words(settings: Settings) -> float:
    return LAST_WORDS if settings.report_bucket or settings.notice_topic else 0.0


def until_answer(received: Received, context: Context, settings: Settings) -> Callable[[], float]:
    """The seconds in which files may still be left in the bucket, and notices be sent."""
    remaining, others = remaining_of(context), reserve_for(received, settings) - _last_words(settings)
    return lambda: remaining() - others


@contextmanager
def of(deadline: Deadline, progress: Progress, drop_access: Callable[[], object]) -> Iterator[None]:
    """Make sure that nothing more is sent once the run has ended; what late threads may still use is dropped."""
    try:
        yield
    finally:
        # Lambda freezes what is still running, and thaws it in a later invocation. A late thread must not share its
        # connections and its token with that one. It finds its own run halted before it can send anything; and if it
        # has found that just before, it finds its connection closed.
        deadline.halt(DeadlineReached("the invocation has ended"))
        if progress.is_late:
            deadline.fence.cut()
            drop_access()


def settle(allowance: Allowance, context: Context, reporter: Reporter) -> None:
    """Give back what a run has not used of its event's allowance, now that it deletes no more; raises nothing."""
    try:
        problem = in_time(allowance.settle, Deadline(remaining_of(context), reserve=RESERVE), Progress(0))
    except CloudError as error:
        problem = str(error)
    if problem:
        reporter.warn("event.used_up", problem=problem, request_id=context.aws_request_id)
