"""What a person may do next. Pure."""

import argparse
import shlex
from collections.abc import Iterator

from handler.report.report import Report
from handler.shell.screen.terminal import printable


def hints(report: Report, options: argparse.Namespace) -> Iterator[str]:
    """The lines for a person at a terminal."""
    if report.source == "stack":
        yield "CloudFormation was not told: nothing is sent from a shell"
    if report.mode == "dry-run" and not options.today:
        yield from map(printable, _next(report, options))


def _next(report: Report, options: argparse.Namespace) -> Iterator[str]:
    """How to go on after a rehearsal that would delete something, or mark it."""
    would = [outcome for outcome in report.outcomes if outcome.outcome == "would_delete"]
    # A request that asks for a rehearsal gets one, whatever the mode.
    asked_to = any(result.request and result.request.dry_run for result in report.results)
    if not would or asked_to:
        return
    if plan := options.apply or (options.plan if report.plans else None):
        cloud = f"--cloud {shlex.quote(options.cloud)} " if options.cloud else ""
        yield f"Next: REAPER_MODE=delete image-reaper {cloud}--apply {shlex.quote(str(plan))}"
    elif all(outcome.waits for outcome in would):
        yield "Next: the same command with REAPER_MODE=delete marks them"
    elif options.sweep:
        yield "Next: --plan FILE keeps this for --apply, which deletes exactly these"
    else:
        yield "Next: the same command with REAPER_MODE=delete deletes them"
