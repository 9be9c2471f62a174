"""What a person is told where nothing was begun: what is wrong, and the cure."""

import re
import sys

from handler.errors import ReaperError
from handler.shell.screen.lines.width import wrapped
from handler.shell.screen.terminal import Screen, one_line

_NEXT = re.compile(r"; (?=[\w.\[\]-]+: |and \d+ more$)")
"""Where the words about one field end, and those about the next one begin."""


def words(error: ReaperError, screen: Screen | None = None) -> str:
    """An error: a line for each field that is wrong, or as few as fit on a terminal.

    Without a `screen`, it is for that of standard error.
    """
    width = (screen or Screen.of(sys.stderr)).width
    first, *others = _NEXT.split(one_line(str(error)))
    lines = [*wrapped(f"image-reaper: {first}", width, indent="  ")]
    for other in others:
        lines += wrapped(other, width, indent="    ", first="  ")
    return "\n".join(lines)
