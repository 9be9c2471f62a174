"""Ten thousand images from their rehearsal to their end, with real stores, by processes that are killed on the way."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from moto.sqs.models import sqs_backends

from tests.aws import KEYS, REGION, Client, client, moto_server, state_table
from tests.bench.rows import ROOT, Hold, Row
from tests.conftest import queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.unit.conftest import Relay

IMAGES = 10_000
SWEEP = {"select": {"name": "ci-*"}, "limit": IMAGES, "limit_percent": 100}
RUN = """
import json, pathlib, sys, time
from handler import app
from handler.shell.runs.running import ShellContext
event = json.load(sys.stdin)
start = time.perf_counter()
answer = app.lambda_handler(event, ShellContext(900))
seconds = time.perf_counter() - start
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
print("\\n" + json.dumps({"seconds": seconds, "peak": peak / 1e6, "answer": answer}))
"""


class Told(NamedTuple):
    """What a run has said: its answer, its seconds and its megabytes."""

    answer: dict[str, Any]
    seconds: float
    peak: float


class Function:
    """The function in processes of its own, each of which may be killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.kills = 0

    def run(self, event: object, **changed: str) -> Told | None:
        """What a run has said; None if it was killed."""
        given, command = self._environment | changed, [sys.executable, "-c", RUN]
        with subprocess.Popen(  # noqa: S603 (our own)
            command, env=given, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as self._process:
            said, _ = self._process.communicate(json.dumps(event))
        if self._process.returncode < 0:
            return None
        assert self._process.returncode == 0, said[-2000:]
        told = json.loads(said.splitlines()[-1])
        return Told(told["answer"], told["seconds"], told["peak"])

    def kill(self) -> None:
        """Kill the process that runs now, at once."""
        assert self._process
        self._process.kill()
        self.kills += 1


@pytest.fixture
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def stores(moto: str) -> Iterator[tuple[Relay, dict[str, str]]]:
    """Bucket, table and queue, and the settings of a function that has them."""
    client("s3", moto).create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": REGION})
    url = client("sqs", moto).create_queue(QueueName="plans")["QueueUrl"]
    relay = Relay(moto)
    with Server(relay) as server, state_table("state", moto):
        yield (
            relay,
            {
                **KEYS,
                "AWS_ENDPOINT_URL": server.url,
                "REAPER_REPORT_BUCKET": "reports",
                "REAPER_STATE_TABLE": "state",
                "REAPER_FANOUT_QUEUE_URL": url,
            },
        )


def key_of_the_plan(s3: Client) -> str:
    found = [each["Key"] for each in s3.list_objects_v2(Bucket="reports")["Contents"] if "/plan-" in each["Key"]]
    return str(max(found))


def let_expire(table: Client) -> None:
    """Let so much time pass that nobody holds a plan any more."""
    for item in table.scan(TableName="state")["Items"]:
        if "lease_until" in item:
            table.put_item(TableName="state", Item=item | {"lease_until": {"N": "0"}})


def sent_to(name: str) -> list[dict[str, Any]]:
    """The requests that wait in a queue, taken out of it."""
    # Not by its API: for a thousand messages, moto takes a minute.
    waiting = sqs_backends["123456789012"][REGION].queues[name]._messages
    found = [json.loads(message.body) for message in waiting]
    waiting.clear()
    return found


def rehearse(function: Function, relay: Relay, **settings: str) -> Told:
    """Rehearse the sweep, and kill the run at each file that it stores, before it is there and after."""
    event = {"sweep": SWEEP, "dry_run": True}
    for number in range(3):
        for status in (503, None):
            relay.faults.add(Fault("PUT", status=status, skip=number, then=function.kill, apply=status is not None))
            assert function.run(event, **settings) is None
            relay.faults.clear()
    told = function.run(event, **settings)
    assert told
    return told


def approve(function: Function, relay: Relay, table: Client, approval: object) -> Told:
    """Approve the plan, and kill each run a few steps after the last one, at a call that the last one has survived."""
    for number in range(100):
        relay.faults.clear()
        # A step is two calls, after the few of the beginning; what the table or the queue was told may be lost or not.
        relay.faults.add(Fault("POST", status=None, skip=4 + 11 * (number > 0) + number % 4, then=function.kill))
        if told := function.run(queue(approval)):
            assert told.answer == {"batchItemFailures": []}, told.answer
            return told
        let_expire(table)
    message = "it never came to its end"
    raise AssertionError(message)


def work(function: Function, cloud: FakeCloud, requests: Sequence[object]) -> None:
    """Let workers carry out all requests; every tenth is killed midway, and its messages come again."""
    for number, start in enumerate(range(0, len(requests), 10)):
        delivery = queue(*requests[start : start + 10])
        if number % 10 == 5:
            cloud.fault("DELETE", status=None, skip=17, then=function.kill)
            assert function.run(delivery) is None
        told = function.run(delivery)
        assert told
        assert told.answer == {"batchItemFailures": []}


@pytest.mark.long("ten thousand images, and some hundred processes")
def test_ten_thousand_images_go_as_planned_whichever_process_is_killed(
    cloud: FakeCloud, server: Server, stores: tuple[Relay, dict[str, str]], moto: str, hold: Hold
) -> None:
    relay, settings = stores
    images, other = [cloud.add_image(f"ci-{number}") for number in range(IMAGES)], cloud.add_image("other")
    environment = cloud.env(server.url) | settings | {"REAPER_MODE": "delete"}
    function, s3, table = Function(environment), client("s3", moto), client("dynamodb", moto)
    planned = rehearse(function, relay, REAPER_MAX_IMAGES=str(IMAGES))
    assert (function.kills, len(cloud.images)) == (6, IMAGES + 1)
    key = key_of_the_plan(s3)
    plan = json.loads(s3.get_object(Bucket="reports", Key=key)["Body"].read())
    assert sorted(one["id"] for each in plan["plans"] for one in each["images"]) == sorted(images)
    digest = re.findall("plan-([0-9a-f]+)", key)[0]
    applied = approve(function, relay, table, {"approve": {"plan": key, "sha256": digest}})
    kills = function.kills
    assert kills > 6 + IMAGES // 1000
    relay.faults.clear()
    requests = sent_to("plans")
    assert {one["id"] for each in requests for one in each["images"]} == set(images)
    work(function, cloud, requests)
    assert function.kills >= kills + IMAGES // 1000
    assert list(cloud.images) == [other]
    gone = Counter(call.path for call in cloud.calls_of("DELETE"))
    assert len(gone) == IMAGES
    hold(
        Row("the rehearsal of 10,000 images", most=900 * 0.5, ours=[planned.seconds]),
        Row("the rehearsal of 10,000 images, memory", most=230, ours=[planned.peak], unit="MB"),
        Row("the approval of 10,000 images, memory", most=230, ours=[applied.peak], unit="MB"),
    )
