"""What many rows have in common, told once: the sentence that several share, and failures of the same kind. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from handler.shell.screen.lines.rows import Kind, Row
from handler.shell.screen.lines.width import ELLIPSIS

MOST_ALIKE = 60
"""Failures of the same kind that a terminal lists: more would push all the rest off it."""
FIRST = 10
"""How many of more failures than that are listed."""


def details_of_several(rows: Iterable[Row]) -> Mapping[Kind, int]:
    """What is told once, below the table, and of how many images: the details that several of a kind share."""
    found = Counter(row.kind for row in rows if row.kind.detail)
    return {kind: number for kind, number in found.items() if number > 1}


def lines_of_several(shared: Mapping[Kind, int]) -> Iterator[str]:
    """A line for each detail that several images share."""
    labels = [kind.reason or kind.word for kind in shared]
    width = max(map(len, labels), default=0)
    for label, (kind, number) in zip(labels, shared.items(), strict=True):
        yield f"{label.ljust(width)}  {number:,} images: {kind.detail}"


def folded(rows: Sequence[Row]) -> Iterator[Row | str]:
    """The rows for a terminal: of very many failures of one kind only the first, and a line about the others."""
    numbers = Counter(row.kind.reason for row in rows if row.outcome == "failed")
    many = {reason for reason, number in numbers.items() if number > MOST_ALIKE}
    seen = Counter[str]()
    for row in rows:
        reason = row.kind.reason
        place = _place(row, many, seen)
        if place <= FIRST:
            yield row
        elif place == FIRST + 1:
            yield f"{ELLIPSIS} {numbers[reason] - FIRST:,} more failed, {reason}: a pipe, as to less, gets all rows"


def _place(row: Row, many: Collection[str], seen: Counter[str]) -> int:
    """Which of very many failures of its kind a row is; 0 if it is none of these."""
    # No other outcome has such a reason.
    if row.kind.reason not in many:
        return 0
    seen[row.kind.reason] += 1
    return seen[row.kind.reason]
