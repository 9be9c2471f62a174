"""The pace of a run behind gateways that have a limit: simulated, with a clock of its own and the real rules."""

import heapq
import itertools
import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from handler.cloud.asking.pace import Paces
from handler.cloud.asking.rate import SLOWEST, Rate
from handler.errors import Paused, Throttled
from tests.fakecloud.gateway import LIMITS, Kind, Limit
from tests.faults import Clock

KINDS: tuple[Kind, ...] = tuple(LIMITS)


class Simulation:
    """Workers with sixteen threads each: a GET in its slot, then a DELETE at once; what is turned away begins anew."""

    def __init__(self, limit: Limit, latency: float, seed: int = 1) -> None:
        self.now = 0.0
        self.limit = limit
        self.latency = latency
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def send(self, method: str, worker: "Worker") -> None:
        sent_at, takes = self.now, self.latency * self._random.uniform(0.8, 1.2)
        worker.rate.charge(self.now)

        def arrive() -> None:
            admitted = self.limit.admits(self.now)
            self.at(self.now + takes / 2, lambda: worker.answered(method, sent_at, admitted=admitted))

        self.at(self.now + takes / 2, arrive)

    def run(self) -> None:
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()


class Worker:
    """One run, from its start to its last image."""

    def __init__(self, world: Simulation, images: int, start: float = 0.0) -> None:
        self.rate = Rate()
        self.took = 0.0
        self._world, self._left, self._start = world, images, start
        self._waiting = self._undone = 0
        self._undone = images
        self._is_awake = False
        world.at(start, self._begin)

    def _begin(self) -> None:
        threads = min(16, self._left)
        self._left -= threads
        self._waiting += threads
        self._use_slots()

    def _use_slots(self) -> None:
        while self._waiting and self.rate.next_at <= self._world.now:
            self._waiting -= 1
            self._world.send("GET", self)
        if self._waiting and not self._is_awake:
            self._is_awake = True
            self._world.at(self.rate.next_at, self._wake)

    def _wake(self) -> None:
        self._is_awake = False
        self._use_slots()

    def answered(self, method: str, sent_at: float, *, admitted: bool) -> None:
        now = self._world.now
        if admitted:
            self.rate.accepted(now)
        else:
            self.rate.throttled(sent_at, now)
        if admitted and method == "GET":
            self._world.send("DELETE", self)
            return
        if admitted:
            self._undone -= 1
            self.took = now - self._start
        if not admitted or self._left:
            self._left -= admitted
            self._waiting += 1
        self._use_slots()


def workers_behind(kind: Kind, latency: float, seed: int, *images: tuple[int, float]) -> list[Worker]:
    world = Simulation(LIMITS[kind](200), latency, seed)
    workers = [Worker(world, count, start) for count, start in images]
    world.run()
    return workers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latency", [0.003, 0.05])
def test_ten_workers_share_one_limit(kind: Kind, latency: float) -> None:
    runs = [workers_behind(kind, latency, seed, *[(100, n / 200) for n in range(10)]) for seed in range(5)]
    walls = [max(worker.took for worker in run) for run in runs]
    shares = [max(w.took for w in run) / statistics.mean(w.took for w in run) for run in runs]
    assert statistics.median(walls) <= 1.25 * 10 * 100 * 2 / 200
    assert statistics.median(shares) <= 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_one_worker_uses_a_limit_up(kind: Kind) -> None:
    walls = [workers_behind(kind, 0.003, seed, (600, 0.0))[0].took for seed in range(5)]
    assert statistics.median(walls) <= 1.15 * 600 * 2 / 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_comes_late_gets_its_share(kind: Kind) -> None:
    early, late = workers_behind(kind, 0.003, 1, (2000, 0.0), (400, 5.0))
    assert late.took < 2 * 2 * 400 * 2 / 200
    assert early.took < 1.15 * 2400 * 2 / 200


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_worker_leaves_is_taken_by_the_others(kind: Kind) -> None:
    _, stays = workers_behind(kind, 0.003, 1, (400, 0.0), (1600, 0.0))
    assert stays.took < 1.15 * 2000 * 2 / 200


def settled(per_second: float = 100.0) -> Rate:
    """A rate that has met a limit."""
    rate = Rate()
    for n in range(int(per_second)):
        rate.charge(n / per_second)
    rate.throttled(0.0, 1.0)
    return rate


def test_there_is_no_limit_before_one_is_met() -> None:
    rate = Rate()
    for _ in range(1000):
        rate.charge(5.0)
        rate.accepted(5.0)
    assert rate.next_at < 5.0


def test_many_answers_of_one_moment_slow_down_once() -> None:
    rate = settled()
    before = rate.per_second
    for _ in range(16):
        rate.throttled(1.0, 1.02)
    assert rate.per_second == before
    rate.throttled(1.2, 1.3)
    assert before
    assert rate.per_second == before / 2


def test_the_rate_has_a_floor() -> None:
    rate = settled()
    for n in range(100):
        rate.throttled(2.0 + n, 2.5 + n)
    assert rate.per_second == SLOWEST


def test_a_delete_that_does_not_wait_makes_the_next_slot_later() -> None:
    rate = settled()
    rate.charge(2.0)
    alone = rate.next_at
    rate.charge(2.0)
    assert rate.next_at - alone == pytest.approx(1 / 100, rel=0.2)


def busy(**options: Any) -> Throttled:  # noqa: ANN401 (those of the error)
    return Throttled("HTTP 429", is_paced=True, **options)


def test_a_time_that_the_cloud_names_holds_everybody_back_at_this_service_only() -> None:
    clock = Clock(60)
    paces = Paces(clock.deadline())
    paces.of("https://cloud/image/v2/images/1").throttled(0.0, busy(retry_after=30.0))
    paces.of("https://cloud/compute/v2.1/servers").wait()
    assert not clock.pauses
    paces.of("https://cloud/image/v2/images/2?a=b").wait()
    assert clock.pauses == [30.0]


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.0])
def test_one_second_holds_nobody_back_and_neither_does_what_is_beyond_the_deadline(seconds: float) -> None:
    clock = Clock(60)
    pace = Paces(clock.deadline()).of("https://cloud/image")
    pace.throttled(0.0, busy(retry_after=seconds))
    pace.wait()
    assert sum(clock.pauses) <= 1 / SLOWEST


def test_a_slot_that_would_come_too_late_ends_with_the_error_of_the_last_answer() -> None:
    clock = Clock(20)
    pace = Paces(clock.deadline()).of("https://cloud/image")
    pace.throttled(0.0, busy(retry_after=18.5))
    with pytest.raises(Throttled, match="HTTP 429"):
        pace.wait()
    assert not clock.pauses


def test_who_waits_for_a_slot_when_the_run_ends_learns_why() -> None:
    clock = Clock(60)
    deadline = clock.deadline()
    pace = Paces(deadline).of("https://cloud/image")
    pace.throttled(0.0, busy(retry_after=30.0))
    deadline.halt(Paused("paused"))
    with pytest.raises(Paused):
        pace.wait()
