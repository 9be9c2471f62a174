"""Writes the files that a command leaves: a plan and a page. Whether they can be written is known before it begins."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from handler.errors import InvalidSettings
from handler.report.report import Report


@contextmanager
def writable(paths: Sequence[Path]) -> Iterator[None]:
    """Make sure that files can be written before anything is done, without changing them; raises InvalidSettings."""
    with ExitStack() as made:
        for path in paths:
            is_new = not path.exists()
            try:
                path.open("a").close()
            except OSError as exc:
                message = f"{path}: can't be written: {exc.strerror}"
                raise InvalidSettings(message) from exc
            if is_new:
                made.callback(path.unlink, missing_ok=True)
        yield
        made.pop_all()


def write(path: Path, text: str) -> str:
    """Write a file; returns what went wrong, empty if nothing did."""
    # Not raised: the run is over by now.
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as exc:
        return f"{path}: could not be written: {exc.strerror}"
    return ""


def plan_text(report: Report) -> str:
    """The file of a report's plans, which may be empty."""
    return json.dumps({"plans": report.plans})
