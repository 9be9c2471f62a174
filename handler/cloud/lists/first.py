"""The first page of a list, which says how old the list is."""

from collections.abc import Mapping
from datetime import datetime

from handler.cloud.fields import Record
from handler.cloud.transport import Dated, Transport


class FirstPage:
    """Reads pages, and notes when the first of them was asked for: no list is younger than its first page."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._first: Dated | None = None

    def read(self, url: str, params: Mapping[str, str] | None = None) -> Record | None:
        """GET a page."""
        dated = self._transport.read_dated(url, params)
        self._first = self._first or dated
        return dated.payload

    @property
    def asked_at(self) -> float:
        """The moment at which the first page was asked for."""
        return self._first.asked_at if self._first else self._transport.deadline.now()

    @property
    def date(self) -> datetime | None:
        """The cloud's own time of that page, None if it does not tell it."""
        return self._first.date if self._first else None
