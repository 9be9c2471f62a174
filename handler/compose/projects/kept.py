"""The connections and the identities of a few projects, kept from one run to the next."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from handler.clock import uptime
from handler.cloud.identity.identity import Identity
from handler.cloud.places.session import Session


class Access(NamedTuple):
    """The connections to the cloud, and who we are on them."""

    session: Session
    identity: Identity


@dataclass
class _Place:
    """One access, what it was made of, how many runs use it, and when one did last."""

    access: Access
    made_of: object
    users: int = 0
    used_at: float = 0.0
    is_kept: bool = True
    is_left: bool = False

    def close_if_unused(self) -> None:
        if not self.is_kept and not self.is_left and not self.users:
            self.access.session.close()


class Kept:
    """Accesses by whose they are: `most` of them, and those that somebody has used in the last `idle` seconds.

    What is given up is closed, but never while a run uses it. Safe for threads.
    """

    def __init__(self, most: int, idle: float, now: Callable[[], float] = uptime) -> None:
        self._most = most
        self._idle = idle
        self._now = now
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def use(self, whose: Hashable, made_of: object, make: Callable[[], Access]) -> Iterator[Access]:
        """The access that is kept, or a new one if there is none, or if it was made of something else."""
        with self._lock:
            self._give_up_idle()
            place = self._places.get(whose)
            if place is None or place.made_of != made_of:
                self._give_up(whose)
                place = self._places[whose] = _Place(make(), made_of)
            self._places.move_to_end(whose)
            place.users += 1
            self._give_up_oldest()
        try:
            yield place.access
        finally:
            with self._lock:
                place.users -= 1
                place.used_at = self._now()
                place.close_if_unused()

    def leave(self, access: Access) -> None:
        """Give up an access without closing it: it stays as it is for threads that can't be waited for."""
        with self._lock:
            for whose, place in list(self._places.items()):
                if place.access is access:
                    place.is_left = True
                    self._give_up(whose)

    def clear(self) -> None:
        """Give up all of them."""
        with self._lock:
            for whose in list(self._places):
                self._give_up(whose)

    def _give_up(self, whose: Hashable) -> None:
        if place := self._places.pop(whose, None):
            place.is_kept = False
            place.close_if_unused()

    def _give_up_idle(self) -> None:
        end = self._now() - self._idle
        for whose in [whose for whose, place in self._places.items() if not place.users and place.used_at < end]:
            self._give_up(whose)

    def _give_up_oldest(self) -> None:
        unused = [whose for whose, place in self._places.items() if not place.users]
        for whose in unused[: max(len(self._places) - self._most, 0)]:
            self._give_up(whose)
