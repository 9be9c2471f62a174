"""The lease: only one sweep at a time changes the images of a project, and none where nobody can tell."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.lease import ProjectLease
from handler.errors import BudgetUnknown, Busy, CloudError
from tests.aws import KEYS, REGION, Client, state_table
from tests.fakecloud.faults import Fault
from tests.faults import Clock, closed_port
from tests.unit.conftest import Relay

TABLE = "state"
KEY = {"id": {"S": "lease/p1"}}
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
GOOD_FOR, LIFE = 50.0, 60.0

New = Callable[..., ProjectLease]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock(600.0)


@pytest.fixture
def new(relay: Relay, clock: Clock, table: Client) -> New:  # noqa: ARG001 (it is there)
    """The lease as a run has it, through the relay."""

    def new(request_id: str = "r1", *, project: str = "p1", url: str = relay.url, clock: Clock = clock) -> ProjectLease:
        return ProjectLease(project, request_id, TABLE, replace(ACCESS, endpoints=(("", url),)), clock.deadline())

    return new


def now(clock: Clock) -> float:
    return clock.deadline().now()


def refusal(step: Callable[[], object]) -> CloudError | None:
    try:
        step()
    except CloudError as error:
        return error
    return None


def item(table: Client) -> dict[str, Any]:
    found: dict[str, Any] = table.get_item(TableName=TABLE, Key=KEY)["Item"]
    return found


def let_lapse(table: Client) -> None:
    """As if the last renewal were long ago."""
    change = {"UpdateExpression": "SET lease_until = :past", "ExpressionAttributeValues": {":past": {"N": "1"}}}
    table.update_item(TableName=TABLE, Key=KEY, **change)


def bodies(relay: Relay) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in relay.calls]


# Who gets it


def test_of_twenty_at_once_one_has_it(new: New) -> None:
    def taken(number: int) -> bool:
        return refusal(new(f"r{number}", clock=Clock(1.5)).take) is None

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(taken, range(20))) == 1


@pytest.mark.slow("it asks for the lease again and again")
def test_the_error_names_the_run_that_has_it_and_says_until_when(new: New, table: Client) -> None:
    new("r1").take()
    until = {":until": {"N": "1803859200"}}
    table.update_item(
        TableName=TABLE, Key=KEY, UpdateExpression="SET lease_until = :until", ExpressionAttributeValues=until
    )
    error = refusal(new("r2").take)
    assert isinstance(error, Busy)
    told = "another sweep of the project is under way: run r1, until 2027-03-01 00:00:00 UTC unless it goes on"
    assert str(error).startswith(told)
    assert (error.reason, error.retry_after, error.ends_run) == ("busy", LIFE, False)


@pytest.mark.slow("it asks for the lease again and again")
@pytest.mark.parametrize("holder", [{"N": "1"}, {"S": "x"}, {"S": "password=hunter22/1"}, {"S": "x" * 900 + "/1"}])
def test_whatever_is_in_the_item_shows_no_secret(holder: dict[str, Any], new: New, table: Client) -> None:
    table.put_item(TableName=TABLE, Item=KEY | {"holder": holder, "lease_until": {"N": "9" * 30}})
    told = str(refusal(new().take))
    assert told.startswith("another sweep of the project is under way: run ")
    assert "hunter22" not in told
    assert len(told) < 250


@pytest.mark.slow("it asks for the lease again and again")
def test_a_repetition_does_not_pass_for_the_run_that_was_killed(new: New) -> None:
    new("r1").take()
    assert isinstance(refusal(new("r1").take), Busy)


def test_the_lease_of_another_project_is_another_one(new: New) -> None:
    new("r1").take()
    assert refusal(new("r2", project="p2").take) is None


@pytest.mark.slow("it asks for the lease again and again")
def test_a_second_one_waits_for_half_of_its_time(new: New, clock: Clock) -> None:
    new("r1", clock=Clock()).take()
    assert isinstance(refusal(new("r2").take), Busy)
    assert 296.0 < sum(clock.pauses) <= 300.0
    assert all(2.0 <= pause <= 4.0 for pause in clock.pauses)


def test_a_second_one_goes_on_once_it_is_given_back(new: New, clock: Clock, relay: Relay) -> None:
    first = new("r1", clock=Clock())
    first.take()
    relay.faults.add(Fault(status=None, skip=2, then=first.release))
    assert refusal(new("r2").take) is None
    assert len(clock.pauses) == 3


def test_a_run_that_ends_waits_no_longer(new: New, clock: Clock) -> None:
    new("r1").take()
    deadline = clock.deadline()
    second = ProjectLease("p1", "r2", TABLE, replace(ACCESS, endpoints=(("", "http://x"),)), deadline)
    deadline.halt(Busy("over"))
    assert refusal(second.take) is not None
    assert not clock.pauses


def test_what_a_run_that_died_has_left_is_taken_over(new: New, table: Client, clock: Clock) -> None:
    dead = new("r1")
    dead.take()
    let_lapse(table)
    assert refusal(new("r2").take) is None
    assert not clock.pauses
    assert (item(table)["fence"], item(table)["holder"]["S"][:3]) == ({"N": "2"}, "r2/")


def test_it_is_free_for_others_a_minute_after_its_last_renewal_and_not_before(new: New, table: Client) -> None:
    lease = new()
    lease._item.wall = lambda: 1000.9
    lease.take()
    other = new("r2", clock=Clock(1.5))
    for moment, is_free in ((1059.9, False), (1060.9, False), (1061.0, True)):
        other._item.wall = lambda moment=moment: moment  # type: ignore[misc]  # mypy takes the default for a parameter
        assert (refusal(other.take) is None) is is_free
    assert item(table)["lease_until"] == {"N": "1121"}


def test_the_item_is_kept_for_long_after_its_last_renewal(new: New, table: Client) -> None:
    lease = new()
    lease._item.wall = lambda: 1000.0
    lease.take()
    assert item(table)["expires_at"] == {"N": str(1000 + 30 * 86400)}


# As long as it is held


def test_it_is_renewed_once_in_twenty_seconds(new: New, relay: Relay, clock: Clock) -> None:
    lease = new()
    lease.take()
    for _ in range(610):
        lease.hold()
        clock.pass_by(0.1)
    assert len(relay.calls) == 1 + 3


def test_it_is_good_from_the_start_of_a_renewal_and_not_from_its_end(new: New, relay: Relay, clock: Clock) -> None:
    lease, began_at = new(), now(clock)
    relay.faults.add(Fault(status=None, times=2, then=lambda: clock.pass_by(3.0)))
    lease.take()
    assert lease.hold() == began_at + GOOD_FOR
    clock.pass_by(20.0)
    assert lease.hold() == began_at + 23.0 + GOOD_FOR


def test_while_one_thread_renews_the_others_go_on_until_the_last_renewal_is_too_old(
    new: New, relay: Relay, clock: Clock
) -> None:
    lease, asking, answered = new(), threading.Event(), threading.Event()
    lease.take()
    good_until = lease.hold()

    def hang() -> None:
        asking.set()
        answered.wait(30)

    relay.faults.add(Fault(status=None, then=hang))
    clock.pass_by(21.0)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lease.hold)
        asking.wait(30)
        assert lease.hold() == good_until
        clock.pass_by(30.0)
        late = threads.submit(lease.hold)
        assert not late.done()
        answered.set()
        # The renewal began when 21 seconds had passed. By now it is too old again for nobody but the next one.
        assert first.result(30) == good_until + 21.0
        assert late.result(30) >= good_until + 21.0


def test_a_table_that_fails_hurts_nobody_until_the_last_renewal_is_too_old(
    new: New, relay: Relay, clock: Clock
) -> None:
    lease = new()
    lease.take()
    good_until = lease.hold()
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None))
    clock.pass_by(49.9)
    assert lease.hold() == good_until
    clock.pass_by(0.2)
    asked = len(relay.calls)
    for _ in range(3):
        error = refusal(lease.hold)
        assert isinstance(error, BudgetUnknown)
        assert error.ends_run
        assert str(error).startswith("nobody could tell whether another sweep of the project is under way: dynamodb")
    assert len(relay.calls) == asked + 1


def test_a_table_that_answers_again_in_time_lets_the_run_go_on(new: New, relay: Relay, clock: Clock) -> None:
    lease = new()
    lease.take()
    good_until = lease.hold()
    relay.faults.add(Fault(status=400, body={"__type": "x#InternalServerError"}))
    clock.pass_by(30.0)
    assert [lease.hold(), lease.hold()] == [good_until, good_until + 30.0]


def test_one_that_has_lapsed_but_that_nobody_took_is_renewed(new: New, table: Client, clock: Clock) -> None:
    lease = new()
    lease.take()
    good_until = lease.hold()
    clock.pass_by(200.0)
    let_lapse(table)
    assert lease.hold() == good_until + 200.0
    assert (item(table)["fence"], int(item(table)["lease_until"]["N"]) > 1) == ({"N": "1"}, True)


def test_one_that_was_lost_ends_the_run_for_good(new: New, table: Client, clock: Clock, relay: Relay) -> None:
    lease = new("r1")
    lease.take()
    let_lapse(table)
    new("r2").take()
    assert lease.hold() > now(clock)  # by its own clock, it still has it
    clock.pass_by(GOOD_FOR + 0.1)
    asked = len(relay.calls)
    for _ in range(3):
        error = refusal(lease.hold)
        assert isinstance(error, Busy)
        assert error.ends_run
        assert "under way, and has taken over from this one: run r2, until " in str(error)
    assert len(relay.calls) == asked + 1


def test_one_that_was_lost_and_given_back_by_the_other_is_lost_all_the_same(
    new: New, table: Client, clock: Clock
) -> None:
    lease, other = new("r1"), new("r2")
    lease.take()
    let_lapse(table)
    other.take()
    other.release()
    clock.pass_by(21.0)
    assert isinstance(refusal(lease.hold), Busy)


def test_an_item_that_somebody_has_removed_is_lost(new: New, table: Client, clock: Clock) -> None:
    lease = new()
    lease.take()
    table.delete_item(TableName=TABLE, Key=KEY)
    clock.pass_by(21.0)
    assert isinstance(refusal(lease.hold), Busy)


# At its end


def test_one_that_was_given_back_is_free_at_once_and_its_fence_goes_on(new: New, table: Client, clock: Clock) -> None:
    lease = new("r1")
    lease.take()
    lease.release()
    assert refusal(new("r2").take) is None
    assert (item(table)["fence"], clock.pauses) == ({"N": "2"}, [])


def test_one_that_was_given_back_permits_nothing_more(new: New, clock: Clock) -> None:
    lease = new()
    lease.take()
    lease.release()
    assert isinstance(refusal(lease.hold), Busy)
    assert not clock.pauses


def test_one_run_takes_it_for_one_sweep_after_the_other(new: New, table: Client, clock: Clock) -> None:
    lease = new()
    for fence in (1, 2, 3):
        lease.take()
        assert (lease.hold(), item(table)["fence"]) == (now(clock) + GOOD_FOR, {"N": str(fence)})
        lease.release()
        clock.pass_by(100.0)


def test_one_that_was_never_had_is_not_given_back(new: New, relay: Relay) -> None:
    new().release()
    assert not relay.calls


def test_it_is_given_back_once(new: New, relay: Relay) -> None:
    lease = new()
    lease.take()
    for _ in range(3):
        lease.release()
    assert len(relay.calls) == 2


def test_one_that_was_lost_is_left_to_whoever_has_it(new: New, table: Client) -> None:
    lease = new("r1")
    lease.take()
    let_lapse(table)
    new("r2").take()
    lease.release()
    assert item(table)["holder"]["S"].startswith("r2/")


def test_a_table_that_is_gone_by_the_end_troubles_nobody(new: New, relay: Relay) -> None:
    lease = new()
    lease.take()
    relay.faults.add(Fault(status=400, body={"__type": "x#ResourceNotFoundException"}, times=None))
    lease.release()


# Where nobody can tell

FOREIGN = [
    {},
    {"message": "welcome"},
    {"Attributes": None},
    {"Attributes": {"fence": {"N": "1"}}},
    {"Attributes": {"holder": {"S": "r1/0"}, "fence": {"N": "1"}}},
    b"[]",
    b"<html>",
    b"",
]


@pytest.mark.parametrize("body", FOREIGN)
def test_an_answer_that_may_be_of_somebody_else_gives_nobody_the_lease(
    body: dict[str, Any] | bytes, new: New, relay: Relay
) -> None:
    relay.faults.add(Fault(status=200, body=body))
    assert isinstance(refusal(new().take), BudgetUnknown)


@pytest.mark.parametrize("body", FOREIGN)
def test_an_answer_that_may_be_of_somebody_else_renews_nothing(
    body: dict[str, Any] | bytes, new: New, relay: Relay, clock: Clock
) -> None:
    lease = new()
    lease.take()
    relay.faults.add(Fault(status=200, body=body, times=None))
    good_until = lease.hold()
    clock.pass_by(30.0)
    assert lease.hold() == good_until
    clock.pass_by(30.0)
    assert isinstance(refusal(lease.hold), BudgetUnknown)


@pytest.mark.parametrize("fence", ["2", "0", "-1", "1.5", "x", ""])
def test_an_answer_with_another_fence_renews_nothing(fence: str, new: New, relay: Relay, clock: Clock) -> None:
    lease = new()
    lease.take()
    good_until = lease.hold()

    def another(answer: dict[str, Any]) -> dict[str, Any]:
        return {"Attributes": answer["Attributes"] | {"fence": {"N": fence}}}

    relay.faults.add(Fault(status=None, edit=another))
    clock.pass_by(30.0)
    assert lease.hold() == good_until


@pytest.mark.parametrize("body", [{}, {"Item": None}, {"Item": []}, {"Item": {"holder": "r9"}}])
def test_a_refusal_that_shows_no_item_is_one_all_the_same(body: dict[str, Any], new: New, relay: Relay) -> None:
    relay.faults.add(Fault(status=400, body=body | {"__type": "x#ConditionalCheckFailedException"}, times=None))
    error = refusal(new().take)
    assert isinstance(error, Busy)
    assert str(error) == "another sweep of the project is under way"


def test_a_table_that_can_not_be_reached_gives_nobody_the_lease(new: New) -> None:
    with closed_port() as port:
        error = refusal(new(url=f"http://127.0.0.1:{port}").take)
    assert isinstance(error, BudgetUnknown)
    assert (error.reason, error.ends_run) == ("budget", True)


def test_an_answer_that_got_lost_keeps_nobody_from_the_lease(new: New, relay: Relay, clock: Clock) -> None:
    relay.faults.add(Fault(apply=True, status=503))
    lease = new()
    lease.take()
    clock.pass_by(21.0)
    relay.faults.add(Fault(apply=True, status=503))
    assert lease.hold() == now(clock) + GOOD_FOR
    assert len(relay.calls) == 4


def test_a_table_of_another_region_is_asked_there(relay: Relay, clock: Clock) -> None:
    table = "arn:aws:dynamodb:us-west-2:123456789012:table/state"
    lease = ProjectLease("p1", "r1", table, replace(ACCESS, endpoints=(("", relay.url),)), clock.deadline())
    relay.faults.add(Fault(status=400, body={"__type": "x#ConditionalCheckFailedException"}, times=None))
    assert isinstance(refusal(lease.take), Busy)
    assert {body["TableName"] for body in bodies(relay)} == {table}
    assert "/us-west-2/dynamodb/" in relay.calls[0].headers["Authorization"]
