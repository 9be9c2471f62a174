"""A run: what was asked for, handed to the composition, with somebody who looks on."""

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from handler.compose.engines import shell
from handler.compose.invocation import handle
from handler.config.settings import Settings
from handler.model.message import Received
from handler.model.outcome import Decision, Result
from handler.report.report import Report, mode_of
from handler.shell.files.journal import logging_to
from handler.shell.runs.days import moment
from handler.shell.runs.shown import OnlyShown, Permitted
from handler.shell.runs.signals import Signals, Stopped
from handler.shell.runs.stopping import Stopping
from handler.shell.screen.live.progress import progress

SECONDS = 900
"""How long a run may take: the most that Lambda allows."""


class ShellContext:
    """Lambda's context for a run from a shell."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the run must have ended."""
        return max(0, int((self._end - time.monotonic()) * 1000))


class Terms(NamedTuple):
    """The terms of a run. `journal` is the file of its journal, None for a rehearsal, which has none.

    `today` is the day that counts in place of the present one. If something is `permitted`, nothing else may be
    changed. With `logged`, the log is shown.
    """

    journal: Path | None = None
    today: date | None = None
    permitted: Permitted | None = None
    logged: bool = False


class Done(NamedTuple):
    """A run that has ended: its report, its moment, and what was decided on the images.

    If a signal has ended it, `stopped` says so in words; empty otherwise. Where even that was stopped, the report holds
    what was known by then, and `unknown` are the images of which it is not known whether they were changed.
    `remarks` are what must be told of it besides; the journal `is_whole` if it has taken every line.
    """

    report: Report
    now: datetime
    decisions: Sequence[Decision] = ()
    stopped: str = ""
    unknown: Sequence[str] = ()
    not_tried: int = 0
    remarks: Sequence[str] = ()
    is_whole: bool = True


def run(received: Received, settings: Settings, terms: Terms, signals: Signals | None = None) -> Done:
    """Have it done, until a signal stops it; raises ReaperError for what can't be begun."""
    now, decisions, signals = moment(terms.today), list[Decision](), signals or Signals()
    context = ShellContext()
    with ExitStack() as stack:
        log = stack.enter_context(logging_to(terms.journal, shown=terms.logged))
        log.begin(context.aws_request_id)
        # Their lines would run into each other.
        stop = Stopping(stack.enter_context(progress(shown=not terms.logged)), lambda: signals.why)
        stack.enter_context(signals.halting(stop.halt))
        watch = stop if terms.permitted is None else OnlyShown(stop, terms.permitted)
        try:
            report = handle(received, context, settings, shell, now, decisions.append, watch)
        except Stopped:
            signals.is_at_once = True
            known = _by_now(stop, received, settings, now)
            known = known._replace(remarks=log.remarks(), is_whole=log.is_whole)
            return known._replace(decisions=decisions, stopped=signals.why)
    # A plan of another day could delete too early.
    report = report._replace(plans=()) if terms.today else report
    return Done(
        report=report,
        decisions=decisions,
        now=now,
        stopped=signals.why,
        remarks=log.remarks(),
        is_whole=log.is_whole,
    )


def _by_now(stop: Stopping, received: Received, settings: Settings, now: datetime) -> Done:
    """What is known of a run that goes on."""
    request = received.requests[0] if received.requests else None
    results = (Result(message_id="", request=request, outcomes=stop.known()),)
    report = Report(
        source=received.source,
        mode=mode_of(settings.mode, results),
        request_id="",
        project_id="",
        results=results,
        max_images=settings.max_images,
    )
    return Done(report=report, now=now, unknown=stop.under_way(), not_tried=stop.not_tried())
