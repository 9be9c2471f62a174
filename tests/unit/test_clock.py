"""The end of a run: what is still begun, how long it may take, and what a halt does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.clock import LONGEST_CONNECT, LONGEST_REQUEST, RESERVE, SHORTEST_REQUEST, Deadline
from handler.errors import CloudError, CredentialsRefused, DeadlineReached, Paused, Throttled, Unavailable

BUSY = Throttled("HTTP 429")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, seconds: float) -> None:
        self.remaining = seconds
        self.slept: list[float] = []
        self.deadline = Deadline(lambda: self.remaining, self.sleep)
        self.halt_while_asleep: CloudError | None = None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.remaining -= seconds
        if self.halt_while_asleep:
            self.deadline.halt(self.halt_while_asleep)


@pytest.mark.parametrize(
    ("remaining", "left"), [(60.0, 59.0), (1.5, 0.5), (1.0, 0.0), (0.5, 0.0), (0.0, 0.0), (-3.0, 0.0)]
)
def test_a_second_is_kept_back_for_the_answer(remaining: float, left: float) -> None:
    assert Clock(remaining).deadline.left() == left


@pytest.mark.parametrize("remaining", [-1.0, 0.0, RESERVE, RESERVE + SHORTEST_REQUEST - 0.001])
def test_nothing_is_begun_that_could_not_end_in_time(remaining: float) -> None:
    with pytest.raises(DeadlineReached, match="deadline of the invocation"):
        Clock(remaining).deadline.check()
    with pytest.raises(DeadlineReached):
        Clock(remaining).deadline.timeout()


def test_what_can_just_end_in_time_is_begun() -> None:
    deadline = Clock(RESERVE + SHORTEST_REQUEST).deadline
    deadline.check()
    assert sum(deadline.timeout()) == pytest.approx(SHORTEST_REQUEST)


@given(remaining=st.floats(RESERVE + SHORTEST_REQUEST, 100_000))
def test_a_request_ends_before_the_deadline_whatever_happens(remaining: float) -> None:
    connect, read = Clock(remaining).deadline.timeout()
    assert 0 < connect <= LONGEST_CONNECT
    assert read > 0
    assert connect + read <= min(LONGEST_REQUEST, remaining - RESERVE) + 1e-9


def test_a_pause_that_leaves_time_for_another_try_is_made() -> None:
    clock = Clock(10)
    clock.deadline.pause(2.5, BUSY)
    assert clock.slept == [2.5]


@pytest.mark.parametrize(("remaining", "seconds"), [(10, 8.1), (10, 3600), (2.4, 0.5), (0, 0), (10, float("inf"))])
def test_a_pause_after_which_no_try_could_end_in_time_raises_what_went_wrong(remaining: float, seconds: float) -> None:
    clock = Clock(remaining)
    with pytest.raises(Throttled) as raised:
        clock.deadline.pause(seconds, BUSY)
    assert raised.value is BUSY
    assert clock.slept == []


def test_after_a_halt_everything_further_fails_as_the_halt_says() -> None:
    deadline = Clock(60).deadline
    deadline.halt(CredentialsRefused("wrong password"))
    for step in (deadline.check, deadline.timeout):
        with pytest.raises(CredentialsRefused, match="wrong password"):
            step()


def test_the_first_halt_stays() -> None:
    deadline = Clock(60).deadline
    deadline.halt(Paused("REAPER_MODE is paused"))
    deadline.halt(DeadlineReached("the invocation has ended"))
    with pytest.raises(Paused):
        deadline.check()


def test_a_halt_raises_a_new_error_each_time_so_that_threads_share_none() -> None:
    deadline, halt = Clock(60).deadline, Paused("paused")
    deadline.halt(halt)
    with pytest.raises(Paused) as raised:
        deadline.check()
    assert raised.value is not halt


def test_after_a_halt_nobody_pauses() -> None:
    clock = Clock(60)
    clock.deadline.halt(Paused("paused"))
    with pytest.raises(Throttled):
        clock.deadline.pause(0.5, BUSY)
    assert clock.slept == []


def test_a_halt_during_a_pause_is_met_at_its_end() -> None:
    clock = Clock(60)
    clock.halt_while_asleep = Unavailable("no connection")
    with pytest.raises(Unavailable, match="no connection"):
        clock.deadline.pause(0.5, BUSY)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux calls this clock so")
def test_a_judgement_grows_old_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the clocks that only go forward, this is the one of Linux that counts a suspension.
    seconds = {time.CLOCK_BOOTTIME: iter([0.0, 10.0, 8 * 3600.0])}
    monkeypatch.setattr("time.clock_gettime", lambda clock: next(seconds[clock]))
    deadline = Deadline(lambda: 60.0)
    assert [deadline.elapsed(), deadline.elapsed()] == [10.0, 8 * 3600.0]
