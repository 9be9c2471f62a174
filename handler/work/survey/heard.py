"""What an observer hears of a survey: all images of which something may become, and some of the others."""

from collections.abc import Iterator
from heapq import heappush, heappushpop

from handler.model.outcome import MOST_LISTED, Decision, Rest, Total
from handler.model.request import SweepRequest
from handler.rules.selection import family

MOST_GROUPS = 20_000
"""Groups that are counted: a project of a million images without hyphens in their names has a million families."""


class Heard:
    """The decisions of one survey, of which no more are held than anybody reads one by one; the others are counted."""

    def __init__(self, request: SweepRequest) -> None:
        self._is_grouped = request.keep is not None
        self._held: list[tuple[int, Decision]] = []
        self._largest: list[tuple[int, int, Decision]] = []
        self._number = 0
        self._selected = Total()
        self._stay: dict[str, Total] = {}
        self._groups: dict[str, Total] | None = {}

    def add(self, decision: Decision, is_held: bool) -> None:  # noqa: FBT001 (a fact)
        """Hear a decision, and whether the survey holds the image as well."""
        # Its place in the list, since the order is told: whoever sorts images of one size gets them as they came.
        self._number += 1
        if is_held:
            self._held.append((self._number, _bare(decision)))
            return
        entry = (decision.image.size or 0, -self._number)
        if len(self._largest) < MOST_LISTED:
            heappush(self._largest, (*entry, _bare(decision)))
        elif entry < self._largest[0][:2]:
            self._count(decision)
        else:
            self._count(heappushpop(self._largest, (*entry, _bare(decision)))[2])

    def _count(self, decision: Decision) -> None:
        one = Total.of([decision.image])
        if decision.objection:
            reason = decision.objection.reason
            self._stay[reason] = self._stay.get(reason, Total()).plus(one)
        else:
            self._selected = self._selected.plus(one)
        if self._groups is not None:
            group = self._group_of(decision)
            self._groups[group] = self._groups.get(group, Total()).plus(one)
            if len(self._groups) > MOST_GROUPS:
                self._groups = None

    def _group_of(self, decision: Decision) -> str:
        return ", ".join(decision.groups) if self._is_grouped else family(decision.image.name or "")

    def told(self) -> Iterator[Decision]:
        """The decisions that are held, in the order of the list."""
        largest = ((-place, decision) for _, place, decision in self._largest)
        return (decision for _, decision in sorted([*self._held, *largest], key=lambda each: each[0]))

    def rest(self) -> Rest:
        """All others, counted."""
        return Rest(selected=self._selected, stay=self._stay, groups=self._groups)


def _bare(decision: Decision) -> Decision:
    # A project may have many thousand images, and no observer needs their records.
    return decision._replace(image=decision.image.without_record())
