"""The clock of a run: the time that is left, the switch that stops it, and the pauses between tries.

A moment is a number of seconds on a clock that only goes forward. By itself it says nothing: the difference of two
moments is the time that something has taken.
"""

import math
import random
import time
from collections.abc import Callable
from threading import Event

from handler.errors import CloudError, DeadlineReached, Outdated, Throttled
from handler.fence import Fence

RESERVE = 1.0
"""Seconds kept back for the log, the metrics and the answer."""
SHORTEST_REQUEST = 1.0
"""Seconds that a request is given at least; if fewer are left, it is not started."""
LONGEST_REQUEST = 20.0
LONGEST_CONNECT = 5.0
ATTEMPTS = 4
"""How often something that fails is tried; what is throttled is tried for as long as there is time."""
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long, up to the longest."""
LONGEST_PAUSE = 16.0

_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def uptime() -> float:
    """The present moment, on a clock that goes on while the machine sleeps, if it has one."""
    # On Linux, `time.monotonic` stands still meanwhile: what was judged in the evening would be fresh in the morning.
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Deadline:
    """The clock, the time left and the stop switch of one run. Safe for threads.

    `remaining` returns the seconds that the runtime still grants, `now` the present moment, `elapsed` the seconds since
    the run began. With fewer than `shortest` seconds left, nothing is begun. `halt` ends the run early: every further
    step raises the error that ended it, and threads that pause wake up. `fence` keeps back what has not been sent by
    then.
    """

    def __init__(
        self,
        remaining: Callable[[], float],
        sleep: Callable[[float], object] | None = None,
        reserve: float = RESERVE,
        now: Callable[[], float] = uptime,
        shortest: float = SHORTEST_REQUEST,
    ) -> None:
        self._remaining = remaining
        self.reserve = reserve
        """Seconds that are kept back for the end of the run."""
        self._shortest = shortest
        self._halted = Event()
        # A pause is a wait for the halt, since it would otherwise outlast the run.
        self._sleep = sleep or self._halted.wait
        self._halted_by: CloudError | None = None
        self.now = now
        self._begun = now()
        self.fence = Fence(self.check)

    def share(self, parts: int) -> "Deadline":
        """A deadline of its own for the next of so many parts of the run, which gets an equal share of the time left.

        What one part does not need is left to the others. All of them count from the beginning of the run.
        """
        end = self.now() + self.left() / parts if parts > 1 else math.inf
        part = Deadline(lambda: min(self.left(), end - self.now()), reserve=0.0, now=self.now, shortest=self._shortest)
        part._begun = self._begun
        return part

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.now() - self._begun

    def left(self) -> float:
        """Seconds that work may still take; never negative."""
        return max(self._remaining() - self.reserve, 0.0)

    def keep_back(self, seconds: float) -> None:
        """Keep more time back for the end of the run, where more will have to be told. Called by one thread only."""
        self.reserve += seconds

    def halt(self, error: CloudError) -> None:
        """End the run: everything that is not done yet fails with this error. If called again, the first one stays."""
        # The error before the event: a thread that wakes up must find it.
        self._halted_by = self._halted_by or error
        self._halted.set()

    def beyond_halt(self) -> "Deadline":
        """The same deadline, for what must be said even if the run was halted."""
        return Deadline(self._remaining, reserve=self.reserve, now=self.now, shortest=self._shortest)

    def check(self) -> None:
        """Raise the error that ended the run, or DeadlineReached if a request could no longer end in time."""
        # A new error for each thread: raised in several, the same one would collect the tracebacks of all.
        if self._halted_by is not None:
            raise self._halted_by.anew()
        if self.left() < self._shortest:
            message = "not reached before the deadline of the invocation"
            raise DeadlineReached(message)

    def until(self, moment: float) -> Callable[[], None]:
        """A permit for a request that must not be sent after a moment: it raises Outdated then."""

        def permit() -> None:
            if self.now() > moment:
                message = "it was too late to send it"
                raise Outdated(message)

        return permit

    def timeout(self) -> tuple[float, float]:
        """Time-outs in seconds, (connect, read), of a request that must end before the deadline."""
        # Together they are no more than the time that is left. They do not cover a server that goes on sending a
        # little: so those who start work do not wait for it past the deadline.
        self.check()
        budget = min(self.left(), LONGEST_REQUEST)
        connect = min(LONGEST_CONNECT, budget / 2)
        return connect, budget - connect

    def pause(self, seconds: float, after: CloudError) -> None:
        """Wait before another try; if there is no time for one, raise `after`, the error of the last try."""
        self.check_pause(seconds, after)
        self._sleep(seconds)
        self.check()

    def check_pause(self, seconds: float, after: CloudError) -> None:
        """Raise `after`, the error of the last try, if there is no time for a pause and another try."""
        if self._halted_by is not None or self.left() - seconds < self._shortest:
            raise after


class Backoff:
    """The pauses between attempts at one thing: exponential, with jitter, and at least as long as the cloud asks."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._failures = 0
        self._throttled = 0

    def wait(self, error: CloudError) -> None:
        """Wait after an attempt that failed; raises its error if another attempt can't help, or would be too late."""
        if error.is_paced:
            # The next attempt waits for a slot, which may come sooner, or later, than this answer says.
            self._deadline.check_pause(error.retry_after or 0.0, error)
        else:
            pause = self._next_pause(error)
            # Jitter, so that workers that were throttled together do not come back together.
            jittered = random.uniform(pause / 2, pause)  # noqa: S311  # nosec B311 # it keeps no secret
            self._deadline.pause(max(error.retry_after or 0.0, jittered), error)

    def _next_pause(self, error: CloudError) -> float:
        # A service that asks for fewer requests will take this one later: that is no failure, however often it says so.
        if isinstance(error, Throttled):
            self._throttled += 1
        else:
            self._failures += 1
        if not error.may_retry or self._failures >= ATTEMPTS:
            raise error
        return min(FIRST_PAUSE * 2.0 ** (self._throttled + self._failures - 1), LONGEST_PAUSE)
