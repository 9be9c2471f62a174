"""What is known of the use of images in the past."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

LONGEST_MEMORY = timedelta(days=365)
"""For how long it is remembered that something was in use."""


class History(NamedTuple):
    """What sweeps have seen of the use of images. Ids are in small letters.

    `since` is from when on they have looked, without a gap; `in_use` holds what was in use at the last look, and `last`
    the last day (UTC) on which they have seen something in use. Of an id that is no UUID, only `in_use` tells.
    """

    since: datetime
    last: Mapping[str, date]
    in_use: Collection[str] = frozenset()

    def last_day(self, ids: Iterable[str]) -> date | None:
        """The last day on which one of these was seen in use; None if none of them was."""
        return max((self.last[key] for key in ids if key in self.last), default=None)


class Unused(NamedTuple):
    """That nothing has used an image for an `age`, and what is known of that: filled in when the sweep begins."""

    age: timedelta
    history: History | None = None
