"""What the log says of a run as a whole, in plain words: nobody reads it where it is not shown."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from handler.shell.screen.terminal import printable

Fields = Mapping[str, Any]

TOLD = frozenset({"WARNING", "ERROR", "CRITICAL"})
"""The levels of what a person must know."""
IN_THE_TABLE = ("image.", "images.", "request.rejected", "message.held")
"""How events are called that the table tells of."""
WORDS: Mapping[str, Callable[[Fields], str]] = {
    "api.discarded": lambda said: f"the cloud gives up REAPER_IMAGE_API={said['image_api']}: set {said['advice']}",
    "run.fault": lambda said: f"a bug in image-reaper ({said['exception_name']})",
    "report.not_stored": lambda said: f"the report could not be stored in the bucket: {said['problem']}",
    "notice.not_sent": lambda said: f"the notice could not be sent: {said['problem']}",
    "uses.not_remembered": lambda said: f"what is in use could not be remembered for unused_for: {said['problem']}",
}
"""Each event that a run from a shell may log, in words."""


class Remarks:
    """Hears the lines of a log, and keeps what must be told."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}
        self._is_buggy = False
        self.unwritten = ""

    def hear(self, text: str) -> None:
        """Hear one line of the log or more."""
        # By its beginning: most lines are about images that went, and are not worth to be read.
        for line in text.splitlines():
            if any(line.startswith(f'{{"level":"{level}"') for level in TOLD):
                self._hear(json.loads(line))

    def not_written(self, why: str) -> None:
        """Note that the journal could not take a line."""
        self.unwritten = why

    def told(self) -> list[str]:
        """All that must be told, each once."""
        bug = ["run it again with --log, and report what it says of the bug"] if self._is_buggy else []
        lost = f"the journal is not whole, since it could not be written: {self.unwritten}"
        return [*self._told, *bug, *([lost] if self.unwritten else [])]

    def _hear(self, said: Fields) -> None:
        event = str(said["message"])
        if event.startswith(IN_THE_TABLE):
            return
        self._is_buggy = self._is_buggy or event == "run.fault"
        self._told[printable(WORDS.get(event, _as_it_stands)(said))] = None


def _as_it_stands(said: Fields) -> str:
    return ": ".join(filter(None, [str(said["message"]), str(said.get("problem", ""))]))
