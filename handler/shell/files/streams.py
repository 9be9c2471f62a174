"""The standard streams, whatever the shell has made of them: closed, full, or a pipe that nobody reads any more."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

UNREAD = 141
"""The exit code of a command whose reader has gone: 128, and the number of SIGPIPE, as of any other program."""


class Printed(NamedTuple):
    """How a result was printed: `problem` is what went wrong, `is_unread` that its reader has had enough of it."""

    problem: str = ""
    is_unread: bool = False


def open_streams() -> None:
    """Make the standard streams usable, also where one was closed before the program began (`>&-`)."""
    # Python has None in the place of such a stream. And the next file that is opened, such as the journal, would get
    # its number: whatever a library writes to standard error would end up in it. Standard output is opened for reading,
    # so that to write the result to it fails, as it must be told.
    for number, name, mode, way in _STREAMS:
        if getattr(sys, name) is None:
            _reopen(os.open(os.devnull, way), number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (used to the end)
    # Not where a test, or whoever else calls us, has put its own in its place.
    if (error := sys.__stderr__) and sys.stderr is error:
        last = io.BufferedWriter(_LastResort(error.fileno(), "w", closefd=False))
        sys.stderr = io.TextIOWrapper(last, error.encoding, error.errors, line_buffering=True)


_STREAMS = (
    *((0, "stdin", "r", os.O_RDONLY), (1, "stdout", "w", os.O_RDONLY)),
    (2, "stderr", "w", os.O_WRONLY),
)


class _LastResort(io.FileIO):
    """Standard error, which may be full, or a pipe that nobody reads any more: there is nowhere left to say so."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 (whatever holds bytes)
        """Write what can be written, and say that all was."""
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def printed(show: Callable[[], None]) -> Printed:
    """Have a result printed to standard output, to its last byte. By then the run is over, so nothing is raised."""
    try:
        show()
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return Printed(is_unread=True)
    except OSError as exc:
        _forget_output()
        return Printed(problem=f"standard output: could not be written: {exc.strerror}")
    return Printed()


def _forget_output() -> None:
    """Have what is left in the buffer go nowhere: Python would try to write it once more at the very end."""
    _reopen(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with suppress(OSError):
        sys.stdout.flush()


def _reopen(new: int, number: int) -> None:
    if new != number:
        os.dup2(new, number)
        os.close(new)
