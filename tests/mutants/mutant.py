"""A mutant as a value, and the sample that is drawn of all."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from difflib import ndiff
from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault in one module. `differs` are the lines that it takes and gives, without what they are indented by.

    `place` is a function, and `first` and `last` are its lines; they are 0 where that is a statement outside of them,
    and so may matter to any test. Of several mutants that differ alike in one place, each has a `number` from 1 on.
    """

    path: str
    place: str
    first: int
    last: int
    text: str
    differs: str
    number: int = 1

    @property
    def name(self) -> str:
        """What it is known by, wherever its lines are moved to."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.path} {self.place}{again}\n{self.differs}"

    def rank(self, seed: str) -> str:
        """Its place among all mutants: by chance, but it stays the same when other code changes."""
        return hashlib.sha256(f"{seed}\n{self.name}".encode()).hexdigest()


def mutants(rows: Iterable[list[object]], texts: dict[str, str]) -> list[Mutant]:
    """The mutants that were made of these texts, less those that are no Python or the same text."""
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for path, place, first, last, start, end, replacement in rows:
        before = texts[str(path)]
        text = f"{before[: int(str(start))]}{replacement}{before[int(str(end)) :]}"
        mutant = Mutant(str(path), str(place), int(str(first)), int(str(last)), text, _difference(before, text))
        seen[mutant.name] += 1
        found.append(mutant._replace(number=seen[mutant.name]))
    return [mutant for mutant in found if mutant.differs and _is_python(mutant.text)]


def sample(of: Iterable[Mutant], seed: str, size: int) -> list[Mutant]:
    """So many of them, always the same for one seed; where code changes, only as many of them change."""
    return sorted(sorted(of, key=lambda mutant: mutant.rank(seed))[:size])


def _difference(before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    lines = [line for line in ndiff(old, new) if line[0] in "-+"] if max(len(old), len(new)) < 80 else []
    return "\n".join(f"{line[0]} {line[2:].strip()}" for line in lines)


def _is_python(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True
