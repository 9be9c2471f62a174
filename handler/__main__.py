"""Run one event file from a shell: `python -m handler EVENT.json [--json] [--html FILE]`.

`python -m handler --approve KEY` takes the place of a file: it approves the stored plan with this key of the bucket.
The environment names the cloud, in OS_* variables or in OS_CLOUD for one of clouds.yaml, and the mode in REAPER_MODE;
without a mode, it is a rehearsal. The log and the metrics go to standard error. CloudFormation is not answered. The
exit code is 0 if all went well, 1 if an image failed, a request was turned down or the page could not be written, 2 if
nothing was begun.
"""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

import argparse
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handler.compose.engines import shell
from handler.compose.invocation import process
from handler.compose.secret import load_settings
from handler.errors import InvalidRequest, ReaperError
from handler.model.masking import mask_loggers, masked
from handler.model.outcome import Decision
from handler.model.request import parse_plan_key
from handler.report.page.page import page
from handler.report.report import Report
from handler.sources.parsing import read_json

mask_loggers()
coldstart.end()

SECONDS = 900
"""How long a run may take: the most that Lambda allows."""
COLOURS = {"deleted": 32, "would_delete": 36, "already_gone": 90, "marked": 35, "refused": 33, "failed": 31}


class ShellContext:
    """Lambda's context for a run from a shell."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the run must have ended."""
        return max(0, int((self._end - time.monotonic()) * 1000))


def table(report: Report, *, colour: bool) -> str:
    """What happened, with a line for each image."""
    rows = [
        (outcome.outcome, outcome.reason, outcome.image_id, printable(outcome.name or ""), printable(outcome.detail))
        for outcome in report.outcomes
    ]
    widths = [max([len(row[column]) for row in rows], default=0) for column in range(4)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)]
        if colour:
            cells[0] = f"\033[{COLOURS[row[0]]}m{cells[0]}\033[0m"
        lines.append("  ".join(cells).rstrip())
    rejected = [f"rejected  {result.message_id}  {result.problem}" for result in report.results if result.problem]
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items()) or "no image"
    return "\n".join([*lines, *map(printable, rejected), f"{report.mode}: {counts}"])


def printable(text: str) -> str:
    """The text with a question mark for each character that can't be printed."""
    # Names come from the cloud, and what was wrong from the event: either could move the cursor, or change the colours,
    # and so forge a line.
    return "".join(character if character.isprintable() else "?" for character in masked(text))


def say(text: str) -> None:
    """Print a text; characters that standard output can't encode are written as their numbers in Unicode."""
    print(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    now, decisions = datetime.now(UTC), list[Decision]()
    try:
        event = _read(options.event) if options.event else approval_of(options.approve)
        # That the page can't be written must be known before images are deleted. Standard output, which in Lambda takes
        # the log and the metrics, is for the result alone here.
        with redirect_stdout(sys.stderr), writable(options.html):
            observe = decisions.append if options.html else None
            report = process(event, ShellContext(), load_settings(variables()), shell, now, observe)
    # Every error of ours: what fails once a run has begun is an outcome, and no exception.
    except (OSError, UnicodeDecodeError, ReaperError) as exc:
        print(printable(f"{type(exc).__name__}: {exc}"), file=sys.stderr)
        return 2
    say(json.dumps(report.answer(), indent=2) if options.json else table(report, colour=sys.stdout.isatty()))
    written = not options.html or write(options.html, page(report, decisions, now))
    return 0 if report.ok and written else 1


def approval_of(key: str) -> dict[str, Any]:
    """The request that approves a stored plan; raises InvalidRequest if there can't be one under such a key."""
    try:
        return {"approve": {"plan": key, "sha256": parse_plan_key(key).sha256}}
    except ValueError as exc:
        message = f"--approve: {exc}"
        raise InvalidRequest(message) from exc


def _read(path: Path) -> dict[str, Any]:
    return read_json(path.read_text(encoding="utf-8"), str(path))


def variables() -> Mapping[str, str]:
    """The environment, with what clouds.yaml says where OS_CLOUD names a cloud of it."""
    if not os.environ.get("OS_CLOUD"):
        return os.environ
    # Not at the top: nothing else needs what reads it.
    from handler.cloud.identity.clouds_yaml import with_cloud  # noqa: PLC0415

    return with_cloud(os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handler", description="Run one event file against the cloud.")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("event", nargs="?", type=Path, help="a file with an event, or with a request, as JSON")
    asked.add_argument("--approve", metavar="KEY", help="in place of a file: the key of a stored plan to carry out")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of a table")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page of what goes, what stays and why")
    return parser


@contextmanager
def writable(path: Path | None) -> Iterator[None]:
    """Make sure that a file can be written before anything is done, without changing it; raises OSError."""
    is_new = path is not None and not path.exists()
    if path:
        path.open("a").close()
    try:
        yield
    except BaseException:
        if path and is_new:
            path.unlink()
        raise


def write(path: Path, text: str) -> bool:
    """Write the page; returns whether that went well."""
    # Not raised: the run is over by now, and its result has been printed.
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as exc:
        print(f"{type(exc).__name__}: {exc}: the page of this run could not be written", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
