"""Ctrl-C: the run begins nothing more, finishes what is under way, and tells what was done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from handler.clock import Deadline
from handler.errors import Paused
from handler.model.outcome import Outcome
from handler.work.run import Watch

WHY = "stopped by Ctrl-C"


class Stopping:
    """Looks on for another, and ends the runs that it has seen begin."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._deadlines: list[Deadline] = []
        self.is_stopped = False

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """End every run."""
        self.is_stopped = True
        for deadline in self._deadlines:
            deadline.halt(Paused(WHY))

    def begins(self, deadline: Deadline) -> None:
        """See Watch."""
        self._deadlines.append(deadline)
        if self.is_stopped:
            deadline.halt(Paused(WHY))
        self._watch.begins(deadline)

    def lists(self) -> None:
        """See Watch."""
        self._watch.lists()

    def listed(self) -> None:
        """See Watch."""
        self._watch.listed()

    def takes_on(self, images: int) -> None:
        """See Watch."""
        self._watch.takes_on(images)

    def before_change(self, image_id: str) -> None:
        """See Watch."""
        self._watch.before_change(image_id)

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""
        self._watch.settled(outcome)


@contextmanager
def stopping(watch: Watch) -> Iterator[Stopping]:
    """Have Ctrl-C end the runs that are begun meanwhile."""
    stop = Stopping(watch)
    before = signal.signal(signal.SIGINT, stop.stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
