"""All that may happen while marks are taken off before uninstalling: a sweep, an owner, deaths, in every order.

The exploration is that of `test_protocol.py`, with `--unmark-all` in the place of the second policy. At every moment,
two more sweeps look at the image, one with grace and one without: what they would delete must have been due before.
"""

from datetime import timedelta
from typing import NamedTuple

import pytest

from handler.rules import mark_state
from handler.rules.mark_state import MarkState
from handler.rules.marks import (
    DEACTIVATED,
    DRAFT,
    MARK,
    RECALL,
    SWEEP,
    Step,
    draft_for,
    read_tags,
    signature_for,
    veto_in,
)
from handler.work.grace import MOST_PLANS
from handler.work.marks.freeing import BY_HAND, NAME, FreePlan, to_free
from tests.examples import DAY, NOW, tagged
from tests.unit.protocol import (
    FIRST,
    MADE_UP,
    MOMENTS,
    UNREADABLE,
    Dialect,
    Exploration,
    Policy,
    Violation,
    Work,
    World,
    day_of,
    image_of,
    is_mark,
    tag_day,
)

pytestmark = [pytest.mark.no_cover, pytest.mark.slow("it explores thousands of worlds")]

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

    def _with(self, world: World, tag: str, author: str) -> World:
        then = super()._with(world, tag, author)
        # Written again beside our draft for its day, a mark can't be told from the one that we are to take off.
        is_drafted = is_mark(tag) and any(
            each.startswith(f"{DRAFT}-{NAME}={tag[len(MARK) + 1 :]}") for each in then.tags
        )
        return then._replace(authors=then.authors | {(day_of(tag), "b")}) if is_drafted else then

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


class Twice(Freeing):
    """Two runs at once, of an image that a policy has marked."""

    def __init__(self, dialect: Dialect, *, acts: int, faults: int) -> None:
        super().__init__(FREEING, dialect, acts=acts, faults=faults)
        signature = signature_for("0123abcd", FIRST.date() + timedelta(days=1))
        tags = self.first.tags | {tag_day(1), signature}
        self.first = self.first._replace(tags=tags, authors=frozenset({(1, "A")}))

    def _look_at_removal(self, world: World, who: int, tag: str) -> None:
        # The cloud compares nothing: what is written again in between, to the letter, goes as well.
        pass

    def look_at(self, world: World) -> None:
        # For a moment, the recall of one may stand there when the other one has ended: the next run takes it off.
        try:
            super().look_at(world)
        except Violation as violation:
            if str(violation) != MADE_UP:
                raise

    def _look_at_end(self, world: World, plan: FreePlan, tags: frozenset[str], status: str) -> None:
        super()._look_at_end(world, plan, tags, status)
        is_given = world.vetoed or world.taken_off or UNREADABLE in tags
        if not self.first.faults and plan.stays.startswith("vetoed") and not is_given:
            raise Violation(MADE_UP)


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
MOST = 5_000
"""Worlds that each cast tries."""


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_whatever_happens_meanwhile_no_image_goes_that_did_not_before_and_no_veto_is_lost(cast: Cast) -> None:
    exploration = Freeing(cast.policy, cast.dialect, acts=cast.acts, faults=cast.faults)
    assert exploration.explore(MOST) > 3000
    assert exploration.freed > 50


@pytest.mark.parametrize("dialect", ["set", "keyed"])
@pytest.mark.parametrize(("acts", "faults"), [(2, 0), (1, 1), (0, 2)])
def test_two_runs_at_once_let_no_image_go_and_keep_every_veto(dialect: Dialect, acts: int, faults: int) -> None:
    exploration = Twice(dialect, acts=acts, faults=faults)
    assert exploration.explore(MOST) > 3000
    assert exploration.freed


@pytest.mark.parametrize("tag", [draft_for("0123abcd", NOW.date(), NOW.date() - 2 * DAY), DEACTIVATED])
def test_what_a_policy_may_have_begun_anew_is_touched_only_beside_a_draft_of_ours(tag: str) -> None:
    ours = draft_for(NAME, None, NOW.date())
    assert to_free(tagged(tag), NOW.date()).steps == (Step("tag", ours),)
    assert Step("untag", tag) in to_free(tagged(tag, ours), NOW.date()).steps


def test_a_mark_of_another_day_than_our_draft_says_is_not_ours() -> None:
    ours = draft_for(NAME, None, NOW.date())
    found = tagged(f"{MARK}=2026-06-01", ours, draft_for("0123abcd", NOW.date(), NOW.date() - 2 * DAY))
    assert to_free(found, NOW.date()) == FreePlan(stays=BY_HAND)
