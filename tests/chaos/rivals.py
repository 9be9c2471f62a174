"""A second sweep that begins while one is under way: put into the steps of a schedule.

Drawn from a lot of its own, so that everything else in the schedule of a seed stays as it is.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

Step = dict[str, Any]
SHARE = 0.25
"""How many sweeps meet another one."""
LONG = 400.0
"""Seconds that a run has which takes over from another one, and so waits for longer than that one has the lease."""


def among(steps: Iterable[Step], rng: random.Random) -> Iterator[Step]:
    """The same steps, some of whose sweeps meet another one."""
    for step in steps:
        is_sweep = step["do"] == "call" and "policy" in step
        yield _met(step, rng) if is_sweep and rng.random() < SHARE else step


def _met(step: Step, rng: random.Random) -> Step:
    """A sweep that meets another one; that one fails, or takes over from this one, which stands still meanwhile."""
    place: Step = {"at": rng.choice(("delete", "delete", "tag", "read", "list")), "nth": rng.choice((0, 0, 1))}
    rival: Step = {"do": "call", "source": rng.choice(("direct", "schedule")), "policy": rng.randrange(4)}
    takes_over = rng.random() < 0.5
    fault = {**place, "what": "after", "do": [rival | {"granted": LONG if takes_over else 10.0}]}
    longer = {"granted": 3 * LONG} if takes_over else {}
    return {**step, **longer, "faults": [*step.get("faults", ()), fault]}
