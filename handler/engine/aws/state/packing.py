"""How it is written down when things were in use: as many as possible in one item of a table. Pure.

For each id, its 16 bytes, and two bytes for the day and for whether it is still in use: all ids first, then all days,
and everything compressed. An item of 400 KB holds about 24,000 of them, since ids are as random as anything can be.
"""

import struct
import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from handler.model.history import LONGEST_MEMORY
from handler.model.image import is_uuid

DIGITS = "0123456789abcdef"
EPOCH = date(2000, 1, 1)
"""The day before which nothing can be written down; two bytes go to the year 2089."""
KEPT = LONGEST_MEMORY + timedelta(days=7)
"""How long an id is kept; a little longer than anybody asks, for a clock that goes back."""
MOST_PACKED = 400_000
"""Bytes that an item may take. DynamoDB takes 409,600, with the names of the attributes."""
_MOST_UNPACKED = 18 * 40_000
"""Bytes that are read at most: what was not written by us may be small, and become a thousand times larger."""


class Seen(NamedTuple):
    """The last day on which something may have been in use, and whether it still was at the last look."""

    day: date
    goes_on: bool


Page = Mapping[str, Seen]
"""What is known of the ids, in small letters, that begin with one digit."""


def by_digit(ids: Iterable[str]) -> dict[str, set[str]]:
    """The ids in small letters, by the first digit; those that are no UUIDs are left out."""
    pages: dict[str, set[str]] = {digit: set() for digit in DIGITS}
    for image_id in ids:
        if is_uuid(image_id):
            pages[image_id[0].lower()].add(image_id.lower())
    return pages


def merged(page: Page, in_use: Collection[str], today: date) -> Page:
    """What is known after one more look."""
    kept = {
        image_id: seen
        for image_id, seen in ((image_id, _seen_free(seen, today)) for image_id, seen in page.items())
        if today - seen.day <= KEPT
    }
    return kept | {image_id: _seen_in_use(page.get(image_id), today) for image_id in in_use}


def _seen_free(seen: Seen, today: date) -> Seen:
    # Nobody knows when its use has ended since the last look: it may have been just now.
    return Seen(max(seen.day, today), goes_on=False) if seen.goes_on else seen


def _seen_in_use(seen: Seen | None, today: date) -> Seen:
    return Seen(max(seen.day, today) if seen else today, goes_on=True)


def pack(page: Page) -> bytes:
    """Write a page down; raises OverflowError for a day that can't be written."""
    ids = sorted(page)
    numbers = [2 * (page[image_id].day - EPOCH).days + page[image_id].goes_on for image_id in ids]
    try:
        days = struct.pack(f">{len(ids)}H", *numbers)
    except struct.error:
        message = f"only days from {EPOCH} on, and for 89 years, can be written down"
        raise OverflowError(message) from None
    return zlib.compress(b"".join(bytes.fromhex(image_id.replace("-", "")) for image_id in ids) + days)


def unpack(packed: bytes, digit: str) -> Page:
    """Read a page; raises ValueError for anything that `pack` has not written."""
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(packed, _MOST_UNPACKED)
    except zlib.error as exc:
        raise ValueError(str(exc)) from exc
    count, rest = divmod(len(raw), 18)
    numbers = struct.unpack(f">{count}H", raw[16 * count : 18 * count])
    known = {number: Seen(EPOCH + timedelta(days=number // 2), goes_on=bool(number % 2)) for number in set(numbers)}
    page = {_spelled(raw[16 * place : 16 * place + 16].hex()): known[number] for place, number in enumerate(numbers)}
    if rest or not reader.eof or reader.unused_data or len(page) < count or {key[0] for key in page} - {digit}:
        message = "not as it was written"
        raise ValueError(message)
    return page


def _spelled(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
