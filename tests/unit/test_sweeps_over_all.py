"""What holds over all invocations: the budget that they share, and the deletions that a sweep leaves to workers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.config.settings import Settings
from handler.model.image import EXPECTABLE
from handler.rules.marks import DEACTIVATED, MARK, SWEEP
from tests.aws import KEYS, Client, client, state_table
from tests.conftest import Context, Invocation, Invoke, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.unit.conftest import Relay

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""


def sweep(**policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"}, "limit": 1000, "limit_percent": 100, **policy}, "reason": "nightly"}


@pytest.fixture
def table(moto: str) -> Iterator[dict[str, str]]:
    """A table that counts; the settings for it, without the budget itself."""
    with state_table("reaper", moto):
        yield KEYS | {"REAPER_STATE_TABLE": "reaper", "AWS_ENDPOINT_URL_DYNAMODB": moto}


class Workers:
    """An SQS queue and the workers that read it, as Lambda runs them."""

    def __init__(self, moto: str, invoke: Invoke) -> None:
        self.sqs: Client = client("sqs", moto)
        self.url: str = self.sqs.create_queue(QueueName="reaper")["QueueUrl"]
        self._invoke = invoke

    def take(self) -> list[dict[str, Any]]:
        """Everything that waits in the queue, taken out of it."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def work(self) -> list[Invocation]:
        """Let the workers do what waits in the queue."""
        return [self._invoke(queue(request), REAPER_FANOUT_QUEUE_URL=self.url) for request in self.take()]


@pytest.fixture
def workers(moto: str, invoke: Invoke) -> Iterator[Workers]:
    found = Workers(moto, invoke)
    yield found
    found.sqs.delete_queue(QueueUrl=found.url)


@pytest.fixture
def fanned_out(workers: Workers, moto: str) -> dict[str, str]:
    """The settings of a sweep that leaves its deletions to workers."""
    return KEYS | {"REAPER_FANOUT_QUEUE_URL": workers.url, "AWS_ENDPOINT_URL_SQS": moto}


# The budget


def test_over_all_invocations_no_more_is_deleted_than_the_budget_allows(
    invoke: Invoke, cloud: FakeCloud, table: dict[str, str]
) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(6)]
    first = invoke({"image_ids": images[:2]}, REAPER_BUDGET="3/1d", **table)
    second = invoke(queue({"image_ids": images[2:4]}, {"image_ids": images[4:]}), REAPER_BUDGET="3/1d", **table)
    assert first.answer["counts"] == {"deleted": 2}
    assert second.metric("ImagesFailed_budget") == 3
    assert second.returned
    assert len(cloud.calls_of("DELETE")) == 3


def test_only_deletions_are_counted(invoke: Invoke, cloud: FakeCloud, table: dict[str, str]) -> None:
    refused, image = cloud.add_image(protected=True), cloud.add_image()
    request = {"image_ids": [refused, image, "6cad483b-e281-4985-a345-7afef1f3c5b7"]}
    for _ in range(3):
        invoke(request | {"dry_run": True}, REAPER_BUDGET="1/1d", **table)
    assert invoke(request, REAPER_BUDGET="1/1d", **table).answer["counts"] == {
        "refused": 1,
        "deleted": 1,
        "already_gone": 1,
    }


def test_a_budget_of_none_deletes_nothing(invoke: Invoke, cloud: FakeCloud, table: dict[str, str]) -> None:
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, REAPER_BUDGET="0/1d", **table).outcomes == {image: ("failed", "budget")}
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_what_cannot_be_counted_is_not_deleted_and_comes_again(
    invoke: Invoke, cloud: FakeCloud, table: dict[str, str], relay: Relay, status: int
) -> None:
    images = [cloud.add_image() for _ in range(3)]
    relay.faults.add(Fault("POST", status=status, times=None))
    settings = table | {"AWS_ENDPOINT_URL_DYNAMODB": relay.url, "REAPER_BUDGET": "9/1d"}
    done = invoke(queue({"image_ids": images}), **settings)
    assert (done.returned, done.metric("ImagesFailed_budget"), cloud.calls_of("DELETE")) == (["m0"], 3, [])


def test_the_budget_of_one_project_is_not_another_s(
    invoke: Invoke, cloud: FakeCloud, table: dict[str, str], moto: str
) -> None:
    invoke({"image_ids": [cloud.add_image()]}, REAPER_BUDGET="1/1d", **table)
    dynamodb: Client = client("dynamodb", moto)
    (count,) = dynamodb.scan(TableName="reaper")["Items"]
    assert count["id"]["S"].startswith("9c53a566cb3443ab910cf0daebca90c4/86400/")


@pytest.mark.slow("twenty workers at once")
def test_twenty_workers_at_once_delete_exactly_as_many_as_the_budget_allows(
    clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server, table: dict[str, str]
) -> None:
    del clean_environment
    images = [cloud.add_image(f"ci-{n}") for n in range(60)]
    settings = Settings.from_env(cloud.env(server.url) | table | {"REAPER_MODE": "delete", "REAPER_BUDGET": "25/1d"})
    with ThreadPoolExecutor(20) as pool:
        parts = [{"image_ids": images[n::20]} for n in range(20)]
        reports = list(pool.map(lambda part: process(part, Context(), settings, aws), parts))
    assert len(cloud.dead) == 25
    assert sum(report.counts.get("deleted", 0) for report in reports) == 25
    assert sum(report.counts.get("failed", 0) for report in reports) == 35


def test_a_run_that_dies_between_budget_and_deletion_deletes_nothing_and_the_next_one_does(
    invoke: Invoke, cloud: FakeCloud, table: dict[str, str]
) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", status=503, headers=LATER)
    assert invoke({"image_ids": [image]}, REAPER_BUDGET="2/1d", **table).outcomes == {image: ("failed", "unavailable")}
    assert invoke({"image_ids": [image]}, REAPER_BUDGET="2/1d", **table).outcomes == {image: ("deleted", "")}


# The fan-out


def test_a_sweep_leaves_its_deletions_to_workers_and_they_do_them(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(25)]
    other = cloud.add_image("web-1")
    done = invoke(sweep(), **fanned_out)
    assert done.answer["counts"] == {"would_delete": 25}
    assert (done.answer["ok"], cloud.dead) == (True, {})
    assert all(worker.returned == [] for worker in workers.work())
    assert (set(cloud.dead), set(cloud.images)) == (set(images), {other})


def test_a_message_names_ten_images_at_most_and_how_they_were_seen(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    for n in range(25):
        cloud.add_image(f"ci-{n}")
    invoke(sweep(), **fanned_out)
    requests = workers.take()
    assert sorted(len(request["images"]) for request in requests) == [5, 10, 10]
    assert {request["reason"] for request in requests} == {"nightly"}
    assert {request["project_id"] for request in requests} == {"9c53a566cb3443ab910cf0daebca90c4"}
    expected = set(EXPECTABLE)
    assert all(image["expect"].keys() == expected for request in requests for image in request["images"])


def test_what_changes_before_a_worker_comes_to_it_stays(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    image = cloud.add_image("ci-1")
    invoke(sweep(), **fanned_out)
    cloud.images[image].updated_at = "2026-11-01T00:00:00Z"
    (done,) = workers.work()
    assert (done.metric("ImagesRefused_changed"), set(cloud.images)) == (1, {image})


@pytest.mark.parametrize("status", ["queued", "saving", "uploading", "importing"])
def test_an_upload_is_left_to_no_worker(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str], status: str
) -> None:
    image = cloud.add_image("ci-1", status=status)
    assert invoke(sweep(), **fanned_out).outcomes == {image: ("refused", "not_ready")}
    assert (workers.work(), set(cloud.images)) == ([], {image})


def test_a_rehearsal_leaves_nothing_to_workers(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    image = cloud.add_image("ci-1")
    assert "plan" in invoke(sweep(), REAPER_MODE="dry-run", **fanned_out).answer
    invoke(sweep() | {"dry_run": True}, REAPER_MODE="delete", **fanned_out)
    assert (workers.take(), set(cloud.images)) == ([], {image})


def test_over_its_limit_a_sweep_leaves_nothing_to_workers(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    cloud.add_image("ci-1")
    assert not invoke(sweep(limit=0), **fanned_out).answer["ok"]
    assert workers.take() == []


@pytest.mark.slow("the run waits for its deadline")
def test_a_queue_that_never_answers_fails_every_image_at_the_deadline(
    invoke: Invoke, cloud: FakeCloud, fanned_out: dict[str, str], relay: Relay
) -> None:
    images = [cloud.add_image("ci-1"), cloud.add_image("ci-2")]
    relay.faults.add(Fault(delay=30, times=None))
    done = invoke(sweep(), seconds=2.5, **fanned_out | {"AWS_ENDPOINT_URL_SQS": relay.url})
    assert done.outcomes == dict.fromkeys(images, ("failed", "deadline"))
    assert not cloud.calls_of("DELETE")


def test_marks_are_set_by_the_sweep_and_only_what_is_due_is_left_to_workers(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    fresh, due = cloud.add_image("ci-1"), cloud.add_image("ci-2", tags=[f"{MARK}={yesterday}"])
    done = invoke(sweep(grace="7d"), **fanned_out)
    assert done.outcomes == {due: ("would_delete", ""), fresh: ("marked", "")}
    workers.work()
    assert set(cloud.images) == {fresh}


def test_a_vetoed_image_is_left_to_no_worker(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    image = cloud.add_image("ci-1", tags=[f"{MARK}={yesterday}", DEACTIVATED])
    assert invoke(sweep(grace="7d"), **fanned_out).outcomes == {image: ("refused", "kept")}
    assert workers.take() == []


@pytest.mark.parametrize("vetoed", [False, True])
def test_a_veto_after_the_hand_over_is_seen_where_a_tag_does_not_move_updated_at(
    invoke_with: Invoke,
    workers: Workers,
    fanned_out: dict[str, str],
    vetoed: bool,  # noqa: FBT001
) -> None:
    cloud = FakeCloud("otc")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    image = cloud.add_image("ci-1", tags=[f"{MARK}={yesterday}"])
    with Server(cloud) as server:
        settings = cloud.env(server.url) | fanned_out | {"REAPER_MODE": "delete", "REAPER_IMAGE_API": "ims"}
        assert invoke_with(sweep(grace="7d"), settings).outcomes == {image: ("would_delete", "")}
        if vetoed:
            cloud.images[image].tags.clear()
        for request in workers.take():
            assert invoke_with(queue(request), settings).returned == []
    assert (image in cloud.images) == vetoed


def test_what_is_handed_over_is_good_for_a_week_and_no_longer_than_the_sweep(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    cloud.add_image("ci-1")
    today = datetime.now(UTC)
    for request, days in ((sweep(), 7), (sweep() | {"not_after": (today + timedelta(days=2)).isoformat()}, 2)):
        invoke(request, **fanned_out)
        (message,) = workers.take()
        left = datetime.fromisoformat(message["not_after"]) - today
        assert timedelta(days=days - 0.1) < left < timedelta(days=days + 0.1)


def test_an_image_whose_name_no_message_can_carry_spoils_no_other(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    images = [cloud.add_image("ci-\ud800"), *(cloud.add_image(f"ci-{n}") for n in range(9))]
    done = invoke(sweep(), **fanned_out)
    assert done.answer["counts"] == {"deleted": 1, "would_delete": 9}
    assert [worker.returned for worker in workers.work()] == [[]]
    assert set(cloud.dead) == set(images)


def test_what_workers_refuse_the_sweep_sets_free_after_some_days(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    day = (datetime.now(UTC) - timedelta(days=4)).date().isoformat()
    image = cloud.add_image(
        "ci-1", tags=[f"{MARK}={day}", f"{SWEEP}=03523a93", DEACTIVATED], status="deactivated", protected=True
    )
    assert invoke(sweep(grace="7d"), **fanned_out).outcomes == {image: ("refused", "protected")}
    assert (cloud.images[image].tags, cloud.images[image].status, workers.take()) == ([], "active", [])


def test_a_sweep_that_runs_twice_deletes_nothing_twice(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str]
) -> None:
    for n in range(15):
        cloud.add_image(f"ci-{n}")
    invoke(sweep(), **fanned_out)
    invoke(sweep(), **fanned_out)
    outcomes = [worker.metric(name) for worker in workers.work() for name in ("ImagesDeleted", "ImagesAlreadyGone")]
    assert sum(outcomes) == 30
    assert len(cloud.calls_of("DELETE")) == 15


@pytest.mark.slow("the pauses between the attempts are real")
def test_a_fan_out_that_fails_half_way_and_runs_again_loses_nothing(
    invoke: Invoke, cloud: FakeCloud, workers: Workers, fanned_out: dict[str, str], relay: Relay
) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(205)]
    relay.faults.add(Fault("POST", skip=2, status=400, times=None))
    first = invoke(sweep(), **fanned_out | {"AWS_ENDPOINT_URL_SQS": relay.url})
    assert first.answer["counts"] == {"would_delete": 200, "failed": 5}
    assert {reason for outcome, reason in first.outcomes.values() if outcome == "failed"} == {"unavailable"}
    relay.faults.clear()
    assert invoke(sweep(), **fanned_out | {"AWS_ENDPOINT_URL_SQS": relay.url}).answer["ok"]
    workers.work()
    assert set(cloud.dead) == set(images)
    assert len(cloud.calls_of("DELETE")) == 205


def test_a_queue_that_cannot_be_reached_is_a_failure_and_no_image_is_lost(
    invoke: Invoke, cloud: FakeCloud, fanned_out: dict[str, str], relay: Relay
) -> None:
    image = cloud.add_image("ci-1")
    relay.faults.add(Fault("POST", status=500, times=None))
    done = invoke(queue(sweep()), **fanned_out | {"AWS_ENDPOINT_URL_SQS": relay.url})
    assert (done.returned, done.metric("ImagesFailed_unavailable"), set(cloud.images)) == (["m0"], 1, {image})
