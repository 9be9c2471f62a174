"""Answers, plans and log lines fit where they go, whatever the names of the images are."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.config.settings import Settings
from handler.model.outcome import Outcome, Result, Survey
from handler.model.request import DeletionRequest, Job, Select, SweepRequest, Target
from handler.report.plans import plans_of
from handler.report.report import LARGEST_ANSWER, Report
from handler.work.batches.rounds import Bundle, carry_out_in_turns
from handler.work.handling import outcome_of
from handler.work.parallel import TELLING, TELLING_LINE
from handler.work.run import Run
from tests.aws import KEYS
from tests.conftest import Context, Invocation, Invoke, queue
from tests.examples import IMAGE
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, new_run, silent_port

pytestmark = pytest.mark.slow("it makes what is larger than anything may be")

LINE = 200_000
PLAN = 200_000
ANSWER = 5_000_000
NAMES = {"short": "ci", "long": "c" * 255, "emoji": "\N{GRINNING FACE}" * 255}
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def size(value: object) -> int:
    """In ASCII, which is the longest way to write it."""
    return len(json.dumps(value))


def longest_line(run: Invocation) -> int:
    return max(map(len, run.printed.splitlines()))


def ids_of(plans: list[dict[str, Any]]) -> list[str]:
    return [image["id"] for plan in plans for image in plan["images"]]


def rehearsed(number: int, **fields: Any) -> list[Result]:  # noqa: ANN401 (the fields of an image)
    """The result of a rehearsal of so many images."""
    images = [replace(IMAGE, id=f"6cad483b-e281-4985-a345-{n:012x}", **fields) for n in range(number)]
    outcomes = tuple(Outcome(image.id, "would_delete", name=image.name, image=image) for image in images)
    return [Result("", DeletionRequest(()), outcomes)]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_plans_are_small_enough_to_be_sent_back_and_name_every_image(name: str) -> None:
    results = rehearsed(2500, name=name)
    plans = plans_of(results, "p", NOW)
    assert ids_of(plans) == [outcome.image_id for outcome in results[0].outcomes]
    assert max(map(size, plans)) < PLAN
    assert max(len(plan["images"]) for plan in plans) <= 1000


def test_an_image_that_no_plan_can_hold_spoils_none() -> None:
    (result,) = rehearsed(3)
    tags = frozenset(f"{n}{NAMES['emoji']}" for n in range(128))
    huge = replace(result.outcomes[1], image=replace(IMAGE, tags=tags))
    plans = plans_of([result._replace(outcomes=(result.outcomes[0], huge, result.outcomes[2]))], "p", NOW)
    assert ids_of(plans) == [result.outcomes[0].image_id, result.outcomes[2].image_id]


@pytest.mark.slow("eight hundred images are rehearsed, and deleted")
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_what_was_rehearsed_in_several_plans_can_be_carried_out(invoke: Invoke, cloud: FakeCloud, name: str) -> None:
    images = [cloud.add_image(name) for _ in range(800)]
    told = invoke({"image_ids": images}, REAPER_MODE="dry-run", REAPER_MAX_IMAGES="1000")
    assert "plan" not in told.answer
    assert sorted(ids_of(told.answer["plans"])) == sorted(images)
    assert invoke(queue(*told.answer["plans"]), REAPER_MAX_IMAGES="1000").returned == []
    assert set(cloud.dead) == set(images)


@pytest.mark.slow("as much as an answer, a plan or a line can hold")
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_several_plans_have_a_line_each_in_the_log(invoke: Invoke, cloud: FakeCloud, name: str) -> None:
    images = [cloud.add_image(name) for _ in range(800)]
    run = invoke(queue({"image_ids": images}), REAPER_MODE="dry-run", REAPER_MAX_IMAGES="1000")
    lines = run.logged("run.plan")
    assert sorted(ids_of([line["plan"] for line in lines])) == sorted(images)
    assert [(line["part"], line["parts"]) for line in lines] == [(n, len(lines)) for n in range(1, len(lines) + 1)]
    assert "plan" not in run.logged("run.finished")[0]
    assert longest_line(run) < LINE


def test_one_plan_stands_in_the_line_that_sums_the_run_up(invoke: Invoke, cloud: FakeCloud) -> None:
    image_id = cloud.add_image()
    run = invoke(queue({"image_ids": [image_id]}), REAPER_MODE="dry-run")
    assert ids_of([run.logged("run.finished")[0]["plan"]]) == [image_id]
    assert not run.logged("run.plan")


def test_a_rehearsal_of_which_nothing_would_go_has_no_plan(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image(protected=True)]}, REAPER_MODE="dry-run")
    assert not {"plan", "plans"} & {*run.answer, *run.logged("run.finished")[0]}


@pytest.mark.slow("as much as an answer, a plan or a line can hold")
@pytest.mark.parametrize("mode", ["delete", "dry-run"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_report_stays_small_enough_for_its_caller_and_says_what_it_leaves_out(name: str, mode: str) -> None:
    results = tuple(rehearsed(40_000, name=name))
    plans = tuple(plans_of(results, "p", NOW)) if mode == "dry-run" else ()
    told = Report("direct", mode, "r", "p", results, plans).answer()
    assert size(told) < ANSWER
    assert size(told) > ANSWER * 0.9
    assert told["counts"] == {"would_delete": 40_000}
    assert len(told["outcomes"]) + told["outcomes_in_log"] == 40_000
    assert len(told.get("plans", ())) + told.get("plans_in_log", 0) == len(plans)


def test_a_report_that_fits_leaves_nothing_out(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image(NAMES["emoji"])]})
    assert len(run.answer["outcomes"]) == 1
    assert not {"outcomes_in_log", "plans_in_log"} & run.answer.keys()


def test_the_limit_of_an_answer_leaves_lambda_room() -> None:
    assert LARGEST_ANSWER <= ANSWER


def test_a_line_is_cut_where_the_cloud_says_too_much(invoke: Invoke, cloud: FakeCloud) -> None:
    image_id = cloud.add_image("n" * 30_000)
    cloud.fault("DELETE", image_id, status=403, body={"message": NAMES["emoji"] * 100}, times=None)
    for n in range(400):
        cloud.add_server(image=image_id, name=f"{n}{NAMES['emoji']}")
    run = invoke({"image_ids": [image_id]}, REAPER_IN_USE_CHECK="on")
    assert run.outcomes == {image_id: ("refused", "in_use")}
    assert longest_line(run) < LINE


def test_nothing_is_kept_of_the_record_of_an_image_once_it_was_dealt_with(cloud: FakeCloud, server: Server) -> None:
    images = [cloud.add_image(properties={"note": "x" * 60_000}), cloud.add_image(protected=True)]
    settings = Settings.from_env(cloud.env(server.url))
    report = process({"image_ids": images}, Context(60), settings, aws)
    assert [outcome.image.record for outcome in report.outcomes if outcome.image] == [{}, {}]
    assert [outcome.outcome for outcome in report.outcomes] == ["would_delete", "refused"]


# What was not touched


def test_images_that_were_not_touched_are_told_in_one_line_a_message(invoke: Invoke, cloud: FakeCloud) -> None:
    few, many = [cloud.add_image()], [cloud.add_image() for _ in range(50)]
    bodies = ({"image_ids": few, "reason": "nightly"}, {"image_ids": many})
    run = invoke(queue(*bodies), REAPER_MODE="paused")
    told = {line["message_id"]: line for line in run.logged("images.untouched")}
    assert {name: line["image_ids"] for name, line in told.items()} == {"m0": few, "m1": many}
    assert (told["m0"]["reason"], told["m0"]["asked_by"], told["m0"]["level"]) == ("paused", "nightly", "ERROR")
    assert not run.logged("image.failed")
    assert (run.metric("ImagesFailed"), run.metric("ImagesFailed_paused")) == (51, 51)


def test_the_report_has_an_outcome_for_each_image_that_was_not_touched(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(5)]
    cloud.fault("POST", "/auth/tokens", status=401, times=None)
    run = invoke({"image_ids": images})
    assert run.outcomes == dict.fromkeys(images, ("failed", "denied"))
    assert [line["image_ids"] for line in run.logged("images.untouched")] == [images]


def test_what_was_begun_before_the_deadline_is_told_by_itself(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(20)]
    cloud.fault("GET", images[0], status=500, delay=30, times=None)
    run = invoke({"image_ids": images}, seconds=2.5, REAPER_CONCURRENCY="1")
    assert [line["image_id"] for line in run.logged("image.failed")] == images[:1]
    assert [line["image_ids"] for line in run.logged("images.untouched")] == [images[1:]]
    assert {reason for _, reason in run.outcomes.values()} <= {"deadline", "unavailable"}
    assert set(run.outcomes) == set(images)


def test_a_bug_that_one_image_meets_costs_no_other_its_turn(
    invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, *others = (cloud.add_image() for _ in range(4))

    def raises(job: Job, run: Run) -> Outcome:
        if job.target.image_id == odd:
            raise KeyError
        return outcome_of(job, run)

    monkeypatch.setattr("handler.work.parallel.outcome_of", raises)
    run = invoke({"image_ids": [odd, *others]}, REAPER_CONCURRENCY="1")
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}
    assert len(run.logged("run.fault")) == 1


def test_a_finished_message_is_not_returned_because_others_were_not_touched(invoke: Invoke, cloud: FakeCloud) -> None:
    done, late = [cloud.add_image() for _ in range(3)], [cloud.add_image() for _ in range(30)]
    cloud.fault("GET", late[0], status=500, delay=30, times=None)
    bodies = ({"image_ids": done}, {"image_ids": late})
    run = invoke(queue(*bodies), seconds=4.4, REAPER_CONCURRENCY="1")
    assert (run.returned, set(cloud.dead)) == (["m1"], set(done))


def test_no_line_of_untouched_images_is_too_long(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.new_id() for _ in range(1000)]
    event = queue(*({"image_ids": images, "reason": "x" * 256} for _ in range(10)))
    assert longest_line(invoke(event, REAPER_MODE="paused")) < LINE


def test_what_workers_did_not_get_before_the_deadline_is_told_in_one_line(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(20)]
    asked = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}, "reason": "nightly"}
    with silent_port() as port:
        run = invoke(asked, seconds=4.0, REAPER_FANOUT_QUEUE_URL=f"http://127.0.0.1:{port}/1/workers", **KEYS)
    assert run.outcomes == dict.fromkeys(images, ("failed", "deadline"))
    (line,) = run.logged("images.untouched")
    assert (sorted(line["image_ids"]), line["asked_by"]) == (sorted(images), "nightly")
    assert not run.logged("image.failed")
    assert {one["name"] for one in run.answer["outcomes"]} == {f"ci-{n}" for n in range(20)}


@pytest.mark.slow("as much as an answer, a plan or a line can hold")
def test_the_line_that_sums_up_many_sweeps_is_not_too_long() -> None:
    reasons = ("age", "family", "kept", "name", "newest", "properties", "size", "status", "tags", "unreadable", "used")
    survey = Survey(looked_at=10**6, stay=tuple((reason, 10**5) for reason in reasons))
    result = Result("m", SweepRequest(Select(name="ci-*")), survey=survey)
    told = Report("queue", "delete", "r", "p", (result,) * 10_000).sweeps()
    assert size(told) < LINE * 0.9
    assert len(told["sweeps"]) + told["sweeps_left_out"] == 10_000


def test_time_is_kept_back_for_what_gets_no_turn_as_well(cloud: FakeCloud, server: Server) -> None:
    run, request = new_run(cloud, server, Clock(), REAPER_MAX_IMAGES="0"), DeletionRequest(())
    jobs = [Job(Target(cloud.new_id()), request) for _ in range(100)]
    before = run.deadline.reserve
    outcomes = carry_out_in_turns([Bundle(jobs=jobs, receives=1, comes_once=False)] * 2, run, lambda _: None)
    assert {outcome.reason for done in outcomes for outcome in done} == {"over_limit"}
    assert run.deadline.reserve - before == pytest.approx(200 * TELLING + 2 * TELLING_LINE)


def test_more_time_is_kept_back_for_more_images(cloud: FakeCloud, invoke: Invoke) -> None:
    images = [cloud.new_id() for _ in range(1000)]
    event = queue(*({"image_ids": images} for _ in range(10)))
    context = Context(2.5)
    assert invoke(event, seconds=2.5).returned == [f"m{n}" for n in range(10)]
    assert context.get_remaining_time_in_millis() > 0
    assert not [call for call in cloud.calls if "/images/" in call.path]
