"""The screen: how wide it is, whether it has colours, and which characters it may be shown."""

import os
import shutil
import sys
from typing import NamedTuple, TextIO

from handler.model.masking import masked


class Screen(NamedTuple):
    """What is shown where. `width` is None for a pipe or a file, where lines are as long as they are."""

    width: int | None = None
    colour: bool = False

    @classmethod
    def of(cls, stream: TextIO) -> "Screen":
        """The screen that a stream leads to."""
        if not stream.isatty():
            return cls()
        return cls(width=shutil.get_terminal_size().columns, colour=not os.environ.get("NO_COLOR"))


def printable(text: str) -> str:
    """The text with a question mark for each character that can't be printed."""
    # Names come from the cloud, and what was wrong from the event: either could move the cursor, or change the colours,
    # and so forge a line.
    return "".join(character if character.isprintable() else "?" for character in masked(text))


def say(text: str) -> None:
    """Print a text; characters that standard output can't encode are written as their numbers in Unicode."""
    print(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))


def tell(text: str) -> None:
    """Print a line for a person to standard error."""
    print(text.encode(sys.stderr.encoding, "backslashreplace").decode(sys.stderr.encoding), file=sys.stderr, flush=True)
