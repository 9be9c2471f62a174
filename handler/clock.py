"""How long a run may still go on, and whether going on makes sense."""

from collections.abc import Callable
from threading import Event

from handler.errors import CloudError, DeadlineReached

RESERVE = 1.0
"""Seconds kept back for the log, the metrics and the answer."""
SHORTEST_REQUEST = 1.0
"""Seconds that a request is given at the least; with less it is not started."""
LONGEST_REQUEST = 20.0
LONGEST_CONNECT = 5.0


class Deadline:
    """The end of a run: `remaining` tells the seconds that the runtime still grants.

    A run may also end before its time, by `halt`: then every further step raises the error that ended it, and who
    pauses wakes up.
    """

    def __init__(
        self, remaining: Callable[[], float], sleep: Callable[[float], object] | None = None, reserve: float = RESERVE
    ) -> None:
        self._remaining = remaining
        self._reserve = reserve
        self._halted = Event()
        self._sleep = sleep or self._halted.wait
        self._halted_by: CloudError | None = None

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
            raise type(self._halted_by)(str(self._halted_by))
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
