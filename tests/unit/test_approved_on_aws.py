"""An approval before S3, DynamoDB and SQS as moto speaks them: whichever call is the last, no image is lost."""

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handler.engine.aws.calls import RETRIES
from tests.aws import KEYS, REGION, Client, client, state_table
from tests.commands import Ended, shell
from tests.conftest import Invoke, queue
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.unit.approving import Json, plan_for
from tests.unit.conftest import Relay

pytestmark = pytest.mark.slow("one run for each call to AWS, and shells")

Environment = dict[str, str]


@pytest.fixture
def environment(moto: str, relay: Relay) -> Iterator[Environment]:
    s3, sqs = client("s3", moto), client("sqs", moto)
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": REGION})
    url = sqs.create_queue(QueueName="approved-on-aws")["QueueUrl"]
    with state_table("approvals", moto):
        yield {
            **KEYS,
            "AWS_ENDPOINT_URL": relay.url,
            "REAPER_REPORT_BUCKET": "reports",
            "REAPER_STATE_TABLE": "approvals",
            "REAPER_FANOUT_QUEUE_URL": url,
        }
    sqs.delete_queue(QueueUrl=url)
    for found in s3.list_objects_v2(Bucket="reports").get("Contents", []):
        s3.delete_object(Bucket="reports", Key=found["Key"])
    s3.delete_bucket(Bucket="reports")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of ten images, so that a small plan has several."""
    for name in ("MOST_HERE", "MOST_SENT"):
        monkeypatch.setattr(f"handler.work.approvals.carrying.{name}", 10)


def stored(moto: str, plan: Json) -> Json:
    """The approval of a plan that lies in the bucket."""
    text = json.dumps({"plans": [plan]}).encode()
    digest = hashlib.sha256(text).hexdigest()
    key = f"runs/2026-06-15/{DEMO}/r/plan-{digest}.json"
    client("s3", moto).put_object(Bucket="reports", Key=key, Body=text)
    return {"approve": {"plan": key, "sha256": digest}}


def let_expire(table: Client) -> None:
    """Let so much time pass that whoever held a plan holds it no more."""
    for item in table.scan(TableName="approvals")["Items"]:
        table.update_item(
            TableName="approvals",
            Key={"id": item["id"]},
            UpdateExpression="SET lease_until = :zero",
            ExpressionAttributeValues={":zero": {"N": "0"}},
        )


def taken(moto: str, url: str) -> list[str]:
    """The images in the requests of the queue, which is empty afterwards."""
    sqs, found = client("sqs", moto), list[str]()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [image["id"] for message in messages for image in json.loads(message["Body"])["images"]]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def dies_at(relay: Relay, call: int, *, answers: bool) -> None:
    """Let AWS go dead at a call, which is carried out if it `answers`, and at all that come after it."""
    if answers:
        relay.faults.add(Fault(status=None, cut=True, skip=call))
    relay.faults.add(Fault(status=503, cut=True, skip=call, times=None))


def carry_through(invoke: Invoke, event: Json, relay: Relay, table: Client, environment: Environment) -> int:
    """Let an approval come again until it ends well; how many calls the last run has made."""
    for _ in range(4):
        relay.calls.clear()
        run = invoke(event, **environment)
        if not run.returned:
            return len(relay.calls)
        relay.faults.clear()
        let_expire(table)
    message = "it never ended well"
    raise AssertionError(message)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that leave no files and try again at once: while AWS is away, each would take seconds."""
    monkeypatch.setattr("handler.compose.telling.telling.tell", lambda *_: None)
    monkeypatch.setattr("handler.engine.aws.calls.RETRIES", RETRIES.new(backoff_factor=0))


@pytest.mark.usefixtures("small_steps", "brief")
@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("workers", [False, True])
def test_whichever_call_to_aws_is_the_last_no_image_is_lost_and_no_other_goes(  # noqa: PLR0913 (all that plays a part)
    invoke: Invoke, cloud: FakeCloud, moto: str, relay: Relay, environment: Environment, *, answers: bool, workers: bool
) -> None:
    table, url, other = client("dynamodb", moto), environment["REAPER_FANOUT_QUEUE_URL"], cloud.add_image("other")
    if not workers:
        environment["REAPER_FANOUT_QUEUE_URL"] = ""
    calls, call = 1, 0
    while call < calls:
        images = [cloud.add_image(f"ci-{call}-{place}") for place in range(23)]
        approval = stored(moto, plan_for(cloud, images))
        if call:
            dies_at(relay, call - 1, answers=answers)
        made = carry_through(invoke, queue(approval), relay, table, environment)
        calls = calls if call else made
        sent = taken(moto, url) if workers else images
        assert set(sent) == set(images)
        assert [image for image in images if image in cloud.images] == (images if workers else [])
        call += 1
    assert calls >= (10 if workers else 7)
    assert other in cloud.images
    assert all(item["applied_by"]["S"] == "m0" for item in table.scan(TableName="approvals")["Items"])


# From a shell


def from_shell(cloud: FakeCloud, server: Server, environment: Environment, *arguments: str, **settings: str) -> Ended:
    given = {**cloud.env(server.url), **environment, "REAPER_FANOUT_QUEUE_URL": "", **settings}
    return shell(*arguments, **{name: value for name, value in given.items() if value})


def test_a_key_is_all_that_a_shell_needs_and_without_a_mode_it_rehearses(
    cloud: FakeCloud, server: Server, moto: str, environment: Environment, tmp_path: Path
) -> None:
    images = [cloud.add_image(f"ci-{place}") for place in range(3)]
    key = stored(moto, plan_for(cloud, images))["approve"]["plan"]
    page = tmp_path / "page.html"
    rehearsed = from_shell(cloud, server, environment, "--approve", key, "--html", str(page))
    assert (rehearsed.returncode, "dry-run: 3 would_delete" in rehearsed.stdout) == (0, True)
    assert f"<dt>Asked for</dt><dd>the plan {key}</dd>" in re.sub("</?time>", "", page.read_text())
    assert not cloud.calls_of("DELETE")
    done = from_shell(cloud, server, environment, "--approve", key, "--json", REAPER_MODE="delete")
    assert (done.returncode, json.loads(done.stdout)["counts"]) == (0, {"deleted": 3})
    assert set(cloud.dead) == set(images)
    again = from_shell(cloud, server, environment, "--approve", key, REAPER_MODE="delete")
    assert (again.returncode, again.stdout) == (2, "")
    assert "approve: the plan was carried out already" in again.stderr


def test_a_shell_says_what_is_wrong_with_a_key(
    cloud: FakeCloud, server: Server, moto: str, environment: Environment
) -> None:
    key = stored(moto, plan_for(cloud, [cloud.add_image()]))["approve"]["plan"]
    lost = key.replace("/r/", "/another/")
    told = {
        "plan.json": "--approve: must be the key of a plan: runs/<YYYY-MM-DD>/",
        "": "--approve: must be the key of a plan",
        lost: f"approve.plan: there is no {lost}, or no right to read it",
    }
    for given, problem in told.items():
        ended = from_shell(cloud, server, environment, "--approve", given, REAPER_MODE="delete")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert problem in ended.stderr.splitlines()[-1]
    assert shell("event.json", "--approve", key).returncode == 2
    without = from_shell(
        cloud, server, environment | {"REAPER_STATE_TABLE": ""}, "--approve", key, REAPER_MODE="delete"
    )
    assert "approve: needs REAPER_STATE_TABLE" in without.stderr.splitlines()[-1]


def test_of_two_shells_at_the_same_second_one_carries_out_the_plan(
    cloud: FakeCloud, server: Server, moto: str, environment: Environment
) -> None:
    images = [cloud.add_image(f"ci-{place}") for place in range(5)]
    key = stored(moto, plan_for(cloud, images))["approve"]["plan"]
    cloud.fault("DELETE", status=None, delay=0.5, times=None)
    with ThreadPoolExecutor(2) as both:
        runs = [
            both.submit(from_shell, cloud, server, environment, "--approve", key, REAPER_MODE="delete") for _ in "ab"
        ]
    codes = sorted(run.result().returncode for run in runs)
    assert codes in ([0, 1], [0, 2])
    assert (set(cloud.dead), len(cloud.calls_of("DELETE"))) == (set(images), 5)
