"""The budget: never one deletion too many, whoever asks, and none where nobody can tell."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.budget import Budget
from handler.errors import BudgetSpent, BudgetUnknown
from tests.aws import KEYS, REGION, Client, state_table
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import closed_port, debug_urllib3, new_connections
from tests.properties import tried
from tests.unit.conftest import Relay
from tests.unit.test_aws import signature_by_botocore

NOW = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
TABLE = "image-reaper"
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
COUNTED = {"Attributes": {"used": {"N": "1"}, "expires_at": {"N": "1"}}}
WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from handler.engine.aws.state.budget import Budget
from handler.errors import BudgetSpent
from handler.engine.aws.access import AwsAccess

access = AwsAccess("eu-central-1", "x", "x", endpoints=(("", sys.argv[1]),))
budget = Budget(50, timedelta(days=1), "image-reaper", access, "p1", datetime(2027, 3, 1, tzinfo=UTC))
print("ready", flush=True)
sys.stdin.readline()
taken = 0
try:
    while True:
        budget.take()
        taken += 1
except BudgetSpent as exc:
    print(taken, type(exc).__name__, "boto3" in sys.modules, "botocore" in sys.modules)
"""


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


def budget(url: str, limit: int = 3, *, scope: str = "p1", window: timedelta = DAY, now: datetime = NOW) -> Budget:
    return Budget(limit, window, TABLE, replace(ACCESS, endpoints=(("", url),)), scope, now)


def taken(budget: Budget, times: int) -> int:
    return sum(let_through(budget) for _ in range(times))


def let_through(budget: Budget) -> bool:
    try:
        budget.take()
    except BudgetSpent:
        return False
    return True


def used(table: Client) -> dict[str, str]:
    return {item["id"]["S"]: item["used"]["N"] for item in table.scan(TableName=TABLE)["Items"]}


# What it lets through


@pytest.mark.usefixtures("table")
def test_just_the_limit_is_let_through(moto: str) -> None:
    ours = budget(moto, 3)
    assert taken(ours, 3) == 3
    with pytest.raises(BudgetSpent, match=r"^the budget of 3 deletions is used up until 2027-03-02 00:00 UTC$"):
        ours.take()


@pytest.mark.usefixtures("table")
def test_what_another_run_has_taken_is_gone(moto: str) -> None:
    assert taken(budget(moto, 3), 2) == 2
    assert taken(budget(moto, 3), 2) == 1
    assert taken(budget(moto, 3), 2) == 0


@pytest.mark.parametrize("tries", [1, 2])
def test_one_that_is_used_up_says_when_its_next_window_begins(tries: int) -> None:
    ours = budget("", 0, now=datetime(2027, 3, 1, 21, 30, tzinfo=UTC))
    for _ in range(tries):
        with pytest.raises(BudgetSpent) as raised:
            ours.take()
        assert raised.value.retry_after == 2.5 * 3600


def test_a_limit_of_zero_lets_none_through_and_asks_nobody(table: Client, relay: Relay) -> None:
    with pytest.raises(BudgetSpent, match="the budget of 0 deletions"):
        budget(relay.url, 0).take()
    assert (relay.calls, used(table)) == ([], {})


@pytest.mark.usefixtures("table")
def test_a_new_window_starts_afresh_and_the_old_one_stays_used_up(moto: str) -> None:
    assert taken(budget(moto, 2), 3) == 2
    assert taken(budget(moto, 2, now=NOW + timedelta(seconds=1)), 3) == 2
    assert taken(budget(moto, 2), 3) == 0


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "other", [{"scope": "p2"}, {"scope": "p1/86400/1803859200"}, {"scope": ""}, {"window": HOUR}, {"window": WEEK}]
)
def test_two_scopes_and_two_lengths_of_window_do_not_meet(other: dict[str, Any], moto: str) -> None:
    assert taken(budget(moto, 2), 3) == 2
    assert taken(budget(moto, 2, **other), 3) == 2


@pytest.mark.usefixtures("table")
def test_a_clock_in_another_zone_is_in_the_same_window(moto: str) -> None:
    assert taken(budget(moto, 2), 1) == 1
    assert taken(budget(moto, 2, now=NOW.astimezone(timezone(timedelta(hours=9)))), 2) == 1


@pytest.mark.usefixtures("table")
def test_a_limit_that_was_changed_holds_at_once(moto: str) -> None:
    assert taken(budget(moto, 5), 4) == 4
    assert taken(budget(moto, 3), 1) == 0
    assert taken(budget(moto, 6), 5) == 2


def test_a_count_says_whose_it_is_and_when_it_may_go(table: Client, moto: str) -> None:
    assert taken(budget(moto, scope="a1b2"), 2) == 2
    start = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp())
    assert table.scan(TableName=TABLE)["Items"] == [
        {"id": {"S": f"a1b2/86400/{start}"}, "used": {"N": "2"}, "expires_at": {"N": str(start + 3 * 86400)}}
    ]


@tried(200)
@given(now=st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)), hours=st.integers(1, 99_999))  # noqa: DTZ001 (hypothesis adds UTC)
def test_every_moment_lies_in_its_window_and_its_count_outlives_it(now: datetime, hours: int) -> None:
    window, moment = timedelta(hours=hours), now.replace(tzinfo=UTC)
    request = budget("", window=window, now=moment)._update()
    start = int(request["Key"]["id"]["S"].split("/")[2])
    assert start % window.total_seconds() == 0
    assert start <= moment.timestamp() < start + window.total_seconds()
    assert int(request["ExpressionAttributeValues"][":expires"]["N"]) >= moment.timestamp() + 2 * 3600


# Many at once


def test_twenty_threads_take_exactly_the_limit(table: Client, moto: str) -> None:
    shared = budget(moto, 50)
    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(let_through, [shared] * 100)) == 50
    assert list(used(table).values()) == ["50"]


def test_twenty_runs_at_once_take_exactly_the_limit(table: Client, moto: str) -> None:
    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(taken, [budget(moto, 50) for _ in range(20)], [5] * 20)) == 50
    assert list(used(table).values()) == ["50"]


@pytest.mark.slow("twenty interpreters start")
def test_twenty_processes_take_exactly_the_limit(table: Client, moto: str) -> None:
    command = [sys.executable, "-c", WORKER, moto]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(20)]  # noqa: S603 (our own command)
    assert [worker.stdout.readline() for worker in workers if worker.stdout] == ["ready\n"] * 20
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()
    ended = [worker.communicate()[0].split() for worker in workers]
    assert sum(int(words[0]) for words in ended) == 50
    assert [words[1:] for words in ended] == [["BudgetSpent", "False", "False"]] * 20
    assert list(used(table).values()) == ["50"]


# Where it can't be counted

REFUSALS = [
    (400, {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no such table"}),
    (400, {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "no"}),
    (400, {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not authorized"}),
    (400, {"__type": "com.amazon.coral.availability#ThrottlingException", "Message": "Rate of requests"}),
    (400, {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}),
    (400, {"__type": ["ConditionalCheckFailedException"]}),
    (400, "ConditionalCheckFailedException"),
    (403, "Forbidden"),
    (302, COUNTED),
    (429, "slow down"),
    (500, {"__type": "InternalServerError"}),
    (503, ""),
]
GARBAGE: list[Any] = ["", "[]", "null", "{}", "<html>", "[" * 100_000, '{"Attributes": [1]}', '{"Attributes": {}}'] + [
    {"Attributes": {"used": {"N": number}}} for number in ("0", "-1", "4", "x", "", None, "1e0", [1])
]


@pytest.mark.parametrize(
    ("status", "body"), [*REFUSALS, *((200, body) for body in GARBAGE)], ids=lambda value: str(value)[:60]
)
def test_what_can_not_be_counted_is_not_let_through(status: int, body: Any, cloud: FakeCloud, server: Server) -> None:  # noqa: ANN401
    cloud.fault("POST", "/sink/", status=status, body=body, headers={"Location": "/sink/b"}, times=None)
    ours = budget(f"{server.url}/sink/a", 3)
    with pytest.raises(BudgetUnknown, match=r"^the deletion could not be counted: dynamodb ") as caught:
        ours.take()
    assert (caught.value.reason, caught.value.may_retry, caught.value.ends_run) == ("budget", False, False)
    asked = len(cloud.calls)
    assert asked <= 3
    assert taken(ours, 20) == 0
    assert len(cloud.calls) == asked


def test_the_reason_is_told_every_time(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=400, body={"__type": "x#AccessDeniedException", "Message": "not authorized"})
    ours = budget(f"{server.url}/sink/a")
    for _ in range(3):
        with pytest.raises(BudgetUnknown, match=r"HTTP 400 .*AccessDeniedException.*not authorized"):
            ours.take()


def test_a_table_that_is_not_there_lets_nothing_through(moto: str) -> None:
    with pytest.raises(BudgetUnknown, match="ResourceNotFoundException"):
        budget(moto).take()


def test_a_table_that_can_not_be_reached_lets_nothing_through() -> None:
    with closed_port() as port, pytest.raises(BudgetUnknown, match="dynamodb can't be reached: connection refused"):
        budget(f"http://127.0.0.1:{port}").take()


def test_a_table_that_does_not_answer_in_time_is_asked_once_in_a_run() -> None:
    with responses.RequestsMock() as mock:
        mock.post("https://dynamodb.eu-central-1.amazonaws.com/", body=requests.ReadTimeout("4 s"))
        ours = Budget(3, DAY, TABLE, ACCESS, "p1", NOW)
        with pytest.raises(BudgetUnknown, match="dynamodb can't be reached: nothing came in time"):
            ours.take()
        assert taken(ours, 1000) == 0
        assert len(mock.calls) == 1


def test_without_keys_for_aws_nothing_is_let_through(relay: Relay) -> None:
    access = AwsAccess(REGION, endpoints=(("", relay.url),))
    with pytest.raises(BudgetUnknown, match="there are no AWS credentials"):
        Budget(3, DAY, TABLE, access, "p1", NOW).take()
    assert not relay.calls


@pytest.mark.parametrize("value", [{"S": "1"}, {"NULL": True}, {"L": []}])
def test_a_count_that_is_no_number_lets_nothing_through(value: dict[str, Any], table: Client, moto: str) -> None:
    ours = budget(moto)
    table.put_item(TableName=TABLE, Item={"id": ours._update()["Key"]["id"], "used": value})
    assert taken(ours, 3) == 0


@pytest.mark.usefixtures("table")
def test_one_that_is_used_up_is_not_asked_again(relay: Relay) -> None:
    assert taken(budget(relay.url, 2), 50) == 2
    assert len(relay.calls) == 3


def test_an_answer_that_got_lost_may_count_twice(table: Client, relay: Relay) -> None:
    relay.faults.add(Fault(status=None, cut=True))
    assert taken(budget(relay.url, 3), 3) == 2
    assert list(used(table).values()) == ["3"]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_answers_that_get_lost_never_let_one_too_many_through(limit: int, table: Client, relay: Relay) -> None:
    relay.faults.add(Fault(status=None, cut=True, times=2 * limit))
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(taken, [budget(relay.url, limit) for _ in range(4)], [limit] * 4)) <= limit
    assert list(used(table).values()) == [str(limit)]


@pytest.mark.slow("the pauses between the attempts are real")
@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_a_table_with_too_much_to_do_is_asked_again(code: str, table: Client, relay: Relay) -> None:
    relay.faults.add(Fault(status=400, body={"__type": f"x#{code}"}, times=2))
    assert taken(budget(relay.url, 3), 3) == 3
    assert list(used(table).values()) == ["3"]


# How it asks


def test_the_request_is_signed_as_aws_s_own_library_does(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=200, body=COUNTED)
    budget(f"{server.url}/sink/a").take()
    call = cloud.calls_of("POST")[0]
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert headers["x-amz-target"] == "DynamoDB_20120810.UpdateItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["authorization"].endswith(f"Signature={signature_by_botocore(call, server.url, 'dynamodb')}")


def test_a_table_may_be_named_by_its_arn_in_another_region(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=200, body=COUNTED)
    arn = "arn:aws:dynamodb:us-west-2:123456789012:table/image-reaper"
    Budget(3, DAY, arn, replace(ACCESS, endpoints=(("dynamodb", f"{server.url}/sink/a"),)), "p1", NOW).take()
    call = cloud.calls_of("POST")[0]
    assert json.loads(call.body)["TableName"] == arn
    assert "/us-west-2/dynamodb/aws4_request" in call.headers["Authorization"]


def test_an_arn_counts_in_the_same_place_as_the_name(table: Client, moto: str) -> None:
    arn = table.describe_table(TableName=TABLE)["Table"]["TableArn"]
    assert taken(budget(moto, 3), 2) == 2
    assert taken(replace(budget(moto, 3), table=arn), 2) == 1


def test_one_connection_serves_all_deletions(
    cloud: FakeCloud, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    debug_urllib3(caplog)
    cloud.fault("POST", "/sink/", status=200, body=COUNTED, times=None)
    assert taken(budget(f"{server.url}/sink/a"), 20) == 20
    assert new_connections(caplog) == 1


def test_each_of_many_threads_keeps_its_connection(
    cloud: FakeCloud, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    debug_urllib3(caplog)
    cloud.fault("POST", "/sink/", status=200, body=COUNTED, delay=0.2, times=None)
    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(let_through, [budget(f"{server.url}/sink/a", 99)] * 32)) == 32
    assert new_connections(caplog) <= 32
    assert not any("pool is full" in record.msg for record in caplog.records)


def test_no_secret_stands_in_the_description_of_a_budget() -> None:
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(budget("http://x"))
