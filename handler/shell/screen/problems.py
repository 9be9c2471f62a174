"""What a person is told where nothing was begun: what is wrong, and the cure. Pure."""

from handler.errors import ReaperError
from handler.shell.screen.terminal import printable


def words(error: ReaperError) -> str:
    """One line about an error."""
    return printable(f"image-reaper: {error}")
