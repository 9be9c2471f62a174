"""The trial of a mutant: the tests, on a copy of the tree that has it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
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
PYTEST = (sys.executable, "-m", "pytest", "-m", "not slow", "--hypothesis-profile=quick", "--hypothesis-seed=0")
ORDERED = ("-p", "tests.mutants.order", "--exitfirst")
FIRST = 120
"""How many tests are tried before all: those that run the place of the mutant, and little else."""
MOST_SECONDS = 900
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

    def run(self, *arguments: str, order: Iterable[str] = (), only: bool = False) -> int:
        """Run pytest, with these tests first; its exit code, or the number of a signal below zero."""
        self._order.write_text("\n".join(order), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        environment |= {"PYTHONHASHSEED": "0", "ORDER": str(self._order), "ONLY": "1" if only else ""}
        with self._printed.open("w") as printed:
            process = subprocess.Popen(  # noqa: S603 (pytest, on what is ours)
                [*PYTEST, *arguments], cwd=self.place, env=environment, stdout=printed, stderr=printed, process_group=0
            )
            try:
                return process.wait(MOST_SECONDS)
            except subprocess.TimeoutExpired:
                return -signal.SIGALRM
            finally:
                _end(process)

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
            code = self.run(*ORDERED, *TESTS, order=order[FIRST:])
        elif code == PASSED and len(order) > FIRST:
            code = self._run_only(order[FIRST:])
        if code == NOTHING_RUN:
            raise RuntimeError(self.printed)
        return "" if code == PASSED else self._reason(code)

    def _run_only(self, tests: Sequence[str]) -> int:
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        return self.run(*ORDERED, *files, order=tests, only=True)

    def _reason(self, code: int) -> str:
        if code == -signal.SIGALRM:
            return "time-out"
        failed = [line for line in self.printed.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].split(" - ")[0] if failed else f"exit {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running of what a trial has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
