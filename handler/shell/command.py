"""One command, from its words to its exit code.

What it needs of the rest is loaded only once its first line is on the screen: that takes most of its time.
"""

import os
import sys
from collections.abc import Sequence

from handler import coldstart
from handler.shell.options import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parse(arguments)
    if sys.stderr.isatty():
        print(first_line(os.environ.get("REAPER_MODE", "")), file=sys.stderr, flush=True)
    from handler.shell.carrying import carry_out  # noqa: PLC0415 (see above)

    coldstart.end()
    return carry_out(options)


def first_line(mode: str) -> str:
    """What is said at once, before anything is known but the mode."""
    known = {"": "rehearsal", "dry-run": "rehearsal", "delete": "armed", "paused": "paused"}
    return f"image-reaper: {known.get(mode, mode)}"
