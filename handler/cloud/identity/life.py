"""How long a token may be used. Only differences of time count, so a clock that is wrong does no harm."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Self

LONGEST_MARGIN = 120.0
"""Seconds before its end at which a token is given up; keystoneauth1 takes the same time."""
SHARE = 4
"""Of a short life, this part at most is given up: a new token for each request would be worse than a late one."""
LEAST_USE = 30.0
"""Seconds for which a new token is used whatever it says of itself: a service refuses it if its time is over."""


def clocks() -> tuple[float, float]:
    """The time of day, and the time of a clock that nobody sets, in seconds."""
    return time.time(), time.monotonic()


class Life(NamedTuple):
    """For how many seconds a token may be used since it was asked for."""

    begun: tuple[float, float]
    seconds: float

    @classmethod
    def of(cls, issued: datetime | None, expires: datetime, begun: tuple[float, float]) -> Self:
        """The life of a token, by the times that Keystone gives; our own time of day stands in for the first."""
        lives = (expires - (issued or datetime.fromtimestamp(begun[0], UTC))).total_seconds()
        return cls(begun, max(lives - min(LONGEST_MARGIN, lives / SHARE), LEAST_USE))

    def is_over(self) -> bool:
        """Whether the token is no longer to be used."""
        # The time of day may be set back, and the other clock stands still while the environment is frozen.
        return max(now - then for now, then in zip(clocks(), self.begun, strict=True)) > self.seconds
