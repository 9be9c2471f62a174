"""How uses are written down: what is read is what was written, and a use is never forgotten too early."""

import os
import tracemalloc
import uuid
import zlib
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.engine.aws.state.uses.packing import DIGITS, KEPT, MOST_PACKED, Page, by_digit, merged, pack, unpack
from handler.model.history import LONGEST_MEMORY

TODAY = date(2026, 11, 20)
DAY = timedelta(days=1)
ID = "a0000000-0000-4000-8000-00000000000a"
OTHER = "a0000000-0000-4000-8000-00000000000b"

days = st.dates(date(1970, 1, 1), date(2149, 6, 6))
ids = st.uuids().map(lambda found: f"a{str(found)[1:]}")
pages = st.dictionaries(ids, days, max_size=20)


def many(number: int) -> Page:
    """So many ids, each last used on another day of the year."""
    random = os.urandom(16 * number)
    found = (str(uuid.UUID(bytes=random[16 * n : 16 * n + 16])) for n in range(number))
    return {f"a{image_id[1:]}": TODAY - n % 365 * DAY for n, image_id in enumerate(found)}


@given(pages)
def test_what_is_read_is_what_was_written(page: Page) -> None:
    assert unpack(pack(page), "a") == page
    assert pack({image_id: page[image_id] for image_id in sorted(page, reverse=True)}) == pack(page)


def test_an_item_holds_more_than_twenty_thousand_images_with_their_days() -> None:
    assert len(pack(many(22_000))) < MOST_PACKED < len(pack(many(25_000)))


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(2149, 6, 7)])
def test_a_day_that_can_not_be_written_is_not_written_as_another(day: date) -> None:
    with pytest.raises(OverflowError):
        pack({ID: day})


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"x",
        pack({ID: TODAY})[:-1],
        pack({ID: TODAY}) + b"x",
        zlib.compress(bytes(17)),
        zlib.compress(bytes(19)),
        zlib.compress(b"\xa0" * 32 + bytes(4)),
        zlib.compress(b"\xb0" * 16 + bytes(2)),
        zlib.compress(b"\xa0" * 18 * 50_000),
    ],
    ids=["empty", "other", "cut", "more", "short", "odd", "twice", "another digit", "bomb"],
)
def test_what_was_not_written_by_us_is_not_read(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"^\w"):
        unpack(packed, "a")


@pytest.mark.slow("a hundred megabytes are packed")
def test_what_becomes_very_large_is_not_read_whole() -> None:
    bomb = zlib.compress(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="not as it was written"):
        unpack(bomb, "0")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    with suppress(ValueError):
        assert pack(unpack(packed, "a"))


@given(pages, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_what_was_damaged_is_not_read_as_something_else(page: Page, place: int, put: bytes) -> None:
    packed = pack(page)
    damaged = packed[: place % len(packed)] + put + packed[place % len(packed) + len(put) :]
    try:
        assert unpack(damaged, "a") == page
    except ValueError:
        assert damaged != packed


def test_ids_are_told_apart_by_their_first_digit_in_any_case() -> None:
    found = by_digit([ID.upper(), OTHER, "B" + ID[1:], "no uuid", ID.replace("-", "")])
    assert found == {digit: set() for digit in DIGITS} | {"a": {ID, OTHER}, "b": {"b" + ID[1:]}}


# What is known after a look


def test_what_is_in_use_was_used_today() -> None:
    assert merged({ID: TODAY - 9 * DAY}, {ID, OTHER}, TODAY) == {ID: TODAY, OTHER: TODAY}
    assert merged({ID: TODAY - 9 * DAY}, {OTHER}, TODAY) == {ID: TODAY - 9 * DAY, OTHER: TODAY}


def test_a_use_is_forgotten_only_once_nobody_may_ask_for_it_any_more() -> None:
    assert KEPT > LONGEST_MEMORY + DAY
    assert merged({ID: TODAY}, (), TODAY + KEPT) == {ID: TODAY}
    assert merged({ID: TODAY}, (), TODAY + KEPT + DAY) == {}


@given(pages, st.sets(ids, max_size=5), st.integers(-9, 9))
def test_no_look_makes_a_use_older_whatever_its_clock_says(page: Page, in_use: set[str], days: int) -> None:
    now = max([TODAY, *page.values()]) + days * DAY
    in_use |= set(sorted(page)[::2])
    after = merged(page, in_use, now)
    assert all(after[image_id] >= max(now, page.get(image_id, now)) for image_id in in_use)
    assert all(now - page[image_id] > KEPT or after[image_id] >= page[image_id] for image_id in page)


@given(pages, st.sets(ids, max_size=5), st.sets(ids, max_size=5))
def test_two_looks_at_once_lose_no_use_whichever_comes_first(page: Page, one: set[str], other: set[str]) -> None:
    found = [merged(merged(page, first, TODAY), second, TODAY) for first, second in ((one, other), (other, one))]
    assert found[0] == found[1] == merged(page, one | other, TODAY)


@given(pages, st.sets(ids, max_size=5))
def test_a_look_is_written_down_the_same_when_it_is_written_down_again(page: Page, in_use: set[str]) -> None:
    once = merged(page, in_use, TODAY)
    assert merged(once, in_use, TODAY) == once
