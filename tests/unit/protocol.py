"""Every life of a mark: two policies, an owner, faults and deaths, in every order. The rules and their steps are real.

The cloud is one image with its tags. An observer keeps what the tags don't say: which days were promised, by whom, and
which vetoes were given. It shares no code with the rules, and looks at every step.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal, NamedTuple

from handler.model.image import Image
from handler.model.request import Select, SweepRequest
from handler.rules import mark_state, marking
from handler.rules.mark_state import MarkState
from handler.rules.marking import Plan
from handler.rules.marks import (
    DEACTIVATED,
    DEACTIVATING,
    DRAFT,
    MARK,
    RECALL,
    SWEEP,
    Step,
    fingerprint,
    read_tags,
    veto_in,
)
from handler.work.grace import MOST_PLANS
from tests.examples import IMAGE

Dialect = Literal["set", "keyed"]
FIRST = datetime(2026, 6, 1, 12, tzinfo=UTC)
MOMENTS = (0, 2, 6, 45, 50)
"""The days on which something happens: a mark is set, its day passes, another one's passes, both are forgotten."""
NEVER = 10**6
"""The day that nobody can read has not passed."""
FORGOTTEN_AFTER = 31
DAYS_BY_HAND = (1, 10)
UNREADABLE = f"{MARK}=soon"
USED = "used"
"""Stands among the tags of an image that a server uses."""


class Policy(NamedTuple):
    """A policy selects the images with the tag of its name."""

    name: str
    grace: int = 0
    deactivate: bool = False

    @property
    def sweep(self) -> SweepRequest:
        select = Select(tags=frozenset({self.name}))
        return SweepRequest(select, grace=timedelta(days=self.grace), deactivate=self.deactivate)


class Work(NamedTuple):
    """What a run is about to do: the steps of its plan, and whether it reads the image again after them."""

    goal: str
    steps: tuple[Step, ...]
    goes_on: bool
    plan: Plan | None = None


class World(NamedTuple):
    """All that there is at one moment.

    `works` are the runs under way, one of each policy at most. What follows is the observer's: `authors` are the marks
    that are on the image, each with who has set it; `vetoed` whether the owner has objected, and `taken_off` whether
    the owner took the last mark off. `acts` and `faults` are how many more there may be.
    """

    tags: frozenset[str]
    status: str
    moment: int
    works: tuple[Work | None, Work | None]
    authors: frozenset[tuple[int, str]]
    vetoed: bool
    taken_off: bool
    acts: int
    faults: int


class Violation(AssertionError):
    """Something happened that must not."""


Next = tuple[str, World]
DELETE = "delete"
MADE_UP, LOST = "a veto that nobody gave", "a veto was lost"
AT_ONCE = {MADE_UP, LOST}
"""What is found in a world itself, and not in what follows it."""


@cache
def tag_day(day: int) -> str:
    return f"{MARK}={(FIRST + timedelta(days=day)).date().isoformat()}"


@cache
def day_of(tag: str) -> int:
    value = tag[len(MARK) + 1 :]
    if tag == UNREADABLE or not value or value.startswith("0000"):
        return NEVER if tag == UNREADABLE else -NEVER
    return (date.fromisoformat(value) - FIRST.date()).days


@cache
def image_of(tags: frozenset[str], status: str) -> Image:
    return IMAGE.__class__(**{key: getattr(IMAGE, key) for key in IMAGE.__slots__} | {"tags": tags, "status": status})


def is_mark(tag: str) -> bool:
    return tag.startswith(MARK)


def is_signature(tag: str) -> bool:
    return tag.startswith(SWEEP)


class Exploration:
    """All that may become of an image under two policies."""

    def __init__(self, policies: tuple[Policy, Policy], dialect: Dialect, *, acts: int, faults: int) -> None:
        self.policies, self.dialect = policies, dialect
        self.first = World(
            tags=frozenset({"A", "B"}),
            status="active",
            moment=0,
            works=(None, None),
            authors=frozenset(),
            vetoed=False,
            taken_off=False,
            acts=acts,
            faults=faults,
        )
        self.came_from: dict[World, tuple[World, str] | None] = {}
        self._read = cache(self._read_anew)
        self._sweeps = tuple(policy.sweep for policy in policies)
        self._names = tuple(fingerprint(sweep) for sweep in self._sweeps)
        self.deleted_by: set[str] = set()
        self.looked_ahead: set[tuple[frozenset[str], str, int]] = set()

    # What runs do

    def _read_anew(self, who: int, tags: frozenset[str], status: str, day: int, work: Work | None) -> Work | str | None:
        """What a run does with an image that it reads, by the rules: work, a deletion, or nothing."""
        sweep, now = self._sweeps[who], FIRST + timedelta(days=day)
        image = image_of(tags, status)
        mark = mark_state.state_of(image, sweep, now)
        goal = work.goal if work else ""
        if not goal:
            if mark_state.objection_of_sweep(image, mark, sweep, now) or USED in tags:
                goal = "release" if mark_state.may_release(image, mark, sweep, now) else ""
            elif mark.state is MarkState.DUE:
                return DELETE
            else:
                goal = "mark" if sweep.grace else ""
        if not goal:
            return None
        plan = {
            "mark": lambda: marking.to_mark(image, mark, sweep, now, work.plan if work else None),
            "release": lambda: marking.to_release(image, mark, sweep, now, work.plan if work else None),
            "undo": lambda: marking.to_undo(image, mark, sweep, now),
        }[goal]()
        # What was planned before matters to the rules only where it begins something.
        return Work(goal, plan.steps, plan.goes_on, plan if plan.begins else None) if plan.steps else None

    def _runs(self, world: World) -> Iterator[Next]:
        for who, policy in enumerate(self.policies):
            work = world.works[who]
            if work is not None and work.steps:
                yield from self._steps(world, who, work)
                continue
            found = self._read(who, world.tags, world.status, MOMENTS[world.moment], work)
            if isinstance(found, str):
                self._look_at_deletion(world, who)
            elif found is not None or work is not None:
                yield f"{policy.name} reads the image", self._working(world, who, found)

    def _steps(self, world: World, who: int, work: Work) -> Iterator[Next]:
        """What may become of the next step of a run: an answer that is lost is as good as one that is not."""
        name, step, rest = self.policies[who].name, work.steps[0], work.steps[1:]
        left = work._replace(steps=rest) if rest or work.goes_on else None
        yield f"{name}: {step.verb} {step.tag}", self._working(self._stepped(world, who, step), who, left)
        if world.faults:
            poorer = world._replace(faults=world.faults - 1)
            yield f"{name} dies before {step.verb} {step.tag}", self._working(poorer, who, None)
            if work.goal == "mark":
                undo = Work("undo", (), goes_on=True)
                yield f"{name} is refused {step.verb} {step.tag}", self._working(poorer, who, undo)

    @staticmethod
    def _working(world: World, who: int, work: Work | None) -> World:
        return world._replace(works=(work, world.works[1]) if who == 0 else (world.works[0], work))

    def _stepped(self, world: World, who: int, step: Step) -> World:
        """The world after a step of a run."""
        if step.verb in {"activate", "deactivate"}:
            return world._replace(status="active" if step.verb == "activate" else "deactivated")
        if step.verb == "untag":
            gone = self._hit(world.tags, step.tag)
            for tag in gone:
                self._look_at_removal(world, who, tag)
            return self._left(self._without(world, gone), who)
        return self._with(world, step.tag, self.policies[who].name)

    def _left(self, world: World, who: int) -> World:
        """A policy that no tag names any more has left its marks to those who can't tell them from theirs."""
        name = self.policies[who].name
        if any(self._names[who] in tag for tag in world.tags):
            return world
        heirs = {(day, each): self._drafting(world, day) for day, each in world.authors if each == name}
        left = {(day, heir) for (day, _), found in heirs.items() for heir in found}
        return world._replace(authors=world.authors - {(day, name) for day, _ in left} | left) if left else world

    def _hit(self, tags: frozenset[str], tag: str) -> frozenset[str]:
        """The tags that are meant by one: where tags are keyed, all of its key."""
        if self.dialect == "set":
            return tags & {tag}
        key = tag.split("=", maxsplit=1)[0]
        return frozenset(each for each in tags if each.split("=")[0] == key)

    def _without(self, world: World, gone: frozenset[str]) -> World:
        days = {day_of(tag) for tag in gone if is_mark(tag)}
        authors = frozenset(each for each in world.authors if each[0] not in days) if days else world.authors
        return world._replace(tags=world.tags - gone, authors=authors)

    def _with(self, world: World, tag: str, author: str) -> World:
        if self.dialect == "keyed":
            world = self._without(world, self._hit(world.tags, tag) - {tag})
        if is_mark(tag):
            world = world._replace(authors=world.authors | {(day_of(tag), author)}, taken_off=False)
        if tag.startswith(DRAFT) and author != "owner":
            # It could not tell a mark of that day from its own.
            day = day_of(f"{MARK}={tag.partition('=')[2][:10]}")
            authors = {who for each, who in world.authors if each == day}
            if authors and not authors & {"A", "B"}:
                world = world._replace(authors=world.authors | {(day, author.lower())})
        return world._replace(tags=world.tags | {tag})

    # What the owner does, and the time

    def _owner(self, world: World) -> Iterator[Next]:
        marks = frozenset(filter(is_mark, world.tags))
        signatures = frozenset(filter(is_signature, world.tags))
        poorer = world._replace(acts=world.acts - 1)
        yield from self._activated(world, poorer)
        for name in ("A", "B", USED):
            yield f"owner toggles {name}", poorer._replace(tags=world.tags ^ {name})
        for gone in {marks, *(frozenset({mark}) for mark in marks)} if marks else ():
            last = marks == gone
            veto = (world.vetoed or bool(signatures)) if last else world.vetoed
            taken = self._without(poorer, gone)._replace(vetoed=veto, taken_off=world.taken_off or last)
            yield f"owner takes off {sorted(gone)}", taken
        yield from self._disowned(world, poorer, signatures) if signatures else ()
        # Where tags are keyed, what is written between our look at a mark and our change of it is lost: the cloud
        # compares nothing. Our change is the next request after the look.
        changing = any(MARK in step.tag for work in world.works if work for step in work.steps)
        if self.dialect == "set" or not changing:
            for tag in (UNREADABLE, *map(tag_day, DAYS_BY_HAND)):
                if tag not in marks:
                    yield f"owner writes {tag}", self._with(poorer, tag, "owner")._replace(vetoed=False)

    def _disowned(self, world: World, poorer: World, signatures: frozenset[str]) -> Iterator[Next]:
        # What is left is a mark of his own, as if he had set it by hand.
        own = frozenset((day, who) for day, _ in world.authors for who in ("owner", *self._drafting(world, day)))
        yield "owner takes the signature off", self._without(poorer, signatures)._replace(vetoed=False, authors=own)

    @staticmethod
    def _activated(world: World, poorer: World) -> Iterator[Next]:
        if world.status == "deactivated":
            # Given while a sweep is about to activate it itself, it is no objection.
            is_at_it = world.works != (None, None) or any(tag.startswith((DRAFT, RECALL)) for tag in world.tags)
            is_veto = any(map(is_mark, world.tags)) and DEACTIVATED in world.tags and not is_at_it
            objected = world.taken_off or bool({DEACTIVATED, DEACTIVATING} & world.tags)
            then = poorer._replace(status="active", vetoed=world.vetoed or is_veto, taken_off=objected)
            yield "owner activates", then

    def _drafting(self, world: World, day: int) -> Iterator[str]:
        """The policies that could not tell a mark of this day from their own."""
        for name, policy in zip(self._names, self.policies, strict=True):
            if any(tag.startswith(f"{DRAFT}-{name}={tag_day(day)[len(MARK) + 1 :]}") for tag in world.tags):
                yield policy.name.lower()

    def after(self, world: World) -> Iterator[Next]:
        """All that may happen next."""
        yield from self._runs(world)
        if world.acts:
            yield from self._owner(world)
        if world.moment + 1 < len(MOMENTS) and world.works == (None, None):
            yield "days pass", world._replace(moment=world.moment + 1)

    # The observer

    def _look_at_deletion(self, world: World, who: int) -> None:
        today, policy = MOMENTS[world.moment], self.policies[who]
        if world.vetoed:
            message = f"{policy.name} deletes in spite of a veto"
            raise Violation(message)
        if any(day >= today for day, _ in world.authors):
            message = f"{policy.name} deletes before a day that was promised"
            raise Violation(message)
        if policy.grace and not any(author in {policy.name, "owner"} for _, author in world.authors):
            message = f"{policy.name} deletes on the promise of another"
            raise Violation(message)
        self.deleted_by.add(policy.name)

    def _look_at_removal(self, world: World, who: int, tag: str) -> None:
        """A policy takes off its own, or what was forgotten."""
        today, name = MOMENTS[world.moment], self.policies[who].name
        if is_mark(tag):
            day = day_of(tag)
            authors = {author for each, author in world.authors if each == day}
            # In small letters: who can't tell it from his own.
            is_own = authors & {"A", "B"} <= {name} and authors & {name, name.lower()}
            if not is_own and today - day <= FORGOTTEN_AFTER:
                message = f"{name} takes off the mark of {authors}"
                raise Violation(message)
        elif tag.startswith("reaper-") and tag not in {DEACTIVATING, DEACTIVATED} and self._names[who] not in tag:
            # It ends with the day that it is for.
            value = tag.partition("=")[2]
            if today - day_of(f"{MARK}={value[9:] if is_signature(tag) else value[:10]}") <= FORGOTTEN_AFTER:
                message = f"{name} takes off {tag}"
                raise Violation(message)

    def look_at(self, world: World) -> None:
        """What must hold at every moment."""
        signed = any(map(is_signature, world.tags))
        if signed and not any(map(is_mark, world.tags)) and not world.taken_off and not world.vetoed:
            raise Violation(MADE_UP)
        activated = DEACTIVATED in world.tags and world.status == "active"
        if world.vetoed and not activated and not any(tag.startswith((SWEEP, RECALL)) for tag in world.tags):
            raise Violation(LOST)

    # Whether it ends well

    def look_ahead(self, world: World) -> None:
        """Once nothing else happens, what is selected goes, and what is not bears nothing of the policies any more.

        The same holds if one of the policies is gone for good.
        """
        known = (world.tags, world.status, world.moment)
        if world.works != (None, None) or known in self.looked_ahead:
            return
        self.looked_ahead.add(known)
        if not veto_in(read_tags(image_of(world.tags, world.status)), world.status):
            for left in ((0, 1), (0,), (1,)):
                self._end(world, left)

    def _end(self, world: World, left: tuple[int, ...]) -> None:
        """A hundred days of the policies that are left."""
        is_selected = USED not in world.tags and any(self.policies[who].name in world.tags for who in left)
        found: World | None = world
        for day in range(MOMENTS[world.moment], MOMENTS[world.moment] + 100, 2):
            for who in left:
                found = found and self._run(found, who, day)
        if found is not None and is_selected:
            message = f"it never goes: {sorted(found.tags)}"
            raise Violation(message)
        # A policy without grace takes nothing off.
        ours = [self._names[who] for who in left if self.policies[who].grace]
        if found is not None and any(name in tag for tag in found.tags for name in ours):
            message = f"it is never set free: {sorted(found.tags)}"
            raise Violation(message)

    def _run(self, world: World, who: int, day: int) -> World | None:
        """The world after a whole run of one policy; None if that deletes the image."""
        work: Work | None = None
        for _ in range(MOST_PLANS):
            found = self._read(who, world.tags, world.status, day, work)
            if isinstance(found, str):
                return None
            for step in found.steps if found else ():
                gone = self._hit(world.tags, step.tag)
                tags = world.tags | {step.tag} if step.verb == "tag" else world.tags
                tags = tags - (gone if step.verb == "untag" else gone - {step.tag} if step.verb == "tag" else set())
                active = {"activate": "active", "deactivate": "deactivated"}.get(step.verb, world.status)
                world = world._replace(tags=tags, status=active)
            if found is None or not found.goes_on:
                return world
            work = found._replace(steps=())
        message = f"a run never ends: {sorted(world.tags)}"
        raise Violation(message)

    # The search

    def explore(self, most: int = 10**9, *, looks_ahead: bool = True) -> int:
        """Visit all that can be reached, the nearest first; returns how many worlds that were. Raises Violation."""
        self.came_from = {self.first: None}
        queue = deque([self.first])
        while queue and len(self.came_from) < most:
            world = then = queue.popleft()
            try:
                if looks_ahead:
                    self.look_ahead(world)
                for what, then in self.after(world):
                    if then not in self.came_from:
                        self.came_from[then] = (world, what)
                        queue.append(then)
                        self.look_at(then)
            except Violation as violation:
                last = then if str(violation) in AT_ONCE else world
                raise Violation("\n".join([*self.trace(last), str(violation)])) from None
        return len(self.came_from)

    def trace(self, world: World) -> list[str]:
        """How a world came about, by the shortest way."""
        lines: list[str] = []
        at: World | None = world
        while at is not None and (step := self.came_from[at]) is not None:
            ours = sorted(tag for tag in at.tags if tag.startswith("reaper-"))
            lines.append(f"day {MOMENTS[at.moment]}: {step[1]:60} {' '.join(ours)}")
            at = step[0]
        return lines[::-1]
