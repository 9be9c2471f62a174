"""How far a run has come, shown on a terminal while it goes on, and wiped off at its end."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from threading import Event, Lock, Thread
from typing import NamedTuple, Protocol, TextIO

from handler.clock import Deadline
from handler.model.outcome import Outcome
from handler.work.run import Watch

FIRST, EVERY = 0.1, 0.2
"""Seconds before the first drawing, since a run that is over by then needs none, and from one drawing to the next."""


class Standing(NamedTuple):
    """How far a run has come: what it does, how many images it has listed, and of how many it knows what came.

    `phase` is one of `connecting`, `listing` and `doing`; a run that `is_stopping` only finishes what is under way.
    """

    phase: str = "connecting"
    listed: int = 0
    done: int = 0
    total: int = 0
    counts: Mapping[str, int] = Counter()
    is_stopping: bool = False


class Shown(Watch, Protocol):
    """Looks on, and shows what it sees."""

    def stops(self) -> None:
        """The run was told to end."""


class Counting:
    """Looks on and counts, which costs a run next to nothing: it is called for each of its images, side by side."""

    def __init__(self) -> None:
        self._phase = "connecting"
        self._listed = self._done = self._total = 0
        self._counts = Counter[str]()
        self._is_stopping = False
        self._lock = Lock()

    @property
    def standing(self) -> Standing:
        """How far the run has come."""
        with self._lock:
            return Standing(
                phase=self._phase,
                listed=self._listed,
                done=self._done,
                total=self._total,
                counts=self._counts.copy(),
                is_stopping=self._is_stopping,
            )

    def stops(self) -> None:
        """See Shown."""
        self._is_stopping = True

    def begins(self, deadline: Deadline) -> None:
        """See Watch."""

    def lists(self) -> None:
        """See Watch."""
        with self._lock:
            self._listed = 0
            # Of several projects, one may be listed while the images of another are dealt with.
            if self._done >= self._total:
                self._phase = "listing"

    def listed(self) -> None:
        """See Watch."""
        with self._lock:
            self._listed += 1

    def takes_on(self, images: int) -> None:
        """See Watch."""
        with self._lock:
            self._phase = "doing"
            self._total += images

    def before_change(self, image_id: str, *, deletes: bool = True) -> None:
        """See Watch."""

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""
        with self._lock:
            self._done += 1
            self._counts[outcome.outcome] += 1


class Drawing(Protocol):
    """Draws how far a run has come. OSError and ValueError say that nothing can be shown any more."""

    def draw(self, standing: Standing, seconds: float) -> None:
        """Draw it, so many seconds after the beginning."""

    def wipe(self) -> None:
        """Leave no trace."""


class Lines:
    """A line for each phase, where there is nothing to draw with."""

    SAID: Mapping[str, str] = {
        "connecting": "connecting ...",
        "listing": "looking at the images ...",
        "doing": "going through the images: {total:,} ...",
        "stopping": "stopping: what is under way is finished; Ctrl-C once more ends at once",
    }

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: set[str] = set()

    def draw(self, standing: Standing, _seconds: float) -> None:
        """See Drawing."""
        phase = "stopping" if standing.is_stopping else standing.phase
        if phase not in self._said:
            self._said.add(phase)
            print(self.SAID[phase].format(total=standing.total), file=self._stream, flush=True)

    def wipe(self) -> None:
        """See Drawing."""


class _Refresher:
    """Has it drawn again and again, in a thread of its own: also while the cloud is silent."""

    def __init__(self, counting: Counting, stream: TextIO) -> None:
        self._counting = counting
        self._stream = stream
        self._over = Event()
        self._thread = Thread(target=self._draw, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def end(self) -> None:
        """Wipe it off."""
        self._over.set()
        # No longer: a terminal that is held by Ctrl-S must not hold what is written elsewhere.
        self._thread.join(1.0)

    def _draw(self) -> None:
        begun = time.monotonic()
        drawing: Drawing | None = None
        # A terminal that is gone: the run goes on.
        try:
            while not self._over.wait(EVERY if drawing else FIRST):
                drawing = drawing or _drawing_on(self._stream)
                drawing.draw(self._counting.standing, time.monotonic() - begun)
            if drawing:
                drawing.wipe()
        except (OSError, ValueError):
            return


def _drawing_on(stream: TextIO) -> Drawing:
    if os.environ.get("TERM") == "dumb":
        return Lines(stream)
    # Loaded once there is something to draw: a short run does without, and so may a user.
    try:
        from handler.shell.screen.live.bar import Bar  # noqa: PLC0415 (see above)
    except ImportError:
        return Lines(stream)
    return Bar(stream)


@contextmanager
def progress(*, shown: bool = True) -> Iterator[Shown]:
    """Whoever shows how far a run has come, if it is to be shown, and there is a terminal to show it on."""
    counting = Counting()
    # None where the command was begun without any standard error.
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield counting
        return
    # Not through its buffer: a thread that Ctrl-S holds would hold the lock of it, also when Python ends.
    unbuffered = open(sys.stderr.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115 (it stays open)
    refresher = _Refresher(counting, TextIOWrapper(unbuffered, sys.stderr.encoding, "replace", write_through=True))
    refresher.start()
    try:
        yield counting
    finally:
        refresher.end()
