"""One command, from its words to its exit code.

What it needs of the rest is loaded only once its first line is on the screen: that takes most of its time.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from handler.shell.files.streams import open_streams
from handler.shell.options import ABOUT_MARKS, parse
from handler.shell.runs.signals import Signals
from handler.shell.screen.live.loading import loading

FIRST_LINES = {
    "": "Rehearsal: nothing is deleted or marked.",
    "dry-run": "Rehearsal: nothing is deleted or marked.",
    "delete": "Armed: what passes every check is deleted for good, or marked.",
    "paused": "Paused: nothing is done.",
}
"""What is said at once of each mode."""


def main(arguments: Sequence[str] | None = None, signals: Signals | None = None) -> int:
    """Run the command; returns the exit code."""
    open_streams()
    options = parse(arguments)
    is_run = not any(getattr(options, name) for name in ABOUT_MARKS)
    # Nothing of what is no mode: that the settings will say.
    if is_run and sys.stderr.isatty() and (first := FIRST_LINES.get(mode_in(os.environ))):
        print(first, file=sys.stderr, flush=True)
    with loading(sys.stderr) if sys.stderr.isatty() else nullcontext():
        from handler.shell.carrying import carry_out  # noqa: PLC0415 (see above)

    return carry_out(options, signals or Signals())


def mode_in(environment: Mapping[str, str]) -> str:
    """The mode, before the settings are checked; what can't be read is told when they are."""
    if mode := environment.get("REAPER_MODE"):
        return mode
    try:
        several = json.loads(environment.get("REAPER_SETTINGS") or "{}")
    except ValueError:
        return "unknown"
    return str(several.get("REAPER_MODE", "")) if isinstance(several, dict) else "unknown"
