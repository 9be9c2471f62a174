"""What a report says of each image, to the letter: a person decides by it what to do next."""

import math
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from handler.cloud.meanings import Meaning
from handler.errors import AnswerLost, BackupLeft, Denied, Outdated, OverLimit, Unanswered, Unavailable, Unexpected
from handler.model.outcome import Objection, Outcome, Survey
from handler.model.request import DeletionRequest, Job, Select, SweepRequest, Target
from handler.rules.mark_state import MarkState, state_of
from handler.work import deletion, grace, sweeps
from handler.work.handling import failed
from handler.work.judgement import Judgement, gone, outcome, refused
from handler.work.run import Progress
from handler.work.survey import survey as findings
from handler.work.uses import lists
from handler.work.uses.lists import Expiry
from tests.conftest import UNKNOWN_ID, Invocation, Invoke
from tests.examples import DAY, IMAGE, NOW, tagged
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.faults import Clock, new_run

GRACE = SweepRequest(Select(name="ci-*"), grace=7 * DAY)


def sweep(**policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100} | policy}


def details(run: Invocation) -> list[tuple[str, str, str]]:
    return [(told["outcome"], told["reason"], told["detail"]) for told in run.answer["outcomes"]]


def days_from_now(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def test_an_image_that_is_not_there_is_told_with_its_id_alone(invoke: Invoke) -> None:
    (told,) = invoke({"image_ids": [UNKNOWN_ID]}).answer["outcomes"]
    assert told == {
        "image_id": UNKNOWN_ID,
        "name": None,
        "outcome": "already_gone",
        "reason": "",
        "detail": "the cloud knows no such image",
        "size": None,
    }


def test_what_is_over_the_limit_of_an_invocation_says_the_limit(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image(), cloud.add_image()]}, REAPER_MAX_IMAGES="1", REAPER_CONCURRENCY="1")
    assert details(run)[1] == (
        "failed",
        "over_limit",
        "REAPER_MAX_IMAGES is 1: no more than that in one invocation; raise it for more",
    )
    progress = Progress(1)
    progress.take_deletion()
    with pytest.raises(OverLimit, match=r"^REAPER_MAX_IMAGES is 1: no more than that"):
        progress.take_deletion()


@pytest.mark.parametrize(
    ("policy", "cap"), [({"limit": 2}, "limit is 2"), ({"limit_percent": 62.5}, "limit_percent is 62.5")]
)
def test_a_cap_that_would_be_broken_is_told_with_the_numbers(
    policy: dict[str, float], cap: str, invoke: Invoke, cloud: FakeCloud
) -> None:
    selected = [cloud.add_image(f"ci-{number}", size=7) for number in range(3)]
    cloud.add_image("web")
    run = invoke(sweep(**policy))
    detail = f"3 of 4 images are selected, and {cap}: none is deleted or marked"
    assert details(run) == [("failed", "over_limit", detail)] * 3
    assert {told["image_id"]: told["size"] for told in run.answer["outcomes"]} == dict.fromkeys(selected, 7)


def test_exactly_as_many_as_the_caps_allow_are_deleted(invoke: Invoke, cloud: FakeCloud) -> None:
    for name in ("ci-1", "ci-2", "web-1", "web-2"):
        cloud.add_image(name)
    assert details(invoke(sweep(limit=2, limit_percent=50))) == [("deleted", "", "")] * 2


def test_an_image_whose_id_is_no_uuid_is_named_and_the_cure_is_a_person(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", id="ci-1")
    words = "its id is no UUID, so that it can't be named in a request"
    run = invoke(sweep())
    assert details(run) == [("failed", "unexpected", words)]
    assert run.answer["outcomes"][0]["name"] == "ci-1"


def test_a_mark_is_told_with_its_day(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    day = days_from_now(3)
    would = ("would_delete", "", f"would be marked, and deleted after {day}")
    assert details(invoke(sweep(grace="3d") | {"dry_run": True})) == [would]
    will = ("marked", "", f"will be deleted after {day}")
    assert details(invoke(sweep(grace="3d"))) == [will]
    assert details(invoke(sweep(grace="3d"))) == [will]
    assert details(invoke(sweep(grace="3d") | {"dry_run": True})) == [will]
    notice = ("would_delete", "", f"would be deactivated, and deleted after {day}")
    assert details(invoke(sweep(grace="3d", deactivate=True) | {"dry_run": True})) == [notice]


def test_a_mark_that_is_taken_off_is_told(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    invoke(sweep(grace="3d"))
    cloud.images[image].name = "web-1"
    would = "no longer selected; it would no longer wait for its deletion"
    assert details(invoke(sweep(grace="3d") | {"dry_run": True})) == [("refused", "changed", would)]
    assert len(cloud.images[image].tags) == 2
    told = "no longer selected; it no longer waits for its deletion"
    assert details(invoke(sweep(grace="3d"))) == [("refused", "changed", told)]
    assert cloud.images[image].tags == []


def test_an_image_that_is_changed_all_the_time_is_told_after_twelve_plans() -> None:
    added: list[str] = []
    changes = SimpleNamespace(check_room=lambda *_: None, add_tag=lambda _, tag: added.append(tag))
    run: Any = SimpleNamespace(now=NOW, cloud=SimpleNamespace(image=lambda _: IMAGE, changes=changes), lease=None)
    with pytest.raises(Unexpected, match=r"^somebody else changes its tags all the time$"):
        grace.mark(IMAGE, state_of(IMAGE, GRACE, NOW), GRACE, run)
    assert len(added) == 12


def test_an_image_that_goes_while_it_is_marked_is_gone() -> None:
    changes = SimpleNamespace(check_room=lambda *_: None, add_tag=lambda *_: None)
    run: Any = SimpleNamespace(now=NOW, cloud=SimpleNamespace(image=lambda _: None, changes=changes), lease=None)
    assert grace.mark(IMAGE, state_of(IMAGE, GRACE, NOW), GRACE, run) is None


ACTIVATED = "Image Activated"
TEMPLATE = {"REAPER_LIFECYCLE_REQUEST": '{"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}'}


def activation(cloud: FakeCloud, image_id: str, **said: str) -> dict[str, Any]:
    record = cloud.images.get(image_id)
    told = {"name": record.name if record else "ci-1", "image_id": image_id}
    return {"detail-type": ACTIVATED, "source": "x", "detail": told | said}


def test_an_event_of_an_image_that_is_not_so_is_told(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    unknown = "the event says that it has become active, but the cloud knows no such image"
    assert details(invoke(activation(cloud, UNKNOWN_ID), **TEMPLATE)) == [("refused", "changed", unknown)]
    other = "not as the event says: name is 'ci-1', expected 'ci-2'"
    assert details(invoke(activation(cloud, image, name="ci-2"), **TEMPLATE)) == [("refused", "changed", other)]
    owner = f"not as the event says: owner is '{DEMO}', expected 'x'"
    assert details(invoke(activation(cloud, image, owner="x"), **TEMPLATE)) == [("refused", "changed", owner)]
    cloud.images[image].owner, cloud.images[image].visibility = OTHER, "public"
    foreign = f"not as the event says: owned by project {OTHER}, not by {DEMO}"
    assert details(invoke(activation(cloud, image), **TEMPLATE)) == [("refused", "not_owner", foreign)]
    assert not cloud.calls_of("DELETE")


def test_what_uses_an_image_is_told_by_name_and_id(invoke: Invoke, cloud: FakeCloud) -> None:
    kernel = cloud.add_image("kernel")
    image = cloud.add_image("ci-1", kernel_id=kernel)
    server = cloud.add_server("web-1", image=image)
    assert details(invoke({"image_ids": [image, kernel]})) == [
        ("refused", "in_use", f"used by server web-1 ({server})"),
        ("refused", "in_use", f"used by image {image}, which is in use"),
    ]


def test_where_there_is_one_region_no_error_names_it(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.fault("GET", "/servers/detail$", status=403, times=None)
    ((outcome_name, reason, detail),) = details(invoke({"image_ids": [cloud.add_image()]}))
    assert (outcome_name, reason) == ("failed", "denied")
    assert not detail.startswith("region")


def test_a_server_that_does_not_tell_its_image_yet_is_named(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    server = cloud.add_server("db-1", image=None, status="BUILD", taken_up=False)
    detail = f"server db-1 ({server}) is being built, and does not say yet from which image"
    assert details(invoke({"image_ids": [image]})) == [("failed", "unavailable", detail)]


def test_three_images_in_a_row_without_an_answer_end_the_run(cloud: FakeCloud, server: Server) -> None:
    silent, other = Unanswered("x"), AnswerLost("x")
    progress = Progress(1)
    noted = [progress.note(each) for each in (silent, silent, other, silent, None, silent, silent, silent, silent)]
    assert noted == [False] * 7 + [True] * 2
    run = new_run(cloud, server, Clock())
    for error in (silent, silent, other):
        run.note(error)
    run.deadline.check()
    for error in (silent, silent, silent):
        run.note(error)
    with pytest.raises(Unanswered):
        run.deadline.check()


def test_an_error_that_everything_else_would_meet_ends_the_run(cloud: FakeCloud, server: Server) -> None:
    run = new_run(cloud, server, Clock())
    run.note(None)
    run.note(Denied("x"))
    run.deadline.check()
    run.note(Denied("x", ends_run=True))
    with pytest.raises(Denied):
        run.deadline.check()


def test_volumes_are_listed_once_for_all_images(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(4)]
    run = invoke({"image_ids": images}, REAPER_IN_USE_ALSO="volumes", REAPER_CONCURRENCY="1")
    assert run.outcomes == dict.fromkeys(images, ("deleted", ""))
    assert len([call for call in cloud.calls_of("GET") if call.path.endswith("/volumes/detail")]) == 1


# What only a part of the work can say


@pytest.mark.parametrize(("took", "fails"), [(60.0, False), (60.5, True)])
def test_a_list_that_took_too_long_says_the_seconds(took: float, *, fails: bool) -> None:
    if not fails:
        lists.young("volumes", 100.0, 100.0 + took)
        return
    with pytest.raises(Unavailable, match=r"^the list of volumes took 60 seconds, and must not be older than 60$"):
        lists.young("volumes", 100.0, 100.0 + took)
    with pytest.raises(Unavailable, match=r"^the list of x took 9 seconds, and must not be older than 5$"):
        lists.young("x", 100.0, 109.0, 5.0)


@pytest.mark.parametrize(
    ("took", "age", "due"), [(0, 55, False), (0, 55.5, True), (55, 55.5, True), (55.5, 55.5, False), (56, 60.5, True)]
)
def test_a_list_is_read_again_before_it_is_too_old_unless_it_takes_too_long_for_that(
    took: float, age: float, *, due: bool
) -> None:
    assert lists.is_due(100.0, took, 100.0 + age) is due


@pytest.mark.parametrize(
    ("days", "state", "is_left"),
    [(-3, "DUE", True), (-4, "DUE", False), (None, "DUE", True), (-3, "WAITING", False), (0, "DUE", True)],
)
def test_an_image_is_left_to_workers_for_three_days_after_its_last(
    days: int | None, state: str, *, is_left: bool
) -> None:
    last_day = None if days is None else (NOW + days * DAY).date()
    mark = state_of(IMAGE, GRACE, NOW)._replace(state=MarkState[state], last_day=last_day)
    assert findings._is_for_workers(mark, NOW.date()) is is_left


def test_a_thousand_images_of_a_sweep_that_is_not_carried_out_are_named() -> None:
    named = sweeps._expired(Survey(selected=(IMAGE,) * 1001), NOW)
    assert len(named) == 1000
    assert {(told.reason, told.detail) for told in named} == {
        ("expired", f"the request was good until {NOW.isoformat()}")
    }


def test_what_is_left_to_a_worker_says_so() -> None:
    sent = sweeps._left_to_worker(IMAGE.expectation(), "")
    detail = "left to a worker: sent to the queue"
    assert sent == Outcome(IMAGE.id, "would_delete", detail=detail, name="ci-1", size=1024)
    lost = sweeps._left_to_worker(IMAGE.expectation(), "InternalError")
    assert (lost.outcome, lost.reason) == ("failed", "unavailable")
    assert (lost.detail, lost.name) == ("the queue did not take it: InternalError", "ci-1")


def test_a_queue_that_tells_of_fewer_messages_than_it_was_given_is_not_believed() -> None:
    run: Any = SimpleNamespace(
        heed_stop=lambda: math.inf,
        enqueue=lambda images, _shared: [""] * (len(images) - 1),
        cloud=SimpleNamespace(project_id="p"),
        now=NOW,
        plan_life=DAY,
        deadline=SimpleNamespace(fence=SimpleNamespace(around=nullcontext), left=lambda: 5.0, keep_back=lambda _: None),
        progress=None,
        check_change=lambda _image_id: None,
    )
    with pytest.raises(ValueError, match="shorter"):
        sweeps._queued([IMAGE, IMAGE], GRACE, "", run)


def judgement(**changes: Any) -> Judgement:  # noqa: ANN401 (any field)
    given: dict[str, Any] = {"image": IMAGE, "mark": None, "objection": None, "expiry": Expiry(10.0, "the image")}
    return Judgement(**given | changes)


def test_a_permit_is_good_once_and_up_to_its_moment() -> None:
    times = iter([10.0, 10.0, 10.5])
    use = judgement().permit(lambda: next(times))
    use()
    for _ in range(2):
        with pytest.raises(Outdated, match=r"^the image has to be read again before its DELETE$"):
            use()
    with pytest.raises(Outdated):
        judgement().permit(lambda: 10.5)()


def test_no_delete_is_sent_that_no_judgement_permits() -> None:
    job = Job(Target(IMAGE.id), DeletionRequest((Target(IMAGE.id),)))
    mark = state_of(tagged("reaper-delete-after=2099-01-01"), GRACE, NOW)
    run: Any = None
    with pytest.raises(RuntimeError, match=r"^no judgement permits this deletion$"):
        deletion._send(judgement(mark=mark), job, run)


def test_an_image_whose_backup_stayed_says_whether_it_went_itself() -> None:
    known: Any = SimpleNamespace(cloud=SimpleNamespace(image=lambda _: IMAGE))
    gone: Any = SimpleNamespace(cloud=SimpleNamespace(image=lambda _: None))
    assert deletion._whereabouts(IMAGE, known) == "still there"
    assert deletion._whereabouts(IMAGE, gone) == "gone"

    def fails(_: str) -> None:
        raise Unavailable(IMAGE.id)

    silent: Any = SimpleNamespace(cloud=SimpleNamespace(image=fails))
    assert deletion._whereabouts(IMAGE, silent) == "in an unknown state"


def test_an_image_that_went_with_a_lost_answer_says_so() -> None:
    job = Job(Target(IMAGE.id), DeletionRequest((Target(IMAGE.id),)))
    gone = Outcome(IMAGE.id, "already_gone")
    assert deletion._after_all(gone, IMAGE, job).detail == "the answer to its DELETE was lost"
    whole = tagged(record={"__backup_id": "b"})
    told = deletion._after_all(gone, whole, job)
    assert (told.outcome, told.backup_left) == ("deleted", True)
    assert told.detail == "the answer to its DELETE was lost; its backup is left"


def test_an_outcome_holds_all_that_is_known_of_its_image() -> None:
    known: dict[str, Any] = {"name": "ci-1", "size": 1024, "image": IMAGE.without_record()}
    job = Job(Target("i"), DeletionRequest((Target("i"),)))
    assert outcome(IMAGE, "marked", "r", "d") == Outcome(IMAGE.id, "marked", "r", "d", **known)
    assert outcome(IMAGE, "deleted") == Outcome(IMAGE.id, "deleted", "", "", **known)
    assert refused(IMAGE, Objection("r", "d")) == Outcome(IMAGE.id, "refused", "r", "d", **known)
    assert gone(job) == Outcome("i", "already_gone", "", "the cloud knows no such image")
    assert failed("i", Unexpected("d"), IMAGE) == Outcome("i", "failed", "unexpected", "d", **known)
    assert failed("i", Denied("d")) == Outcome("i", "failed", "denied", "d")
    assert failed("i", BackupLeft("d")) == Outcome("i", "failed", "backup_left", "d", backup_left=True)


def test_a_survey_counts_every_image_once() -> None:
    images = [tagged("x"), tagged(name="web-1", id="w"), tagged(name="db-1", id="d"), tagged(created_at=None, id="n")]
    waiting = tagged("reaper-delete-after=2099-01-01", id="m")
    told: list[str] = []
    run: Any = SimpleNamespace(now=NOW)
    survey = findings.survey_of([*images, waiting], GRACE, run, lambda decision, _: told.append(decision.image.id))
    assert survey == Survey(
        looked_at=5,
        selected=survey.selected,
        stay=(("age", 1), ("name", 2)),
        changing=1,
    )
    assert [each.id for each in survey.selected] == [IMAGE.id, "m"]
    assert told == [IMAGE.id, "w", "d", "n", "m"]


def test_every_refusal_of_the_cloud_has_its_reason() -> None:
    assert deletion.REFUSALS == {
        Meaning.PROTECTED: "protected",
        Meaning.IN_USE: "in_use",
        Meaning.PUBLIC: "public",
        Meaning.NOT_OWNER: "not_owner",
        Meaning.NOT_READY: "not_ready",
    }
