"""Writes the files that a command leaves: a plan and a page. Whether they can be written is known before it begins."""

import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from handler.errors import InvalidSettings
from handler.report.report import Report
from handler.shell.files.failures import why
from handler.shell.screen.terminal import printable


@contextmanager
def writable(paths: Sequence[Path], others: Sequence[Path] = ()) -> Iterator[None]:
    """Make sure that files can be written before anything is done, without changing them; raises InvalidSettings.

    `others` are files that the command reads, or appends to. All must be different files.
    """
    _check_different([*paths, *others])
    for path in paths:
        try:
            _check_writable(path)
        except OSError as exc:
            message = f"{path}: can't be written: {why(exc)}"
            raise InvalidSettings(message) from exc
    yield


def write(path: Path, text: str) -> str:
    """Write a file whole, or leave it as it was; returns what went wrong, empty if nothing did."""
    # Not raised: the run is over by now.
    try:
        # A name may hold half a character, which no file can.
        _write(path, text.encode(errors="replace"))
    except OSError as exc:
        return printable(f"{path}: could not be written: {why(exc)}")
    return ""


def plan_text(report: Report) -> str:
    """The file of a report's plans, which may be empty."""
    return json.dumps({"plans": report.plans})


def about_plan(path: Path, report: Report) -> str:
    """One line about a plan that was written: what it holds, and how long it is good."""
    return printable(f"{path}: {_about_plan(report)}")


def _about_plan(report: Report) -> str:
    images = sum(len(plan["images"]) for plan in report.plans)
    others = report.counts.get("would_delete", 0) - images
    more = f"; {others} more would only be marked, or can't be named in a plan" if others > 0 else ""
    if not images:
        return f"the plan is empty: nothing would be deleted{more}"
    ends = min(plan["not_after"] for plan in report.plans)
    caps = f"at most {report.max_images} in one run" if report.max_images else "REAPER_MAX_IMAGES is 0"
    return f"{images} image{'s' * (images > 1)}, {caps}, good until {ends}{more}"


def _check_different(paths: Sequence[Path]) -> None:
    found = set[str]()
    for path in paths:
        real = os.path.realpath(path)
        # A device may well be named twice: what is thrown away, or shown, stays what it is.
        if real in found and not _is_special(path):
            message = f"{path}: named twice: what is read and what is written must be different files"
            raise InvalidSettings(message)
        found.add(real)


def _check_writable(path: Path) -> None:
    """Raise OSError if a file can't be written."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    # Not opened: that would wait for the reader of a pipe, or end it.
    if not _is_special(path):
        with _beside(path, b""):
            pass


def _write(path: Path, content: bytes) -> None:
    if _is_special(path):
        path.write_bytes(content)
        return
    with _beside(path, content) as new:
        if path.exists():
            new.chmod(stat.S_IMODE(path.stat().st_mode))
        # Where a link leads to, and not in its place.
        new.replace(os.path.realpath(path))


def _is_special(path: Path) -> bool:
    """Whether there is a pipe, a terminal or another device under a name."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """A new file in the folder of another one, for as long as it takes."""
    # Hidden, and with a name of its own: two runs may write the same file, and the last of them counts.
    new = Path(os.path.realpath(path)).with_name(f".image-reaper-{token_hex(8)}")
    try:
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        with suppress(OSError):
            new.unlink()
