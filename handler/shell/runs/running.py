"""A run: what was asked for, handed to the composition, with somebody who looks on."""

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from handler.compose.engines import shell
from handler.compose.invocation import handle
from handler.config.settings import Settings
from handler.model.message import Received
from handler.model.outcome import Decision
from handler.report.report import Report
from handler.shell.files.journal import logging_to
from handler.shell.runs.shown import OnlyShown
from handler.shell.runs.stopping import Stopping, stopping
from handler.shell.screen.progress import progress

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

    `today` is the day that counts in place of the present one. If `shown` are given, nothing but these images may be
    changed. With `logged`, the log is shown.
    """

    journal: Path | None = None
    today: date | None = None
    shown: frozenset[str] | None = None
    logged: bool = False


class Done(NamedTuple):
    """A run that has ended: its report, what was decided on the images, its moment, and whether Ctrl-C has ended it."""

    report: Report
    decisions: Sequence[Decision]
    now: datetime
    stopped: bool


def run(received: Received, settings: Settings, terms: Terms) -> Done:
    """Have it done; raises ReaperError for what can't be begun."""
    now, decisions = _moment(terms.today), list[Decision]()
    with ExitStack() as stack:
        stack.enter_context(logging_to(terms.journal, shown=terms.logged))
        stop: Stopping = stack.enter_context(stopping(stack.enter_context(progress())))
        watch = stop if terms.shown is None else OnlyShown(stop, terms.shown)
        report = handle(received, ShellContext(), settings, shell, now, decisions.append, watch)
    return Done(report=report, decisions=decisions, now=now, stopped=stop.is_stopped)


def _moment(today: date | None) -> datetime:
    """The present moment, or the same time of another day, in UTC."""
    now = datetime.now(UTC)
    return now if today is None else datetime.combine(today, now.timetz())
