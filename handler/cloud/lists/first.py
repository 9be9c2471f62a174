"""A list, and when the first of its pages was asked for: no list is younger than its first page."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from handler.cloud.fields import Record
from handler.cloud.transport import Dated, Transport

T = TypeVar("T")


class Listing(NamedTuple):
    """A list that was read to its end.

    `asked_at` is the moment at which its first page was asked for, `date` the cloud's own time of that page, None if
    the cloud does not tell it.
    """

    items: tuple[Record, ...]
    asked_at: float
    date: datetime | None


class FirstPage:
    """Reads pages, and notes when the first of them was asked for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._first: Dated | None = None

    def read_as(self, understand: Callable[[Record], T], url: str, params: Mapping[str, str] | None = None) -> T | None:
        """GET a page, as Transport.read_as does."""
        dated = self._transport.read_dated(url, params)
        self._first = self._first or dated
        return self._transport.understood(dated, understand)

    def listing(self, items: tuple[Record, ...]) -> Listing:
        """The list of the pages that were read."""
        if self._first is None:
            return Listing(items=items, asked_at=self._transport.deadline.now(), date=None)
        return Listing(items=items, asked_at=self._first.asked_at, date=self._first.date)
