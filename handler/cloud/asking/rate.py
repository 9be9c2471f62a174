"""How fast one service takes requests, as far as its answers tell.

The rate rises and falls as that of TCP does, by additive increase and multiplicative decrease (Chiu and Jain, 1989): of
all simple rules, it is the one that brings clients that know nothing of each other to equal shares of one limit.
"""

from collections import deque

SLOWEST = 0.5
"""Requests a second that a service is asked at least, so that it is found out when it takes more again."""
DECREASE = 0.5
KEPT = 0.9
"""A decrease goes no lower than this share of what was accepted in the last second."""
INCREASE = 3.0
"""Requests a second by which the rate rises in a second, soon after a decrease; later on it rises ever faster."""
FASTEST_INCREASE = 1.5
"""The factor by which one accepted answer raises the rate at most: a limit of ten a minute is not overrun at once."""
EPOCH = 0.05
"""Seconds after a decrease in which what is sent still meets the same overload, and leads to no further decrease."""
SECOND = 1.0
"""Seconds over which requests and answers are counted, as by most gateways."""
LAG = 0.05
"""Seconds by which a thread may wake up late for its slot without making all later slots late as well."""
SHORTEST = 0.1
"""The fewest seconds over which the first rate is measured."""


class Rate:
    """How many requests a second one service takes, as far as its answers tell. Not safe for threads.

    There is no limit before the first throttled answer. Moments are those of one clock that only goes forward.
    """

    def __init__(self) -> None:
        self.per_second: float | None = None
        """Requests a second; None as long as there is no limit."""
        self.next_at = float("-inf")
        """When the next request may be sent, as far as the rate goes."""
        self._sent: deque[float] = deque()
        self._accepted: deque[float] = deque()
        self._decreased_at = float("-inf")
        self._low = 0.0

    def charge(self, now: float) -> None:
        """Count a request that is sent now, whether or not it has waited for a slot: the next ones do."""
        self._sent.append(now)
        _forget(self._sent, now)
        if self.per_second is not None:
            self.next_at = max(self.next_at, now - LAG) + 1 / self.per_second

    def accepted(self, now: float) -> None:
        """Note an answer that asks for nothing: the longer there was no other one, the faster the rate rises."""
        self._accepted.append(now)
        _forget(self._accepted, now)
        if self.per_second is not None:
            seconds = now - self._decreased_at
            risen = self._low + INCREASE * (seconds + 3 * seconds**3)
            self.per_second = max(self.per_second, min(risen, self.per_second * FASTEST_INCREASE))

    def throttled(self, sent_at: float, now: float) -> None:
        """Note an answer that asks for fewer requests, to a request that was sent at `sent_at`."""
        _forget(self._accepted, now)
        if self.per_second is None:
            # As fast as we were. That is too fast, which is found out soon; to begin too slowly would cost more.
            slower = len(self._sent) / max(now - self._sent[0], SHORTEST) if self._sent else SLOWEST
            self.next_at = now
        elif sent_at < self._decreased_at + EPOCH:
            # Many requests meet one moment of overload: it slows us down once, not once for each of them.
            return
        else:
            # A gateway that counts by the second turns everything away once that second is full. What it took until
            # then is our share.
            taken = min(self.per_second, KEPT * len(self._accepted) / SECOND)
            slower = max(DECREASE * self.per_second, taken)
        self.per_second = self._low = max(slower, SLOWEST)
        self._decreased_at = now


def _forget(moments: deque[float], now: float) -> None:
    while moments and moments[0] <= now - SECOND:
        moments.popleft()
