import json
import time

import pytest

from handler.clock import RESERVE, SHORTEST_REQUEST
from handler.cloud.identity.life import Life
from handler.errors import Unavailable
from handler.model.outcome import Outcome
from handler.model.request import DeletionRequest, Job, Target
from handler.work.parallel import carry_out
from tests.conftest import Context, Invoke, queue
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.faults import (
    IMAGE_PATH,
    TOKENS_PATH,
    Clock,
    Stage,
    debug_urllib3,
    dripping,
    join_workers,
    new_connections,
    new_run,
    new_transport,
    reap,
    silent_port,
)

PLACES = {
    "token": ("POST", TOKENS_PATH),
    "image": ("GET", IMAGE_PATH),
    "members": ("GET", r"/members$"),
    "servers": ("GET", r"/servers/detail$"),
    "delete": ("DELETE", IMAGE_PATH),
}
ALONE = {"REAPER_CONCURRENCY": "1"}
UNLOOKED = {"REAPER_IN_USE_CHECK": "off"}


@pytest.fixture
def stage(cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch) -> Stage:
    stage = Stage(cloud, server, clean_environment)
    stage.set_up()
    return stage


def log_starts(cloud: FakeCloud, clock: Clock, seconds: float) -> list[float]:
    """Let every request take so many seconds; what was left when each began."""
    starts: list[float] = []

    def take_time() -> None:
        starts.append(clock.remaining())
        clock.pass_by(seconds)

    cloud.fault(status=None, times=None, then=take_time)
    return starts


@pytest.mark.parametrize("seconds", [5, 9.5, 20, 33])
def test_no_request_begins_that_could_not_end_in_time(seconds: float, cloud: FakeCloud, server: Server) -> None:
    image_ids = [cloud.add_image() for _ in range(20)]
    clock = Clock(seconds)
    starts = log_starts(cloud, clock, 1.5)
    outcomes = reap(new_run(cloud, server, clock, **ALONE), image_ids)
    late = {image_id for image_id, outcome in outcomes.items() if outcome.reason == "deadline"}
    assert starts
    assert min(starts) >= RESERVE + SHORTEST_REQUEST
    assert late == set(cloud.images)
    assert {outcomes[image_id].outcome for image_id in cloud.dead} <= {"deleted"}


def test_a_run_that_begins_too_late_begins_nothing(cloud: FakeCloud, server: Server) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    outcomes = reap(new_run(cloud, server, Clock(RESERVE + SHORTEST_REQUEST - 0.1)), image_ids)
    assert {(outcome.outcome, outcome.reason) for outcome in outcomes.values()} == {("failed", "deadline")}
    assert not cloud.calls


def test_a_new_token_costs_time_that_the_request_no_longer_has(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = cloud.add_image()
    monkeypatch.setattr(Life, "is_over", lambda _life: True)  # every request gets a token of its own
    clock = Clock(RESERVE + SHORTEST_REQUEST + 0.4)
    cloud.fault("POST", TOKENS_PATH, status=None, skip=2, then=lambda: clock.pass_by(0.6))
    starts = []
    cloud.fault("DELETE", status=None, times=None, then=lambda: starts.append(clock.remaining()))
    outcome = reap(new_run(cloud, server, clock, **UNLOOKED), [image_id])[image_id]
    assert outcome.reason == "deadline"
    assert not starts
    assert image_id in cloud.images


def test_retries_end_where_the_next_one_would_not_end_in_time(cloud: FakeCloud, server: Server) -> None:
    clock = Clock(RESERVE + SHORTEST_REQUEST + 0.6)
    cloud.fault("GET", IMAGE_PATH, status=503, times=None)
    transport = new_transport(cloud, server, clock)
    with pytest.raises(Unavailable):
        transport.read(f"{server.url}/image/v2/images/{cloud.add_image()}")
    assert clock.remaining() >= RESERVE + SHORTEST_REQUEST
    assert len(cloud.calls_of("GET")) == 2


def test_a_wait_for_a_deletion_ends_at_the_deadline_as_well(cloud: FakeCloud, server: Server) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, status=202, times=None)
    clock = Clock(RESERVE + SHORTEST_REQUEST + 1.6)
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason) == ("failed", "unavailable")
    assert clock.remaining() >= RESERVE + SHORTEST_REQUEST
    assert image_id in cloud.images


def test_messages_that_were_not_reached_go_back_to_the_queue(cloud: FakeCloud, invoke: Invoke) -> None:
    image_ids = [cloud.add_image() for _ in range(40)]
    cloud.delay = 0.1
    event = queue(*({"image_ids": [image_id]} for image_id in image_ids))
    invocation = invoke(event, seconds=4.5, **ALONE)
    assert 0 < len(cloud.dead) < 40
    alive = {f"m{number}" for number, image_id in enumerate(image_ids) if image_id in cloud.images}
    assert alive <= set(invocation.returned)
    assert len(invocation.returned) <= len(alive) + 1  # the one that was under way
    assert {line["reason"] for line in invocation.logged("images.untouched")} == {"deadline"}


@pytest.mark.parametrize("place", PLACES)
def test_the_invocation_ends_before_its_deadline_however_slow_the_cloud(
    place: str, cloud: FakeCloud, stage: Stage
) -> None:
    image_ids = [cloud.add_image(visibility="shared") for _ in range(40)]
    cloud.fault(*PLACES[place], status=500, delay=30, times=None)
    context = Context(2.5)
    outcomes = stage.outcomes(image_ids, context)
    assert context.get_remaining_time_in_millis() > 0
    join_workers()
    assert set(outcomes.values()) <= {("failed", "deadline"), ("failed", "unavailable")}
    assert set(cloud.images) == set(image_ids) == set(outcomes)


@pytest.mark.parametrize("setting", ["REAPER_IMAGE_ENDPOINT", "REAPER_COMPUTE_ENDPOINT", "OS_AUTH_URL"])
def test_the_invocation_ends_before_its_deadline_where_answers_never_end(
    setting: str, cloud: FakeCloud, stage: Stage
) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    context = Context(2.5)
    with dripping() as slow:
        stage.set_up(**{setting: f"{slow.url}/v3"})
        outcomes = stage.outcomes(image_ids, context)
        assert context.get_remaining_time_in_millis() > 0
    assert {outcome for outcome, _ in outcomes.values()} == {"failed"}
    assert set(cloud.images) == set(image_ids)


def leave_work_behind(cloud: FakeCloud, stage: Stage) -> list[str]:
    """End an invocation while an image is being read, and then let the answer arrive; the requests that were sent."""
    image_id = cloud.new_id()
    record = {"id": image_id, "status": "active", "owner": DEMO, "visibility": "private", "tags": []}
    with dripping(json.dumps({**record, "protected": False}).encode()) as slow:
        stage.set_up(REAPER_IMAGE_ENDPOINT=slow.url)
        assert stage.outcomes([image_id], Context(2.5)) == {image_id: ("failed", "deadline")}
        slow.over.set()
        join_workers()
        return slow.methods


def test_what_is_left_of_an_invocation_sends_nothing_any_more(cloud: FakeCloud, stage: Stage) -> None:
    assert leave_work_behind(cloud, stage) == ["GET"]
    assert not cloud.calls_of("DELETE")


def test_what_is_left_of_an_invocation_tells_nothing_any_more(
    cloud: FakeCloud, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_work_behind(cloud, stage)
    assert capsys.readouterr().out.count('"message":"image.') == 1


def test_what_an_outcome_is_told_with_is_out_before_the_run_ends(cloud: FakeCloud, server: Server) -> None:
    run = new_run(cloud, server, Clock(RESERVE + SHORTEST_REQUEST + 0.5))
    told = []

    def report(outcome: Outcome, _: Job) -> None:
        # The deadline comes between an outcome and its line in the log.
        while not run.progress.is_late:
            time.sleep(0.01)
        time.sleep(0.2)
        told.append(outcome)

    outcomes = reap(run._replace(report=report), [cloud.add_image()])
    assert told == list(outcomes.values())


def test_an_invocation_after_one_that_ran_out_of_time_does_the_rest(cloud: FakeCloud, invoke: Invoke) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    cloud.fault("GET", IMAGE_PATH, status=500, delay=30, times=16)
    assert invoke({"image_ids": image_ids}, seconds=2.2).answer["counts"] == {"failed": 3}
    cloud.faults.clear()
    assert set(invoke({"image_ids": image_ids}).outcomes.values()) == {("deleted", "")}
    assert set(cloud.dead) == set(image_ids)


def test_an_image_that_takes_too_long_does_not_end_the_run_for_the_others(cloud: FakeCloud, stage: Stage) -> None:
    slow, *others = (cloud.add_image() for _ in range(30))
    stage.set_up(REAPER_CONCURRENCY="2")
    cloud.fault("GET", f"{slow}$", status=500, delay=30, times=None)
    outcomes = stage.outcomes([slow, *others], Context(4.0))
    assert outcomes.pop(slow)[0] == "failed"
    assert set(outcomes.values()) == {("deleted", "")}
    join_workers()


def test_after_three_images_without_an_answer_the_rest_is_not_tried(
    cloud: FakeCloud, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    image_ids = [cloud.add_image() for _ in range(30)]
    debug_urllib3(caplog)
    with silent_port() as port:
        endpoint = {"REAPER_IMAGE_ENDPOINT": f"http://127.0.0.1:{port}"}
        clock = Clock(RESERVE + SHORTEST_REQUEST + 0.2)
        run = new_run(cloud, server, clock, **ALONE, **UNLOOKED, **endpoint)
        outcomes = [reap(run, [image_id])[image_id] for image_id in image_ids]
    assert {outcome.reason for outcome in outcomes} == {"unavailable"}
    assert new_connections(caplog, port) == 3


def test_who_pauses_wakes_up_when_the_run_ends(cloud: FakeCloud, stage: Stage) -> None:
    waiting, refused = cloud.add_image(), cloud.add_image()
    # Both are on their way before the first is told to wait, and with it everybody.
    cloud.fault("GET", f"{waiting}$", status=429, headers={"Retry-After": "30"}, delay=0.3)
    cloud.fault("GET", f"{refused}$", status=401, delay=0.6, times=None)
    cloud.fault("POST", TOKENS_PATH, status=401, skip=1, times=None)
    context = Context(60)
    assert set(stage.outcomes([waiting, refused], context).values()) == {("failed", "denied")}
    assert context.get_remaining_time_in_millis() > 30_000


def test_what_got_stuck_in_an_invocation_does_not_hold_up_the_next(cloud: FakeCloud, stage: Stage) -> None:
    image_id = cloud.add_image()
    with dripping() as slow:
        stage.set_up(OS_AUTH_URL=f"{slow.url}/v3")
        assert stage.outcomes([image_id], Context(2.5)) == {image_id: ("failed", "deadline")}
        assert stage.outcomes([image_id], Context(2.5)) == {image_id: ("failed", "deadline")}
        assert slow.methods == ["POST", "POST"]  # the second did not wait for the first


def test_an_image_is_read_after_the_list_of_what_is_used(cloud: FakeCloud, server: Server) -> None:
    image_id = cloud.add_image("ci-1")
    rename = lambda: setattr(cloud.images[image_id], "name", "golden")  # noqa: E731 (a fault wants to be told in a word)
    cloud.fault("GET", r"/servers/detail$", status=503, then=rename)
    request = DeletionRequest((Target(image_id, (("name", "ci-1"),)),))
    (outcome,) = carry_out([Job(request.targets[0], request)], new_run(cloud, server, Clock()))
    assert (outcome.outcome, outcome.reason) == ("refused", "changed")
    assert image_id in cloud.images


def test_a_deletion_that_was_taken_on_is_waited_for_up_to_a_minute(cloud: FakeCloud, server: Server) -> None:
    image_id, stays = cloud.add_image(), cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, status=202, times=None)
    cloud.fault("GET", f"{image_id}$", status=None, skip=12, then=lambda: cloud.kill(image_id))
    clock = Clock(300)
    outcomes = reap(new_run(cloud, server, clock, **ALONE), [image_id, stays])
    assert outcomes[image_id].outcome == "deleted"
    assert (outcomes[stays].outcome, outcomes[stays].reason) == ("failed", "unavailable")
    assert 100 < sum(clock.pauses) < 120
