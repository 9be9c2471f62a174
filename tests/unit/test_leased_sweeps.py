"""Armed sweeps under the lease of their project: never two at the same time, and none that goes on without it."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.lease import ProjectLease
from handler.errors import BudgetUnknown, Busy, ImagesFailed, Outdated, Paused
from handler.model.outcome import Outcome, Result
from handler.model.request import Job, SweepRequest
from handler.sources.schema import read_request
from handler.work.run import Run
from handler.work.sweeps import sweep
from tests.aws import KEYS, REGION, Client, state_table
from tests.conftest import Invocation, Invoke, queue
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import Clock, envelope, new_run, silent_port
from tests.unit.conftest import Relay

TABLE = "state"
KEY = {"id": {"S": f"lease/{DEMO}"}}
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
GOOD_FOR = 50.0
DOOR = """
import json, sys, time
from handler import app

class Context:
    aws_request_id = sys.argv[1]
    end = time.monotonic() + 60

    def get_remaining_time_in_millis(self):
        return int((self.end - time.monotonic()) * 1000)

print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(app.lambda_handler(json.loads(sys.argv[2]), Context())["counts"]))
"""
"""The door of Lambda, in a process of its own."""

Leased = Callable[..., Invocation]


def policy(name: str = "ci-*", **more: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": name}, "limit": 1000, "limit_percent": 100, **more}}


def request(**more: object) -> SweepRequest:
    found = read_request(policy("ci-*", **more))
    assert isinstance(found, SweepRequest)
    return found


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock(600.0)


@pytest.fixture
def lease(relay: Relay, clock: Clock, table: Client) -> ProjectLease:  # noqa: ARG001 (it is there)
    return lease_of("r1", relay.url, clock)


@pytest.fixture
def run(cloud: FakeCloud, server: Server, clock: Clock, lease: ProjectLease) -> Run:
    """A run that has the lease to take, one image at a time, on the clock's time."""
    return new_run(cloud, server, clock, REAPER_CONCURRENCY="1", REAPER_MAX_IMAGES="1000")._replace(lease=lease)


@pytest.fixture
def leased(invoke: Invoke, relay: Relay, table: Client) -> Leased:  # noqa: ARG001 (it is there)
    """Invoke the function with a state table."""
    given = KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": relay.url}
    return lambda event, **settings: invoke(event, **given, **settings)


def lease_of(request_id: str, url: str, clock: Clock) -> ProjectLease:
    return ProjectLease(DEMO, request_id, TABLE, replace(ACCESS, endpoints=(("", url),)), clock.deadline())


def writes(relay: Relay) -> list[str]:
    """What was asked of the lease, in short."""
    bodies = [json.loads(call.body) for call in relay.calls]
    asked = [body for body in bodies if body.get("Key", {}).get("id", {}).get("S", "").startswith("lease/")]
    changes = [body["UpdateExpression"] for body in asked]
    return ["take" if "ADD" in each else "give back" if "REMOVE" in each else "renew" for each in changes]


def holder(table: Client) -> str:
    item = table.get_item(TableName=TABLE, Key=KEY).get("Item", {})
    return str(item.get("holder", {}).get("S", "")).partition("/")[0]


def let_lapse(table: Client) -> None:
    change = {"UpdateExpression": "SET lease_until = :past", "ExpressionAttributeValues": {":past": {"N": "1"}}}
    table.update_item(TableName=TABLE, Key=KEY, **change)


def reasons(done: Result) -> list[tuple[str, str]]:
    return [(outcome.outcome, outcome.reason) for outcome in done.outcomes]


# Who takes it


def test_an_armed_sweep_has_it_from_before_its_list_to_its_end(
    cloud: FakeCloud, run: Run, relay: Relay, table: Client
) -> None:
    cloud.add_image("ci-1")
    seen = list[str]()
    cloud.fault("GET", "/v2/images$", status=None, times=None, then=lambda: seen.append(holder(table)))
    cloud.fault("DELETE", status=None, then=lambda: seen.append(holder(table)))
    assert reasons(sweep(request(), "", run)) == [("deleted", "")]
    assert set(seen) == {"r1"}
    assert (writes(relay), holder(table)) == (["take", "give back"], "")


@pytest.mark.slow("it asks for the lease again and again")
@pytest.mark.parametrize(("mode", "extra"), [("dry-run", {}), ("delete", {"dry_run": True})])
def test_a_rehearsal_takes_none(
    mode: str, extra: dict[str, Any], cloud: FakeCloud, leased: Leased, relay: Relay
) -> None:
    image = cloud.add_image("ci-1")
    run = leased(policy() | extra, REAPER_MODE=mode)
    assert (run.outcomes[image], writes(relay)) == (("would_delete", ""), [])


def test_a_rehearsal_goes_on_while_a_sweep_is_under_way(cloud: FakeCloud, run: Run, lease: ProjectLease) -> None:
    lease.take()
    cloud.add_image("ci-1")
    rehearsal = request()._replace(dry_run=True)
    assert reasons(sweep(rehearsal, "", run)) == [("would_delete", "")]


def test_images_that_are_named_need_none(cloud: FakeCloud, leased: Leased, relay: Relay) -> None:
    image = cloud.add_image("ci-1")
    assert leased({"image_ids": [image]}).outcomes[image] == ("deleted", "")
    assert writes(relay) == []


def test_without_a_state_table_nobody_asks(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image("ci-1")
    assert invoke(policy()).outcomes == {image: ("deleted", "")}


def test_the_sweeps_of_one_batch_take_it_one_after_the_other(
    cloud: FakeCloud, leased: Leased, relay: Relay, table: Client
) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("web-1")
    assert leased(queue(policy(), policy("web-*"))).returned == []
    assert (writes(relay), len(cloud.dead), holder(table)) == (["take", "give back"] * 2, 2, "")


# Where another one has it


@pytest.mark.slow("it asks for the lease again and again")
def test_a_sweep_that_can_not_have_it_lists_nothing_and_fails_with_the_name_of_the_other(
    cloud: FakeCloud, run: Run, clock: Clock, moto: str, table: Client
) -> None:
    lease_of("r9", moto, Clock()).take()
    cloud.add_image("ci-1")
    cloud.calls.clear()
    done = sweep(request(), "", run)
    (outcome,) = done.outcomes
    assert (outcome.image_id, outcome.outcome, outcome.reason) == ("", "failed", "busy")
    assert outcome.detail.startswith("another sweep of the project is under way: run r9, until ")
    assert [call for call in cloud.calls if "/images" in call.path] == []
    # Others of the run need not fail with it.
    run.deadline.check()
    assert holder(table) == "r9"
    assert 296.0 < sum(clock.pauses) <= 300.0


@pytest.mark.parametrize("source", ["schedule", "topic"])
def test_an_event_that_can_be_repeated_raises(source: str, cloud: FakeCloud, leased: Leased, moto: str) -> None:
    lease_of("r9", moto, Clock()).take()
    cloud.add_image("ci-1")
    run = leased(envelope(source, policy()), seconds=8)
    assert isinstance(run.error, ImagesFailed)
    assert (run.metric("ImagesFailed_busy"), len(cloud.dead)) == (1, 0)


def test_a_message_of_a_queue_comes_back_and_is_to_be_put_off(cloud: FakeCloud, leased: Leased, moto: str) -> None:
    lease_of("r9", moto, Clock()).take()
    cloud.add_image("ci-1")
    run = leased(queue(policy()), seconds=8, AWS_ENDPOINT_URL_SQS=moto)
    assert run.returned == ["m0"]
    # moto knows no such queue.
    (line,) = run.logged("messages.not_put_off")
    assert line["messages"] == ["m0"]


def test_a_table_that_can_not_be_read_lets_no_sweep_begin(cloud: FakeCloud, run: Run, relay: Relay) -> None:
    cloud.add_image("ci-1")
    relay.faults.add(Fault(status=400, body={"__type": "x#ResourceNotFoundException"}, times=None))
    assert reasons(sweep(request(), "", run)) == [("failed", "budget")]
    assert not cloud.dead


@contextmanager
def doors(cloud: FakeCloud, server: Server, moto: str, *names: str) -> Iterator[list[subprocess.Popen[str]]]:
    """The function, armed, in processes of their own: each is about to sweep the images with such a name."""
    given = cloud.env(server.url) | KEYS | {"AWS_ENDPOINT_URL": moto, "REAPER_STATE_TABLE": TABLE}
    environment = given | {"REAPER_MODE": "delete", "REAPER_CONCURRENCY": "2", "REAPER_MAX_IMAGES": "1000"}
    commands = [[sys.executable, "-c", DOOR, f"run-{name}", json.dumps(policy(f"{name}-*"))] for name in names]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, env=environment, **pipes) for command in commands]  # noqa: S603 (our own)
    try:
        assert [each.stdout.readline() for each in started if each.stdout] == ["ready\n"] * len(names)
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


def begin(*started: subprocess.Popen[str]) -> None:
    for each in started:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()


def counts(ended: subprocess.Popen[str]) -> dict[str, int]:
    found: dict[str, int] = json.loads(ended.communicate(timeout=60)[0].splitlines()[-1])
    return found


@pytest.mark.slow("it asks for the lease again and again")
def test_of_two_sweeps_that_begin_at_once_one_waits_until_the_other_has_ended(
    cloud: FakeCloud, server: Server, moto: str, table: Client
) -> None:
    images = {cloud.add_image(f"{name}-{number}"): name for number in range(20) for name in ("a", "b")}
    cloud.fault("DELETE", status=None, times=None, delay=0.05)
    with doors(cloud, server, moto, "a", "b") as started:
        begin(*started)
        assert [counts(each) for each in started] == [{"deleted": 20}] * 2
    order = [images[call.path.rpartition("/")[2]] for call in cloud.calls_of("DELETE")]
    assert order in ([*"a" * 20, *"b" * 20], [*"b" * 20, *"a" * 20])
    assert holder(table) == ""


@pytest.mark.slow("it asks for the lease again and again")
def test_a_sweep_takes_over_from_one_that_was_killed(
    cloud: FakeCloud, server: Server, moto: str, table: Client
) -> None:
    images = [cloud.add_image(f"{name}-{number}") for number in range(5) for name in ("a", "b")]
    under_way, over = threading.Event(), threading.Event()

    def hang() -> None:
        under_way.set()
        over.wait(60)

    cloud.fault("DELETE", status=None, times=2, then=hang)
    with doors(cloud, server, moto, "a", "b") as (first, second):
        begin(first)
        under_way.wait(60)
        first.kill()
        first.wait(60)
        assert holder(table) == "run-a"
        let_lapse(table)
        over.set()
        begin(second)
        assert counts(second) == {"deleted": 5}
    assert set(images[1::2]) <= set(cloud.dead)
    assert holder(table) == ""


# While it is under way


def steal(table: Client, clock: Clock, moto: str, seconds: float = GOOD_FOR + 0.1) -> Callable[[], None]:
    """Let time pass in which the run does not come to renew it; meanwhile, another one takes it."""

    def happen() -> None:
        let_lapse(table)
        lease_of("r9", moto, Clock()).take()
        clock.pass_by(seconds)

    return happen


def test_a_sweep_that_has_lost_it_sends_no_delete_any_more(
    cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str
) -> None:
    for number in range(5):
        cloud.add_image(f"ci-{number}")
    cloud.fault("DELETE", status=None, skip=1, then=steal(table, clock, moto))
    done = sweep(request(), "", run)
    assert sorted(reasons(done)) == [("deleted", "")] * 2 + [("failed", "busy")] * 3
    assert (len(cloud.calls_of("DELETE")), holder(table)) == (2, "r9")
    with pytest.raises(Busy, match="and has taken over from this one: run r9"):
        run.deadline.check()


def test_a_delete_that_would_leave_too_late_is_judged_anew(
    cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str
) -> None:
    cloud.add_image("ci-1")
    cloud.fault("GET", r"/v2/images/[^/]+$", status=None, then=steal(table, clock, moto))
    assert reasons(sweep(request(), "", run)) == [("failed", "busy")]
    assert not cloud.calls_of("DELETE")


def test_a_sweep_that_has_lost_it_marks_nothing_any_more(
    cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str
) -> None:
    images = [cloud.add_image(f"ci-{number}") for number in range(3)]
    cloud.fault("PUT", "/tags/", status=None, then=steal(table, clock, moto))
    assert reasons(sweep(request(grace="1d"), "", run)) == [("failed", "busy")] * 3
    assert len(cloud.calls_of("PUT")) == 1
    assert not [tag for image in images for tag in cloud.images[image].tags if tag.startswith("reaper-delete-after")]


def test_a_change_that_is_throttled_is_not_sent_again_once_it_is_lost(
    cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str
) -> None:
    cloud.add_image("ci-1")
    cloud.fault("PUT", "/tags/", status=429, then=steal(table, clock, moto))
    assert reasons(sweep(request(grace="1d"), "", run)) == [("failed", "busy")]
    assert len(cloud.calls_of("PUT")) == 1


def test_a_change_that_is_throttled_for_long_is_sent_again_as_long_as_it_is_held(
    cloud: FakeCloud, run: Run, clock: Clock
) -> None:
    cloud.add_image("ci-1")
    cloud.fault("PUT", "/tags/", status=429, times=5, then=lambda: clock.pass_by(GOOD_FOR))
    assert reasons(sweep(request(grace="1d"), "", run)) == [("marked", "")]


def test_a_change_is_not_sent_after_the_moment_until_which_it_is_held(cloud: FakeCloud, run: Run, clock: Clock) -> None:
    image = cloud.add_image("ci-1")
    changes = run.cloud.changes.while_held(lambda: clock.deadline().now() - 0.1)
    for change in (changes.add_tag, changes.remove_tag):
        with pytest.raises(Outdated):
            change(image, "x")
    with pytest.raises(Outdated):
        changes.set_active(image, active=False)
    assert [call.method for call in cloud.calls if "/images" in call.path] == []


def test_one_that_has_lapsed_is_renewed_and_the_sweep_goes_on(
    cloud: FakeCloud, run: Run, clock: Clock, relay: Relay
) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    cloud.fault("DELETE", status=None, then=lambda: clock.pass_by(90.0))
    assert reasons(sweep(request(), "", run)) == [("deleted", "")] * 3
    assert writes(relay) == ["take", "renew", "give back"]


def test_a_table_that_dies_lets_a_sweep_go_on_for_less_than_a_minute(
    cloud: FakeCloud, run: Run, clock: Clock, relay: Relay
) -> None:
    for number in range(40):
        cloud.add_image(f"ci-{number}")
    sent = list[float]()

    def deleted() -> None:
        sent.append(clock.deadline().now())
        clock.pass_by(3.0)

    relay.faults.add(Fault(status=400, body={"__type": "x#InternalServerError"}, times=None, skip=1))
    cloud.fault("DELETE", status=None, times=None, then=deleted)
    done = sweep(request(), "", run)
    assert 40.0 < sent[-1] - sent[0] <= GOOD_FOR
    assert sorted(set(reasons(done))) == [("deleted", ""), ("failed", "budget")]
    with pytest.raises(BudgetUnknown):
        run.deadline.check()


def test_a_survey_that_takes_long_keeps_it(cloud: FakeCloud, run: Run, clock: Clock, relay: Relay) -> None:
    cloud.page_size = 1
    for number in range(10):
        cloud.add_image(f"ci-{number}")
    cloud.fault("GET", "/v2/images$", status=None, times=10, then=lambda: clock.pass_by(15.0))
    assert reasons(sweep(request(), "", run)) == [("deleted", "")] * 10
    assert 3 <= writes(relay).count("renew") <= 7


def test_a_survey_that_has_lost_it_ends(cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str) -> None:
    cloud.page_size = 1
    for number in range(10):
        cloud.add_image(f"ci-{number}")
    cloud.fault("GET", "/v2/images$", status=None, skip=3, then=steal(table, clock, moto))
    done = sweep(request(), "", run)
    assert [(one.image_id, one.reason) for one in done.outcomes] == [("", "busy")]
    assert sum(call.path.endswith("/v2/images") for call in cloud.calls) < 10


def test_nothing_is_left_to_workers_once_it_is_lost(
    cloud: FakeCloud, run: Run, table: Client, clock: Clock, moto: str
) -> None:
    cloud.add_image("ci-1")
    left: list[Sequence[Mapping[str, Any]]] = []

    def enqueue(images: Sequence[Mapping[str, Any]], _shared: Mapping[str, Any]) -> list[str]:
        left.append(images)
        return [""]

    cloud.fault("GET", "/v2/images$", status=None, skip=1, then=steal(table, clock, moto))
    assert reasons(sweep(request(), "", run._replace(enqueue=enqueue))) == [("failed", "busy")]
    assert not left


# At its end


def test_it_is_given_back_after_a_bug(cloud: FakeCloud, run: Run, table: Client) -> None:
    cloud.add_image("ci-1")

    def report(_outcome: Outcome, _job: Job) -> None:
        message = "a bug"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        sweep(request(limit=0), "", run._replace(report=report))
    assert holder(table) == ""


def test_it_is_given_back_after_a_run_that_was_stopped(cloud: FakeCloud, run: Run, table: Client) -> None:
    cloud.add_image("ci-1")

    def heed_stop() -> float:
        message = "stopped"
        raise Paused(message)

    assert reasons(sweep(request(), "", run._replace(heed_stop=heed_stop))) == [("failed", "paused")]
    assert holder(table) == ""


def test_it_is_not_given_back_while_a_thread_may_still_wait_for_a_delete(
    cloud: FakeCloud, run: Run, table: Client
) -> None:
    cloud.add_image("ci-1")
    cloud.fault("DELETE", status=None, then=run.progress.be_late)
    sweep(request(), "", run)
    assert holder(table) == "r1"


def test_it_ends_by_itself_where_no_time_is_left(cloud: FakeCloud, run: Run, clock: Clock, table: Client) -> None:
    cloud.add_image("ci-1")
    cloud.fault("DELETE", status=None, then=lambda: clock.pass_by(599.0))
    sweep(request(), "", run)
    assert holder(table) == "r1"


def test_a_table_that_is_silent_at_the_end_holds_nobody_up(
    cloud: FakeCloud, run: Run, lease: ProjectLease, clock: Clock, table: Client
) -> None:
    cloud.add_image("ci-1")
    with silent_port() as port:

        def silence() -> None:
            lease._item.access = replace(ACCESS, endpoints=(("", f"http://127.0.0.1:{port}"),))
            clock.pass_by(597.0)

        cloud.fault("DELETE", status=None, then=silence)
        assert reasons(sweep(request(), "", run)) == [("deleted", "")]
    assert holder(table) == "r1"


def test_nothing_about_it_is_in_the_report(cloud: FakeCloud, leased: Leased) -> None:
    cloud.add_image("ci-1")
    assert not re.search("lease|holder", json.dumps(leased(policy()).answer))
