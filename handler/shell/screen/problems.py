"""What a person is told where nothing was begun: what is wrong, and the cure."""

import sys

from handler.errors import ReaperError
from handler.shell.screen.lines.width import wrapped
from handler.shell.screen.terminal import Screen, one_line


def words(error: ReaperError, screen: Screen | None = None) -> str:
    """An error as one line, or as few as fit on a terminal; without a `screen`, that of standard error."""
    width = (screen or Screen.of(sys.stderr)).width
    return "\n".join(wrapped(one_line(f"image-reaper: {error}"), width, indent="  "))
