"""An approval: what turns it down, whoever brings it, and that nothing has happened by then."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from handler.config.settings import Settings
from handler.errors import EngineFault, ImagesFailed, InvalidRequest, InvalidSettings
from handler.model.request import ApprovalRequest, parse_plan_key
from handler.sources.schema import read_request
from tests.conftest import Invocation, Invoke, load_event, queue
from tests.fakecloud import DEMO, FakeCloud
from tests.fakecloud.records import OTHER
from tests.unit.approving import Desk, Json, approve, desk, digest_of, plan_for
from tests.unit.there import There, there

__all__ = ["approve", "desk", "there"]

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
KEY = f"runs/2026-06-15/{DEMO}/c6af9ac6-7b61-11e6-9a41-93e8deadbeef/plan-{DIGEST}.json"
APPROVAL: Json = {"approve": {"plan": KEY, "sha256": DIGEST}}


def problem(payload: Json) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_request(payload)
    return str(caught.value)


def of_topic(request: Json) -> Json:
    event = load_event("topic")
    event["Records"][0]["Sns"]["Message"] = json.dumps(request)
    return event


def of_schedule(request: Json) -> Json:
    return load_event("schedule") | {"detail": request}


def of_lifecycle(request: Json) -> Json:
    return load_event("lifecycle-custom") | {"detail": request}


ENVELOPES: dict[str, Callable[[Json], Json]] = {
    "direct": lambda request: request,
    "topic": of_topic,
    "schedule": of_schedule,
    "lifecycle": of_lifecycle,
}


# The request


def test_an_approval_names_a_plan_and_its_digest_and_is_for_the_project_of_the_key() -> None:
    fields = {"dry_run": True, "reason": "jo", "not_after": "2027-01-31", "project_id": DEMO}
    day = datetime(2027, 1, 31, tzinfo=UTC)
    expected = ApprovalRequest(KEY, DIGEST, DEMO, dry_run=True, reason="jo", not_after=day)
    assert read_request({**APPROVAL, **fields}) == expected
    assert read_request(APPROVAL) == ApprovalRequest(KEY, DIGEST, DEMO)


WRONG_KEYS = {
    "nothing": "",
    "another folder": KEY.replace("runs/", "plans/"),
    "a slash before": f"/{KEY}",
    "no day": KEY.replace("2026-06-15", "today"),
    "no project": KEY.replace(f"/{DEMO}/", "//"),
    "a project that is a way up": KEY.replace(DEMO, ".."),
    "a run that is a way up": KEY.replace("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", ".."),
    "a run that is no way": KEY.replace("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "."),
    "a report": KEY.replace(f"plan-{DIGEST}", "report"),
    "half a digest": KEY.replace(DIGEST, DIGEST[:32]),
    "capital letters": KEY.replace(DIGEST, DIGEST.upper()),
    "another ending": f"{KEY}.bak",
    "a line break": f"{KEY}\n",
    "a query": f"{KEY}?versionId=1",
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=list(WRONG_KEYS))
def test_what_is_no_key_of_a_plan_is_turned_down_and_says_what_one_looks_like(key: str) -> None:
    told = problem({"approve": {"plan": key, "sha256": DIGEST}})
    assert told.startswith("approve.plan: must be the key of a plan: runs/<YYYY-MM-DD>/<project>/")


def test_a_digest_that_is_not_the_one_in_the_name_is_turned_down() -> None:
    for digest in ("", DIGEST[:-1], DIGEST.upper(), "0" * 64):
        told = problem({"approve": {"plan": KEY, "sha256": digest}})
        assert told.startswith("approve: sha256: must be the digest in the name of the plan's file")


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"approve": {"plan": KEY}}, "approve.sha256: is missing"),
        ({"approve": KEY}, "approve: "),
        ({"approve": {**APPROVAL["approve"], "all": True}}, "approve.all: unknown field"),
        ({**APPROVAL, "delete_backup": True}, "delete_backup: unknown field"),
        ({**APPROVAL, "image_ids": []}, "image_ids: does not go with approve: send two requests"),
        ({**APPROVAL, "project_id": OTHER}, f"project_id: the plan is one of project {DEMO}, not of {OTHER}"),
        ({**APPROVAL, "reason": "x" * 257}, "reason: "),
        ({**APPROVAL, "not_after": None}, "not_after: must be a time"),
    ],
)
def test_a_wrong_approval_names_its_field(payload: Json, told: str) -> None:
    assert problem(payload).startswith(told)


def test_a_key_says_whose_plan_it_is() -> None:
    assert parse_plan_key(KEY) == (DEMO, DIGEST)


# Where it may not stand


@pytest.mark.parametrize("name", ["REAPER_SCHEDULED_REQUEST", "REAPER_LIFECYCLE_REQUEST"])
def test_a_setting_can_not_hold_an_approval(name: str, cloud: FakeCloud) -> None:
    with pytest.raises(InvalidSettings, match=f"{name}: approve: a plan is carried out once"):
        Settings.from_env({**cloud.env("http://127.0.0.1:1"), name: json.dumps(APPROVAL)})


@pytest.mark.parametrize("kind", ["create", "delete"])
def test_a_stack_can_not_approve(kind: str, desk: Desk, approve: Invoke) -> None:
    event = load_event(f"stack-{kind}")
    event["ResponseURL"] = "http://127.0.0.1:1/sink"
    run = approve(queue(event | {"ResourceProperties": APPROVAL}))
    (line,) = run.logged("request.rejected")
    assert line["problem"].startswith("approve: a stack can't approve a plan")
    assert desk.steps.taken == []


def test_on_functiongraph_no_plan_is_approved_nor_rehearsed(there: There) -> None:
    for request in (APPROVAL, {**APPROVAL, "dry_run": True}):
        run = there(request)
        assert isinstance(run.error, InvalidRequest)
        assert "approve: needs REAPER_STATE_TABLE, which only AWS has: send the plan itself" in str(run.error)


# What turns a plan down


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def lost(desk: Desk, plan: Json) -> Json:
    approval = desk.store(plan)
    desk.shelf.files.clear()
    return approval


def replaced(desk: Desk, plan: Json) -> Json:
    """Another plan lies there by now, which nobody has reviewed."""
    approval = desk.store({**plan, "images": []})
    desk.shelf.files[approval["approve"]["plan"]] = json.dumps({"plans": [plan]}).encode()
    return approval


def applied(desk: Desk, plan: Json) -> Json:
    approval = desk.store(plan)
    desk.book.claim(digest_of(approval), "another").end(applied=True)
    desk.steps.taken.clear()
    return approval


def with_text(text: str) -> Callable[[Desk, Json], Json]:
    return lambda desk, _plan: desk.store_text(text)


def with_fields(**fields: object) -> Callable[[Desk, Json], Json]:
    return lambda desk, plan: desk.store(plan, {name: value for name, value in {**plan, **fields}.items() if value})


def late(desk: Desk, plan: Json) -> Json:
    return desk.store(plan) | {"not_after": in_days(-1)}


TURNED_DOWN: dict[str, tuple[Callable[[Desk, Json], Json], str]] = {
    "no such plan": (lost, "approve.plan: there is no runs/"),
    "another content": (replaced, "approve.sha256: runs/"),
    "applied": (applied, "approve: carried out already, by event another"),
    "another project": (lambda desk, plan: desk.store(plan, project=OTHER), "project_id: the credentials are for"),
    "an approval that is old": (late, "not_after: the approval was good until"),
    "another project inside": (with_fields(project_id=OTHER), "plans[1].project_id: must be that of the key"),
    "no project inside": (with_fields(project_id=""), "plans[1].project_id: must be that of the key"),
    "old": (with_fields(not_after=in_days(-0.01)), "plans[1].not_after: the plan was good until"),
    "good for ever": (with_fields(not_after=""), "plans[1].not_after: must be given"),
    "good for too long": (with_fields(not_after=in_days(8)), "is further away than REAPER_PLAN_LIFE allows"),
    "a rehearsal": (with_fields(dry_run=True), "plans[1].dry_run: a plan rehearses nothing"),
    "backups": (with_fields(delete_backup=True), "plans[1].delete_backup: needs REAPER_IMAGE_API=ims"),
    "an unknown field": (with_fields(dryrun=True), "plans[1]: dryrun: unknown field"),
    "no image": (with_fields(images=[], image_ids=[]), "plans[1]: exactly one of image_ids and images"),
    "no JSON": (with_text("{"), "not JSON"),
    "not in ASCII": (with_text('{"plans": "\xe4"}'), "not in ASCII"),
    "no plans": (with_text('{"plans": []}'), "must hold a list of plans"),
    "no object": (with_text('{"plans": ["all"]}'), "plans[0]: must be a JSON object"),
    "more than plans": (with_text('{"plans": [{}], "more": 1}'), "must hold a list of plans, and nothing else"),
    "twice the same key": (with_text('{"plans": [{}], "plans": [{}]}'), "a key is given twice"),
}


@pytest.fixture(params=TURNED_DOWN.values(), ids=list(TURNED_DOWN))
def turned_down(request: pytest.FixtureRequest, desk: Desk, cloud: FakeCloud) -> tuple[Json, str]:
    make, told = request.param
    return make(desk, plan_for(cloud, [cloud.add_image("ci-1")])), told


@pytest.mark.parametrize("source", ENVELOPES)
def test_what_is_turned_down_raises_to_whoever_sends_no_queue(
    turned_down: tuple[Json, str], source: str, approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    approval, told = turned_down
    run = approve(ENVELOPES[source](approval))
    assert isinstance(run.error, InvalidRequest)
    assert told in str(run.error)
    assert told in run.logged("request.rejected")[0]["problem"]
    assert_untouched(cloud, desk, approval)


def test_from_a_queue_its_message_alone_is_returned(
    turned_down: tuple[Json, str], approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    approval, told = turned_down
    other = cloud.add_image("other")
    run = approve(queue({"image_ids": [other]}, approval))
    assert run.returned == ["m1"]
    assert told in run.logged("request.rejected")[0]["problem"]
    assert set(cloud.dead) == {other}
    assert_untouched(cloud, desk, approval)


def assert_untouched(cloud: FakeCloud, desk: Desk, approval: Json) -> None:
    assert [image.name for image in cloud.images.values()] == ["ci-1"]
    assert not any(entry.holder for entry in desk.book.entries.values())
    assert digest_of(approval) not in desk.book.entries or desk.book.entries[digest_of(approval)].applied_by


@pytest.mark.parametrize("source", ENVELOPES)
@pytest.mark.parametrize("missing", ["REAPER_REPORT_BUCKET", "REAPER_STATE_TABLE"])
def test_without_a_bucket_or_a_table_nothing_is_approved(
    missing: str, source: str, approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    run = approve(ENVELOPES[source](approval), **{missing: ""})
    assert isinstance(run.error, InvalidRequest)
    assert f"approve: needs {missing}" in str(run.error)
    assert (cloud.dead, desk.steps.taken) == ({}, [])


def test_a_bad_neighbour_in_one_event_leaves_the_plan_alone(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    event = of_topic(approval)
    event["Records"] += of_topic({"image_ids": "all"})["Records"]
    run = approve(event)
    assert isinstance(run.error, InvalidRequest)
    assert (cloud.dead, desk.book.entries) == ({}, {})
    assert approve(approval).answer["counts"] == {"deleted": 1}


# What may pass


def away(*_: object) -> bytes:
    message = "the bucket is away"
    raise EngineFault(message)


@pytest.mark.parametrize("source", ENVELOPES)
def test_a_bucket_that_is_away_is_a_failure_that_may_pass(
    source: str, approve: Invoke, cloud: FakeCloud, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    monkeypatch.setattr(desk.shelf, "get", away)
    run = approve(ENVELOPES[source](approval))
    (line,) = run.logged("image.failed")
    assert (line["image_id"], line["reason"], line["detail"]) == ("", "unavailable", "the bucket is away")
    assert run.answer.get("ok") is False if source == "direct" else isinstance(run.error, ImagesFailed)
    monkeypatch.undo()
    assert cloud.dead == {}


def test_a_bucket_that_hangs_leaves_time_for_everything_else_of_the_event(
    approve: Invoke, cloud: FakeCloud, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, other = cloud.add_image(), cloud.add_image("other")
    approval, is_over = desk.store(plan_for(cloud, [image])), Event()
    monkeypatch.setattr(desk.shelf, "get", lambda _: is_over.wait() and None)
    run = approve(queue(approval, {"image_ids": [other]}), seconds=12.0)
    is_over.set()
    assert (run.returned, list(cloud.images)) == (["m0"], [image])
    (line,) = run.logged("image.failed")
    assert (line["reason"], line["detail"]) == (
        "unavailable",
        "the plan could not be read in a quarter of the time that was left",
    )


def test_a_message_that_could_not_be_opened_comes_again(
    approve: Invoke, cloud: FakeCloud, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, other = cloud.add_image(), cloud.add_image("other")
    approval = desk.store(plan_for(cloud, [image]))
    with monkeypatch.context() as patched:
        patched.setattr(desk.shelf, "get", away)
        run = approve(queue(approval, {"image_ids": [other]}))
    assert (run.returned, set(cloud.dead)) == (["m0"], {other})
    assert approve(queue(approval)).returned == []
    assert set(cloud.dead) == {other, image}


def test_of_two_approvals_at_the_same_second_one_is_carried_out(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    run = approve(queue(approval, approval))
    assert run.returned == ["m1"]
    assert [(line["image_id"], line["reason"]) for line in run.logged("image.failed")] == [("", "busy")]
    assert len(cloud.calls_of("DELETE")) == 1
    again = approve(queue(approval, approval))
    assert (again.returned, len(cloud.calls_of("DELETE"))) == (["m1"], 1)
    assert "carried out already, by event m0" in again.logged("request.rejected")[0]["problem"]


def test_a_paused_function_opens_nothing(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    run = approve(queue(approval), REAPER_MODE="paused")
    assert (run.returned, desk.steps.taken, cloud.dead) == (["m0"], [], {})
    assert [line["reason"] for line in run.logged("image.failed")] == ["paused"]


def test_a_cloud_that_is_away_costs_the_plan_nothing(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, [cloud.add_image()]))
    cloud.fault("POST", r"/v3/auth/tokens$", status=401, times=None)
    run: Invocation = approve(queue(approval))
    assert (run.returned, [line["reason"] for line in run.logged("image.failed")]) == (["m0"], ["denied"])
    assert "claim" not in desk.steps.taken
    assert cloud.dead == {}
