"""Which tests run which places, as one run of all tests under coverage has it."""

from collections import Counter
from pathlib import Path
from statistics import fmean

from coverage import CoverageData

from tests.mutants.mutant import Mutant


class Covering:
    """The tests by the lines that they run, and how many lines of all targets each runs."""

    def __init__(self, data: Path, tree: Path, targets: list[str]) -> None:
        read = CoverageData(str(data))
        read.read()
        self._tests = {path: _tests_of(read, tree / path) for path in targets}
        self._lines = Counter(
            test for lines in self._tests.values() for tests in lines.values() for test in sorted(tests)
        )

    def order_for(self, mutant: Mutant) -> list[str]:
        """The tests that run the function of a mutant, or its module if it is in none.

        The modules of tests that are about little else come first: they most likely hold what it breaks.
        """
        lines = self._tests[mutant.path].items()
        found = {
            test for line, tests in lines if not mutant.first or mutant.first <= line <= mutant.last for test in tests
        }
        widths: dict[str, list[int]] = {}
        for test in found:
            widths.setdefault(test.partition("::")[0], []).append(self._lines[test])
        return sorted(found, key=lambda test: (fmean(widths[test.partition("::")[0]]), self._lines[test], test))


def _tests_of(data: CoverageData, path: Path) -> dict[int, set[str]]:
    contexts = data.contexts_by_lineno(str(path))
    return {line: {name.rpartition("|")[0] for name in names if "|" in name} for line, names in contexts.items()}
