"""The stop flag: once it is written, no DELETE leaves after five seconds, and none where nobody can tell."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.stop import StopFlag
from handler.errors import BudgetUnknown, CloudError, Paused
from handler.model.request import SweepRequest
from handler.sources.schema import read_request
from handler.work.run import Run
from handler.work.sweeps import sweep
from tests.aws import KEYS, REGION, Client, state_table
from tests.conftest import Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import IMAGE_PATH, SOURCES, Clock, closed_port, envelope, new_run, reap
from tests.unit.conftest import Relay

TABLE = "state"
FLAG = {"id": {"S": "stop"}}
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
NO_FLAG = {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": 1.0}}
IMAGES = re.compile(IMAGE_PATH)
GOOD_FOR, PROMISED = 4.5, 5.0
NIGHTLY = {"sweep": {"select": {"name": "ci-*"}, "grace": "1d", "limit_percent": 100}}

Flagged = Callable[..., Invocation]
Stop = Callable[[], None]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock(600.0)


@pytest.fixture
def flag(relay: Relay, clock: Clock, table: Client) -> StopFlag:  # noqa: ARG001 (it is there)
    """The flag as a run reads it, through the relay."""
    return flag_at(relay.url, clock)


@pytest.fixture
def flagged(invoke: Invoke, relay: Relay, table: Client) -> Flagged:
    """Invoke the function while the flag is there."""
    table.put_item(TableName=TABLE, Item=FLAG)
    given = KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": relay.url}
    return lambda event, **settings: invoke(event, **given, **settings)


def flag_at(url: str, clock: Clock) -> StopFlag:
    return StopFlag(TABLE, replace(ACCESS, endpoints=(("", url),)), clock.deadline().now)


def now(clock: Clock) -> float:
    return clock.deadline().now()


def refusal(flag: StopFlag) -> CloudError | None:
    try:
        flag.heed()
    except CloudError as error:
        return error
    return None


# By itself


@pytest.mark.parametrize(
    "item", [{}, {"by": {"S": ""}}, {"by": {"N": "1"}}, {"why": {"M": {}}}, {"expires_at": {"N": "1"}}]
)
def test_whatever_is_in_the_item_stops(item: dict[str, Any], flag: StopFlag, table: Client) -> None:
    table.put_item(TableName=TABLE, Item=FLAG | item)
    with pytest.raises(Paused, match=r'^deletions are stopped by the item "stop" of table state') as raised:
        flag.heed()
    assert raised.value.ends_run


def test_the_error_tells_who_has_stopped_them_and_why_but_no_secret(flag: StopFlag, table: Client) -> None:
    said = {"by": {"S": "Ada\n on call"}, "why": {"S": f"password=hunter22 {'x' * 500}"}}
    table.put_item(TableName=TABLE, Item=FLAG | said)
    told = str(refusal(flag))
    assert ", by: Ada on call, why: " in told
    assert "hunter22" not in told
    assert len(told) < 250


def test_an_item_that_is_taken_away_stops_nobody(flag: StopFlag, table: Client) -> None:
    table.put_item(TableName=TABLE, Item=FLAG)
    assert isinstance(refusal(flag), Paused)
    table.delete_item(TableName=TABLE, Key=FLAG)
    assert refusal(flag) is None


def test_another_item_stops_nobody(flag: StopFlag, table: Client) -> None:
    for key in ("Stop", "stop/1", "p1/86400/0"):
        table.put_item(TableName=TABLE, Item={"id": {"S": key}})
    assert refusal(flag) is None


def test_it_is_read_as_it_is_now_and_not_as_it_was(flag: StopFlag, relay: Relay) -> None:
    flag.heed()
    (call,) = relay.calls
    assert json.loads(call.body)["ConsistentRead"] is True


def test_it_is_read_once_in_two_seconds(flag: StopFlag, relay: Relay, clock: Clock) -> None:
    for _ in range(90):
        flag.heed()
        clock.pass_by(0.1)
    assert len(relay.calls) == 5


def test_a_reading_is_good_from_its_start_and_not_from_its_end(flag: StopFlag, relay: Relay, clock: Clock) -> None:
    began_at = now(clock)
    relay.faults.add(Fault(status=None, then=lambda: clock.pass_by(3.0)))
    assert flag.heed() == began_at + GOOD_FOR


def test_while_one_thread_reads_the_others_go_on_until_its_last_reading_is_too_old(
    flag: StopFlag, relay: Relay, clock: Clock
) -> None:
    good_until, reading, answered = flag.heed(), threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        answered.wait(30)

    relay.faults.add(Fault(status=None, then=hang))
    clock.pass_by(3.0)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(flag.heed)
        reading.wait(30)
        assert flag.heed() == good_until
        clock.pass_by(2.0)
        late = threads.submit(flag.heed)
        assert not late.done()
        answered.set()
        assert [first.result(30), late.result(30)] == [good_until + 3.0] * 2
    assert len(relay.calls) == 2


def test_a_table_that_fails_stops_nobody_until_the_last_reading_is_too_old(
    flag: StopFlag, relay: Relay, clock: Clock
) -> None:
    good_until = flag.heed()
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None))
    clock.pass_by(4.4)
    assert flag.heed() == good_until
    clock.pass_by(0.2)
    assert isinstance(refusal(flag), BudgetUnknown)


def test_a_table_that_answers_again_in_time_lets_the_run_go_on(flag: StopFlag, relay: Relay, clock: Clock) -> None:
    good_until = flag.heed()
    relay.faults.add(Fault(status=400, body={"__type": "x#InternalServerError"}, times=1))
    clock.pass_by(3.0)
    assert [flag.heed(), flag.heed()] == [good_until, good_until + 3.0]


def test_once_nobody_could_tell_the_table_is_not_asked_again(flag: StopFlag, relay: Relay, clock: Clock) -> None:
    relay.faults.add(Fault(status=400, body={"__type": "x#ResourceNotFoundException"}))
    for _ in range(3):
        error = refusal(flag)
        assert isinstance(error, BudgetUnknown)
        assert error.ends_run
        clock.pass_by(10.0)
    assert len(relay.calls) == 1


@pytest.mark.parametrize(
    "body", [{}, {"message": "welcome"}, {"ConsumedCapacity": None}, {"Attributes": {}}, b"[]", b"<html>", b""]
)
def test_an_answer_that_may_be_of_somebody_else_lets_nothing_go(
    body: dict[str, Any] | bytes,
    flag: StopFlag,
    relay: Relay,
) -> None:
    relay.faults.add(Fault(status=200, body=body))
    assert isinstance(refusal(flag), BudgetUnknown)


def test_a_table_of_another_region_is_asked_there(relay: Relay, clock: Clock) -> None:
    table = "arn:aws:dynamodb:us-west-2:123456789012:table/state"
    flag = StopFlag(table, replace(ACCESS, endpoints=(("", relay.url),)), clock.deadline().now)
    relay.faults.add(Fault(status=200, body=NO_FLAG))
    flag.heed()
    (call,) = relay.calls
    assert json.loads(call.body)["TableName"] == table
    assert "/us-west-2/dynamodb/" in call.headers["Authorization"]


def test_an_answer_without_an_item_that_shows_what_was_read_lets_go(flag: StopFlag, relay: Relay) -> None:
    relay.faults.add(Fault(status=200, body=NO_FLAG))
    assert refusal(flag) is None


def test_a_table_that_can_not_be_reached_lets_nothing_go(clock: Clock) -> None:
    with closed_port() as port:
        error = refusal(flag_at(f"http://127.0.0.1:{port}", clock))
    assert isinstance(error, BudgetUnknown)
    assert str(error).startswith("nobody could tell whether deletions are stopped: dynamodb can't be reached")


# A run that begins


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_that_begins_with_the_flag_asks_the_cloud_nothing(
    source: str, cloud: FakeCloud, server: Server, flagged: Flagged
) -> None:
    image = cloud.add_image()
    # For the answer to CloudFormation, which must go to a machine of AWS where the function runs there.
    run = flagged(envelope(source, {"image_ids": [image]}, server.url), AWS_LAMBDA_FUNCTION_NAME="")
    assert (run.metric("ImagesFailed_paused"), set(cloud.images)) == (1, {image})
    assert [call.path for call in cloud.calls if call.path != "/sink/stack"] == []


@pytest.mark.parametrize("policy", [NIGHTLY, {"sweep": NIGHTLY["sweep"] | {"grace": "0d"}}])
def test_a_sweep_that_begins_with_the_flag_lists_and_marks_nothing(
    policy: dict[str, Any], cloud: FakeCloud, flagged: Flagged
) -> None:
    cloud.add_image("ci-1")
    run = flagged(policy)
    assert [(one["outcome"], one["reason"]) for one in run.answer["outcomes"]] == [("failed", "paused")]
    assert not cloud.calls


def test_the_messages_of_a_queue_come_back(cloud: FakeCloud, flagged: Flagged) -> None:
    images = [cloud.add_image() for _ in range(2)]
    run = flagged(queue({"image_ids": images[:1]}, {"image_ids": images[1:]}))
    assert run.returned == ["m0", "m1"]


@pytest.mark.parametrize(("mode", "extra"), [("dry-run", {}), ("delete", {"dry_run": True})])
def test_a_rehearsal_goes_on(
    mode: str, extra: dict[str, Any], cloud: FakeCloud, flagged: Flagged, relay: Relay
) -> None:
    run = flagged({"image_ids": [cloud.add_image()], **extra}, REAPER_MODE=mode)
    assert run.answer["counts"] == {"would_delete": 1}
    assert not relay.calls


def test_a_stack_can_still_be_created(cloud: FakeCloud, server: Server, flagged: Flagged) -> None:
    run = flagged(load_event("stack-create") | {"ResponseURL": f"{server.url}/sink/stack"}, AWS_LAMBDA_FUNCTION_NAME="")
    assert run.error is None
    (call,) = cloud.calls_of("PUT")
    assert json.loads(call.body)["Status"] == "SUCCESS"


def test_a_stack_is_not_created_unchecked_because_of_its_neighbours(
    cloud: FakeCloud, server: Server, flagged: Flagged
) -> None:
    """It could never be deleted again if it names another project."""
    call = load_event("stack-create") | {"ResponseURL": f"{server.url}/sink/stack"}
    run = flagged(queue(call, {"image_ids": [cloud.add_image()]}), AWS_LAMBDA_FUNCTION_NAME="")
    [told] = [json.loads(call.body) for call in cloud.calls_of("PUT")]
    assert (told["Status"], run.returned) == ("FAILED", ["m1"])
    assert "ask again" in told["Reason"]


def test_without_the_table_nothing_is_deleted_and_the_cloud_is_not_asked(
    cloud: FakeCloud, invoke: Invoke, relay: Relay
) -> None:
    given = KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": relay.url}
    run = invoke({"image_ids": [image := cloud.add_image()]}, **given)
    assert (run.outcomes, cloud.calls) == ({image: ("failed", "budget")}, [])


# A run under way


@pytest.fixture
def run(cloud: FakeCloud, server: Server, clock: Clock, flag: StopFlag) -> Run:
    return new_run(cloud, server, clock, REAPER_CONCURRENCY="1")._replace(heed_stop=flag.heed)


@pytest.fixture
def stop(table: Client, clock: Clock) -> Stop:
    """Write the flag; three seconds pass."""

    def write() -> None:
        table.put_item(TableName=TABLE, Item=FLAG)
        clock.pass_by(3.0)

    return write


@pytest.mark.parametrize("gap", [0.3, 0.7, 0.95, 1.8, 4.0, 7.0])
def test_no_delete_leaves_more_than_five_seconds_after_the_flag(
    gap: float, cloud: FakeCloud, clock: Clock, run: Run, table: Client
) -> None:
    sent = list[float]()

    def deleted() -> None:
        sent.append(now(clock))
        if len(sent) == 5:
            table.put_item(TableName=TABLE, Item=FLAG)
        clock.pass_by(gap)

    cloud.fault("DELETE", status=None, times=None, then=deleted)
    found = reap(run, [cloud.add_image() for _ in range(40)])
    assert sent[-1] - sent[4] <= PROMISED
    rest = [one for one in found.values() if one.outcome != "deleted"]
    assert {(one.outcome, one.reason) for one in rest} == {("failed", "paused")}
    assert len(rest) == 40 - len(sent) > 10


def test_after_the_flag_no_image_is_looked_at_any_more(cloud: FakeCloud, run: Run, stop: Stop) -> None:
    cloud.fault("DELETE", status=None, then=stop)
    reap(run, [cloud.add_image() for _ in range(20)])
    assert sum(call.method == "GET" and IMAGES.search(call.path) is not None for call in cloud.calls) == 1
    assert len(cloud.dead) == 1


def test_a_delete_that_would_leave_too_late_is_judged_anew_and_finds_the_flag(
    cloud: FakeCloud, clock: Clock, run: Run, table: Client
) -> None:
    image = cloud.add_image()

    def read() -> None:
        table.put_item(TableName=TABLE, Item=FLAG)
        clock.pass_by(GOOD_FOR + 0.1)

    cloud.fault("GET", IMAGE_PATH, status=None, then=read)
    assert reap(run, [image])[image].reason == "paused"
    assert not cloud.calls_of("DELETE")


def test_a_delete_that_would_leave_too_late_goes_once_it_is_known_that_there_is_no_flag(
    cloud: FakeCloud, clock: Clock, run: Run, relay: Relay
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=None, then=lambda: clock.pass_by(GOOD_FOR + 0.1))
    assert reap(run, [image])[image].outcome == "deleted"
    assert (len(relay.calls), len(cloud.calls_of("DELETE"))) == (2, 1)


def test_a_delete_is_repeated_only_if_the_flag_is_not_there(cloud: FakeCloud, run: Run, stop: Stop) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", status=503, then=stop)
    assert reap(run, [image])[image].reason == "paused"
    assert len(cloud.calls_of("DELETE")) == 1


def test_one_thread_that_sees_the_flag_stops_all_of_them(cloud: FakeCloud, run: Run, stop: Stop) -> None:
    run = run._replace(concurrency=8)
    cloud.fault("DELETE", status=None, then=stop)
    found = reap(run, [cloud.add_image() for _ in range(200)])
    assert {one.reason for one in found.values() if one.outcome != "deleted"} == {"paused"}


def test_a_sweep_leaves_nothing_to_workers_once_the_flag_is_there(cloud: FakeCloud, run: Run, stop: Stop) -> None:
    cloud.add_image("ci-1")
    request = read_request({"sweep": NIGHTLY["sweep"] | {"grace": "0d"}})
    assert isinstance(request, SweepRequest)
    run.heed_stop()
    cloud.fault("GET", "/v2/images$", status=None, then=stop)
    left: list[Sequence[Mapping[str, Any]]] = []

    def enqueue(images: Sequence[Mapping[str, Any]], _shared: Mapping[str, Any]) -> list[str]:
        left.append(images)
        return [""]

    done = sweep(request, "", run._replace(enqueue=enqueue))
    assert ([one.reason for one in done.outcomes], left) == (["paused"], [])
    with pytest.raises(Paused):
        run.deadline.check()


def test_a_sweep_marks_nothing_once_the_flag_is_there(cloud: FakeCloud, run: Run, table: Client) -> None:
    image = cloud.add_image("ci-1")
    request = read_request(NIGHTLY)
    assert isinstance(request, SweepRequest)
    cloud.fault("GET", "/v2/images$", status=None, then=lambda: table.put_item(TableName=TABLE, Item=FLAG))
    assert [one.reason for one in sweep(request, "", run).outcomes] == ["paused"]
    assert not cloud.images[image].tags
