"""The images in the order of a list, which is worked out again only once something in it has moved."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any

from tests.fakecloud.records import ImageRecord

Order = list[tuple[str, bool]]
"""Fields, and whether they run backwards; the first one counts most."""


class Shelf:
    """Images as they stood when they were last asked for.

    Whoever changes an image need not say so: the shelf looks at every field that the order rests on, unless no field
    of any image was set at all.
    """

    def __init__(self) -> None:
        self._order: Order = []
        self._changes = 0
        self._kept: list[ImageRecord] = []
        self._fields: list[list[Any]] = []
        self._images: list[ImageRecord] = []
        self._places: dict[str, int] = {}

    def walk(self, images: Mapping[str, ImageRecord], order: Order, after: str | None) -> Iterator[ImageRecord]:
        """The images in this order, those that follow the named one if there is one."""
        kept = list(images.values())
        if (order, ImageRecord.changes) != (self._order, self._changes) or kept != self._kept:
            self._look(kept, order)
        return islice(self._images, 0 if after is None else self._places[after] + 1, None)

    def _look(self, kept: list[ImageRecord], order: Order) -> None:
        fields = [list(map(attrgetter(field), kept)) for field, _ in order]
        moved = order != self._order or fields != self._fields or kept != self._kept
        self._order, self._changes, self._kept, self._fields = order, ImageRecord.changes, kept, fields
        if moved:
            self._sort()

    def _sort(self) -> None:
        self._images = list(self._kept)
        for field, backwards in reversed(self._order):
            self._images.sort(key=partial(_rank, field), reverse=backwards)
        self._places = {image.id: place for place, image in enumerate(self._images)}


def _rank(field: str, image: ImageRecord) -> tuple[bool, Any]:
    value = getattr(image, field)
    return value is not None, value
