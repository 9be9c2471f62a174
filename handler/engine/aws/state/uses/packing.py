"""How it is written down when things were last in use: as many as possible in one item of a table. Pure.

For each id, its 16 bytes, and two bytes for the day: all ids first, then all days, and everything compressed. An item
of 400 KB holds about 24,000 of them, since ids are as random as anything can be.
"""

import struct
import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

from handler.model.history import LONGEST_MEMORY
from handler.model.image import is_uuid

DIGITS = "0123456789abcdef"
EPOCH = date(1970, 1, 1)
"""The day from which days are counted; two bytes go to the year 2149."""
KEPT = LONGEST_MEMORY + timedelta(days=7)
"""How long an id is kept; a little longer than anybody asks, for a clock that goes back."""
MOST_PACKED = 400_000
"""Bytes that an item may take. DynamoDB takes 409,600, with the names of the attributes."""
_MOST_UNPACKED = 18 * 40_000
"""Bytes that are read at most: what was not written by us may be small, and become a thousand times larger."""


Page = Mapping[str, date]
"""The last day on which each of the ids was seen in use: ids in small letters that begin with one digit."""


def by_digit(ids: Iterable[str]) -> dict[str, set[str]]:
    """The ids in small letters, by the first digit; those that are no UUIDs are left out."""
    pages: dict[str, set[str]] = {digit: set() for digit in DIGITS}
    for image_id in ids:
        if is_uuid(image_id):
            pages[image_id[0].lower()].add(image_id.lower())
    return pages


def merged(page: Page, in_use: Collection[str], today: date) -> Page:
    """What is known after one more look. In whichever order looks come, none of them makes a use older."""
    kept = {image_id: day for image_id, day in page.items() if today - day <= KEPT}
    return kept | {image_id: max(page.get(image_id, today), today) for image_id in in_use}


def pack(page: Page) -> bytes:
    """Write a page down; raises OverflowError for a day that can't be written."""
    ids = sorted(page)
    try:
        days = struct.pack(f">{len(ids)}H", *((page[image_id] - EPOCH).days for image_id in ids))
    except struct.error:
        message = f"a day before {EPOCH}, or after 2149, can't be written down"
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
    known = {number: EPOCH + timedelta(days=number) for number in set(numbers)}
    page = {_spelled(raw[16 * place : 16 * place + 16].hex()): known[number] for place, number in enumerate(numbers)}
    if rest or not reader.eof or reader.unused_data or len(page) < count or {key[0] for key in page} - {digit}:
        message = "not as it was written"
        raise ValueError(message)
    return page


def _spelled(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
