"""The standard streams, whatever the shell has made of them: closed, full, or a pipe that nobody reads any more."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

from handler.shell.files.failures import why

UNREAD = 141
"""The exit code of a command whose reader has gone: 128, and the number of SIGPIPE, as of any other program."""
_STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
"""The streams by their numbers, and how the null device is opened in the place of a closed one.

Standard output for reading: so what is written to it fails, as it must be told.
"""


class Printed(NamedTuple):
    """How a result was printed: `problem` is what went wrong, `is_unread` that its reader has had enough of it."""

    problem: str = ""
    is_unread: bool = False


def open_streams() -> None:
    """Make the standard streams such that no write raises an OSError, not even to one that is closed (`>&-`)."""
    for number, (name, way) in enumerate(_STREAMS):
        stream = getattr(sys, name)
        # Python has None in the place of a closed one. And the next file that is opened, such as the journal, would get
        # its number: whatever a library writes to standard error would end up in it.
        if stream is None:
            _reopen(os.open(os.devnull, way), number)
        # Not where a test, or whoever else calls us, has put its own in its place.
        if stream is getattr(sys, f"__{name}__") and (stream is None or name != "stdin"):
            setattr(sys, name, _usable(number, stream))


def printed(show: Callable[[], object]) -> Printed:
    """Have a result printed to standard output, to its last byte."""
    show()
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, _Careful) else None
    if error is None or isinstance(error, BrokenPipeError):
        return Printed(is_unread=error is not None)
    return Printed(problem=f"standard output: could not be written: {why(error)}")


class _Careful(io.FileIO):
    """A stream that may be full, or a pipe that nobody reads any more: the first error is kept in place of raised.

    The run goes on, and at its end, Python finds nothing that it still has to write.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:  # noqa: ANN401 (whatever holds bytes)
        """Write what can be written, and say that all was."""
        try:
            return super().write(data)
        except OSError as exc:
            self.error = self.error or exc
            return memoryview(data).nbytes


def _usable(number: int, stream: TextIO | None) -> TextIO:
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "backslashreplace")
    if number == 0:
        return open(number, encoding=encoding, errors=errors, closefd=False)
    raw = _Careful(number, "w", closefd=False)
    # What a person is told must be there before what comes next on another stream.
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=number == 2 or raw.isatty())  # noqa: PLR2004


def _reopen(new: int, number: int) -> None:
    if new != number:
        os.dup2(new, number)
        os.close(new)
