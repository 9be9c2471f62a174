"""The end of a broker's batch: a broker takes no message back, so the messages that failed are published."""

from collections.abc import Mapping, Sequence
from typing import Any

from handler.clock import Deadline
from handler.compose.ending import Context, remaining_of
from handler.compose.engines.engine import Engine
from handler.compose.handover import LAST_LINE
from handler.compose.warm import reporter
from handler.config.settings import Settings
from handler.engine.ports import TOO_LARGE, HandOver
from handler.errors import CloudError, ImagesFailed
from handler.model.outcome import Result
from handler.report.report import Report
from handler.sources.functiongraph.envelopes import part_of
from handler.work.parallel import in_time
from handler.work.run import Progress

MOST_PROBLEMS = 10
"""The most rejected requests for which a report says why."""


def publish_failed(
    event: Mapping[str, Any], report: Report, context: Context, settings: Settings, engine: Engine
) -> None:
    """Publish the failed messages of a batch, as smaller batches that can be sent in as they are.

    Raises ImagesFailed unless all of them were published: then the whole batch must come again.
    """
    failed = [result for result in report.results if result.failed]
    if not failed:
        return
    # Not the deadline of the run, which has kept time back for this.
    deadline = Deadline(remaining_of(context), reserve=LAST_LINE)
    send = engine.hand_over(settings, deadline)
    problems = _published(event, report._replace(plans=()), failed, send, deadline) if send else [_NOWHERE]
    lost = sum(map(bool, problems))
    origin = {"source": report.source, "request_id": report.request_id, "count": len(failed)}
    warn = reporter(settings.service, settings.namespace).warn
    if not lost:
        warn("messages.published", **origin)
        return
    problem = next(filter(None, problems))
    warn("messages.not_published", problem=problem, **origin)
    message = f"{len(failed)} of {len(report.results)} messages failed, and can't all be published: {problem}"
    raise ImagesFailed(message)


_NOWHERE = "REAPER_FAILED_TO is not set; it must be the URN of an SMN topic"


def _published(
    event: Mapping[str, Any], report: Report, failed: Sequence[Result], send: HandOver, deadline: Deadline
) -> list[str]:
    """Publish messages; returns for each publication why it failed, or an empty string."""
    try:
        return in_time(lambda: _in_parts(event, report, failed, send), deadline, Progress(0))
    except CloudError as error:
        return [str(error)]
    finally:
        # A late thread would publish, during a later invocation, messages that have come again by then.
        deadline.fence.cut()


def _in_parts(event: Mapping[str, Any], report: Report, failed: Sequence[Result], send: HandOver) -> list[str]:
    """Publish messages together, or in halves for as long as they are too large for one publication."""
    problem = send(part_of(event, {result.message_id for result in failed}), _report_on(failed, report))
    if problem != TOO_LARGE or len(failed) == 1:
        return [problem]
    half = len(failed) // 2
    return [p for part in (failed[:half], failed[half:]) for p in _in_parts(event, report, part, send)]


def _report_on(failed: Sequence[Result], report: Report) -> dict[str, Any]:
    """The part of a report that is about these messages."""
    problems = [result.problem for result in failed if result.problem]
    more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
    rejected = {"rejected": "; ".join([*problems[:MOST_PROBLEMS], *more])} if problems else {}
    return report._replace(results=tuple(failed)).answer() | rejected
