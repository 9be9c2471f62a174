"""One round: a world of one seed, tried until it has done enough or something was wrong."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos import plan
from tests.chaos.doors import knock
from tests.chaos.observer.judging import Violation
from tests.chaos.reality import real_cast, real_land
from tests.chaos.shrink import shrunk
from tests.chaos.world import Step, World

BROKEN_OFF = 130
"""The status of a run that somebody has interrupted."""
TAIL = 60
"""Lines of the story that are told of a world that went wrong."""


PATIENCE = 90.0
"""Seconds that may be spent on making a script shorter."""


class Round(NamedTuple):
    """What a round came to; `told` is what a person is told of it."""

    seed: int
    operations: int
    violations: int
    told: str


class Script(NamedTuple):
    """A world and what happens in it, short enough to be read; `promise` is the one that it broke."""

    seed: int
    cast: Mapping[str, Any]
    steps: Sequence[Step]
    promise: str = ""

    def text(self) -> str:
        """The script as a file of `scripts/` holds it."""
        steps = ",\n  ".join(json.dumps(step) for step in self.steps)
        return (
            f'{{"promise": {json.dumps(self.promise)}, "seed": {self.seed},\n "cast": {json.dumps(self.cast)},\n'
            f' "steps": [\n  {steps}\n]}}\n'
        )


def read_script(path: Path) -> Script:
    """A script from its file."""
    return Script(**json.loads(path.read_text()))


def play(script: Script) -> World:
    """Carry out a script in a world of its own, which is over afterwards."""
    with World(script.cast, script.seed) as world:
        world.carry_out(script.steps)
        world.end()
    return world


def try_seed(seed: int, operations: int, concurrency: int, folder: Path, *, real: bool = False) -> Round:
    """Try the world of a seed; the schedule lies in the folder as soon as it is carried out.

    One that failed on a `real` cloud is made shorter on the fake one, if it fails there as well.
    """
    cast, steps = (real_cast if real else plan.cast)(seed, concurrency), []
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / f"seed-{seed}.schedule").open("w", buffering=1) as schedule,
        real_land(cast["page_size"]) if real else nullcontext() as land,
        World(cast, seed, land) as world,
    ):
        schedule.write(json.dumps(cast) + "\n")
        for step in plan.steps(seed):
            schedule.write(json.dumps(step) + "\n")
            steps.append(step)
            world.carry_out([step])
            if world.operations >= operations or world.violations:
                break
        world.end()
    told = "" if not world.violations else _failure(world, Script(seed, cast, steps), folder)
    return Round(seed, world.operations, len(world.violations), told)


def try_doors(seed: int, events: int) -> Round:
    """Try every door with as many events."""
    tried, wrong = knock(events, seed)
    lines = [f"doors, seed {seed}: {tried} events, {len(wrong)} violations", *(f"VIOLATION: {line}" for line in wrong)]
    return Round(seed, 0, len(wrong), "\n".join(lines))


def be_ended_in_order() -> None:
    """Let a worker end what it has started, whoever ends it: an environment that is frozen would stay for ever."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    # Once: it comes from the terminal and from the pool, and the second one would keep a world from ending.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def unless_ended(task: Callable[[], Round]) -> Round:
    """Do a task of a pool; a worker that is interrupted takes no other one."""
    try:
        return task()
    except KeyboardInterrupt:
        os._exit(BROKEN_OFF)


def _failure(world: World, script: Script, folder: Path) -> str:
    """What went wrong, how it came to that, and the shortest script that shows it."""
    promise, end = world.violations[0].promise, time.monotonic() + PATIENCE

    def still_breaks(steps: Sequence[Step]) -> bool:
        return time.monotonic() < end and breaks(promise, script, steps)

    short = script._replace(promise=promise, steps=shrunk(script.steps, still_breaks))
    path = folder / f"seed-{script.seed}.json"
    path.write_text(short.text())
    story = "\n".join([*map(_line, world.violations), "The end of the story:", *world.told[-TAIL:]])
    return f"{story}\nThe shortest script that breaks this promise, in {path}:\n{short.text()}"


def breaks(promise: str, script: Script, steps: Sequence[Step]) -> bool:
    """Whether a promise is broken if no more than these steps happen."""
    return any(violation.promise == promise for violation in play(script._replace(steps=steps)).violations)


def _line(violation: Violation) -> str:
    where = f" of image {violation.image}" if violation.image else ""
    return f"VIOLATION: {violation.promise}{where} in invocation {violation.invocation}: {violation.text}"
