"""The built artifact and the services of AWS that it calls, from under AWS's own runtime."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.aws import KEYS, Client, client, state_table
from tests.e2e.conftest import Feed, Start
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.front import Front

NAME = "image-reaper"
INSIDE = "cloud.corp.invalid"
DELETED = {"deleted": 1}
SWEEP = {"sweep": {"select": {"name": "ci-*"}, "keep": {"newest": 2}, "limit": 30, "limit_percent": 100}}


@pytest.fixture
def start_near(start: Start, moto: str) -> Start:
    """Start the function with what Lambda sets, so that it finds AWS."""
    return partial(start, **KEYS, AWS_ENDPOINT_URL=moto)


@pytest.fixture
def vault(moto: str) -> Iterator[Client]:
    vault = client("secretsmanager", moto)
    vault.create_secret(Name=NAME, SecretString="{}")
    yield vault
    vault.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def queue(moto: str) -> Iterator[str]:
    sqs = client("sqs", moto)
    url = str(sqs.create_queue(QueueName=NAME, Attributes={"VisibilityTimeout": "720"})["QueueUrl"])
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(NAME, moto) as dynamodb:
        yield dynamodb


def used(table: Client) -> list[str]:
    return [item["used"]["N"] for item in table.scan(TableName=NAME)["Items"]]


def test_the_password_comes_from_a_secret_and_a_new_one_is_taken_by_the_same_process(
    start_near: Start, cloud: FakeCloud, vault: Client
) -> None:
    def store() -> None:
        vault.put_secret_value(SecretId=NAME, SecretString=json.dumps({"OS_PASSWORD": cloud.users["reaper"].password}))

    store()
    runtime = start_near(OS_PASSWORD="", REAPER_CREDENTIALS_SECRET=NAME)
    assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
    process = runtime.pid
    cloud.users["reaper"].password = "new-passw0rd"
    cloud.revoke_tokens()
    store()
    assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
    assert runtime.pid == process
    assert "passw0rd" not in runtime.printed


def test_a_cloud_behind_a_firewall_is_reached_with_its_secret_and_a_proxy(
    start_near: Start, cloud: FakeCloud, vault: Client
) -> None:
    with Server(cloud, called=f"https://{INSIDE}") as inside, Front(inside, more={INSIDE: inside.address}) as front:
        given = cloud.env(inside.url)
        bundle = Path(front.ca_file).read_text()
        vault.put_secret_value(SecretId=NAME, SecretString=json.dumps(given | {"CA_BUNDLE": bundle}))
        way = {"HTTPS_PROXY": front.url, "NO_PROXY": "127.0.0.1", "REAPER_CREDENTIALS_SECRET": NAME}
        runtime = start_near(**dict.fromkeys(given, ""), **way)
        assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
    assert set(front.connects) == {INSIDE}
    assert (len(cloud.images), len(cloud.dead)) == (0, 1)


def test_a_sweep_hands_its_images_to_workers_who_share_a_budget(
    start_near: Start, cloud: FakeCloud, poller: Feed, queue: str, table: Client
) -> None:
    images = [cloud.add_image(f"ci-{n}", created_at=f"2026-01-{n:02}T00:00:00Z") for n in range(1, 31)]
    other = cloud.add_image("prod-1")
    sweeper = start_near(REAPER_FANOUT_QUEUE_URL=queue)
    told = sweeper.invoke(SWEEP).value
    assert (told["counts"], set(cloud.images)) == ({"would_delete": 28}, {*images, other})
    workers = [start_near(REAPER_BUDGET="20/7d", REAPER_STATE_TABLE=NAME) for _ in range(2)]

    def worker(event: dict[str, Any]) -> object:
        workers.reverse()
        return workers[0].invoke(event).value

    with pytest.raises(AssertionError, match="not empty"):
        poller(queue, worker).drain(most=9)
    assert (len(cloud.dead), used(table)) == (20, ["20"])
    assert set(cloud.dead) < set(images[:28])


def test_an_event_that_no_repetition_can_cure_ends_with_its_report_and_lies_in_the_queue_of_failures(
    start_near: Start, cloud: FakeCloud, moto: str, queue: str, table: Client
) -> None:
    event = {"detail-type": "Scheduled Event", "detail": {"image_ids": [cloud.add_image() for _ in range(2)]}}
    runtime = start_near(REAPER_FAILED_TO=queue, REAPER_STATE_TABLE=NAME, REAPER_MAX_IMAGES="1")
    told = runtime.invoke(event).value
    assert (told["ok"], told["counts"]) == (False, {"deleted": 1, "failed": 1})
    (message,) = client("sqs", moto).receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"]) == {"requestPayload": event, "responsePayload": told}
    (item,) = table.scan(TableName=NAME)["Items"]
    assert (item["id"]["S"], set(item["images"]["SS"])) == (f"event/{told['request_id']}", set(cloud.dead))
