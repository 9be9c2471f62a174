"""A small share of `make chaos-openstack`: a world in which much goes wrong, before the real services."""

import re
from collections.abc import Iterator, Sequence

from tests.chaos.land import Land
from tests.chaos.observer.judging import Violation
from tests.chaos.plan import Step, steps
from tests.chaos.reality import real_cast, real_land
from tests.chaos.world import World

SEED, OPERATIONS = 5, 150
CAST = real_cast(SEED)
OF_THE_CLOUD = re.compile(r"\b([0-9a-f]{32}|[0-9a-f]{64}|(?<=page-)[0-9a-f]{8}|(?<=journal-)[0-9a-f]{8})\b")
STANDSTILLS = frozenset({"freeze", "hang", "hold", "kill", "kill-after", "slow"})
"""Faults that meet whatever is under way at that moment, which is not the same twice."""


def schedule() -> Iterator[Step]:
    for step in steps(SEED):
        yield {**step, "faults": [one for one in step.get("faults", ()) if one["what"] not in STANDSTILLS]}


def live(land: Land | None) -> tuple[Sequence[str], Sequence[Violation]]:
    """What happens in the world, without what is the cloud's own to choose: ids of projects, and digests of them."""
    with World(CAST, SEED, land) as world:
        for step in schedule():
            world.carry_out([step])
            if world.operations >= OPERATIONS:
                break
        world.end()
    return [re.sub(OF_THE_CLOUD, "OWN", line) for line in world.told], world.violations


def test_a_world_of_real_services_breaks_no_promise_and_is_the_world_of_the_fake_cloud() -> None:
    """Not only the answers are the same, one by one: so is all that comes of them."""
    with real_land(CAST["page_size"]) as land:
        story, violations = live(land)
    assert violations == []
    assert (story, violations) == live(None)
