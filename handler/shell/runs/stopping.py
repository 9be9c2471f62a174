"""Stopping a run: nothing more is begun, what is under way is finished, and what was done is told."""

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock

from handler.clock import Deadline
from handler.errors import Paused
from handler.model.outcome import Outcome
from handler.report.report import Report
from handler.shell.runs.through import Through
from handler.shell.screen.live.progress import Shown

UNKNOWN = "its change was under way when the command was stopped: look whether the image is still there"


class Stopping(Through[Shown]):
    """Looks on for another, ends the runs that it has seen begin, and knows what became of their images by then.

    `why` returns why they end, in words.
    """

    def __init__(self, watch: Shown, why: Callable[[], str]) -> None:
        super().__init__(watch)
        self._why = why
        self._deadlines: list[Deadline] = []
        self._is_halted = False
        self._settled: list[Outcome] = []
        self._under_way: dict[str, None] = {}
        self._taken_on = 0
        self._lock = Lock()

    def halt(self) -> None:
        """End every run that has begun, or will."""
        with self._lock:
            self._is_halted = True
            deadlines = list(self._deadlines)
        self._watch.stops()
        for deadline in deadlines:
            deadline.halt(Paused(self._why()))

    def known(self) -> tuple[Outcome, ...]:
        """What is known of the images by now; a change that is under way has failed, though it may be made yet."""
        with self._lock:
            unknown = [Outcome(image_id, "failed", "unexpected", UNKNOWN) for image_id in self._under_way]
            return (*self._settled, *unknown)

    def under_way(self) -> tuple[str, ...]:
        """The images of which nobody knows whether they were changed."""
        with self._lock:
            return tuple(self._under_way)

    def not_tried(self) -> int:
        """How many images were to be dealt with, and were not by now."""
        with self._lock:
            return max(self._taken_on - len(self._settled) - len(self._under_way), 0)

    def begins(self, deadline: Deadline) -> None:
        """See Watch."""
        with self._lock:
            self._deadlines.append(deadline)
            is_halted = self._is_halted
        if is_halted:
            deadline.halt(Paused(self._why()))
        super().begins(deadline)

    def takes_on(self, images: int) -> None:
        """See Watch."""
        with self._lock:
            self._taken_on += images
        super().takes_on(images)

    def before_change(self, image_id: str, *, deletes: bool = True) -> None:
        """See Watch."""
        super().before_change(image_id, deletes=deletes)
        with self._lock:
            self._under_way[image_id] = None

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""
        with self._lock:
            self._settled.append(outcome)
            self._under_way.pop(outcome.image_id, None)
        super().settled(outcome)


def stopped(report: Report, why: str, not_tried: int) -> str:
    """What was done by then: stopped by Ctrl-C: 90 deleted, 259 not tried."""
    outcomes = [outcome for outcome in report.outcomes if outcome.image_id]
    # An image that was not tried fails with what ended the run, in the very words.
    left = sum(outcome.detail == why for outcome in outcomes) + not_tried
    unknown = sum(outcome.detail == UNKNOWN for outcome in outcomes)
    counts = Counter(outcome.outcome for outcome in outcomes if outcome.detail not in {why, UNKNOWN})
    told = [f"{count:,} {name}" for name, count in counts.items()]
    told += [f"{unknown:,} unknown"] if unknown else []
    told += [f"{left:,} not tried"] if left else []
    return f"{why}: {', '.join(told) or 'no image was tried'}"


def unknown(image_ids: Sequence[str]) -> str:
    """Which images somebody must look after, one a line."""
    return "\n".join(["unknown, since no answer was waited for; look whether they are still there:", *image_ids])
