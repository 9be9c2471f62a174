"""Keys that were refused: they are not tried again, since more than five failures in a row lock them."""

from collections.abc import Callable

from handler.clock import uptime
from handler.cloud.identity.signing.access import Keys

REST = 600.0
"""Seconds after which keys are tried again: a gateway unlocks them after 300, and may have been wrong."""
REMEMBERED = 32
"""The most keys that are remembered."""


class Refusals:
    """The keys that were refused, when, and with which words."""

    def __init__(self, now: Callable[[], float] = uptime) -> None:
        self._now = now
        self._known: dict[Keys, tuple[float, str]] = {}

    def note(self, keys: Keys, why: str) -> None:
        """Remember that keys were refused."""
        known = {**self._known, keys: (self._now(), why)}
        # A new dictionary, since another thread may be reading the old one. Only the latest keys are kept: there are
        # always new temporary ones.
        self._known = dict(list(known.items())[-REMEMBERED:])

    def of(self, keys: Keys) -> str:
        """Why keys were refused; an empty string if they may be tried."""
        at, why = self._known.get(keys, (0.0, ""))
        return why if why and self._now() - at < REST else ""
