"""The standard streams, whatever the shell has made of them: closed, full, or a pipe that nobody reads any more."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

UNREAD = 141
"""The exit code of a command whose reader has gone: 128, and the number of SIGPIPE, as of any other program."""


class Printed(NamedTuple):
    """How a result was printed: `problem` is what went wrong, `is_unread` that its reader has had enough of it."""

    problem: str = ""
    is_unread: bool = False


def open_closed_ones() -> None:
    """Take care of standard streams that were closed before the program began (`>&-`)."""
    # Python has None in their place. And the next file that is opened, such as the journal, would get their number:
    # whatever is written to standard error by a library would end up in it.
    for number, name, mode, usable in ((0, "stdin", "r", True), (1, "stdout", "w", False), (2, "stderr", "w", True)):
        if getattr(sys, name) is None:
            flags = os.O_WRONLY if mode == "w" and usable else os.O_RDONLY
            _reopen(os.open(os.devnull, flags), number)
            # Opened for reading, so that writing the result fails, as it must be told.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (to the end)


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
