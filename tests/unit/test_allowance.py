"""What one event may delete: MaxImages, whoever of its runs deletes them, and nothing where nobody can tell."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.allowance import Allowance
from handler.engine.aws.state.budget import UPDATE_ITEM
from handler.errors import BudgetUnknown, CloudError, OverLimit
from tests.aws import KEYS, REGION, Client, state_table
from tests.conftest import Context, Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Request
from tests.fakecloud.faults import Fault
from tests.faults import closed_port
from tests.unit.conftest import Relay

TABLE = "state"
NOW = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
NOBODY_ELSE = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""

Repeat = Callable[..., list[Invocation]]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def repeat(invoke: Invoke, relay: Relay) -> Repeat:
    """Invoke the function with an event, and again for as long as it raises, as Lambda does: three times at most."""

    def run(event: object, **settings: str) -> list[Invocation]:
        given = KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": relay.url} | settings
        runs: list[Invocation] = []
        while len(runs) < 3 and (not runs or runs[-1].error):
            runs.append(invoke(event, **given))
        return runs

    return run


def event(images: list[str], source: str = "schedule") -> dict[str, Any]:
    asked = {"image_ids": images}
    if source == "topic":
        return {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": json.dumps(asked)}}]}
    if source == "hook":
        hook = load_event("lifecycle")
        return hook | {"detail": hook["detail"] | {"NotificationMetadata": json.dumps(asked)}}
    kind = "Scheduled Event" if source == "schedule" else "Reaper Request"
    return {"detail-type": kind, "source": "custom", "detail": asked}


def allowance(url: str, most: int = 3, name: str = "e1") -> Allowance:
    return Allowance(name, most, TABLE, replace(ACCESS, endpoints=(("", url),)), NOW)


def refusal(allowed: Allowance, image: str) -> CloudError | None:
    try:
        allowed.take(image)
    except CloudError as error:
        return error
    return None


def reasons(run: Invocation) -> set[str]:
    return {line["reason"] for line in run.logged("image.failed")}


def writes(relay: Relay) -> list[Request]:
    return [call for call in relay.calls if call.headers.get("x-amz-target") == UPDATE_ITEM]


# Through the function


@pytest.mark.slow("one run after the other")
@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("source", ["schedule", "topic", "lifecycle", "hook"])
def test_an_event_that_is_repeated_deletes_no_more_than_one_run_may(
    source: str, cloud: FakeCloud, repeat: Repeat
) -> None:
    runs = repeat(event([cloud.add_image() for _ in range(10)], source), REAPER_MAX_IMAGES="4")
    assert (len(runs), len(cloud.dead)) == (3, 4)
    assert all(run.metric("ImagesFailed_over_limit") == 6 for run in runs)


def test_without_the_table_every_repetition_counts_anew(cloud: FakeCloud, repeat: Repeat) -> None:
    runs = repeat(event([cloud.add_image() for _ in range(10)]), REAPER_MAX_IMAGES="4", REAPER_STATE_TABLE="")
    assert (len(runs), len(cloud.dead)) == (3, 10)


@pytest.mark.usefixtures("table")
def test_what_a_run_could_not_delete_is_free_in_the_next(cloud: FakeCloud, repeat: Repeat) -> None:
    images = [cloud.add_image() for _ in range(4)]
    cloud.fault("DELETE", status=503, headers=NOBODY_ELSE, times=4)
    runs = repeat(event(images), REAPER_MAX_IMAGES="4")
    assert reasons(runs[0]) == {"unavailable"}
    assert runs[1].answer["counts"] == {"deleted": 4}


@pytest.mark.usefixtures("table")
def test_what_a_run_did_not_use_is_left_to_the_next(cloud: FakeCloud, repeat: Repeat) -> None:
    images = [cloud.add_image() for _ in range(6)]
    cloud.fault("GET", images[5], status=503, headers=NOBODY_ELSE)
    runs = repeat(event(images), REAPER_MAX_IMAGES="6")
    assert [run.metric("ImagesDeleted") for run in runs] == [5, 1]


@pytest.mark.usefixtures("table")
def test_of_a_run_that_was_killed_all_counts_as_used(cloud: FakeCloud, repeat: Repeat, relay: Relay) -> None:
    images = [cloud.add_image() for _ in range(3)]
    cloud.fault("DELETE", status=503, headers=NOBODY_ELSE)
    # What it would have put back at its end is never written: that is its third call, after the flag and the count.
    relay.faults.add(Fault("POST", status=400, body={"__type": "x#AccessDeniedException"}, skip=2))
    first, *others = repeat(event(images))
    assert (len(first.logged("event.used_up")), len(cloud.dead)) == (1, 2)
    assert [reasons(run) for run in others] == [{"over_limit"}] * 2
    assert "has died" in others[0].logged("image.failed")[0]["detail"]


@pytest.mark.usefixtures("table")
def test_a_good_run_writes_once_and_one_that_deletes_nothing_never(
    cloud: FakeCloud, repeat: Repeat, relay: Relay
) -> None:
    assert len(repeat(event([cloud.add_image(protected=True), cloud.add_image(tags=["keep"])]))) == 1
    assert not writes(relay)
    assert len(repeat(event([cloud.add_image() for _ in range(9)]))) == 1
    assert (len(writes(relay)), len(cloud.dead)) == (1, 9)


@pytest.mark.parametrize("mode", ["dry-run", "paused"])
@pytest.mark.usefixtures("table")
def test_where_nothing_is_deleted_nothing_is_counted(mode: str, cloud: FakeCloud, repeat: Repeat, relay: Relay) -> None:
    repeat(event([cloud.add_image()]), REAPER_MODE=mode)
    repeat({"detail-type": "Scheduled Event", "detail": {"image_ids": [cloud.add_image()], "dry_run": True}})
    assert not relay.calls


@pytest.mark.usefixtures("table")
def test_sources_that_are_answered_are_not_slowed(cloud: FakeCloud, repeat: Repeat, relay: Relay) -> None:
    images = [cloud.add_image() for _ in range(3)]
    repeat(queue({"image_ids": [images[0]]}))
    repeat({"image_ids": [images[1]]})
    stack = load_event("stack-delete") | {"ResponseURL": f"{relay.url}/sink/stack"}
    repeat(stack | {"ResourceProperties": {"image_ids": [images[2]]}})
    assert set(cloud.dead) == set(images)
    assert not writes(relay)


def test_a_table_that_can_not_be_reached_lets_nothing_go(cloud: FakeCloud, repeat: Repeat) -> None:
    image = cloud.add_image()
    with closed_port() as port:
        runs = repeat(event([image]), AWS_ENDPOINT_URL_DYNAMODB=f"http://127.0.0.1:{port}")
    assert [run.metric("ImagesFailed_budget") for run in runs] == [1] * 3
    assert set(cloud.images) == {image}


def test_once_the_table_is_back_a_repetition_goes_on(cloud: FakeCloud, repeat: Repeat, table: Client) -> None:
    images = [cloud.add_image() for _ in range(3)]
    table.delete_table(TableName=TABLE)
    repeat(event(images))
    table.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert repeat(event(images))[0].answer["counts"] == {"deleted": 3}


@pytest.mark.usefixtures("table")
def test_the_event_is_counted_under_the_id_that_its_repetitions_share(
    cloud: FakeCloud, repeat: Repeat, table: Client
) -> None:
    images = [cloud.add_image(), cloud.add_image()]
    cloud.fault("DELETE", status=403, times=None)
    repeat(event(images))
    (item,) = table.scan(TableName=TABLE)["Items"]
    assert item["id"] == {"S": f"event/{Context.aws_request_id}"}
    assert (sorted(item["images"]["SS"]), "run" in item) == (sorted(images), False)
    left = int(item["expires_at"]["N"]) - datetime.now(UTC).timestamp()
    assert timedelta(days=2) < timedelta(seconds=left) <= timedelta(days=3)


@pytest.mark.usefixtures("table")
def test_the_budget_pays_for_no_deletion_that_the_event_may_not_make(
    cloud: FakeCloud, repeat: Repeat, table: Client
) -> None:
    repeat(event([cloud.add_image() for _ in range(5)]), REAPER_MAX_IMAGES="2", REAPER_BUDGET="100/1d")
    counts = [item["used"]["N"] for item in table.scan(TableName=TABLE)["Items"] if "used" in item]
    assert (counts, len(cloud.dead)) == (["2"], 2)


# By itself


@pytest.mark.usefixtures("table")
def test_twenty_threads_take_exactly_what_the_event_may_delete(moto: str, relay: Relay) -> None:
    allowed = allowance(relay.url, 50)
    with ThreadPoolExecutor(20) as threads:
        refused = list(threads.map(lambda number: refusal(allowed, f"i{number}"), range(100)))
    assert sum(error is None for error in refused) == 50
    assert {type(error) for error in refused if error} == {OverLimit}
    assert len(relay.calls) == 1
    assert refusal(allowance(moto, 50, "e2"), "i0") is None


@pytest.mark.usefixtures("table")
def test_two_runs_of_one_event_at_once_do_not_both_delete(moto: str) -> None:
    first, second = allowance(moto), allowance(moto)
    assert refusal(first, "a") is None
    assert isinstance(refusal(second, "b"), OverLimit)
    assert (first.settle(), second.settle()) == ("", "")
    assert isinstance(refusal(second, "b"), OverLimit)
    assert refusal(allowance(moto), "b") is None


@pytest.mark.usefixtures("table")
def test_an_answer_that_got_lost_takes_and_puts_back_nothing_twice(moto: str, relay: Relay) -> None:
    relay.faults.add(Fault(status=None, cut=True))
    first = allowance(relay.url, 3)
    assert [refusal(first, image) for image in ("a", "b")] == [None, None]
    relay.faults.add(Fault(status=None, cut=True))
    assert first.settle() == ""
    again = allowance(moto, 3)
    assert [refusal(again, image) for image in ("a", "b", "c")] == [None] * 3
    assert isinstance(refusal(again, "d"), OverLimit)


@pytest.mark.usefixtures("table")
def test_a_run_that_took_nothing_has_nothing_to_put_back(relay: Relay) -> None:
    assert allowance(relay.url).settle() == ""
    assert not relay.calls


ANSWERS: list[Any] = ["{}", '{"Attributes": 1}', '{"Attributes": {}}', '{"Attributes": {"run": {"S": "other"}}}', "[]"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_does_not_name_the_run_lets_nothing_through(
    answer: str, cloud: FakeCloud, server: Server
) -> None:
    cloud.fault("POST", "/sink/", status=200, body=answer, times=None)
    allowed = allowance(f"{server.url}/sink/a")
    errors = [refusal(allowed, image) for image in ("a", "b", "c")]
    assert {type(error) for error in errors} == {BudgetUnknown}
    assert len(cloud.calls) == 1
