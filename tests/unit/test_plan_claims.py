"""Claims: an approved plan is carried out once, by one run at a time, which goes on where others stopped."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handler.compose.engines import aws, functiongraph
from handler.config.settings import Settings
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.plans import PlanClaim, claim_plan
from handler.errors import BudgetUnknown, Busy, CloudError, InvalidRequest
from tests.aws import KEYS, REGION, Client, state_table
from tests.fakecloud import FakeCloud
from tests.fakecloud.faults import Fault
from tests.faults import Clock
from tests.unit.conftest import Relay

TABLE = "state"
DIGEST = "ab" * 32
KEY = {"id": {"S": f"plan/{DIGEST}"}}
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
PLAN_LIFE = timedelta(days=7)
GOOD_FOR = 50.0

ClaimFor = Callable[..., PlanClaim]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock(600.0)


@pytest.fixture
def claim(relay: Relay, clock: Clock, table: Client) -> ClaimFor:  # noqa: ARG001 (it is there)
    """Claim the plan for an event, through the relay."""
    access = replace(ACCESS, endpoints=(("", relay.url),))

    def claim(event: str = "e1", digest: str = DIGEST) -> PlanClaim:
        return claim_plan(digest, event, table=TABLE, access=access, plan_life=PLAN_LIFE, deadline=clock.deadline())

    return claim


def refusal(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except (CloudError, InvalidRequest) as error:
        return error
    return None


def item(table: Client) -> dict[str, Any]:
    found: dict[str, Any] = table.get_item(TableName=TABLE, Key=KEY)["Item"]
    return found


def let_lapse(table: Client) -> None:
    """As if the run that has the plan had died."""
    change = {"UpdateExpression": "SET lease_until = :past", "ExpressionAttributeValues": {":past": {"N": "1"}}}
    table.update_item(TableName=TABLE, Key=KEY, **change)


def test_a_plan_that_nobody_has_begun_is_at_its_first_image(claim: ClaimFor, clock: Clock) -> None:
    ours = claim()
    assert (ours.position, ours.hold()) == (0, clock.deadline().now() + GOOD_FOR)


def test_of_twenty_approvals_at_once_one_carries_it_out(claim: ClaimFor) -> None:
    with ThreadPoolExecutor(20) as threads:
        errors = list(threads.map(lambda number: refusal(lambda: claim(f"e{number}")), range(20)))
    assert errors.count(None) == 1
    assert {type(error) for error in errors} == {type(None), Busy}


def test_the_second_one_is_told_who_has_it_and_does_not_wait(claim: ClaimFor, clock: Clock) -> None:
    claim("e1")
    error = refusal(lambda: claim("e2"))
    assert isinstance(error, Busy)
    assert str(error).startswith("another run carries out the plan: run e1, until ")
    assert (error.retry_after, error.ends_run, clock.pauses) == (60.0, False, [])


def test_another_plan_is_another_one(claim: ClaimFor) -> None:
    claim("e1")
    assert claim("e2", "cd" * 32).position == 0


def test_once_it_was_carried_out_other_events_are_turned_down(claim: ClaimFor, table: Client) -> None:
    ours = claim("e1")
    ours.reach(10)
    assert ours.end(applied=True) == ""
    for _ in range(2):
        error = refusal(lambda: claim("e2"))
        assert isinstance(error, InvalidRequest)
        assert str(error).startswith("approve: the plan was carried out already, by event e1")
    assert item(table)["applied_by"] == {"S": "e1"}


def test_the_same_event_finds_all_of_it_done(claim: ClaimFor, relay: Relay) -> None:
    first = claim("e1")
    first.reach(10)
    first.end(applied=True)
    asked = len(relay.calls)
    again = claim("e1")
    assert (again.position, again.hold() < 0) == (10, True)
    again.reach(10)
    assert again.end(applied=True) == again.end(applied=False) == ""
    assert len(relay.calls) == asked + 1


def test_the_next_approval_goes_on_where_a_run_was_killed(claim: ClaimFor, table: Client) -> None:
    killed = claim("e1")
    killed.reach(3)
    killed.reach(7)
    assert isinstance(refusal(lambda: claim("e1")), Busy)
    let_lapse(table)
    for event in ("e1", "e2"):
        assert claim(event).position == 7
        let_lapse(table)


def test_one_that_was_given_back_half_done_goes_on_at_once(claim: ClaimFor) -> None:
    first = claim("e1")
    first.reach(4)
    assert first.end(applied=False) == ""
    second = claim("e2")
    assert second.position == 4
    second.reach(9)
    assert second.position == 9


def test_one_that_was_lost_may_change_and_note_nothing_any_more(claim: ClaimFor, table: Client, clock: Clock) -> None:
    slow = claim("e1")
    slow.reach(2)
    let_lapse(table)
    other = claim("e2")
    other.reach(5)
    error = refusal(lambda: slow.reach(3))
    assert isinstance(error, Busy)
    assert error.ends_run
    # At once, although its minute has not passed by its own clock.
    assert isinstance(refusal(slow.hold), Busy)
    assert not clock.pauses
    assert "run e2" in slow.end(applied=True)
    assert (item(table)["position"], "applied_by" in item(table)) == ({"N": "5"}, False)


def test_to_note_what_is_done_renews_it(claim: ClaimFor, clock: Clock, relay: Relay) -> None:
    ours = claim()
    clock.pass_by(30.0)
    ours.reach(1)
    asked = len(relay.calls)
    assert ours.hold() == clock.deadline().now() + GOOD_FOR
    assert len(relay.calls) == asked


def test_its_item_outlives_the_plan(claim: ClaimFor, table: Client) -> None:
    ours = claim()
    taken = item(table)
    kept = int(taken["expires_at"]["N"]) - int(taken["lease_until"]["N"]) + 60
    assert kept == (PLAN_LIFE + timedelta(days=7)).total_seconds()
    change = {"UpdateExpression": "SET expires_at = :early", "ExpressionAttributeValues": {":early": {"N": "1"}}}
    table.update_item(TableName=TABLE, Key=KEY, **change)
    ours.reach(1)
    assert int(item(table)["expires_at"]["N"]) >= int(taken["expires_at"]["N"])


def test_answers_that_get_lost_change_nothing(claim: ClaimFor, relay: Relay) -> None:
    for applied in (False, True):
        relay.faults.add(Fault(apply=True, status=503))
        ours = claim()
        relay.faults.add(Fault(apply=True, status=503))
        ours.reach(3)
        relay.faults.add(Fault(apply=True, status=503))
        assert ours.end(applied=applied) == ""
        assert ours.end(applied=applied) == ""


@pytest.mark.parametrize("applied", [False, True])
def test_a_table_that_does_not_answer_is_told(applied: bool, claim: ClaimFor, relay: Relay) -> None:  # noqa: FBT001
    ours = claim()
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None))
    assert isinstance(refusal(lambda: ours.reach(1)), BudgetUnknown)
    assert ours.position == 0
    assert "AccessDeniedException" in ours.end(applied=applied)
    assert isinstance(refusal(claim), BudgetUnknown)


@pytest.mark.parametrize("body", [{}, {"Attributes": {"fence": {"N": "9"}}}, b"<html>"])
def test_an_answer_that_may_be_of_somebody_else_notes_nothing(
    body: dict[str, Any] | bytes, claim: ClaimFor, relay: Relay
) -> None:
    ours = claim()
    relay.faults.add(Fault(status=200, body=body, times=None))
    assert isinstance(refusal(lambda: ours.reach(1)), BudgetUnknown)
    assert (ours.position, isinstance(refusal(claim), BudgetUnknown)) == (0, True)
    assert ours.end(applied=True) != ""


def test_an_engine_without_a_table_has_none(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud) -> None:
    del clean_environment
    settings = Settings.from_env(cloud.env("http://127.0.0.1:1"))
    deadline = Clock().deadline()
    assert aws.claim_plan(settings, "p1", deadline) is None
    assert aws.lease(settings, "p1", "r1", deadline) is None
    assert functiongraph.claim_plan(settings, "p1", deadline) is None
    assert functiongraph.lease(settings, "p1", "r1", deadline) is None


def test_an_engine_with_a_table_claims_in_it(
    clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, moto: str, table: Client
) -> None:
    del clean_environment
    given = cloud.env("http://127.0.0.1:1") | KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL": moto}
    claiming = aws.claim_plan(Settings.from_env(given), "p1", Clock().deadline())
    assert claiming
    assert claiming(DIGEST, "e1").position == 0
    assert item(table)["holder"]["S"].startswith("e1/")
