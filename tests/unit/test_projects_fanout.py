"""A sweep of many projects: one message for each goes to the queue, and each is a sweep of its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.errors import ImagesFailed, InvalidRequest, InvalidSettings
from handler.sources.schema import read_request
from tests.aws import KEYS, Client, client, state_table
from tests.conftest import Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import envelope
from tests.projects import Estate
from tests.unit.conftest import Relay
from tests.unit.test_projects import Send, all_of, estate
from tests.unit.there import There, there

SWEEP: dict[str, Any] = {
    "select": {"name": "ci-*", "older_than": "14d", "tags": ["x", "y"], "properties": {"a": "b"}},
    "keep": {"newest": 2, "group_by": "property:p"},
    "limit": 30,
    "limit_percent": 12.5,
    "grace": "3d",
}
PROJECTS = [f"p{number}" for number in range(25)]
ORDER = {"sweep": SWEEP, "projects": PROJECTS, "reason": "nightly"}
TABLE = "image-reaper"
__all__ = ["estate", "there"]  # fixtures


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.fixture
def workers(sqs: Client) -> Iterator[str]:
    url = sqs.create_queue(QueueName="workers")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def fan_out(invoke_with: Invoke, workers: str, moto: str) -> Send:
    """Invoke a function, armed and without any credentials, with an event."""
    usual = KEYS | {
        "REAPER_CREDENTIALS_SECRET": "image-reaper/{project_id}",
        "REAPER_FANOUT_QUEUE_URL": workers,
        "REAPER_MODE": "delete",
        "AWS_ENDPOINT_URL": moto,
    }

    def send_once(event: object, seconds: float = 60.0, **changed: str) -> Invocation:
        return invoke_with(event, usual | changed, seconds)

    return send_once


def received(sqs: Client, url: str) -> list[dict[str, Any]]:
    """Every message that waits, taken out of the queue."""
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return found


@pytest.mark.parametrize("source", ["direct", "schedule", "topic", "queue"])
def test_each_project_gets_the_same_sweep_in_a_message_of_its_own(
    source: str, fan_out: Send, sqs: Client, workers: str
) -> None:
    run = fan_out(envelope(source, ORDER))
    sent = received(sqs, workers)
    assert run.error is None
    assert sorted(message.pop("project_id") for message in sent) == sorted(PROJECTS)
    ends = {datetime.fromisoformat(message.pop("not_after")) for message in sent}
    assert all(timedelta(days=6, hours=23) < end - datetime.now(UTC) <= timedelta(days=7) for end in ends)
    assert sent == [{"sweep": SWEEP, "reason": "nightly"}] * len(PROJECTS)
    (line,) = run.logged("run.finished")
    assert (line["projects"], line["ok"], line["counts"]) == (len(PROJECTS), True, {})


def test_the_report_says_how_many_were_sent(fan_out: Send) -> None:
    run = fan_out(ORDER)
    assert (run.answer["ok"], run.answer["projects"], run.answer["outcomes"]) == (True, 25, [])


def test_what_is_sent_can_be_read_again_and_selects_the_same(fan_out: Send, sqs: Client, workers: str) -> None:
    fan_out(ORDER)
    told = read_request(received(sqs, workers)[0])
    meant = read_request({"sweep": SWEEP, "reason": "nightly"})
    assert told._replace(project_id="", not_after=None) == meant


@pytest.mark.parametrize("given", [{"REAPER_MODE": "dry-run"}, {}], ids=["the mode", "the request"])
def test_a_rehearsal_arms_no_worker(given: dict[str, str], fan_out: Send, sqs: Client, workers: str) -> None:
    fan_out(ORDER if given else ORDER | {"dry_run": True}, **given)
    assert {message["dry_run"] for message in received(sqs, workers)} == {True}


def test_the_sweeps_end_when_the_request_does(fan_out: Send, sqs: Client, workers: str) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    fan_out(ORDER | {"not_after": end})
    assert {message["not_after"] for message in received(sqs, workers)} == {end}


def test_what_the_sweeps_leave_behind_is_said_to_each(fan_out: Send, sqs: Client, workers: str) -> None:
    fan_out(ORDER | {"delete_backup": True}, REAPER_IMAGE_API="ims")
    assert {message["delete_backup"] for message in received(sqs, workers)} == {True}


def test_a_paused_function_sends_nothing(fan_out: Send, sqs: Client, workers: str) -> None:
    run = fan_out(ORDER, REAPER_MODE="paused")
    assert [outcome["reason"] for outcome in run.answer["outcomes"]] == ["paused"]
    assert not received(sqs, workers)


def test_a_stopped_function_sends_nothing_but_rehearsals(fan_out: Send, sqs: Client, workers: str, moto: str) -> None:
    with state_table(TABLE, moto) as table:
        table.put_item(TableName=TABLE, Item={"id": {"S": "stop"}})
        run = fan_out(ORDER, REAPER_STATE_TABLE=TABLE)
        assert [outcome["reason"] for outcome in run.answer["outcomes"]] == ["paused"]
        assert not received(sqs, workers)
        assert fan_out(ORDER | {"dry_run": True}, REAPER_STATE_TABLE=TABLE).answer["ok"]
    assert len(received(sqs, workers)) == len(PROJECTS)


def test_projects_that_got_no_sweep_are_named_and_the_event_comes_again(
    fan_out: Send, relay: Relay, sqs: Client, workers: str
) -> None:
    relay.faults.add(Fault("POST", None, status=403, skip=1, times=1))
    run = fan_out(envelope("schedule", ORDER), AWS_ENDPOINT_URL_SQS=relay.url)
    assert isinstance(run.error, ImagesFailed)
    sent, lines = [message["project_id"] for message in received(sqs, workers)], run.logged("image.failed")
    assert [line["reason"] for line in lines] == ["unavailable"] * 10
    assert {line["detail"].partition(":")[0] for line in lines} == {f"project {p}" for p in {*PROJECTS} - {*sent}}
    assert (run.logged("run.finished")[0]["projects"], len(sent)) == (15, 15)


def test_without_a_queue_of_workers_it_is_turned_down_by_name(invoke: Invoke) -> None:
    run = invoke(ORDER)
    assert isinstance(run.error, InvalidRequest)
    assert "projects: needs REAPER_FANOUT_QUEUE_URL" in str(run.error)


def test_on_functiongraph_too(there: There) -> None:
    run = there(ORDER)
    assert isinstance(run.error, InvalidRequest)
    assert "which is for AWS alone" in str(run.error)


def test_a_standing_request_for_many_projects_needs_the_queue(fan_out: Send) -> None:
    run = fan_out(
        {"detail-type": "Scheduled Event"}, REAPER_SCHEDULED_REQUEST=json.dumps(ORDER), REAPER_FANOUT_QUEUE_URL=""
    )
    assert isinstance(run.error, InvalidSettings)
    assert str(run.error).startswith("REAPER_SCHEDULED_REQUEST: projects: needs REAPER_FANOUT_QUEUE_URL")


def test_an_empty_schedule_sends_the_standing_request(fan_out: Send, sqs: Client, workers: str) -> None:
    run = fan_out({"detail-type": "Scheduled Event", "detail": {}}, REAPER_SCHEDULED_REQUEST=json.dumps(ORDER))
    assert (run.error, len(received(sqs, workers))) == (None, len(PROJECTS))


WRONG: dict[str, dict[str, Any]] = {
    "projects[1]: ": {"projects": ["p", "../q"]},
    "projects: one project is named twice": {"projects": ["p", "q", "p"]},
    "projects: ": {"projects": []},
    "at most one of projects and project_id": {"projects": ["p"], "project_id": "p"},
    "projects: must be a list": {"projects": None},
    "projects: must have at most 1000 entries": {"projects": [f"p{number}" for number in range(1001)]},
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_projects_may_hold(problem: str, fan_out: Send, sqs: Client, workers: str) -> None:
    run = fan_out({"sweep": SWEEP, **WRONG[problem]})
    assert isinstance(run.error, InvalidRequest)
    assert problem in str(run.error)
    assert not received(sqs, workers)


def test_projects_belong_to_a_sweep(fan_out: Send) -> None:
    run = fan_out({"image_ids": ["00000000-0000-4000-8000-000000000000"], "projects": ["p"]})
    assert isinstance(run.error, InvalidRequest)


def test_a_stack_names_one_project(cloud: FakeCloud, server: Server, fan_out: Send, sqs: Client, workers: str) -> None:
    called = load_event("stack-delete") | {"ResponseURL": f"{server.url}/sink/stack", "ResourceProperties": ORDER}
    fan_out(called)
    (answer,) = cloud.calls_of("PUT")
    assert "projects: is nothing for a stack" in json.loads(answer.body)["Reason"]
    assert not received(sqs, workers)


def test_an_event_about_an_image_sweeps_its_own_project(fan_out: Send) -> None:
    run = fan_out({}, REAPER_LIFECYCLE_REQUEST=json.dumps(ORDER))
    assert isinstance(run.error, InvalidSettings)
    assert 'say "project_id": "{owner}" instead' in str(run.error)


def test_a_worker_carries_out_its_sweep_and_leaves_to_others_only_what_it_may_not_do(
    estate: Estate, fan_out: Send, sqs: Client, workers: str
) -> None:
    projects = [estate.add(name, images=6) for name in ("a", "b")]
    policy = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}
    run = fan_out(queue(*(policy | {"project_id": project} for project in projects)), REAPER_MAX_IMAGES="10")
    (done,) = {image.owner for image in estate.cloud.dead.values()}
    assert run.returned == []
    (left,), (other,) = received(sqs, workers), set(projects) - {done}
    assert (left["project_id"], {image["id"] for image in left["images"]}) == (other, set(estate.images_of(other)))


def test_other_messages_of_the_batch_are_carried_out_beside_it(
    estate: Estate, fan_out: Send, sqs: Client, workers: str
) -> None:
    project = estate.add("a", images=3)
    run = fan_out(queue(all_of(estate, project), ORDER, {"nonsense": 1}))
    assert (run.returned, len(estate.cloud.dead), len(received(sqs, workers))) == (["m2"], 3, len(PROJECTS))
