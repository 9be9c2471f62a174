"""The question before images are deleted, and its answer. Only a person at a terminal is asked."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TextIO

from handler.errors import InvalidSettings
from handler.model.outcome import Outcome, Total
from handler.report.page.rows import gib
from handler.report.report import Report
from handler.shell.screen.terminal import printable

TERMINAL = "/dev/tty"
"""The terminal at which a command was begun, wherever its streams lead."""
LONGEST_LINE = 4096
"""Bytes that a terminal hands over at once, which is a line at most. Source: Linux, termios(3), "Canonical mode"."""
MOST_NARROW = 20
NOBODY = "no answer could be read, and nothing was done: with --yes, no question is asked"


def is_at_terminal() -> bool:
    """Whether a person is there, who could be asked."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def question_on(report: Report, region: str) -> str:
    """What a person is asked after a rehearsal; empty if it would change nothing."""
    would = [outcome for outcome in report.outcomes if outcome.outcome == "would_delete"]
    # Each image once: several messages may name it.
    goes = {one.image_id: one for one in would if not one.waits}
    waits = {one.image_id: one for one in would if one.waits and one.image_id not in goes}
    where = f"of {_projects(report)}" + (f" in region {region}" if region else "")
    if goes:
        marks = f" and mark {len(waits):,}" if waits else ""
        return f"Delete {_images([*goes.values()])}{marks} {where}?\nWhat is deleted can't be restored."
    return f"Mark {_images([*waits.values()])} {where}?" if waits else ""


def question_on_projects(projects: int) -> str:
    """What a person is asked before a sweep is sent to so many projects."""
    return (
        f"Send a sweep to the workers of {projects:,} project{'s' if projects != 1 else ''}?\n"
        "They look for themselves, and what they delete can't be restored."
    )


def is_confirmed(question: str) -> bool:
    """Ask a person; only the word yes is a yes. Raises InvalidSettings if no answer can be read."""
    try:
        answer = _answer(f"{question}\nOnly yes goes ahead:")
    # No terminal, or one that is gone.
    except OSError as exc:
        raise InvalidSettings(NOBODY) from exc
    if not answer:
        raise InvalidSettings(NOBODY)
    # Without its end, as after Ctrl-D, a line may be no more than the beginning of another answer.
    return answer.endswith(b"\n") and answer.strip() == b"yes"


@contextmanager
def person() -> Iterator[TextIO]:
    """The terminal on which a person is asked; raises InvalidSettings if there is none, or it is gone."""
    try:
        with (
            _terminal(2, os.O_WRONLY) as number,
            open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as stream,
        ):
            yield stream
    except OSError as exc:
        raise InvalidSettings(NOBODY) from exc


def _answer(question: str) -> bytes:
    """The line that is typed as the answer, empty if there is none."""
    with _terminal(0, os.O_RDONLY) as keys, _terminal(2, os.O_WRONLY) as screen:
        # What was typed or pasted before is no answer to this question.
        _forget_typed(keys)
        os.write(screen, _fitted(question, os.get_terminal_size(screen).columns))
        answer = os.read(keys, LONGEST_LINE)
        # The rest of a line that is too long would be read by the shell.
        _forget_typed(keys)
        if not answer.endswith(b"\n"):
            os.write(screen, b"\n")
    return answer


def _forget_typed(keys: int) -> None:
    """Forget what waits to be read; raises OSError, also on a system whose terminals can't do that."""
    try:
        import termios  # noqa: PLC0415 (not on Windows)
    except ImportError as exc:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from exc
    try:
        termios.tcflush(keys, termios.TCIFLUSH)
    except termios.error as exc:
        raise OSError(*exc.args) from exc


def _fitted(question: str, columns: int) -> bytes:
    """The question, broken between words; a terminal that does not know its width has 0 columns."""
    lines = [fill(printable(line), max(columns - 1, MOST_NARROW) if columns else 80) for line in question.splitlines()]
    return ("\n".join(lines) + " ").encode(errors="backslashreplace")


@contextmanager
def _terminal(stream: int, flag: int) -> Iterator[int]:
    """A stream by its number if it is a terminal, else the terminal of the command; raises OSError without one."""
    # By its number: a request may have been read from it, and its object may be closed.
    if os.isatty(stream):
        yield stream
        return
    found = os.open(TERMINAL, flag | getattr(os, "O_NOCTTY", 0))
    try:
        yield found
    finally:
        os.close(found)


def _images(outcomes: Sequence[Outcome]) -> str:
    total = Total.of(outcomes)
    size = f"{'at least ' if total.unknown else ''}{gib(total.size)}" if total.size else "size unknown"
    return f"{total.images:,} image{'s' if total.images != 1 else ''} ({size})"


def _projects(report: Report) -> str:
    projects = {result.project_id for result in report.results if result.project_id} | {report.project_id} - {""}
    return f"project {min(projects)}" if len(projects) == 1 else f"{len(projects)} projects"
