"""An operator who stops all deletions, and lets them go on later: put among the steps of a schedule.

Drawn from a lot of its own, so that everything else in the schedule of a seed stays as it is.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = dict[str, Any]
STOP: Step = {"do": "operate", "what": "stop"}
GO: Step = {"do": "operate", "what": "go"}
RUNS = frozenset({"poll", "call"})
SHARE, DURING = 0.12, 0.8
"""How many steps are stopped, and how many of those that invoke a function are stopped on their way."""
PACES = (0.9, 1.5, 3.0, 6.0)
"""Seconds that each DELETE may take: most runs have but a few."""
LONG = 40
"""Requests in a row that are slow: more than one run makes while it is stopped."""


def among(steps: Iterable[Step], rng: random.Random) -> Iterator[Step]:
    """The same steps, some of which are stopped."""
    left = 0
    for step in steps:
        stopped = step
        if not left and rng.random() < SHARE:
            left = rng.randrange(1, 4)
            if step["do"] in RUNS and rng.random() < DURING:
                stopped = {**step, "faults": [*step.get("faults", ()), *rng.choice(_PLOTS)(rng)]}
            else:
                yield STOP
        yield stopped
        if left:
            left -= 1
            if not left:
                yield GO


def _slow(at: str, seconds: float) -> Step:
    return {"at": at, "nth": 0, "what": "slow", "amount": seconds, "times": LONG}


def _on_its_way(rng: random.Random) -> list[Step]:
    """It is stopped between two of its DELETEs, each of which takes a while."""
    place: Step = {"at": rng.choice(("delete", "read")), "nth": rng.randrange(4)}
    return [{**place, "what": rng.choice(("before", "after")), "do": [STOP]}, _slow("delete", rng.choice(PACES))]


def _while_it_looks(rng: random.Random) -> list[Step]:
    """It is stopped right after the flag was read, and the answer takes a while."""
    place: Step = {"at": "flag", "nth": rng.randrange(2)}
    late: Step = {**place, "what": "slow", "amount": 3.0}
    # Whoever counts from the end of that reading sends two DELETEs before he looks anew, the second one too late.
    return [{**place, "what": "after", "do": [STOP]}, late, _slow("delete", 1.0), _slow("read", 0.9)]


def _unread(rng: random.Random) -> list[Step]:
    """It is stopped, and can't read that."""
    what, amount = rng.choice((("status", 500), ("html", 200), ("cut", None), ("half", None), ("slow", 7.0)))
    silence: Step = {"at": "flag", "nth": rng.choice((0, 1, 1)), "what": what, "times": rng.choice((1, LONG, LONG))}
    silence |= {} if amount is None else {"amount": amount}
    return [silence, *_on_its_way(rng)]


def _while_it_lists(rng: random.Random) -> list[Step]:
    """It is stopped while it reads the list of images."""
    return [{"at": "list", "nth": 0, "what": "after", "do": [STOP]}, _slow("list", rng.choice((1.5, 3.0)))]


def _while_it_stands_still(rng: random.Random) -> list[Step]:
    """Its environment is frozen somewhere, and then it is stopped."""
    place: Step = {"at": rng.choice(("connect", "request", "journal")), "nth": rng.choice((1, 2, 3, 5, 8, 13, 21))}
    return [
        {**place, "what": "freeze", "amount": rng.choice((2.0, 6.0, 30.0)), "do": [STOP]},
        _slow("delete", rng.choice(PACES)),
    ]


_PLOTS: tuple[Callable[[random.Random], list[Step]], ...] = (
    *[_on_its_way] * 3,
    *[_while_it_looks] * 2,
    *[_unread] * 2,
    _while_it_lists,
    _while_it_stands_still,
)
