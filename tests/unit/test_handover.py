"""The hand-over: what no repetition can cure is told once, in one place; all else raises, so that it comes again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from handler.errors import ImagesFailed, InvalidRequest
from tests.aws import KEYS, Client, client, state_table
from tests.conftest import Context, Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import closed_port, silent_port
from tests.unit.conftest import Reap, Relay
from tests.unit.test_allowance import NOBODY_ELSE, TABLE, event

pytestmark = pytest.mark.slow("each test invokes the function with AWS behind it")

SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit": 2, "limit_percent": 100}}
SOURCES = ("schedule", "topic", "lifecycle", "hook")


class Failures:
    """The queue to which events are handed over."""

    def __init__(self, moto: str) -> None:
        self.sqs: Client = client("sqs", moto)
        self.url: str = self.sqs.create_queue(QueueName="failures")["QueueUrl"]

    @property
    def bodies(self) -> list[str]:
        """What lies in it; it stays there."""
        asked = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
        return [message["Body"] for message in self.sqs.receive_message(**asked).get("Messages", ())]

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The same, read."""
        return [json.loads(body) for body in self.bodies]


@pytest.fixture
def failures(moto: str) -> Iterator[Failures]:
    found = Failures(moto)
    yield found
    found.sqs.delete_queue(QueueUrl=found.url)


@pytest.fixture
def reap(invoke: Invoke, failures: Failures, relay: Relay) -> Reap:
    """Invoke the function with an event; what it can't do for good goes to the failures."""

    def run(asked: object, **settings: str) -> Invocation:
        given = KEYS | {"REAPER_FAILED_TO": failures.url, "AWS_ENDPOINT_URL": relay.url} | settings
        return invoke(asked, **given)

    return run


def with_request(asked: object, source: str) -> dict[str, Any]:
    """An event of a source that carries any request."""
    text = json.dumps(event([], source))
    return dict(json.loads(text.replace(json.dumps(json.dumps({"image_ids": []})), json.dumps(json.dumps(asked)))
                           .replace(json.dumps({"image_ids": []}), json.dumps(asked))))  # fmt: skip


# What is handed over


@pytest.mark.parametrize("source", SOURCES)
def test_a_request_that_can_not_be_read_is_handed_over_with_the_event_as_it_came(
    source: str, failures: Failures, reap: Reap
) -> None:
    sent = with_request({"image_ids": [], "dryrun": True}, source)
    run = reap(sent)
    assert run.error is None
    assert (run.answer["ok"], run.answer["outcomes"], run.answer["counts"]) == (False, [], {})
    assert "dryrun: unknown field" in run.answer["rejected"]
    assert failures.kept == [{"requestPayload": sent, "responsePayload": run.answer}]
    assert (len(run.logged("request.rejected")), run.metric("RequestsRejected")) == (1, 1)
    assert len(run.logged("event.handed_over")) == 1


@pytest.mark.parametrize("asked", [{"project_id": "another"}, {"delete_backup": True}])
def test_a_request_that_may_not_be_carried_out_is_handed_over(
    asked: dict[str, Any], cloud: FakeCloud, failures: Failures, reap: Reap
) -> None:
    image = cloud.add_image()
    run = reap(with_request({"image_ids": [image]} | asked, "schedule"))
    assert next(iter(asked)) in run.answer["rejected"]
    assert (len(failures.kept), set(cloud.images)) == (1, {image})


@pytest.mark.parametrize("mode", ["delete", "dry-run"])
def test_a_sweep_over_its_cap_is_handed_over(mode: str, cloud: FakeCloud, failures: Failures, reap: Reap) -> None:
    images = {cloud.add_image(f"ci-{number}") for number in range(3)}
    run = reap(with_request(SWEEP, "schedule"), REAPER_MODE=mode)
    assert (run.answer["ok"], set(run.outcomes.values())) == (False, {("failed", "over_limit")})
    assert failures.kept[0]["responsePayload"]["counts"] == {"failed": 3}
    assert set(cloud.images) == images


@pytest.mark.parametrize("source", SOURCES)
def test_an_event_over_max_images_is_handed_over_and_can_be_sent_again(
    source: str, cloud: FakeCloud, failures: Failures, reap: Reap
) -> None:
    sent = event([cloud.add_image() for _ in range(5)], source)
    assert reap(sent, REAPER_MAX_IMAGES="3").answer["counts"] == {"deleted": 3, "failed": 2}
    (kept,) = failures.kept
    assert reap(kept["requestPayload"], REAPER_MAX_IMAGES="3").answer["counts"] == {"already_gone": 3, "deleted": 2}
    assert failures.kept == [kept]


def test_a_backup_that_was_left_is_handed_over(cloud: FakeCloud, reap: Reap, failures: Failures) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", status=400, body={"error": {"code": "IMG.0176", "message": "Failed to delete the backup."}})
    asked = {"image_ids": [image], "delete_backup": True}
    run = reap(with_request(asked, "schedule"), REAPER_IMAGE_API="ims")
    assert run.outcomes == {image: ("failed", "backup_left")}
    assert len(failures.kept) == 1


def test_an_event_of_which_only_a_part_could_be_repeated_is_handed_over_whole(
    cloud: FakeCloud, failures: Failures, reap: Reap
) -> None:
    images = [cloud.add_image() for _ in range(4)]
    cloud.fault("GET", images[0], status=503, headers=NOBODY_ELSE)
    run = reap(event(images), REAPER_MAX_IMAGES="2")
    assert (run.error, len(cloud.dead)) == (None, 2)
    outcomes = failures.kept[0]["responsePayload"]["outcomes"]
    assert sorted(one["reason"] for one in outcomes) == ["", "", "over_limit", "unavailable"]


def test_a_repetition_of_a_run_that_was_killed_is_handed_over(
    cloud: FakeCloud, failures: Failures, reap: Reap, relay: Relay, moto: str
) -> None:
    cloud.fault("DELETE", status=503, headers=NOBODY_ELSE)
    relay.faults.add(Fault("POST", status=400, body={"__type": "x#AccessDeniedException"}, skip=2))
    with state_table(TABLE, moto):
        sent = event([cloud.add_image()])
        assert isinstance(reap(sent, REAPER_STATE_TABLE=TABLE).error, ImagesFailed)
        assert reap(sent, REAPER_STATE_TABLE=TABLE).answer["counts"] == {"failed": 1}
    assert len(failures.kept) == 1


# What raises


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("status", [403, 429, 503])
def test_what_may_get_better_raises(status: int, source: str, cloud: FakeCloud, failures: Failures, reap: Reap) -> None:
    cloud.fault("DELETE", status=status, headers=NOBODY_ELSE, body={"forbidden": {"message": "not allowed by policy"}})
    assert isinstance(reap(event([cloud.add_image()], source)).error, ImagesFailed)
    assert not failures.kept


@pytest.mark.parametrize(
    "changed", [{"REAPER_MODE": "paused"}, {"REAPER_BUDGET": "0/1d", "REAPER_STATE_TABLE": "none"}]
)
def test_a_pause_and_a_budget_that_is_used_up_raise(
    changed: dict[str, str], cloud: FakeCloud, failures: Failures, reap: Reap
) -> None:
    assert isinstance(reap(event([cloud.add_image()]), **changed).error, ImagesFailed)
    assert not failures.kept


def test_without_the_setting_everything_raises(cloud: FakeCloud, reap: Reap) -> None:
    images = [cloud.add_image() for _ in range(2)]
    assert isinstance(reap(event([]), REAPER_FAILED_TO="").error, InvalidRequest)
    assert isinstance(reap(event(images), REAPER_FAILED_TO="", REAPER_MAX_IMAGES="1").error, ImagesFailed)


@pytest.mark.parametrize(("count", "error"), [(0, InvalidRequest), (1, ImagesFailed)])
def test_what_can_not_be_handed_over_raises(count: int, error: type[Exception], cloud: FakeCloud, reap: Reap) -> None:
    sent = event([cloud.add_image() for _ in range(count)])
    with closed_port() as port:
        run = reap(sent, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", REAPER_MAX_IMAGES="0")
    assert isinstance(run.error, error)
    assert "sqs can't be reached" in run.logged("event.not_handed_over")[0]["problem"]


@pytest.mark.parametrize("asked", [{"image_ids": []}, SWEEP])
def test_a_queue_that_is_silent_does_not_outlast_the_invocation(
    asked: dict[str, Any], cloud: FakeCloud, invoke: Invoke
) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    with silent_port() as port:
        context = Context(7.0)
        failed_to = {"REAPER_FAILED_TO": f"http://127.0.0.1:{port}/123456789012/failures"}
        run = invoke(with_request(asked, "schedule"), seconds=7.0, **KEYS, **failed_to)
        assert context.seconds_left() > 0
    assert isinstance(run.error, ImagesFailed | InvalidRequest)
    assert len(run.logged("event.not_handed_over")) == 1


def test_what_a_caller_is_told_is_not_handed_over(
    cloud: FakeCloud, failures: Failures, reap: Reap, server: Server
) -> None:
    images = [cloud.add_image() for _ in range(2)]
    assert reap({"image_ids": images}, REAPER_MAX_IMAGES="1").answer["counts"] == {"deleted": 1, "failed": 1}
    assert isinstance(reap({"image_ids": []}).error, InvalidRequest)
    assert reap(queue({"image_ids": images}, "{"), REAPER_MAX_IMAGES="0").returned == ["m0", "m1"]
    stack = load_event("stack-delete") | {"ResponseURL": f"{server.url}/sink/stack"}
    reap(stack | {"ResourceProperties": {"image_ids": []}})
    assert json.loads(cloud.sink["stack"][0])["Status"] == "FAILED"
    assert not failures.kept


def test_an_action_that_was_handed_over_is_not_completed(
    cloud: FakeCloud, failures: Failures, reap: Reap, server: Server
) -> None:
    auto_scaling = {"AWS_ENDPOINT_URL_AUTO_SCALING": f"{server.url}/sink/autoscaling"}
    given = auto_scaling | {"REAPER_COMPLETE_LIFECYCLE_ACTION": "on", "REAPER_MAX_IMAGES": "0"}
    assert reap(event([cloud.add_image()], "hook"), **given).error is None
    assert (len(failures.kept), "autoscaling" in cloud.sink) == (1, False)


# How it is written


def test_a_report_that_is_too_long_goes_without_its_images(cloud: FakeCloud, failures: Failures, reap: Reap) -> None:
    images = [cloud.add_image(f"{number}-" + 250 * "\u00e4") for number in range(200)]
    cloud.fault("DELETE", "/images/", status=403, times=None)
    run = reap(event(images), REAPER_MAX_IMAGES="199")
    (kept,) = failures.kept
    assert (len(run.answer["outcomes"]), len(failures.bodies[0]) < 262_144) == (200, True)
    assert kept["requestPayload"]["detail"] == {"image_ids": images}
    told = kept["responsePayload"]
    assert (told["outcomes"], told["outcomes_in_log"], told["counts"]) == ([], 200, {"failed": 200})


def test_a_report_that_is_too_long_leaves_its_plans_to_the_log(
    cloud: FakeCloud, failures: Failures, reap: Reap
) -> None:
    images = [cloud.add_image(f"{number}-" + 250 * "\u00e4") for number in range(200)]
    run = reap(event(images), REAPER_MODE="dry-run", REAPER_MAX_IMAGES="199")
    assert run.answer["counts"] == {"would_delete": 199, "failed": 1}
    told = failures.kept[0]["responsePayload"]
    assert (told["plans_in_log"], told["outcomes_in_log"]) == (len(run.answer["plans"]), 200)
    assert not {"plan", "plans"} & told.keys()


def test_an_event_that_is_too_long_raises(failures: Failures, reap: Reap) -> None:
    run = reap(event([]) | {"padding": 262_144 * "x"})
    assert isinstance(run.error, InvalidRequest)
    assert "larger than the 262144 bytes" in run.logged("event.not_handed_over")[0]["problem"]
    assert not failures.kept


def test_an_event_that_is_nested_too_deeply_raises(failures: Failures, reap: Reap) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert isinstance(reap(event([]) | {"nested": nested}).error, InvalidRequest)
    assert not failures.kept


def test_a_message_that_the_queue_has_confirmed_is_sent_once(failures: Failures, reap: Reap, relay: Relay) -> None:
    relay.faults.add(Fault("POST", status=503))
    assert reap(event([])).error is None
    assert (len(relay.calls), len(failures.kept)) == (2, 1)


def test_no_secret_stands_in_what_is_handed_over(cloud: FakeCloud, failures: Failures, reap: Reap) -> None:
    image = cloud.add_image("https://user:hunter2secret@host/x?sig=abcdef123456")
    assert reap(event([image]), REAPER_MAX_IMAGES="0").error is None
    secrets = ["hunter2secret", "abcdef123456", *KEYS.values(), cloud.users["reaper"].password]
    assert [secret for secret in secrets if secret in failures.bodies[0] and secret != KEYS["AWS_REGION"]] == []
