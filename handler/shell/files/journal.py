"""Where the log of a run goes: nowhere, to standard error, and, if it is armed, to the file of its journal."""

import errno
import getpass
import io
import json
import logging
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TextIO

from handler.errors import InvalidSettings
from handler.model.masking import masked
from handler.shell.files.failures import why
from handler.shell.files.remarks import Remarks

METRICS = '{"_aws"'
"""How a line with metrics begins, which no journal keeps."""
OTHERWISE = Path("image-reaper.journal.jsonl")
"""The journal of a run that reads no file."""
CLOSED = -1
"""In place of the number of a file that was closed."""
PRIVATE = 0o600
"""The permissions of a new journal: it holds all that was known of the images."""


def journal_beside(path: Path | None) -> Path:
    """Where the journal of an armed run lies, unless it is told: beside the plan or the request that it reads."""
    # What comes from a device, such as /dev/stdin, leaves nothing there.
    if path is None or path.is_relative_to("/dev"):
        return OTHERWISE
    return path.with_name(f"{path.stem}.journal.jsonl")


class Journal:
    """A file to which lines are appended, each whole, also where several runs append to the same one.

    A line that is written outlives this program. Whether it outlives a failure of the machine is left to the system:
    to wait for the disk may take longer than a judgement is good for.
    """

    def __init__(self, path: Path) -> None:
        """Raises InvalidSettings if the file can't be written."""
        self._lock = Lock()
        try:
            self._can_be_read = not path.exists() or path.is_file()
            # In one piece at its end. Without waiting: a pipe that nobody reads would hold up the run for ever.
            flags = os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            way = os.O_RDWR if self._can_be_read else os.O_WRONLY
            self._number = os.open(path, flags | way, PRIVATE)
        except OSError as exc:
            message = f"{path}: the journal can't be written: {why(exc)}: --journal FILE names another place"
            raise InvalidSettings(message) from exc
        if not self._can_be_read:
            os.set_blocking(self._number, True)

    def append(self, text: str) -> None:
        """Append lines; raises OSError if they can't be written whole."""
        content = text.encode(errors="backslashreplace")
        with self._lock, _alone(self._number):
            # Of a run that had no room for a whole line, or that was killed.
            if self._ends_within_a_line():
                content = b"\n" + content
            if os.write(self._number, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file, once it has reached the disk, where it is on one; nothing can be appended any more."""
        # A thread that is late must not write to whatever gets this number next.
        with self._lock:
            number, self._number = self._number, CLOSED
        try:
            if self._can_be_read:
                os.fsync(number)
        finally:
            os.close(number)

    def _ends_within_a_line(self) -> bool:
        if not self._can_be_read or not os.fstat(self._number).st_size:
            return False
        os.lseek(self._number, -1, os.SEEK_END)
        return os.read(self._number, 1) != b"\n"


@contextmanager
def _alone(number: int) -> Iterator[None]:
    """Keep other runs from writing to the same file meanwhile, where the system can do that; raises OSError."""
    if number == CLOSED:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    with ExitStack() as stack:
        with suppress(ImportError, OSError):
            import fcntl  # noqa: PLC0415 (not on Windows)

            fcntl.flock(number, fcntl.LOCK_EX)
            stack.callback(fcntl.flock, number, fcntl.LOCK_UN)
        yield


class Log(io.TextIOBase):
    """Takes the lines of the log in place of standard output, as the function writes them.

    What the log says of the run as a whole is remembered, to be told in plain words.
    """

    def __init__(self, journal: Journal | None, shown: TextIO | None) -> None:
        self._journal = journal
        self._shown = shown
        self._remarks = Remarks()

    def write(self, text: str) -> int:
        """Write lines; raises OSError if the journal can't take them."""
        # Metrics come in two pieces, of which the second is the end of the line.
        if text.strip() and not text.startswith(METRICS):
            self._remarks.hear(text)
            if self._journal:
                self._keep(text, self._journal)
        self._show(text)
        return len(text)

    def begin(self, request_id: str) -> None:
        """Note in the journal who has begun a run, on which machine, and with which words."""
        if self._journal:
            said = {
                "level": "INFO",
                "message": "command.begun",
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "user": _user(),
                "host": platform.node(),
                "command": masked(shlex.join(sys.argv[1:])),
                "request_id": request_id,
            }
            # What can't be written here, no image can be written to either: then each of them stays.
            with suppress(OSError):
                self._keep(f"{json.dumps(said)}\n", self._journal)

    def remarks(self) -> list[str]:
        """What a person must be told of the run besides what became of its images, in plain words."""
        return self._remarks.told()

    @property
    def is_whole(self) -> bool:
        """Whether the journal has taken every line."""
        return not self._remarks.unwritten

    def end(self) -> None:
        """Close the journal; nothing more can be written."""
        if self._journal:
            try:
                self._journal.close()
            except OSError as exc:
                self._remarks.not_written(why(exc))

    def _keep(self, text: str, journal: Journal) -> None:
        try:
            journal.append(text)
        except OSError as exc:
            self._remarks.not_written(why(exc))
            raise

    def _show(self, text: str) -> None:
        if self._shown is None:
            return
        try:
            self._shown.write(text)
        # The line stands in the journal, and nobody reads what is shown.
        except OSError:
            self._shown = None


def _user() -> str:
    """The name of the user, or the number where the machine has no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.getuid())


@contextmanager
def logging_to(journal: Path | None, *, shown: bool) -> Iterator[Log]:
    """Have the log written to a journal, if there is one, and to standard error, if it is to be shown."""
    file = Journal(journal) if journal else None
    log = Log(file, sys.stderr if shown else None)
    loud = logging.raiseExceptions
    # The log says itself which lines it could not write; logging would print a traceback for each.
    logging.raiseExceptions = False
    try:
        with redirect_stdout(log):
            yield log
    finally:
        logging.raiseExceptions = loud
        log.end()
