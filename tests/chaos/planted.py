"""`python -m tests.chaos.planted`: plants faults in a copy of the handler, one after the other, and looks for each.

A patch in `planted/` holds one fault that a competent person could make; its first line says which promise it breaks.
The observer must find each within the first seeds, or in one of the scripts, where it needs a rare situation. Names of
patches may be given; without any, all of them are planted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos import plan
from tests.chaos.observer.judging import judge_world
from tests.chaos.rounds import play, read_script
from tests.chaos.world import World

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent / "planted"
FIELD = ROOT / "build" / "planted"
"""Where the copies are made."""
SCRIPTS = Path(__file__).parent / "scripts"
SEEDS, OPERATIONS = (1, 2, 3), 4000
ELSEWHERE = {"functiongraph-": (4, 8, 12), "approval-": (1, 5, 6)}
"""The first seeds of worlds that have what a patch breaks, by how its name begins: another engine, or plans."""
IN_SCRIPTS = 0
"""In place of a seed: the scripts."""
PATIENCE = 600.0
"""Seconds for one seed: with a fault planted, a world may stand still."""
OFTEN = 100
"""Steps after which the whole of a world is judged, and not only the invocation that has ended."""
OF_ANY_FAULT = frozenset({"bug"})
"""What says only that the program broke: a fault is found when the observer names the promise."""


class Find(NamedTuple):
    """What was found: the promise and how it was broken, in which seed or IN_SCRIPTS, after how many operations."""

    promise: str
    text: str
    seed: int
    operations: int


def patches(names: Sequence[str] = ()) -> list[Path]:
    """The patches with these names; without any, all of them."""
    found = {path.stem: path for path in sorted(PATCHES.glob("*.patch"))}
    return [found[name] for name in names or found]


def why(patch: Path) -> str:
    """What a patch breaks."""
    return patch.read_text("utf-8").partition("\n\n")[0]


def planted(patch: Path) -> Path:
    """A copy of the tree with a fault in it."""
    field = FIELD / patch.stem
    shutil.rmtree(field, ignore_errors=True)
    for name in _sources():
        (field / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, field / name)
    apply(patch, field)
    return field


def apply(patch: Path, tree: Path, *options: str) -> None:
    """Apply a patch to a tree; raises CalledProcessError if it does not fit."""
    # Told of no repository above it, git takes the tree for what it is: files.
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    command = ["git", "apply", *options, str(patch)]
    subprocess.run(command, cwd=tree, env=alone, check=True)  # noqa: S603 (ours)


def _sources() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "handler", "tests", "events"]
    names = subprocess.check_output(listed, cwd=ROOT, text=True).splitlines()  # noqa: S603 (ours)
    return [name for name in names if (ROOT / name).exists()]


def seeds_for(patch: Path) -> tuple[int, ...]:
    """The seeds whose worlds have what a patch breaks."""
    return next((seeds for start, seeds in ELSEWHERE.items() if patch.stem.startswith(start)), SEEDS)


def look_for(patch: Path, seeds: Sequence[int] = (), operations: int = OPERATIONS) -> Find | None:
    """Plant a fault, and try seeds, and then the scripts, until it is found; None if it is not."""
    field = planted(patch)
    try:
        return next(
            (
                find
                for seed in (*(seeds or seeds_for(patch)), IN_SCRIPTS)
                if (find := _look_in(field, seed, operations))
            ),
            None,
        )
    finally:
        shutil.rmtree(field)


def _look_in(field: Path, seed: int, operations: int) -> Find | None:
    """Look in a process of its own, which knows only the copy."""
    look = [sys.executable, "-m", "tests.chaos.planted", "--look", str(seed), "--operations", str(operations)]
    # Nor is it measured: coverage would slow it down, and is of the original.
    alone = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG")}
    try:
        told = subprocess.check_output(look, cwd=field, env=alone, text=True, timeout=PATIENCE)  # noqa: S603 (ours)
    except subprocess.TimeoutExpired:
        return None
    found = json.loads(told.splitlines()[-1])
    return Find(*found) if found else None


def look(seed: int, operations: int) -> Find | None:
    """Try the world of a seed, or the scripts; the first promise that was broken, if any was."""
    if seed == IN_SCRIPTS:
        return next(filter(None, map(_look_at, sorted(SCRIPTS.glob("*.json")))), None)
    with World(plan.cast(seed), seed) as world:
        for number, step in enumerate(plan.steps(seed), 1):
            world.carry_out([step])
            is_over = world.operations >= operations
            told = [*world.violations, *(judge_world(world.history) if is_over or not number % OFTEN else ())]
            for violation in told:
                if violation.promise not in OF_ANY_FAULT:
                    return Find(violation.promise, violation.text, seed, world.operations)
            if is_over:
                return None
    return None


def _look_at(path: Path) -> Find | None:
    world = play(read_script(path))
    named = (one for one in world.violations if one.promise not in OF_ANY_FAULT)
    return next((Find(one.promise, one.text, IN_SCRIPTS, world.operations) for one in named), None)


def run(found: Iterator[tuple[Path, Find | None]]) -> bool:
    """Tell what was found, a line for each patch; returns whether all were."""
    count = total = 0
    for patch, find in found:
        total, count = total + 1, count + bool(find)
        told = f"{find.promise!r} in {_place(find)} after {find.operations} operations" if find else "NOT FOUND"
        print(f"{patch.stem}: {told}", flush=True)
        if not find:
            print(f"  {why(patch)}", flush=True)
    print(f"{count} of {total} planted faults found")
    return count == total


def _place(find: Find) -> str:
    return "a script" if find.seed == IN_SCRIPTS else f"seed {find.seed}"


def main() -> int:
    """Look for faults, or, in a copy, for what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--look", type=int, metavar="SEED", help="look in this tree as it is")
    parser.add_argument("--operations", type=int, default=OPERATIONS)
    options = parser.parse_args()
    if options.look is not None:
        print(json.dumps(look(options.look, options.operations)))
        return 0
    chosen = patches(options.names)
    return not run((patch, look_for(patch, operations=options.operations)) for patch in chosen)


if __name__ == "__main__":
    raise SystemExit(main())
