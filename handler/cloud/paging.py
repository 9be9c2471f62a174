"""Lists of the cloud, read to their end; a list that can't be read to its end raises Unexpected."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from handler.cloud import payloads
from handler.cloud.fields import Record
from handler.errors import Unexpected

PAGE = 1000
"""Images, servers or volumes to ask for at once; the cloud may return fewer."""
NUMBERED_PAGE = 100
SMALLEST_CAP = 20
"""A cloud may cut pages to this length or more, and name no next one: only a shorter page ends the list for certain."""


class Reader(Protocol):
    """What pages are read with: the transport, or what notes how old they are."""

    def read(self, url: str, params: Mapping[str, str] | None = None) -> Record | None:
        """GET a JSON object; None if the cloud says that the image does not exist."""


def pages(
    transport: Reader, url: str, key: str, wanted: Mapping[str, str] | None = None, shortest: int = SMALLEST_CAP
) -> Iterator[Record]:
    """Everything in a list whose next page begins after a marker, the last id of the page before.

    A page of at least `shortest` items is never taken for the last one.
    """
    seen: set[str] = set()
    marker: str | None = None
    while True:
        asked = {**(wanted or {}), "limit": str(PAGE)} | ({"marker": marker} if marker else {})
        payload = transport.read(url, asked)
        # Not taken for an empty list: without any servers, no image would be in use.
        if payload is None:
            message = f"no list of {key}"
            raise Unexpected(message)
        page, more = payloads.read_page(payload, key)
        if more and not page:
            message = f"the list of {key} promises more than it holds"
            raise Unexpected(message)
        yield from page
        if not page or not (more or len(page) >= shortest):
            return
        marker = str(page[-1].get("id"))
        if marker in seen:
            message = f"the list of {key} repeats itself"
            raise Unexpected(message)
        seen.add(marker)


def numbered_pages(transport: Reader, url: str, key: str, id_key: str) -> Iterator[Record]:
    """Everything in a list whose next page begins at a given number. Source: Auto Scaling of Open Telekom Cloud."""
    known, total = list[str](), 1
    while len(known) < total:
        # Pages overlap by one item. If an earlier item was removed in the meantime, all later ones have moved up by one
        # place, and one would be skipped: then the overlap does not match.
        wanted = {"start_number": str(max(len(known) - 1, 0)), "limit": str(NUMBERED_PAGE)}
        page, total = payloads.read_numbered_page(transport.read(url, wanted) or {}, key)
        ids = [str(item.get(id_key)) for item in page]
        fresh = len(known[-1:])
        if ids[:fresh] != known[-1:] or set(ids[fresh:]) & set(known) or not (ids[fresh:] or len(known) >= total):
            message = f"the list of {key.replace('_', ' ')} changed while it was read, or can't be read to its end"
            raise Unexpected(message)
        yield from page[fresh:]
        known += ids[fresh:]
