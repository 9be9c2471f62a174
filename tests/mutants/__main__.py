"""Draws a sample of mutants, tries each, and says what became of them: see the package."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from tests.mutants import known, trial
from tests.mutants.covering import Covering
from tests.mutants.mutant import Mutant, mutants, sample

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "mutants"
TARGETS = (
    *("handler/rules/*.py", "handler/work/**/*.py", "handler/sources/*.py"),
    *("handler/cloud/meanings.py", "handler/cloud/payloads.py", "handler/cloud/fields.py"),
    "handler/cloud/lists/images.py",
)
SEED, SAMPLE = "13", 400
LEAST_KILLED = 98.0


def main(argv: Sequence[str]) -> int:
    """Run it all; 0 if enough are killed, and each of the others is known to be the same program."""
    arguments = _arguments(argv)
    targets = sorted({str(path.relative_to(ROOT)) for each in TARGETS for path in ROOT.glob(each)})
    every = _made(arguments.maker, targets)
    chosen = sample([m for m in every if arguments.of in m.name], arguments.seed, arguments.sample)
    print(f"{len(chosen)} of {len(every)} mutants, seed {arguments.seed}", flush=True)
    (WORK / "verdicts.txt").unlink(missing_ok=True)
    trees = [trial.Tree(WORK / f"tree-{number}", ROOT) for number in range(arguments.jobs)]
    covering = _covering(trees[0], targets, arguments.jobs)
    for tree in trees:
        tree.warm_up()
    _check_original(trees[0])
    verdicts = _tried(chosen, trees, covering)
    for tree in trees:
        tree.close()
    return _report(verdicts, every)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", default=SEED, help="chooses the sample")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="how many mutants to try")
    parser.add_argument("--of", default="", metavar="TEXT", help="only those in whose name or lines this stands")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many to try at once")
    parser.add_argument("--maker", default=str(ROOT / ".venv-mutants/bin/python"), help="a Python that has mutmut")
    return parser.parse_args(argv)


def _made(maker: str, targets: Sequence[str]) -> list[Mutant]:
    made = subprocess.run(  # noqa: S603 (the Python that was asked for)
        [maker, "tests/mutants/making.py", *targets], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in targets}
    return mutants(map(json.loads, made.stdout.splitlines()), texts)


def _covering(tree: trial.Tree, targets: list[str], jobs: int) -> Covering:
    """Run the tests without any mutant: they must pass, and which of them runs what is written down."""
    measure = (
        "--numprocesses",
        str(jobs),
        "--cov=handler",
        "--cov-context=test",
        "--cov-report=",
        "--cov-fail-under=0",
    )
    if tree.measure(*measure):
        sys.exit(f"{tree.printed}\nThe tests must pass before there is a mutant.")
    return Covering(tree.place / ".coverage", tree.place, targets)


def _check_original(tree: trial.Tree) -> None:
    """Try the original as if it were a mutant: were it killed by how trials are made, so would be every mutant."""
    if tree.run(*trial.TESTS):
        sys.exit(f"{tree.printed}\nThe original does not survive a trial.")


def _tried(chosen: Sequence[Mutant], trees: Sequence[trial.Tree], covering: Covering) -> list[trial.Verdict]:
    """Try each in a tree that is free; what became of it is written down at once, for who waits."""
    free: Queue[trial.Tree] = Queue()
    for tree in trees:
        free.put(tree)

    def try_one(mutant: Mutant) -> trial.Verdict:
        tree = free.get()
        try:
            verdict = tree.try_one(mutant, covering.order_for(mutant))
        finally:
            free.put(tree)
        with (WORK / "verdicts.txt").open("a", encoding="utf-8") as verdicts:
            verdicts.write(f"{mutant.name}\n= {verdict.by or 'survived'}, {verdict.seconds:.0f} s\n\n")
        return verdict

    with ThreadPoolExecutor(len(trees)) as pool:
        return list(pool.map(try_one, chosen))


def _report(verdicts: Sequence[trial.Verdict], every: Sequence[Mutant]) -> int:
    listed = known.read_list(known.LIST.read_text(encoding="utf-8"))
    same = {entry.name for entry in listed}
    killed = {verdict.mutant.name for verdict in verdicts if verdict.is_killed}
    survived = {verdict.mutant.name for verdict in verdicts} - killed
    problems = {
        "No test fails on these, and they are not listed as the same program:": survived - same,
        "These are listed as the same program, but a test fails on them:": killed & same,
        "These are listed, but exist no more:": set(known.gone(listed, (mutant.name for mutant in every))),
    }
    for problem, names in problems.items():
        for name in sorted(names):
            print(f"\n{problem}\n{name}")
    share = 100 * len(killed) / len(verdicts)
    print(f"\n{len(verdicts)} mutants tried")
    print(f"{len(killed)} killed")
    print(f"{len(survived & same)} the same program")
    print(f"{len(survived - same)} survived")
    print(f"{share:.1f} % killed")
    return int(any(problems.values()) or share < LEAST_KILLED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
