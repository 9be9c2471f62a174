"""The clock of a run: the time that is left, the switch that stops it, and the pauses between tries.

A moment is a number of seconds on a clock that only goes forward. It says nothing by itself: two of them tell how long
something has taken.
"""

import random
import time
from collections.abc import Callable
from threading import Event

from handler.errors import CloudError, DeadlineReached

RESERVE = 1.0
"""Seconds kept back for the log, the metrics and the answer."""
SHORTEST_REQUEST = 1.0
"""Seconds that a request is given at the least; with less it is not started."""
LONGEST_REQUEST = 20.0
LONGEST_CONNECT = 5.0
ATTEMPTS = 4
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""


class Deadline:
    """The clock, the time left and the stop switch of one run. Safe for threads.

    `remaining` gives the seconds that the runtime still grants, `now` the present moment. `halt` ends the run before
    its time: every further step raises the error that ended it, and who pauses wakes up.
    """

    def __init__(
        self,
        remaining: Callable[[], float],
        sleep: Callable[[float], object] | None = None,
        reserve: float = RESERVE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remaining = remaining
        self._reserve = reserve
        self._halted = Event()
        self._sleep = sleep or self._halted.wait
        self._halted_by: CloudError | None = None
        self.now = now

    def left(self) -> float:
        """Seconds that work may still take; never negative."""
        return max(self._remaining() - self._reserve, 0.0)

    def halt(self, error: CloudError) -> None:
        """End the run: whatever is not done yet fails as `error` says. The first error stays."""
        self._halted_by = self._halted_by or error
        self._halted.set()

    def check(self) -> None:
        """Raise what ended the run, or DeadlineReached if a request could no longer end in time."""
        if self._halted_by is not None:
            raise self._halted_by.anew()
        if self.left() < SHORTEST_REQUEST:
            message = "not reached before the deadline of the invocation"
            raise DeadlineReached(message)

    def timeout(self) -> tuple[float, float]:
        """Time-outs in seconds, (connect, read), of a request that ends before the deadline whatever happens."""
        self.check()
        budget = min(self.left(), LONGEST_REQUEST)
        connect = min(LONGEST_CONNECT, budget / 2)
        return connect, budget - connect

    def pause(self, seconds: float, after: CloudError) -> None:
        """Wait before another try; where there will be none in time, raise `after`, the error of the last try."""
        if self._halted_by is not None or self.left() - seconds < SHORTEST_REQUEST:
            raise after
        self._sleep(seconds)
        self.check()


class Backoff:
    """The pauses between the attempts at one thing: exponential, with jitter, at least what the cloud asks for."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._pauses = iter([FIRST_PAUSE * 2**n for n in range(ATTEMPTS - 1)])

    def wait(self, error: CloudError) -> None:
        """Wait after an attempt that failed. Raises its error where another may not help, or would come too late."""
        pause = next(self._pauses, None)
        if pause is None or not error.may_retry:
            raise error
        self._deadline.pause(max(error.retry_after or 0.0, random.uniform(pause / 2, pause)), error)  # noqa: S311
