"""What a person may do next. Pure."""

import argparse
import shlex
from collections.abc import Iterator

from handler.model.request import SweepRequest
from handler.report.report import Report
from handler.shell.screen.lines.width import wrapped
from handler.shell.screen.terminal import Screen, printable

JOURNAL = "Journal: "
"""What stands before the path of a journal."""
NEXT = "Next: REAPER_MODE=delete image-reaper "
"""How a line begins that has the next command."""


def fitted(text: str, screen: Screen) -> str:
    """What a person is told, broken at blanks where a line does not fit, but for a path or a command to be copied."""
    lines = (
        [line] if line.startswith((JOURNAL, NEXT)) else wrapped(line, screen.width, "  ") for line in text.splitlines()
    )
    return "\n".join(line for several in lines for line in several)


def hints(report: Report, options: argparse.Namespace) -> Iterator[str]:
    """The lines for a person at a terminal."""
    if report.source == "stack":
        yield "CloudFormation was not told: a run from a shell answers nobody"
    if report.mode == "dry-run" and not options.today:
        yield from map(printable, _next(report, options))


def _next(report: Report, options: argparse.Namespace) -> Iterator[str]:
    """How to go on after a rehearsal that would delete something, or mark it."""
    would = [outcome for outcome in report.outcomes if outcome.outcome == "would_delete"]
    # A request that asks for a rehearsal gets one, whatever the mode.
    asked_to = any(result.request and result.request.dry_run for result in report.results)
    # What has failed comes first: what is next is not to go on without it.
    if not would or asked_to or not report.ok:
        return
    if plan := options.apply or (options.plan if report.plans else None):
        cloud = f"--cloud {shlex.quote(options.cloud)} " if options.cloud else ""
        yield f"{NEXT}{cloud}--apply {shlex.quote(str(plan))}"
    elif all(outcome.waits for outcome in would):
        yield "Next: the same command with REAPER_MODE=delete marks them"
    elif options.sweep or any(isinstance(result.request, SweepRequest) for result in report.results):
        yield "Next: add --plan FILE to keep this as a plan; --apply then deletes no more than this"
    else:
        yield "Next: the same command with REAPER_MODE=delete deletes them"
