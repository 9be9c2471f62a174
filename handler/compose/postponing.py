"""The end of an invocation by a queue: before the answer, messages that failed for a reason that passes are put off."""

from collections.abc import Callable, Sequence

from handler.clock import Deadline, uptime
from handler.compose.ending import PUTTING_OFF
from handler.engine.ports import Postpone
from handler.errors import CloudError
from handler.report.reporter import Reporter
from handler.work.batches.postponements import Postponement
from handler.work.parallel import in_time
from handler.work.run import Progress

SHORTEST = 0.2
"""Seconds that must be left for putting messages off; with fewer, it is not begun."""
MOST_TOLD = 1000
"""Messages that one log line names: a batch may have ten thousand."""


def deadline_for(remaining: Callable[[], float], reserve: float) -> Deadline:
    """The deadline for putting messages off: PUTTING_OFF seconds from now, or as soon as only `reserve` remain."""
    end = uptime() + PUTTING_OFF
    return Deadline(lambda: min(remaining() - reserve, end - uptime()), reserve=0.0, shortest=SHORTEST)


def put_off(found: Sequence[Postponement], postpone: Postpone, deadline: Deadline, reporter: Reporter) -> None:
    """Put messages off, and write to the log what came of it; raises nothing.

    One that can't be put off comes again when its visibility timeout ends.
    """
    if not found:
        return
    try:
        deadline.check()
        problems = in_time(lambda: postpone([(one.receipt, one.seconds) for one in found]), deadline, Progress(0))
    except CloudError as error:
        problems = [str(error)] * len(found)
    finally:
        # A late thread would go on in a later invocation, and hide messages that have been received anew by then.
        deadline.fence.cut()
    done = [one for one, problem in zip(found, problems, strict=True) if not problem]
    if done:
        reporter.warn("messages.put_off", count=len(done), messages=[_told(one) for one in done[:MOST_TOLD]])
    if failed := [(one, problem) for one, problem in zip(found, problems, strict=True) if problem]:
        told = [one.message_id for one, _ in failed[:MOST_TOLD]]
        reporter.warn("messages.not_put_off", count=len(failed), problem=failed[0][1], messages=told)


def _told(one: Postponement) -> dict[str, object]:
    return {"message_id": one.message_id, "seconds": one.seconds, "reasons": one.reasons}
