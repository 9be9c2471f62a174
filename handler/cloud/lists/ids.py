"""The ids of a long list, in eight bytes each: as a set of texts, a million of them take 150 megabytes."""

from array import array
from bisect import bisect_left

SHELVES = 256


class Ids:
    """Ids that were noted. Among a million, the chance that two different ones are taken for one is 1 in 40 million.

    That errs on the safe side: a list that seems to name an image twice is not taken for a whole one.
    """

    def __init__(self) -> None:
        self._shelves = [array("q") for _ in range(SHELVES)]
        self._are_sorted = False

    def note(self, image_id: str) -> None:
        """Note one more; no longer allowed once it was asked whether an id is among them."""
        number = hash(image_id)
        self._shelves[number % SHELVES].append(number)

    def repeat(self) -> bool:
        """Whether one was noted twice."""
        return any(len(set(shelf)) < len(shelf) for shelf in self._shelves)

    def __contains__(self, image_id: str) -> bool:
        number = hash(image_id)
        shelf = self._sorted()[number % SHELVES]
        place = bisect_left(shelf, number)
        return place < len(shelf) and shelf[place] == number

    def _sorted(self) -> "list[array[int]]":
        if not self._are_sorted:
            self._shelves = [array("q", sorted(shelf)) for shelf in self._shelves]
            self._are_sorted = True
        return self._shelves
