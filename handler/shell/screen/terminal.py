"""The screen: how wide it is, whether it has colours, and which characters it may be shown."""

import os
import sys
from typing import NamedTuple, TextIO

from handler.model.masking import masked
from handler.shell.files.failures import why

USUAL_WIDTH = 80
"""The columns of a terminal that does not say how many it has."""


class Screen(NamedTuple):
    """What is shown where. `width` is None for a pipe or a file, where lines are as long as they are."""

    width: int | None = None
    colour: bool = False

    @classmethod
    def of(cls, stream: TextIO | None) -> "Screen":
        """The screen that a stream leads to; None is one that was closed before we began."""
        if stream is None or not stream.isatty():
            return cls()
        has_colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(width=_width(stream), colour=has_colours)

    def coloured(self, text: str, colour: int) -> str:
        """The text in a colour of ANSI, if the screen has colours."""
        return f"\033[{colour}m{text}\033[0m" if self.colour else text


def _width(stream: TextIO) -> int:
    # No longer: Python refuses to read thousands of digits.
    if (given := os.environ.get("COLUMNS", "")[:9]).isdecimal() and int(given):
        return int(given)
    # Of this stream: the other one may lead elsewhere.
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def printable(text: str) -> str:
    """The text, masked, with a question mark for each character that can't be printed."""
    # Names come from the cloud, and what was wrong from the event: either could move the cursor, or change the colours,
    # and so forge a line. To turn the direction of writing around, or half a character, can't be printed either.
    text = masked(text)
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in text)


def one_line(text: str) -> str:
    """The same for a sentence: where it goes to a new line, it has a blank."""
    return printable(" ".join(masked(text).split()))


def say(text: str) -> bool:
    """Print a text; returns False, and tells why, if standard output could not be written.

    That nobody reads on, as after `| head`, is no error.
    """
    error = _printed(text, sys.stdout)
    if error is None or isinstance(error, BrokenPipeError):
        return True
    tell(f"image-reaper: standard output: could not be written: {why(error)}")
    return False


def tell(text: str) -> None:
    """Print a line for a person to standard error, if there is one."""
    _printed(text, sys.stderr)


def _printed(text: str, stream: TextIO | None) -> OSError | None:
    """Print a text; characters that the stream can't encode are written as their numbers in Unicode."""
    if stream is None:
        return None
    try:
        print(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding), file=stream, flush=True)
    except OSError as error:
        _give_up(stream)
        return error
    return None


def _give_up(stream: TextIO) -> None:
    # What is left in its buffer is written when Python ends, which would complain that it can't.
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (no path)
        os.dup2(nowhere.fileno(), stream.fileno())
