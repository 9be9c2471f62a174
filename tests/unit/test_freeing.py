"""All that may happen while marks are taken off before uninstalling: a sweep, an owner, deaths, in every order.

The exploration is that of `test_protocol.py`, with `--unmark-all` in the place of the second policy. At every moment,
two more sweeps look at the image, one with grace and one without: what they would delete must have been due before.
"""

from datetime import timedelta
from typing import NamedTuple

import pytest
from hypothesis import settings

from handler.rules import mark_state
from handler.rules.mark_state import MarkState
from handler.rules.marks import RECALL, SWEEP, Step, read_tags, veto_in
from handler.work.grace import MOST_PLANS
from handler.work.marks.freeing import NAME, FreePlan, to_free
from tests.unit.protocol import (
    FIRST,
    MADE_UP,
    MOMENTS,
    Dialect,
    Exploration,
    Policy,
    Violation,
    Work,
    World,
    image_of,
    is_mark,
    tag_day,
)

pytestmark = pytest.mark.no_cover

FREEING = Policy("B")
"""Stands for `--unmark-all`, which is no policy."""
OTHERS = (Policy("B", 3).sweep, Policy("B").sweep)
"""Of the sweeps that look on, one grants grace, and one does not."""


class Freeing(Exploration):
    """All that may become of an image under a policy and `--unmark-all`, or two of these at once."""

    def __init__(self, first: Policy, dialect: Dialect, *, acts: int, faults: int) -> None:
        super().__init__((first, FREEING), dialect, acts=acts, faults=faults)
        self._names = (NAME if first is FREEING else self._names[0], NAME)
        self.freed = 0

    def _read_anew(self, who: int, tags: frozenset[str], status: str, day: int, work: Work | None) -> Work | str | None:
        if self.policies[who] is not FREEING:
            return super()._read_anew(who, tags, status, day, work)
        plan = to_free(image_of(tags, status), (FIRST + timedelta(days=day)).date())
        return Work("free", plan.steps, goes_on=True) if plan.steps else None

    def _look_at_removal(self, world: World, who: int, tag: str) -> None:
        if self.policies[who] is not FREEING:
            super()._look_at_removal(world, who, tag)
        elif is_mark(tag) and {author for day, author in world.authors if tag_day(day) == tag} == {"owner"}:
            message = "takes off a mark that was set by hand"
            raise Violation(message)

    def look_at(self, world: World) -> None:
        super().look_at(world)
        has_trace = any(tag.startswith((SWEEP, RECALL)) for tag in world.tags)
        if has_trace and not any(map(is_mark, world.tags)) and not world.taken_off and not world.vetoed:
            raise Violation(MADE_UP)
        self._look_on(world)

    def _look_on(self, world: World) -> None:
        """What other sweeps would do at this moment."""
        today = MOMENTS[world.moment]
        image, now = image_of(world.tags, world.status), FIRST + timedelta(days=today)
        authors = {author for _, author in world.authors}
        for sweep in OTHERS:
            goes = mark_state.state_of(image, sweep, now).state is MarkState.DUE
            if goes and world.vetoed:
                message = "another would delete in spite of a veto"
                raise Violation(message)
            if goes and any(day >= today for day, _ in world.authors):
                message = "another would delete before a day that was promised"
                raise Violation(message)
            if goes and sweep.grace and "owner" not in authors:
                message = "another would delete on the promise of a policy"
                raise Violation(message)

    def look_ahead(self, world: World) -> None:
        """Once nothing else happens, the next run ends with an image that is free, or has to stay."""
        if world.works != (None, None):
            return
        tags, status, plan = world.tags, world.status, FreePlan()
        for _ in range(MOST_PLANS):
            plan = to_free(image_of(tags, status), (FIRST + timedelta(days=MOMENTS[world.moment])).date())
            for step in plan.steps:
                tags, status = self._done(tags, status, step)
        self._look_at_end(world, plan, tags, status)

    def _done(self, tags: frozenset[str], status: str, step: Step) -> tuple[frozenset[str], str]:
        if step.verb == "untag":
            return tags - self._hit(tags, step.tag), status
        if step.verb == "tag":
            return (tags - self._hit(tags, step.tag)) | {step.tag}, status
        return tags, "active"

    def _look_at_end(self, world: World, plan: FreePlan, tags: frozenset[str], status: str) -> None:
        left = {tag for tag in tags if tag.startswith("reaper-")}
        by_hand = any(author == "owner" for _, author in world.authors)
        stays = plan.busy or veto_in(read_tags(image_of(tags, status)), status) or (by_hand and any(map(is_mark, left)))
        if plan.steps or (left and not stays):
            message = f"it is never freed: {sorted(left)}"
            raise Violation(message)
        self.freed += not left


class Cast(NamedTuple):
    policy: Policy
    dialect: Dialect
    acts: int
    faults: int


CASTS = {
    f"{name}, {dialect}": Cast(policy=policy, dialect=dialect, acts=acts, faults=faults)
    for dialect in ("set", "keyed")
    for name, policy, acts, faults in (
        ("a sweep with grace", Policy("A", 1), 1, 2),
        ("a sweep with grace, and a busy owner", Policy("A", 1), 2, 0),
        ("a sweep that deactivates", Policy("A", 1, deactivate=True), 1, 1),
    )
    if dialect == "set" or not policy.deactivate
}
MOST = 40 * settings().max_examples ** 2


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_whatever_happens_meanwhile_no_image_goes_that_did_not_before_and_no_veto_is_lost(cast: Cast) -> None:
    exploration = Freeing(cast.policy, cast.dialect, acts=cast.acts, faults=cast.faults)
    assert exploration.explore(MOST) > 3000
    assert exploration.freed > 50
