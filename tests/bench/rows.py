"""A row of the benchmarks: measured in turns with a partner, printed, held to a limit, and kept for a history.

What a machine is busy with besides falls on both of a pair, which are seconds apart: so the ratio of a pair says more
than either number, and the median of the ratios leaves out the pairs in which it fell on one alone. No row is compared
with a constant that only an idle machine can reach. A test says what it measures, and holds all of its rows at once:

    def test_..._at_most_1_06_of_the_bare_pool(hold: Hold) -> None:
        ours, theirs = in_turns(lambda: seconds(handler), lambda: seconds(pool))
        hold(Row("200 images at 50 ms: wall against the bare pool", most=1.06, ours=ours, theirs=theirs))

A row without a partner is held to its limit itself: megabytes, or images that failed. With `--json FILE`, each row is
added to the file as a line of JSON, with the day and the revision.
"""

import json
import statistics
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

ROUNDS = 9
ROOT = Path(__file__).parents[2]

T = TypeVar("T")


class Row(NamedTuple):
    """What was measured, once a round, and the most that it may be, of a partner's if there is one; None: only told."""

    what: str
    most: float | None
    ours: Sequence[float]
    theirs: Sequence[float] = ()
    unit: str = "s"

    @property
    def numbers(self) -> list[float]:
        """What the limit is for: the ratios of the pairs, or our own numbers."""
        return [our / their for our, their in zip(self.ours, self.theirs, strict=True)] if self.theirs else [*self.ours]

    @property
    def is_held(self) -> bool:
        """Whether the median is no more than it may be."""
        return self.most is None or statistics.median(self.numbers) <= self.most

    def __str__(self) -> str:
        """One line: the median, the least and the most, and what they were made of."""
        held = f"{self.what}: {spread(self.numbers)}" + ("" if self.most is None else f", at most {self.most:g}")
        if not self.theirs:
            return f"{held} {self.unit}"
        return f"{held} (ours {spread(self.ours)} {self.unit}, theirs {spread(self.theirs)} {self.unit})"


Hold = Callable[..., None]
"""Print rows, keep them, and fail if any is not held: the fixture `hold`."""


def spread(numbers: Sequence[float]) -> str:
    """The median of some numbers, and in brackets the least and the most of them."""
    low, middle, high = (f"{number:.3g}" for number in (min(numbers), statistics.median(numbers), max(numbers)))
    return f"{middle} [{low} to {high}]"


def in_turns(ours: Callable[[], T], theirs: Callable[[], T], rounds: int = ROUNDS) -> tuple[list[T], list[T]]:
    """Measure two in turns, each first in every other round, after a round that only warms everything up."""
    pairs = list[tuple[T, T]]()
    for number in range(rounds + 1):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        one, other = first(), second()
        pairs.append((one, other) if number % 2 else (other, one))
    return [our for our, _ in pairs[1:]], [their for _, their in pairs[1:]]


def hold(rows: Sequence[Row], history: Path | None) -> None:
    """Print rows, add them to the history if there is one, and fail if any is not held."""
    for row in rows:
        print(f"\n{row}", end="", flush=True)
        if history:
            with history.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(as_line(row)) + "\n")
    assert not (broken := [str(row) for row in rows if not row.is_held]), broken


def as_line(row: Row) -> dict[str, object]:
    """A row as the history keeps it."""
    numbers = row.numbers
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision(),
        "row": row.what,
        "least": min(numbers),
        "median": statistics.median(numbers),
        "most": max(numbers),
        "limit": row.most,
        "held": row.is_held,
        "ours": list(row.ours),
        "theirs": list(row.theirs),
        "unit": row.unit,
    }


def revision() -> str:
    """The commit that was measured, with `-dirty` if it is not quite that."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
