"""The trial of a mutant: the tests, on a copy of the tree that has it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutant import Mutant

LEFT_OUT = shutil.ignore_patterns(
    ".*_cache", ".git", ".venv*", ".aws-sam", ".coverage*", ".hypothesis", "build", "dist"
)
TESTS = (
    *("tests/unit", "tests/contract", "tests/faults/test_freshness.py", "tests/faults/test_proof.py"),
    *("tests/faults/test_fuzz.py", "tests/faults/test_peers.py", "tests/faults/test_secrets.py"),
    *("tests/faults/test_sweep_faults.py", "tests/faults/test_sweep_machine.py"),
    "tests/faults/test_sweep_properties.py",
)
# Nothing may differ from one run to the next: neither what Hypothesis makes up, nor the order of sets.
PYTEST = ("-m", "not slow", "--hypothesis-profile=quick", "--hypothesis-seed=0")
# It need not look into its own assertions, which are loaded already.
ORDERED = ("-p", "tests.mutants.order", "--exitfirst", "-W", "ignore::pytest.PytestAssertRewriteWarning")
FIRST = 600
"""How many tests are tried before all: those that run the place of the mutant, and little else."""
PASSED, NOTHING_RUN = 0, 5


class Verdict(NamedTuple):
    """Whether a mutant is killed, and by what: a test, a time-out, or an exit."""

    mutant: Mutant
    by: str
    seconds: float

    @property
    def is_killed(self) -> bool:
        """Whether a test failed, or none came to an end."""
        return bool(self.by)


class Tree:
    """A copy of the tree for one trial at a time."""

    def __init__(self, place: Path, source: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place, ignore=LEFT_OUT)
        self.place = place
        self._order = place.with_suffix(".order")
        self._printed = place.with_suffix(".txt")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        self._environment |= {"PYTHONHASHSEED": "0"}
        self._warm: subprocess.Popen[str] | None = None

    def measure(self, *arguments: str) -> int:
        """Run all tests without a mutant, in a process that has loaded nothing."""
        command = [sys.executable, "-m", "pytest", *PYTEST, *arguments, *TESTS]
        with self._printed.open("w") as printed:
            done = subprocess.run(  # noqa: S603 (pytest, on what is ours)
                command, cwd=self.place, env=self._environment, stdout=printed, stderr=printed, check=False
            )
        return done.returncode

    def warm_up(self) -> None:
        """Start the process that forks for each trial."""
        self._warm = subprocess.Popen(  # noqa: S603 (the same)
            [sys.executable, "tests/mutants/warm.py", *PYTEST, *TESTS],
            cwd=self.place,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._answer() != "ready":
            raise RuntimeError(self.printed)

    def close(self) -> None:
        """End that process."""
        if self._warm:
            self._warm.communicate()

    def run(self, *tests: str, order: Iterable[str] = (), only: bool = False) -> int:
        """Run tests, these first; pytest's exit code, or the number of a signal below zero."""
        self._order.write_text("\n".join(order), encoding="utf-8")
        asked = {
            "arguments": [*PYTEST, *ORDERED, *tests],
            "environment": {"ORDER": str(self._order), "ONLY": "1" if only else "", "PYTHONDONTWRITEBYTECODE": "1"},
            "printed": str(self._printed),
        }
        assert self._warm
        assert self._warm.stdin
        print(json.dumps(asked), file=self._warm.stdin, flush=True)
        return int(self._answer())

    def _answer(self) -> str:
        assert self._warm
        assert self._warm.stdout
        return self._warm.stdout.readline().strip()

    @property
    def printed(self) -> str:
        """What the last run printed."""
        return self._printed.read_text(encoding="utf-8", errors="replace")

    def try_one(self, mutant: Mutant, order: Sequence[str]) -> Verdict:
        """Set the mutant into the tree, run the tests, and take it out again."""
        module = self.place / mutant.path
        original, times = module.read_bytes(), module.stat()
        began_at = time.monotonic()
        try:
            module.write_text(mutant.text, encoding="utf-8")
            by = self._killed_by(order, every=not (mutant.first and order))
            return Verdict(mutant, by, time.monotonic() - began_at)
        finally:
            module.write_bytes(original)
            os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))

    def _killed_by(self, order: Sequence[str], *, every: bool) -> str:
        code = self._run_only(order[:FIRST]) if order else PASSED
        if code == PASSED and every:
            code = self.run(*TESTS, order=order[FIRST:])
        elif code == PASSED and len(order) > FIRST:
            code = self._run_only(order[FIRST:])
        if code == NOTHING_RUN:
            raise RuntimeError(self.printed)
        return "" if code == PASSED else self._reason(code)

    def _run_only(self, tests: Sequence[str]) -> int:
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        return self.run(*files, order=tests, only=True)

    def _reason(self, code: int) -> str:
        if code in {-signal.SIGALRM, -signal.SIGPROF}:
            return "time-out"
        failed = [line for line in self.printed.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
        return failed[0].split(" - ")[0] if failed else f"exit {code}"
