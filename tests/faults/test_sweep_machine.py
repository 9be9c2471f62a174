"""Years of one or two policies, in whatever order things happen: owners object, servers start, runs die."""

import copy
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import permutations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from handler.compose import secret
from handler.report.report import Report
from tests.fakecloud import FakeCloud, ImageRecord, Server
from tests.faults.sweeping import (
    FORGOTTEN_AFTER,
    MARKED,
    NOW,
    SIGNED,
    SWITCHED_OFF,
    SWITCHING_OFF,
    Json,
    Scene,
    day_of,
    deletable,
    is_begun,
    marks_of,
    may_go,
    seconds,
    selected,
    signature,
    state_of,
)
from tests.properties import REPEATABLE, tried

POLICIES = (
    {"select": {"name": "ci-*"}, "grace": "2d", "deactivate": True},
    {"select": {"name": "ci-*", "older_than": "1d"}, "keep": {"newest": 1}, "grace": "12h"},
    {"select": {"tags": ["tmp"]}, "grace": "2d"},
    {"select": {"tags": ["tmp"]}, "keep": {"newest": 1}, "grace": "2d", "deactivate": True},
    {"select": {"tags": ["tmp"], "name": "ci-*"}},
)
CASTS = [[policy] for policy in POLICIES] + [list(pair) for pair in permutations(POLICIES, 2)]
CHANGES = r"/(tags|actions)/|/v2/images/[^/]+$"
"""The requests that change an image, unless they are GETs."""
MOST = 5
NAMES = ("ci-1", "ci-2", "web-1")
which = st.integers(0, 7)
later = st.sampled_from([0, 1, 13, 25, 49, 73, 73, 24 * 40])
"""Hours."""


def _toggle(tag: str) -> Callable[["Years", ImageRecord], object]:
    return lambda _, image: image.tags.remove(tag) if tag in image.tags else image.tags.append(tag)


def _rename(name: str) -> Callable[["Years", ImageRecord], object]:
    return lambda _, image: setattr(image, "name", name)


OWNERS_WAYS: tuple[Callable[["Years", ImageRecord], object], ...] = (
    _toggle("keep"),
    _toggle("tmp"),
    *map(_rename, NAMES),
    lambda _, image: setattr(image, "protected", not image.protected),
    lambda years, image: years.cloud.add_server(image=image.id),
    lambda years, _: years.cloud.servers.clear(),
    lambda years, image: years.deactivate(image),
    lambda years, image: years.activate(image),
    lambda years, image: years.cloud.images.pop(image.id),
)


class Years(RuleBasedStateMachine):
    """A project, its owners, and the runs of its policies."""

    cloud: FakeCloud

    def __init__(self) -> None:
        super().__init__()
        self.cloud = FakeCloud()
        self.server = Server(self.cloud).__enter__()
        self.scene = Scene(self.cloud, self.server)
        self.now = NOW
        self.policies: list[Json] = []
        self.vetoed: set[str] = set()
        """Images whose mark was taken off by their owner, or that were activated again."""
        self.off_by_owner: set[str] = set()
        self.marked_at: dict[str, datetime] = {}
        self.graces: dict[str, int] = {}
        """What was promised when an image was marked, in seconds, whether or not that was signed."""

    def teardown(self) -> None:
        self.server.__exit__(None, None, None)
        secret.forget()

    @initialize(policies=st.sampled_from(CASTS), names=st.integers(2, 4))
    def begin(self, policies: list[Json], names: int) -> None:
        self.policies = [{**policy, "limit": 1000, "limit_percent": 100} for policy in policies]
        for number in range(names):
            self.cloud.add_image(f"ci-{number}", tags=["tmp"], created_at="2031-05-01T00:00:00Z")

    # What owners do

    @precondition(lambda self: len(self.cloud.images) < MOST)
    @rule(name=st.sampled_from(NAMES), tags=st.sampled_from([[], ["tmp"]]))
    def an_image_appears(self, name: str, tags: list[str]) -> None:
        self.cloud.add_image(name, tags=tags)

    @precondition(lambda self: self.cloud.images)
    @rule(number=which, way=st.sampled_from(OWNERS_WAYS))
    def an_owner_acts(self, number: int, way: Callable[["Years", ImageRecord], object]) -> None:
        marked_first = sorted(self.cloud.images.values(), key=lambda image: not marks_of(image))
        way(self, marked_first[number % len(marked_first)])

    @precondition(lambda self: any(map(marks_of, self.cloud.images.values())))
    @rule(number=which)
    def an_owner_takes_a_mark_off(self, number: int) -> None:
        marked = [image for image in self.cloud.images.values() if marks_of(image)]
        image = marked[number % len(marked)]
        image.tags = [tag for tag in image.tags if not tag.startswith(MARKED)]
        if any(tag.startswith(SIGNED) for tag in image.tags):
            self.vetoed.add(image.id)

    def deactivate(self, image: ImageRecord) -> None:
        """As its owner does, unless it bears a sign that it is off, or shall be."""
        if image.status == "active" and not {SWITCHED_OFF, SWITCHING_OFF} & set(image.tags):
            image.status = "deactivated"
            self.off_by_owner.add(image.id)

    def activate(self, image: ImageRecord) -> None:
        """As its owner does; where we had deactivated it, that is a veto."""
        if image.status == "deactivated" and marks_of(image) and SWITCHED_OFF in image.tags:
            self.vetoed.add(image.id)
        image.status = "active"
        self.off_by_owner.discard(image.id)

    # Runs

    @rule(number=which, hours=later)
    def sweep(self, number: int, hours: int) -> None:
        self._wait(hours)
        policy, before = self._policy(number), copy.deepcopy(self.cloud.images)
        expected = deletable(policy, self.cloud, self.now)
        report = self._run(policy)
        assert report.ok
        assert set(before) - set(self.cloud.images) == expected
        self._look_after_a_success(policy, before)

    @rule(number=which, hours=later, step=st.integers(0, 5), done=st.booleans())
    def sweep_and_die(self, number: int, hours: int, step: int, done: bool) -> None:  # noqa: FBT001
        self._wait(hours)

        def cut_off() -> None:
            self.cloud.fault(cut=True, times=None)

        for method in ("PUT", "POST", "DELETE"):
            last = None if done else 500
            self.cloud.fault(method, CHANGES, status=last, cut=True, skip=step, times=1, then=cut_off)
        self._run(self._policy(number))

    @rule(number=which, path=st.sampled_from(["/v2/images", "/servers", "/images/[^/]+$", "/tags/", "/actions/"]))
    def sweep_while_something_is_down(self, number: int, path: str) -> None:
        before = state_of(self.cloud)
        self.cloud.fault(None, path, status=503, times=None)
        self._run(self._policy(number))
        assert state_of(self.cloud) == before or path in {"/servers", "/tags/", "/actions/"}

    @rule(number=which)
    def rehearse(self, number: int) -> None:
        before = state_of(self.cloud)
        self._run(self._policy(number), dry_run=True)
        assert state_of(self.cloud) == before

    def _wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.cloud.now = self.now

    def _policy(self, number: int) -> Json:
        return self.policies[number % len(self.policies)]

    def _run(self, policy: Json, **order: object) -> Report:
        before = copy.deepcopy(self.cloud.images)
        allowed = deletable(policy, self.cloud, self.now)
        report = self.scene.run({"sweep": policy, **order}, now=self.now)
        self.cloud.faults.clear()
        self._look_at_the_dead(policy, before, allowed)
        self._look_at_the_living(policy, before)
        return report

    def _look_at_the_dead(self, policy: Json, before: dict[str, ImageRecord], allowed: set[str]) -> None:
        gone = set(before) - set(self.cloud.images)
        assert gone <= allowed
        assert not gone & self.vetoed
        for image_id in gone & set(self.marked_at):
            waited = (self.now - self.marked_at[image_id]).total_seconds()
            assert not marks_of(before[image_id]) or waited >= self.graces[image_id]
        assert "grace" not in policy or all(marks_of(before[image_id]) for image_id in gone)

    def _look_at_the_living(self, policy: Json, before: dict[str, ImageRecord]) -> None:
        for image in self.cloud.images.values():
            was = before[image.id]
            if marks_of(image) and not marks_of(was):
                assert image.id not in self.vetoed
                self.marked_at[image.id], self.graces[image.id] = self.now, seconds(policy["grace"])
            assert image.status in {was.status, "active"} or marks_of(image)
            assert not self._is_another_s(policy, was, before.values()) or image.tags == was.tags

    def _is_another_s(self, policy: Json, image: ImageRecord, project: Iterable[ImageRecord]) -> bool:
        """Whether nothing on a marked image names this policy, unless it selects it, and the mark is forgotten."""
        days = [day for day in map(day_of, marks_of(image)) if day]
        forgotten = bool(days) and (self.now.date() - max(days)).days > FORGOTTEN_AFTER
        named = any(signature(policy).removeprefix(f"{SIGNED}=") in tag for tag in image.tags)
        return bool(days) and not named and not (forgotten and image.id in selected(policy, project, self.now))

    def _look_after_a_success(self, policy: Json, before: dict[str, ImageRecord]) -> None:
        """What is no longer selected, or may not go, bears no mark and is as active as its owner left it."""
        chosen = selected(policy, before.values(), self.now)
        for image in self.cloud.images.values():
            was = before[image.id]
            # A policy without grace takes nothing off, and what another run has begun is left to it for a day.
            if "grace" not in policy or is_begun(was) or self._is_another_s(policy, was, before.values()):
                continue
            if image.id in chosen and may_go(was, self.cloud, self.now, policy) and image.id not in self.vetoed:
                assert marks_of(image)
                assert any(tag.startswith(SIGNED) for tag in image.tags)
            else:
                assert not marks_of(image)
                assert not {SWITCHED_OFF, SWITCHING_OFF} & set(image.tags)
                assert image.status == "active" or image.id in self.off_by_owner

    @invariant()
    def what_an_owner_deactivated_stays_so(self) -> None:
        assert all(self.cloud.images[i].status == "deactivated" for i in self.off_by_owner & set(self.cloud.images))


Years.TestCase.settings = tried(30, settings(REPEATABLE, stateful_step_count=30))
test_whatever_happens_over_the_years_no_image_goes_that_may_not = Years.TestCase
