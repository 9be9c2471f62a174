"""Makes a short schedule of a long one that failed: drops what the failure does not need."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Step = Mapping[str, Any]
Fails = Callable[[Sequence[Step]], bool]
MOST_TRIES = 200
PARTS = ("faults", "images")
"""What of a step can be left out one by one."""


def shrunk(steps: Sequence[Step], fails: Fails, most: int = MOST_TRIES) -> list[Step]:
    """The fewest steps found that still fail: first whole steps are dropped, then what is in them.

    `fails` says whether a schedule fails; it is asked `most` times at most.
    """
    tries = iter(range(most))

    def still_fails(candidate: Sequence[Step]) -> bool:
        return next(tries, None) is not None and fails(candidate)

    return _simpler(_fewer(list(steps), still_fails), still_fails)


def _fewer(steps: list[Step], fails: Fails) -> list[Step]:
    """Without whole steps: first large parts are dropped, then small ones, the last ones first."""
    size = len(steps) // 2
    while size:
        end = len(steps)
        while end > 0:
            candidate = steps[: max(end - size, 0)] + steps[end:]
            if candidate and fails(candidate):
                steps = candidate
            end -= size
        size //= 2
    return steps


def _simpler(steps: list[Step], fails: Fails) -> list[Step]:
    """Without what a step has of faults and images, one by one."""
    for number in range(len(steps)):
        for key in PARTS:
            for place in reversed(range(len(steps[number].get(key, ())))):
                candidate = [*steps[:number], _without(steps[number], key, place), *steps[number + 1 :]]
                if fails(candidate):
                    steps = candidate
    return steps


def _without(step: Step, key: str, place: int) -> Step:
    return {**step, key: [*step[key][:place], *step[key][place + 1 :]]}
