"""Lists of the cloud, read to their end; a list that can't be read to its end raises Unexpected."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from handler.cloud import payloads
from handler.cloud.fields import Record, text
from handler.cloud.lists.ahead import Begin, ahead, on_demand
from handler.errors import ListChanged, TurnedDown, Unexpected

PAGE = 1000
"""Images, servers or volumes to ask for at once; the cloud may return fewer."""
NUMBERED_PAGE = 100
SMALLEST_CAP = 20
"""A cloud may cut pages to this length or more, and name no next one: only a shorter page ends the list for certain."""
READINGS = 3
"""How often a list is read that changes each time while it is read."""

T = TypeVar("T")
Page = tuple[list[Record], str | None]
"""The items of a page, and the marker of the next page, None if there is none."""


def read_anew(reading: Callable[[], T]) -> T:
    """Make something of lists of the cloud, anew from their beginning if one changed while it was read.

    Our own deletions change lists, and so do those of others: the marker of a page is gone, an image moves to the page
    that was read already. Raises ListChanged if it is so every time.
    """
    for _ in range(READINGS - 1):
        with suppress(ListChanged):
            return reading()
    return reading()


class Reader(Protocol):
    """What pages are read with: the transport, or what notes how old they are."""

    def read_as(self, understand: Callable[[Record], T], url: str, params: Mapping[str, str] | None = None) -> T | None:
        """GET what `understand` makes of a JSON object; None if the cloud says that the image does not exist."""


class Manner(NamedTuple):
    """How a list is read. A page of at least `shortest` items is never taken for the last; `reading` may read ahead."""

    shortest: int = SMALLEST_CAP
    reading: Callable[[], AbstractContextManager[Begin]] = on_demand


AS_USUAL = Manner()
OF_IMAGES = Manner(shortest=1, reading=ahead)
"""IMS names no next page, and may cut its pages to any length: only an empty one is the end. There may be many."""


def pages(
    reader: Reader, url: str, key: str, wanted: Mapping[str, str] | None = None, manner: Manner = AS_USUAL
) -> Iterator[Record]:
    """Everything in a list whose next page begins after a marker, the last id of the page before.

    Raises ListChanged if the list is not the one that it was when the page before was read.
    """
    parts = _Pages(reader=reader, url=url, key=key, wanted=wanted or {}, shortest=manner.shortest)
    seen: set[str] = set()
    with manner.reading() as begin:
        coming: Callable[[], Page] = begin(partial(parts.page, None))
        while True:
            page, marker = coming()
            if marker is None:
                break
            if marker in seen:
                message = f"the list of {key} repeats itself"
                raise ListChanged(message)
            seen.add(marker)
            coming = begin(partial(parts.page, marker))
            yield from page
    yield from page


class _Pages(NamedTuple):
    """The pages of a list."""

    reader: Reader
    url: str
    key: str
    wanted: Mapping[str, str]
    shortest: int

    def page(self, after: str | None) -> Page:
        """The page that begins after a marker, and the marker of the next page, None if there is none."""
        asked = {**self.wanted, "limit": str(PAGE)} | ({"marker": after} if after else {})
        read = partial(payloads.read_page, key=self.key)
        page, more = _part(self.reader, self.url, asked, read, after=after)
        if more and not page:
            message = f"the list of {self.key} promises more than it holds"
            raise Unexpected(message)
        return page, text(page[-1], "id") if page and (more or len(page) >= self.shortest) else None


def numbered_pages(reader: Reader, url: str, key: str, id_key: str) -> Iterator[Record]:
    """Everything in a list whose next page begins at a given number. Source: Auto Scaling of Open Telekom Cloud."""
    known, total = list[str](), 1
    while len(known) < total:
        # Pages overlap by one item. If an earlier item was removed in the meantime, all later ones have moved up by one
        # place, and one would be skipped: then the overlap does not match.
        wanted = {"start_number": str(max(len(known) - 1, 0)), "limit": str(NUMBERED_PAGE)}
        read = partial(payloads.read_numbered_page, key=key)
        page, total = _part(reader, url, wanted, read, after=known[-1] if known else None)
        ids = [str(item.get(id_key)) for item in page]
        fresh = len(known[-1:])
        if ids[:fresh] != known[-1:] or set(ids[fresh:]) & set(known) or not (ids[fresh:] or len(known) >= total):
            message = f"the list of {key.replace('_', ' ')} changed while it was read, or can't be read to its end"
            raise ListChanged(message)
        yield from page[fresh:]
        known += ids[fresh:]


def _part(reader: Reader, url: str, asked: Mapping[str, str], read: "partial[T]", *, after: str | None) -> T:
    """One page: the first, or the one that begins after an item of the page before."""
    key = read.keywords["key"]
    problem = f"no list of {key}"
    try:
        part = reader.read_as(read, url, asked)
    except TurnedDown as error:
        part, problem = None, str(error)
    if part is not None:
        return part
    # Not taken for the end of the list: without any servers, no image would be in use.
    if after:
        message = f"the list of {key} changed while it was read: no page begins after {after} ({problem})"
        raise ListChanged(message)
    raise Unexpected(problem)
