"""An approved plan: exactly its images go, once, in its order, here or through the workers, whoever dies on the way."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from moto.sqs.models import sqs_backends

from handler.errors import Busy
from tests.aws import REGION, Client, client
from tests.conftest import Context, Invocation, Invoke, queue
from tests.fakecloud import DEMO, FakeCloud
from tests.unit.approving import Desk, Entry, Json, Killed, approve, desk, digest_of, expected, plan_for

__all__ = ["approve", "desk"]

FLAG = {"id": {"S": "stop"}, "by": {"S": "jo"}}
ONE = {"REAPER_CONCURRENCY": "1"}


def names_of(cloud: FakeCloud, number: int) -> list[str]:
    return [cloud.add_image(f"ci-{place}") for place in range(number)]


def entry(desk: Desk, approval: Json) -> Entry:
    return desk.book.entries[digest_of(approval)]


def deleted(cloud: FakeCloud) -> list[str]:
    """The images that are gone, in the order of their deletion."""
    return [call.path.rpartition("/")[2] for call in cloud.calls_of("DELETE")]


# Directly


def test_the_images_of_a_plan_go_in_its_order_and_no_other(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images, other = names_of(cloud, 5), cloud.add_image("ci-9")
    approval = desk.store(plan_for(cloud, images[:3][::-1]), plan_for(cloud, images[3:]))
    run = approve(approval, **ONE)
    assert deleted(cloud) == [*images[:3][::-1], *images[3:]]
    assert [one["outcome"] for one in run.answer["outcomes"]] == ["deleted"] * 5
    assert (run.answer["ok"], list(cloud.images)) == (True, [other])
    assert (entry(desk, approval).applied_by, entry(desk, approval).position) == (Context.aws_request_id, 5)


def test_what_has_changed_since_stays_and_all_else_goes(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images = names_of(cloud, 4)
    approval = desk.store(plan_for(cloud, images))
    cloud.images[images[0]].name = "golden"
    cloud.images[images[1]].tags = ["keep"]
    run = approve(approval)
    reasons = [(one["outcome"], one["reason"]) for one in run.answer["outcomes"]]
    assert reasons == [("refused", "changed"), ("refused", "changed"), ("deleted", ""), ("deleted", "")]
    assert entry(desk, approval).applied_by


def test_the_log_names_who_has_asked_and_who_has_approved(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    told = {}
    for number, (plan, approval) in enumerate((("nightly", "jo"), ("nightly", ""), ("", "jo"), ("n" * 256, "j" * 250))):
        stored = desk.store(plan_for(cloud, [cloud.add_image(f"ci-{number}")], reason=plan or None))
        run = approve(stored | ({"reason": approval} if approval else {}))
        (deleting,), (done,) = run.logged("image.deleting"), run.logged("image.deleted")
        assert deleting["asked_by"] == done["asked_by"]
        told[number] = done["asked_by"]
    assert told == {0: "jo (plan: nightly)", 1: "nightly", 2: "jo", 3: f"{'j' * 250} (plan"}


def test_a_plan_ends_with_its_approval(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 1)))
    run = approve(approval | {"dry_run": True, "not_after": "2099-01-01"})
    assert run.answer["plan"]["not_after"] == json.loads(next(iter(desk.shelf.files.values())))["plans"][0]["not_after"]


def test_the_report_of_an_applied_plan_is_told_again_without_an_image(
    approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 2)))
    assert approve(queue(approval)).returned == []
    again = approve(queue(approval))
    assert (again.returned, again.logged("image.deleted"), len(deleted(cloud))) == ([], [], 2)


# A rehearsal


@pytest.mark.parametrize("how", [{"REAPER_MODE": "dry-run"}, {"REAPER_STATE_TABLE": "", "dry_run": True}])
def test_a_rehearsal_leaves_the_plan_as_it_is(
    how: dict[str, str], approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    images = names_of(cloud, 3)
    approval = desk.store(plan_for(cloud, images, reason="nightly"))
    request, settings = {**approval}, {**how}
    if settings.pop("dry_run", ""):
        request["dry_run"] = True
    run = approve(request, **settings)
    assert (run.answer["mode"], run.answer["counts"], deleted(cloud)) == ("dry-run", {"would_delete": 3}, [])
    assert [image["id"] for image in run.answer["plan"]["images"]] == images
    assert desk.steps.taken == ["get"] or set(desk.steps.taken) == {"get"}
    assert desk.book.entries == {}
    assert approve(approval).answer["counts"] == {"deleted": 3}


# What bounds it


def test_seven_images_at_a_time_twenty_are_gone_after_three_receives(
    approve: Invoke, cloud: FakeCloud, desk: Desk
) -> None:
    images = names_of(cloud, 20)
    approval = desk.store(plan_for(cloud, images))
    positions = []
    for receive in range(3):
        run = approve(queue(approval), REAPER_MAX_IMAGES="7", **ONE)
        positions.append(entry(desk, approval).position)
        assert run.returned == ["m0"][: 2 - receive]
        assert [len(line["image_ids"]) for line in run.logged("images.untouched")] == [13, 6][receive : receive + 1]
        assert not run.logged("image.failed")
    assert (positions, deleted(cloud)) == ([7, 14, 20], images)


def test_images_that_stay_cost_nothing(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images = names_of(cloud, 12)
    approval = desk.store(plan_for(cloud, images))
    for image in images[:9]:
        cloud.images[image].protected = True
    run = approve(approval, REAPER_MAX_IMAGES="3", **ONE)
    assert run.answer["counts"] == {"refused": 9, "deleted": 3}
    assert entry(desk, approval).applied_by


def test_no_image_may_go_where_none_is_allowed(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 2)))
    run = approve(approval, REAPER_MAX_IMAGES="0")
    assert {one["reason"] for one in run.answer["outcomes"]} == {"over_limit"}
    assert (deleted(cloud), entry(desk, approval).holder, entry(desk, approval).applied_by) == ([], None, "")


def test_a_stop_midway_ends_it_and_later_it_goes_on(
    approve: Invoke, cloud: FakeCloud, desk: Desk, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, images = client("dynamodb", moto), names_of(cloud, 6)
    approval = desk.store(plan_for(cloud, images))
    monkeypatch.setattr("handler.engine.aws.state.stop.LOOK_AFTER", -1.0)
    stop: Callable[[], object] = lambda: table.put_item(TableName="state", Item=FLAG)  # noqa: E731
    cloud.fault("DELETE", status=None, skip=2, then=stop)
    run = approve(queue(approval), **ONE)
    assert (run.returned, deleted(cloud)) == (["m0"], images[:3])
    assert {line["reason"] for line in run.logged("images.untouched")} == {"paused"}
    assert (entry(desk, approval).position, entry(desk, approval).applied_by) == (3, "")
    table.delete_item(TableName="state", Key={"id": FLAG["id"]})
    assert approve(queue(approval), **ONE).returned == []
    assert deleted(cloud) == images


def test_a_plan_that_another_run_has_taken_over_is_left_to_it(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images = names_of(cloud, 6)
    approval = desk.store(plan_for(cloud, images))
    cloud.fault("DELETE", status=None, skip=2, then=desk.book.let_expire)
    run = approve(queue(approval), **ONE)
    assert (run.returned, deleted(cloud)) == (["m0"], images[:3])
    failed = run.logged("image.failed") + run.logged("images.untouched")
    assert {line["reason"] for line in failed} == {"busy"}
    assert entry(desk, approval).position == 0


def test_a_failed_image_holds_the_position_and_no_other_image(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images = names_of(cloud, 4)
    approval = desk.store(plan_for(cloud, images))
    cloud.fault("GET", f"/v2/images/{images[1]}$", status=403, times=None)
    run = approve(queue(approval), **ONE)
    assert (run.returned, deleted(cloud)) == (["m0"], [images[0], *images[2:]])
    assert (entry(desk, approval).position, entry(desk, approval).holder) == (1, None)


def test_without_time_all_is_left_for_the_next_run(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 3)))
    run = approve(queue(approval), seconds=3.0)
    assert run.returned == ["m0"]
    assert approve(queue(approval)).returned == []


def test_what_can_not_be_noted_in_the_end_comes_again_and_deletes_nothing(
    approve: Invoke, cloud: FakeCloud, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 2)))
    with monkeypatch.context() as patched:
        patched.setattr("tests.unit.approving.Held.end", lambda *_, **__: "the table is away")
        run = approve(queue(approval))
    (line,) = run.logged("image.failed")
    assert (run.returned, line["image_id"], line["reason"]) == (["m0"], "", "budget")
    assert line["detail"] == "the plan is carried out, but that could not be noted: the table is away"
    desk.book.let_expire()
    assert approve(queue(approval)).returned == []
    assert (len(deleted(cloud)), entry(desk, approval).applied_by) == (2, "m0")


# Beside others


def test_a_plan_comes_after_the_deletions_of_its_batch(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    images, other = names_of(cloud, 2), cloud.add_image("other")
    run = approve(queue(desk.store(plan_for(cloud, images)), {"image_ids": [other]}), **ONE)
    assert (run.returned, deleted(cloud)) == ([], [other, *images])


def test_a_plan_that_is_held_back_in_its_group_is_given_back(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 1)))
    run = approve(queue("{", approval, fifo_groups=["g", "g"]))
    assert (run.returned, deleted(cloud)) == (["m0", "m1"], [])
    assert (entry(desk, approval).holder, entry(desk, approval).applied_by) == (None, "")


# Through the workers


class Workers:
    """The queue of the workers, and the workers."""

    def __init__(self, moto: str, invoke: Invoke) -> None:
        self.sqs: Client = client("sqs", moto)
        self.url: str = self.sqs.create_queue(QueueName="approved")["QueueUrl"]
        self._invoke = invoke

    def take(self) -> list[Json]:
        """Everything that waits in the queue, taken out of it."""
        # Not by its API: for a thousand messages, moto takes a minute.
        waiting = sqs_backends["123456789012"][REGION].queues["approved"]._messages
        found = [json.loads(message.body) for message in waiting]
        waiting.clear()
        return found

    def work(self, requests: Sequence[Json]) -> list[Invocation]:
        batches = [requests[start : start + 10] for start in range(0, len(requests), 10)]
        return [self._invoke(queue(*batch), REAPER_REPORT_BUCKET="", REAPER_STATE_TABLE="") for batch in batches]


@pytest.fixture
def workers(moto: str, approve: Invoke) -> Iterator[Workers]:
    found = Workers(moto, approve)
    yield found
    found.sqs.delete_queue(QueueUrl=found.url)


@pytest.fixture
def send(approve: Invoke, workers: Workers) -> Invoke:
    """The same function, which leaves plans to workers."""
    return lambda event, **changed: approve(event, REAPER_FANOUT_QUEUE_URL=workers.url, **changed)


def test_workers_get_the_images_in_order_with_all_that_the_plan_expects(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    images = names_of(cloud, 25)
    for image in images:
        cloud.images[image].tags = ["b", "a"]
    approval = desk.store(plan_for(cloud, images[:12], reason="nightly"), plan_for(cloud, images[12:]))
    run = send(approval | {"reason": "jo"})
    sent = workers.take()
    assert [len(request["images"]) for request in sent] == [10, 2, 10, 3]
    assert [one for request in sent for one in request["images"]] == [
        {"id": image, "expect": expected(cloud, image)} for image in images
    ]
    assert {request["project_id"] for request in sent} == {DEMO}
    assert [request["reason"] for request in sent] == ["jo (plan: nightly)"] * 2 + ["jo"] * 2
    assert (run.answer["ok"], run.answer["counts"], deleted(cloud)) == (True, {"would_delete": 25}, [])
    assert {one["detail"] for one in run.answer["outcomes"]} == {"left to a worker: sent to the queue"}
    assert [(one["name"], one["size"]) for one in run.answer["outcomes"]][:1] == [("ci-0", 1024)]
    assert "plan" not in run.answer
    assert entry(desk, approval).applied_by


def test_backups_go_where_the_plan_says_so_and_nowhere_else(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    images, ims = names_of(cloud, 2), {"REAPER_IMAGE_API": "ims"}
    plans = [plan_for(cloud, images[:1], delete_backup=True), plan_for(cloud, images[1:])]
    rehearsed = [send(desk.store(*some) | {"dry_run": True}, **ims).answer["plan"] for some in (plans[:1], plans)]
    assert [plan.get("delete_backup") for plan in rehearsed] == [True, None]
    send(desk.store(*plans), **ims)
    assert [request.get("delete_backup") for request in workers.take()] == [True, None]


def test_workers_have_as_long_as_the_plan_or_its_approval_whichever_ends_first(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    for approval in ({}, {"not_after": soon}, {"not_after": "2099-01-01"}):
        plan = plan_for(cloud, [cloud.add_image()])
        send(queue(desk.store(plan) | approval))
        assert [request["not_after"] for request in workers.take()] == [min([plan["not_after"], *approval.values()])]


def test_workers_carry_out_what_was_approved_and_refuse_what_has_changed(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    images = names_of(cloud, 11)
    send(desk.store(plan_for(cloud, images)))
    cloud.images[images[3]].name = "golden"
    workers.work(workers.take())
    assert list(cloud.images) == [images[3]]


def test_after_each_batch_it_is_noted_how_far_the_plan_came(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 230)))
    send(approval)
    assert [step for step in desk.steps.taken if step in {"send", "reach"}] == ["send", "reach"] * 3
    assert (len(workers.take()), entry(desk, approval).position) == (23, 230)


def test_a_rehearsal_sends_nothing(send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk) -> None:
    run = send(desk.store(plan_for(cloud, names_of(cloud, 3))) | {"dry_run": True})
    assert (run.answer["counts"], workers.take()) == ({"would_delete": 3}, [])


def test_what_the_queue_does_not_take_stays_and_comes_again(
    approve: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    images = names_of(cloud, 230)
    approval = desk.store(plan_for(cloud, images))
    run = approve(queue(approval), REAPER_FANOUT_QUEUE_URL=f"{workers.url}-gone")
    assert (run.returned, entry(desk, approval).position) == (["m0"], 0)
    assert len(run.logged("image.failed")) == 100
    (line,) = run.logged("images.untouched")
    assert (line["reason"], len(line["image_ids"])) == ("unavailable", 130)
    assert approve(queue(approval), REAPER_FANOUT_QUEUE_URL=workers.url).returned == []
    assert [one["id"] for request in workers.take() for one in request["images"]] == images


def test_the_stop_flag_keeps_all_of_it_from_the_queue(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk, moto: str
) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 3)))
    client("dynamodb", moto).put_item(TableName="state", Item=FLAG)
    assert send(queue(approval)).returned == ["m0"]
    assert (workers.take(), desk.book.entries) == ([], {})


# Runs that are killed


def carry_through(function: Invoke, desk: Desk, approval: Json, **settings: str) -> list[str]:
    """Let the message of an approval come again until a run ends well; the steps that were taken."""
    desk.steps.taken.clear()
    for _ in range(4):
        desk.steps.begin()
        try:
            if not function(queue(approval), **settings).returned:
                return list(desk.steps.taken)
        except Killed:
            desk.book.let_expire()
    message = "it never ended well"
    raise AssertionError(message)


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_is_killed_at_any_step_loses_no_image_and_deletes_no_other(
    approve: Invoke, cloud: FakeCloud, desk: Desk, *, after: bool
) -> None:
    desk.steps.after, other, steps = after, cloud.add_image("other"), [""]
    while desk.steps.kill_at < len(steps):
        approval = desk.store(plan_for(cloud, names_of(cloud, 5)))
        taken = carry_through(approve, desk, approval, REAPER_MAX_IMAGES="3", **ONE)
        assert list(cloud.images) == [other]
        assert (entry(desk, approval).applied_by, entry(desk, approval).position) == ("m0", 5)
        # The first time, nothing was killed: these are the steps of a run at peace, and of its repetition.
        steps = taken if desk.steps.kill_at < 0 else steps
        desk.steps.kill_at += 1
    assert {"get", "claim", "stop", "reach", "end"} == set(steps)


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_is_killed_at_any_step_of_sending_sends_every_image(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk, *, after: bool
) -> None:
    desk.steps.after, images, steps = after, names_of(cloud, 230), [""]
    while desk.steps.kill_at < len(steps):
        approval = desk.store(plan_for(cloud, images, reason=f"night {desk.steps.kill_at}"))
        taken = carry_through(send, desk, approval)
        sent = [one["id"] for request in workers.take() for one in request["images"]]
        assert set(sent) == set(images)
        assert len(sent) - len(images) in {0, 30, 100}
        assert (entry(desk, approval).applied_by, entry(desk, approval).position) == ("m0", 230)
        steps = taken if desk.steps.kill_at < 0 else steps
        desk.steps.kill_at += 1
    assert deleted(cloud) == []


@pytest.mark.slow("a thousand images, and a hundred messages")
def test_of_a_thousand_images_none_is_lost_whichever_runs_are_killed_on_the_way(
    send: Invoke, workers: Workers, cloud: FakeCloud, desk: Desk
) -> None:
    images, others = names_of(cloud, 1000), {cloud.add_image("other") for _ in range(10)}
    plans = [plan_for(cloud, images[start : start + 50]) for start in range(0, 1000, 50)]
    approval = desk.store(*plans)
    # The number of the next step to die at, counted from the first of all: at the claim, early, midway, and at the end.
    for desk.steps.kill_at, desk.steps.after in ((2, True), (7, False), (16, True), (23, False), (34, True)):
        desk.steps.begin()
        with pytest.raises(Killed):
            send(queue(approval), seconds=600.0)
        desk.book.let_expire()
    desk.steps.begin()
    assert send(queue(approval), seconds=600.0).returned == []
    assert (entry(desk, approval).applied_by, entry(desk, approval).position) == ("m0", 1000)
    requests = workers.take()
    assert len(requests) <= 2 * 100
    workers.work(requests)
    assert set(cloud.images) == others
    assert len(cloud.calls_of("DELETE")) == 1000


def test_a_plan_that_another_run_has_at_this_moment_is_busy(approve: Invoke, cloud: FakeCloud, desk: Desk) -> None:
    approval = desk.store(plan_for(cloud, names_of(cloud, 1)))
    held = desk.book.claim(digest_of(approval), "another")
    run = approve(queue(approval))
    assert (run.returned, deleted(cloud)) == (["m0"], [])
    assert [line["reason"] for line in run.logged("image.failed")] == [Busy.reason]
    held.end(applied=False)
    assert approve(queue(approval)).returned == []
