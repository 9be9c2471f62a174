"""How long messages are put off: when it makes sense that they come again, and apart from each other."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.message import Message, Receipt, Rejected, StackCall
from handler.model.outcome import Outcome, Result
from handler.work.batches.postponements import LONGEST, Postponement, postponements

OVER = Outcome("i", "failed", "over_limit", retry_after=0.0)
CAP = Outcome("i", "failed", "over_limit")
DONE = Outcome("i", "deleted")


def failure(reason: str, retry_after: float | None = None) -> Outcome:
    return Outcome("i", "failed", reason, retry_after=retry_after)


def receipt(receives: int = 1) -> Receipt:
    return Receipt(queue="arn:aws:sqs:eu-central-1:1:q", handle="h", receives=receives)


def put_off(
    *outcomes: Sequence[Outcome], receives: int = 1, ran: float = 1.0, drawn: float = 0.0
) -> dict[str, Postponement]:
    """What is put off of messages that came together and ended so."""
    messages = [Message(Rejected(""), f"m{n}", receipt=receipt(receives)) for n in range(len(outcomes))]
    results = [Result(f"m{n}", None, outcomes=tuple(ended)) for n, ended in enumerate(outcomes)]
    return {one.message_id: one for one in postponements(messages, results, ran, lambda: drawn)}


def seconds(*outcomes: Outcome, receives: int = 1, ran: float = 1.0) -> int:
    return put_off(outcomes, receives=receives, ran=ran)["m0"].seconds


@pytest.mark.parametrize("reason", ["denied", "unexpected", "backup_left"])
def test_what_fails_for_a_reason_of_its_own_stays_with_its_queue(reason: str) -> None:
    assert put_off([DONE, failure(reason, 7.0)], [CAP], [DONE], []) == {}


def test_what_can_not_be_read_or_has_no_receipt_stays_with_its_queue() -> None:
    messages = [Message(Rejected("bad"), "m0", receipt=receipt()), Message(Rejected(""), "m1")]
    results = [Result("m0", None, problem="bad"), Result("m1", None, outcomes=(OVER,))]
    assert postponements(messages, results, 1.0, lambda: 0.5) == []


def test_a_call_of_cloudformation_is_done_once_it_was_answered_and_is_not_put_off() -> None:
    call = StackCall(
        response_url="https://x", stack_id="s", request_id="r", logical_resource_id="l", physical_resource_id="p"
    )
    messages = [
        Message(Rejected(""), "m0", call=call, receipt=receipt()),
        Message(Rejected(""), "m1", receipt=receipt()),
    ]
    results = [Result(message.id, None, outcomes=(OVER,)) for message in messages]
    assert [one.message_id for one in postponements(messages, results, 1.0, lambda: 0.5)] == ["m1"]


@pytest.mark.parametrize("outcome", [OVER, failure("deadline")])
def test_what_only_had_no_turn_comes_again_soon_each_at_a_moment_of_its_own(outcome: Outcome) -> None:
    moments = [one.seconds for one in put_off(*[[outcome]] * 10, drawn=0.5).values()]
    assert moments == [30 + 60 * place for place in range(10)]


def test_moments_are_further_apart_after_a_long_run_and_after_each_receive() -> None:
    assert [one.seconds for one in put_off([OVER], [OVER], ran=100.0).values()] == [0, 400]
    assert [put_off([OVER], [OVER], receives=n)["m1"].seconds for n in (1, 2, 3, 4, 9)] == [60, 240, 960, 3840, 3840]


@pytest.mark.parametrize("reason", ["throttled", "unavailable", "budget", "busy"])
def test_while_the_cloud_is_away_messages_wait_longer_each_time(reason: str) -> None:
    assert [seconds(failure(reason), receives=n) for n in (1, 2, 3, 4, 5)] == [300, 1200, 4800, 19200, 19200]


def test_they_wait_at_least_as_long_as_the_cloud_asks_for() -> None:
    assert seconds(failure("throttled", 7000.0)) == 7000


def test_while_the_function_is_paused_they_wait_still_longer() -> None:
    waits = [seconds(failure("paused"), receives=n) for n in (1, 2, 3, 4)]
    assert waits == [1800, 7200, 28800, LONGEST - 60 * 64]


def test_a_used_up_budget_is_waited_for_to_the_start_of_its_next_window() -> None:
    assert seconds(failure("budget", 9000.0), ran=40.0) == 8960
    assert seconds(failure("budget", 9000.0), ran=40.0, receives=4) == 8960
    assert seconds(failure("budget", 200_000.0)) == LONGEST
    late = put_off(*[[failure("budget", 41_001.0)]] * 10, receives=4, drawn=0.5)
    assert [one.seconds for one in late.values()] == [41_020 + 40 * place for place in range(10)]


def test_of_several_reasons_the_longest_wait_counts_and_all_are_told() -> None:
    (one,) = put_off([OVER, DONE, failure("paused"), failure("throttled"), failure("denied")]).values()
    assert (one.seconds, one.reasons) == (1800, ("over_limit", "paused", "throttled"))


def test_what_is_held_back_waits_just_as_long_as_what_failed_before_it() -> None:
    groups = {"m0": "a", "m1": "a", "m2": "b", "m3": "b", "m4": ""}
    messages = [Message(Rejected(""), key, group=group, receipt=receipt()) for key, group in groups.items()]
    ended = {"m0": (OVER,), "m2": (failure("denied"),), "m4": (OVER,)}
    results = [Result(key, None, outcomes=ended.get(key, ()), held=key not in ended) for key in groups]
    found = {one.message_id: one.seconds for one in postponements(messages, results, 1.0, lambda: 0.5)}
    assert found == {"m0": 30, "m4": 90, "m1": 30}


@given(st.lists(st.sampled_from([OVER, *map(failure, ("paused", "throttled", "deadline"))]), max_size=40), st.data())
def test_nobody_is_put_off_longer_than_sqs_allows_and_all_stay_apart(ended: list[Outcome], data: st.DataObject) -> None:
    ran, receives = data.draw(st.floats(0, 900)), data.draw(st.integers(1, 100))
    messages = [Message(Rejected(""), f"m{n}", receipt=receipt(receives)) for n in range(len(ended))]
    results = [Result(f"m{n}", None, outcomes=(one,)) for n, one in enumerate(ended)]
    found = postponements(messages, results, ran, random.Random(receives).random)
    assert all(0 <= one.seconds <= LONGEST for one in found)
    assert len(found) == len(ended)
    for reason in {one.reason for one in ended}:
        moments = [one.seconds for one in found if one.reasons == (reason,)]
        assert moments == sorted(moments)
