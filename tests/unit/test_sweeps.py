"""Sweeps, from the event to the state of the cloud: what is selected, what is capped, what is marked first."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.errors import Paused
from handler.model.outcome import Decision
from handler.model.request import Select, SweepRequest
from handler.report.report import Report
from handler.rules.marks import DEACTIVATED, MARK, SWEEP, fingerprint
from tests.conftest import Context, Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.faults import Clock, envelope, new_run, reap

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
SIGNATURE = f"{SWEEP}={fingerprint(SweepRequest(Select(name='ci-*')))}"
"""As earlier versions signed; now the day of the mark follows."""
SIGNED = f"{SIGNATURE}-2026-06-22"
TODAY = datetime(2026, 6, 15, 12, tzinfo=UTC)
Run = Callable[..., Report]


def sweep(select: dict[str, Any] | None = None, **policy: object) -> dict[str, Any]:
    """A sweep request whose share of the project is not limited unless the policy says so."""
    return {"sweep": {"select": select or {"name": "ci-*"}, "limit_percent": 100, **policy}}


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def run(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Run:
    """Carry a request out so many days after TODAY."""
    del clean_environment

    def run_once(request: dict[str, Any], *, day: float = 0, **settings: str) -> Report:
        chosen = Settings.from_env(cloud.env(server.url) | {"REAPER_MODE": "delete"} | settings)
        return invocation.process(request, Context(), chosen, aws, now=TODAY + timedelta(days=day))

    return run_once


def told(report: Report) -> dict[str, tuple[str, str]]:
    return {outcome.image_id: (outcome.outcome, outcome.reason) for outcome in report.outcomes}


def changes(cloud: FakeCloud) -> list[str]:
    """The requests that would change an image."""
    return [f"{call.method} {call.path}" for call in cloud.calls if call.method != "GET" and "/images" in call.path]


# What is selected


def test_a_sweep_deletes_what_it_selects_and_nothing_else(invoke: Invoke, cloud: FakeCloud) -> None:
    selected, other = cloud.add_image("ci-1"), cloud.add_image("prod-1")
    assert invoke(sweep()).outcomes == {selected: ("deleted", "")}
    assert set(cloud.images) == {other}


def test_every_condition_must_hold(invoke: Invoke, cloud: FakeCloud) -> None:
    fits: dict[str, Any] = {
        "tags": ["ci", "x"],
        "status": "active",
        "created_at": days_ago(31),
        "size": 11,
        "os_type": "linux",
    }
    selected = cloud.add_image("ci-1", **fits)
    for other in ({"tags": ["ci"]}, {"created_at": days_ago(29)}, {"size": 10}, {"os_type": "windows"}):
        cloud.add_image("ci-2", **fits | other)
    cloud.add_image("web-1", **fits)
    select = {"name": "ci-*", "tags": ["x", "ci"], "properties": {"os_type": "linux"}, "status": "active"}
    done = invoke(sweep(select | {"older_than": "30d", "size_over": 10}))
    assert done.outcomes == {selected: ("deleted", "")}


def test_the_newest_of_each_group_stay(invoke: Invoke, cloud: FakeCloud) -> None:
    web = [cloud.add_image(f"web-{n}", created_at=f"2026-01-0{n}T00:00:00Z") for n in range(1, 5)]
    db = [cloud.add_image(f"db-{n}", created_at=f"2026-02-0{n}T00:00:00Z") for n in range(1, 3)]
    invoke(sweep({"older_than": "1d"}, keep={"newest": 2}))
    assert set(cloud.images) == {*web[2:], *db}


def test_images_that_are_too_young_to_be_selected_are_among_the_newest(invoke: Invoke, cloud: FakeCloud) -> None:
    old = [cloud.add_image(f"web-{n}", created_at=days_ago(30 + n)) for n in range(3)]
    young = [cloud.add_image(f"web-{n}", created_at=days_ago(n + 1)) for n in range(2)]
    invoke(sweep({"older_than": "14d"}, keep={"newest": 2}))
    assert (set(cloud.images), set(cloud.dead)) == (set(young), set(old))


def test_hidden_images_are_swept_as_well(invoke: Invoke, cloud: FakeCloud) -> None:
    hidden = cloud.add_image("ci-1", os_hidden=True)
    assert invoke(sweep()).outcomes == {hidden: ("deleted", "")}


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 25])
def test_a_sweep_reads_every_page(invoke: Invoke, cloud: FakeCloud, page_size: int) -> None:
    cloud.page_size = page_size
    images = [cloud.add_image(f"ci-{n}", os_hidden=n % 2 == 0) for n in range(7)]
    assert set(invoke(sweep()).outcomes) == set(images)


def test_images_of_others_are_not_even_looked_at(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", owner=OTHER, visibility="public")
    cloud.add_image("ci-2", owner=OTHER, visibility="shared", members={DEMO: "accepted"})
    done = invoke(sweep())
    assert (done.outcomes, done.answer["sweeps"]) == ({}, [{"looked_at": 0, "selected": 0, "stay": {}}])
    assert done.answer["ok"]


def test_every_rule_of_a_single_deletion_applies_to_a_sweep(invoke: Invoke, cloud: FakeCloud) -> None:
    images = {
        "protected": cloud.add_image("ci-1", protected=True),
        "public": cloud.add_image("ci-2", visibility="community"),
        "kept": cloud.add_image("ci-3", tags=["keep"]),
        "shared": cloud.add_image("ci-4", visibility="shared", members={OTHER: "accepted"}),
        "in_use": cloud.add_image("ci-5"),
        "not_ready": cloud.add_image("ci-6", status="saving"),
    }
    cloud.add_server(image=images["in_use"])
    assert invoke(sweep()).outcomes == {image: ("refused", reason) for reason, image in images.items()}
    assert not cloud.dead


def test_an_image_that_changes_after_the_list_was_read_stays(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", r"/images$", skip=1, status=None, then=lambda: setattr(cloud.images[image], "name", "prod-1"))
    assert invoke(sweep()).outcomes == {image: ("refused", "changed")}
    assert not cloud.dead


def test_a_witness_hears_of_every_image_and_why_it_stays(cloud: FakeCloud, server: Server) -> None:
    gone, stays = cloud.add_image("ci-1"), cloud.add_image("web-1")
    heard = list[Decision]()
    settings = Settings.from_env(cloud.env(server.url))
    invocation.process(sweep(), Context(), settings, aws, observe=heard.append)
    assert {d.image.id: d.objection and d.objection.detail for d in heard} == {
        gone: None,
        stays: "its name does not match ci-*",
    }


# Caps


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_over_the_limit_nothing_at_all_is_done(invoke: Invoke, cloud: FakeCloud, limit: int) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(3)]
    done = invoke(sweep(limit=limit))
    assert done.outcomes == dict.fromkeys(images, ("failed", "over_limit"))
    assert f"3 of 3 images are selected, and limit is {limit}" in done.answer["outcomes"][0]["detail"]
    assert (changes(cloud), done.metric("ImagesFailed_over_limit")) == ([], 3)


def test_up_to_the_limit_everything_is_done(invoke: Invoke, cloud: FakeCloud) -> None:
    for n in range(3):
        cloud.add_image(f"ci-{n}")
    assert invoke(sweep(limit=3)).answer["counts"] == {"deleted": 3}


def test_a_limit_of_none_is_kept_where_nothing_is_selected(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("web-1")
    assert invoke(sweep(limit=0) | {"reason": "idle"}).answer["ok"]
    assert invoke({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 0}}).answer["ok"]


@pytest.mark.parametrize(("percent", "deleted"), [(0, 0), (49, 0), (49.9, 0), (50, 2), (100, 2)])
def test_a_share_of_the_project_is_a_limit_too(invoke: Invoke, cloud: FakeCloud, percent: float, deleted: int) -> None:
    for name in ("ci-1", "ci-2", "web-1", "web-2"):
        cloud.add_image(name)
    done = invoke(sweep(limit_percent=percent))
    assert (len(cloud.dead), done.answer["ok"]) == (deleted, deleted == 2)


def test_a_sweep_over_half_of_the_project_or_25_images_needs_to_say_so(invoke: Invoke, cloud: FakeCloud) -> None:
    for n in range(26):
        cloud.add_image(f"ci-{n}")
    assert "limit is 25" in invoke(sweep()).answer["outcomes"][0]["detail"]
    half = invoke({"sweep": {"select": {"name": "ci-*"}, "limit": 26}})
    assert "limit_percent is 50" in half.answer["outcomes"][0]["detail"]
    assert not changes(cloud)


@pytest.mark.slow("more than a thousand images")
def test_of_very_many_images_over_the_limit_a_thousand_are_named(invoke: Invoke, cloud: FakeCloud) -> None:
    for n in range(1200):
        cloud.add_image(f"ci-{n}")
    done = invoke(sweep())
    assert len(done.answer["outcomes"]) == 1000
    assert "1200 of 1200" in done.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("source", ["schedule", "lifecycle", "topic", "stack"])
def test_a_sweep_over_its_limit_is_an_error_wherever_no_answer_is_read(
    invoke: Invoke, cloud: FakeCloud, server: Server, source: str
) -> None:
    cloud.add_image("ci-1")
    done = invoke(envelope(source, sweep(limit=0), server.url))
    told = str(done.error) if done.error else json.loads(cloud.sink["stack"][0])["Reason"]
    assert "over_limit" in told
    assert not changes(cloud)


def test_in_a_queue_a_sweep_over_its_limit_comes_again_alone(invoke: Invoke, cloud: FakeCloud) -> None:
    image, other = cloud.add_image("ci-1"), cloud.add_image("web-1")
    done = invoke(queue(sweep(limit=0), {"image_ids": [other]}))
    assert (done.returned, set(cloud.images)) == (["m0"], {image})


# Lists that can't be read


def test_a_list_that_fails_ends_the_sweep_and_nothing_is_deleted(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    cloud.fault("GET", r"/v2/images$", status=503, times=None, headers={"Retry-After": "3600"})
    done = invoke(sweep())
    assert done.outcomes == {"": ("failed", "unavailable")}
    assert (done.answer["ok"], changes(cloud), done.metric("ImagesFailed_unavailable")) == (False, [], 1)


def test_a_sweep_that_cannot_read_comes_again_and_the_rest_of_the_batch_is_done(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", r"/v2/images$", status=404, body={"message": "no such page"})
    done = invoke(queue(sweep(), {"image_ids": [image]}))
    assert (done.returned, set(cloud.dead)) == (["m0"], {image})


def test_a_paused_function_sweeps_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    assert invoke(sweep(), REAPER_MODE="paused").outcomes == {"": ("failed", "paused")}
    assert not changes(cloud)


# The plan


def test_a_rehearsal_changes_nothing_and_its_plan_deletes_just_that(invoke: Invoke, cloud: FakeCloud) -> None:
    selected, other = cloud.add_image("ci-1"), cloud.add_image("web-1")
    rehearsed = invoke(sweep(), REAPER_MODE="dry-run")
    assert (rehearsed.outcomes, changes(cloud)) == ({selected: ("would_delete", "")}, [])
    later = cloud.add_image("ci-2")
    invoke(rehearsed.answer["plan"])
    assert (set(cloud.dead), set(cloud.images)) == ({selected}, {other, later})


def test_what_changed_after_the_rehearsal_is_refused(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    plan = invoke(sweep() | {"dry_run": True}).answer["plan"]
    cloud.images[image].updated_at = "2026-06-01T00:00:00Z"
    assert invoke(plan).outcomes == {image: ("refused", "changed")}


@pytest.mark.slow("a thousand images")
def test_no_plan_names_more_images_than_a_request_may(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(1002)]
    done = invoke(sweep(limit=2000), REAPER_MODE="dry-run", REAPER_MAX_IMAGES="2000")
    assert done.answer["counts"] == {"would_delete": 1002}
    plans = done.answer["plans"]
    assert max(len(plan["images"]) for plan in plans) <= 1000
    assert sorted(image["id"] for plan in plans for image in plan["images"]) == sorted(images)


# Grace


def graceful(**policy: object) -> dict[str, Any]:
    request = sweep(grace="7d")
    request["sweep"] |= policy
    return request


def mark_of(cloud: FakeCloud, image: str) -> str:
    """The date of the mark, empty if there is none."""
    return next((tag.partition("=")[2] for tag in cloud.images[image].tags if tag.startswith(MARK)), "")


def test_an_image_is_marked_first_and_deleted_once_its_day_has_passed(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    assert told(run(graceful())) == {image: ("marked", "")}
    assert mark_of(cloud, image) == "2026-06-22"
    assert told(run(graceful(), day=7)) == {image: ("marked", "")}
    assert told(run(graceful(), day=7.49)) == {image: ("marked", "")}  # 23:45 of that day
    assert told(run(graceful(), day=7.51)) == {image: ("deleted", "")}
    assert not cloud.images


def test_a_mark_is_set_once(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful())
    tags = list(cloud.images[image].tags)
    run(graceful(), day=3)
    assert cloud.images[image].tags == tags


def test_taking_the_mark_off_is_a_veto_for_good(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful())
    cloud.images[image].tags = [tag for tag in cloud.images[image].tags if not tag.startswith(MARK)]
    for day in (1, 8, 30, 300):
        assert told(run(graceful(), day=day)) == {image: ("refused", "kept")}


def test_the_mark_goes_when_the_image_is_no_longer_selected(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["mine"])
    run(graceful())
    cloud.images[image].name = "prod-1"
    assert told(run(graceful(), day=1)) == {image: ("refused", "changed")}
    assert cloud.images[image].tags == ["mine"]
    assert told(run(graceful(), day=8)) == {}


def test_the_mark_goes_when_a_rule_speaks_for_the_image(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful(deactivate=True))
    server = cloud.add_server(image=image)
    assert told(run(graceful(deactivate=True), day=1)) == {image: ("refused", "in_use")}
    assert (cloud.images[image].tags, cloud.images[image].status) == ([], "active")
    del cloud.servers[server]
    run(graceful(deactivate=True), day=10)
    assert mark_of(cloud, image) == "2026-07-02"


def test_while_it_is_marked_an_image_is_deactivated(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful(deactivate=True))
    assert cloud.images[image].status == "deactivated"
    assert told(run(graceful(deactivate=True), day=8)) == {image: ("deleted", "")}


def test_a_rehearsal_tells_of_what_is_only_to_be_deactivated_the_day_that_its_mark_says(
    run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1")
    run(graceful())
    rehearsal = run(graceful(deactivate=True), day=2, REAPER_MODE="dry-run")
    assert rehearsal.outcomes[0].detail == "would be deactivated, and deleted after 2026-06-22"
    assert f"{MARK}=2026-06-22" in cloud.images[image].tags
    assert told(run(graceful(deactivate=True), day=2)) == {image: ("marked", "")}
    assert cloud.images[image].status == "deactivated"


def test_unmarking_activates_again_what_was_deactivated_by_marking(run: Run, cloud: FakeCloud) -> None:
    ours, owners = cloud.add_image("ci-1"), cloud.add_image("ci-2", status="deactivated")
    run(graceful(deactivate=True))
    cloud.images[ours].name = cloud.images[owners].name = "prod-1"
    run(graceful(deactivate=True), day=1)
    assert [(cloud.images[i].status, cloud.images[i].tags) for i in (ours, owners)] == [
        ("active", []),
        ("deactivated", []),
    ]


def test_a_veto_activates_the_image_again_and_so_does_activating_it_veto(run: Run, cloud: FakeCloud) -> None:
    vetoed, revived = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    run(graceful(deactivate=True))
    cloud.images[vetoed].tags.remove(f"{MARK}=2026-06-22")
    cloud.images[revived].status = "active"
    for day in (8, 9, 99):
        report = run(graceful(deactivate=True), day=day)
        assert told(report) == dict.fromkeys((vetoed, revived), ("refused", "kept"))
        assert [cloud.images[i].status for i in (vetoed, revived)] == ["active", "active"]
        assert [cloud.images[i].tags for i in (vetoed, revived)] == [[SIGNED], [SIGNED]]


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("then", ["done", "not done"])
def test_a_run_that_dies_while_it_honours_a_veto_does_not_forget_it(
    run: Run, cloud: FakeCloud, step: int, then: str
) -> None:
    image = cloud.add_image("ci-1", tags=[f"{MARK}=2020-01-01", SIGNATURE, DEACTIVATED])
    broken = cloud.fault(None, r"/(tags|actions)/", skip=step, times=None, headers=LATER, apply=then == "done")
    assert told(run(graceful(deactivate=True))) == {image: ("failed", "unavailable")}
    assert broken.used == 1
    cloud.faults.clear()
    for day in (1, 2, 30):
        assert told(run(graceful(deactivate=True), day=day)) == {image: ("refused", "kept")}
    assert cloud.images[image].tags == [SIGNATURE]


def test_a_stranger_s_mark_alone_deletes_nothing(run: Run, cloud: FakeCloud) -> None:
    cloud.add_image("web-1", tags=[f"{MARK}=2020-01-01"])
    selected = cloud.add_image("ci-1", tags=[f"{MARK}=2020-01-01"])
    run(graceful())
    assert set(cloud.dead) == {selected}


def test_a_mark_that_cannot_be_read_keeps_the_image(run: Run, cloud: FakeCloud) -> None:
    words = [f"{MARK}=soon", f"{MARK}=2020-01-01"]
    image = cloud.add_image("ci-1", tags=[*words, DEACTIVATED], status="deactivated")
    for day in (0, 1, 30):
        assert told(run(graceful(), day=day)) == {image: ("refused", "kept")}
    assert (cloud.images[image].tags, cloud.images[image].status) == (words, "active")


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("then", ["done", "not done"])
def test_a_run_that_dies_while_it_sets_an_image_free_leaves_no_veto_behind(
    run: Run, cloud: FakeCloud, step: int, then: str
) -> None:
    image = cloud.add_image("ci-1")
    run(graceful(deactivate=True))
    server = cloud.add_server(image=image)
    cloud.fault(None, r"/(tags|actions)/", skip=step, times=None, headers=LATER, apply=then == "done")
    assert told(run(graceful(deactivate=True), day=1)) == {image: ("failed", "unavailable")}
    cloud.faults.clear()
    del cloud.servers[server]
    assert told(run(graceful(deactivate=True), day=2)) == {image: ("marked", "")}
    assert cloud.images[image].status == "deactivated"
    assert told(run(graceful(deactivate=True), day=10)) == {image: ("deleted", "")}


def test_one_policy_leaves_the_marks_of_another_alone(run: Run, cloud: FakeCloud) -> None:
    ci, snapshot = cloud.add_image("ci-1"), cloud.add_image("snap-1")
    snapshots = sweep({"name": "snap-*"}, grace="7d")
    for day in range(8):
        run(graceful(), day=day)
        run(snapshots, day=day)
    assert {mark_of(cloud, image) for image in (ci, snapshot)} == {"2026-06-22"}
    run(snapshots, day=8)
    assert set(cloud.dead) == {snapshot}


def test_a_mark_that_its_policy_forgot_is_taken_off(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(sweep({"name": "c*"}, grace="7d", deactivate=True))
    cloud.images[image].protected = True
    marked = list(cloud.images[image].tags)
    assert told(run(graceful(), day=38)) == {image: ("refused", "protected")}
    assert cloud.images[image].tags == marked
    assert told(run(graceful(), day=39)) == {image: ("refused", "protected")}
    assert (cloud.images[image].tags, cloud.images[image].status) == ([], "active")


def test_one_policy_does_not_delete_on_the_strength_of_another_s_mark(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(sweep({"name": "c*"}, grace="12h"))
    assert told(run(graceful(), day=2)) == {image: ("marked", "")}
    assert told(run(graceful(), day=9)) == {image: ("marked", "")}
    assert told(run(sweep({"name": "c*"}, grace="12h"), day=10)) == {image: ("deleted", "")}


def test_a_selected_image_with_a_forgotten_mark_is_marked_anew(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(sweep({"name": "c*"}, grace="1d"))
    assert "would be marked" in run(graceful(), day=33, REAPER_MODE="dry-run").outcomes[0].detail
    assert told(run(graceful(), day=33)) == {image: ("marked", "")}
    assert cloud.images[image].tags == [f"{MARK}=2026-07-25", f"{SIGNATURE}-2026-07-25"]
    assert told(run(graceful(), day=41)) == {image: ("deleted", "")}


def test_a_sweep_without_grace_heeds_what_owners_and_other_sweeps_have_said(run: Run, cloud: FakeCloud) -> None:
    vetoed, waits = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    run(graceful())
    cloud.images[vetoed].tags.remove(f"{MARK}=2026-06-22")
    everything = sweep({"name": "*"})
    assert told(run(everything, day=1)) == {vetoed: ("refused", "kept"), waits: ("marked", "")}
    assert told(run(everything, day=8)) == {vetoed: ("refused", "kept"), waits: ("deleted", "")}


def test_an_image_whose_notice_was_cut_short_is_given_it_before_it_goes(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("PUT", f"/tags/{DEACTIVATED}$", times=None, headers=LATER)
    run(graceful(deactivate=True))
    cloud.faults.clear()
    cloud.images[image].status = "active"  # somebody needs it
    assert told(run(graceful(deactivate=True), day=8)) == {image: ("marked", "")}
    assert cloud.images[image].status == "deactivated"
    cloud.images[image].status = "active"
    assert told(run(graceful(deactivate=True), day=9)) == {image: ("refused", "kept")}


def test_an_image_that_joins_another_family_after_the_list_was_read_stays(run: Run, cloud: FakeCloud) -> None:
    old = cloud.add_image("web-1", created_at="2026-01-01T00:00:00Z")
    new = cloud.add_image("web-2", created_at="2026-02-01T00:00:00Z")
    cloud.fault("GET", r"/v2/images$", skip=1, status=None, then=lambda: setattr(cloud.images[old], "name", "db-1"))
    assert told(run(sweep({"older_than": "1d"}, keep={"newest": 1}))) == {old: ("refused", "changed")}
    assert set(cloud.images) == {old, new}


def test_one_policy_neither_deactivates_nor_frees_what_another_has_marked(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(sweep({"name": "c*"}, grace="7d"))
    before = list(cloud.images[image].tags)
    assert told(run(graceful(deactivate=True), day=1)) == {image: ("marked", "")}
    server = cloud.add_server(image=image)
    assert told(run(graceful(deactivate=True), day=1)) == {image: ("refused", "in_use")}
    assert (cloud.images[image].tags, cloud.images[image].status) == (before, "active")
    assert server in cloud.servers


def test_a_mark_that_is_taken_off_before_a_delete_is_repeated_saves_the_image(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful())
    cloud.fault("DELETE", image, status=503, then=cloud.images[image].tags.clear)
    assert told(run(graceful(), day=8)) == {image: ("refused", "changed")}
    assert len([call for call in cloud.calls_of("DELETE") if call.path.endswith(image)]) == 1
    assert image in cloud.images


def test_deactivations_count_for_the_limit(run: Run, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(3)]
    run(graceful())
    assert told(run(graceful(deactivate=True, limit=2), day=1)) == dict.fromkeys(images, ("failed", "over_limit"))
    assert {cloud.images[image].status for image in images} == {"active"}


def test_a_mark_that_cannot_be_signed_is_taken_off_again(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=[f"t{n}" for n in range(127)])
    assert told(run(graceful())) == {image: ("failed", "unexpected")}
    assert len(cloud.images[image].tags) == 127


def test_a_judgement_that_grew_old_while_the_budget_was_asked_is_made_anew(cloud: FakeCloud, server: Server) -> None:
    image, clock = cloud.add_image(), Clock()

    def spend(_image: str) -> None:
        clock.sleep(1.5)
        cloud.images[image].tags.append("keep")

    assert reap(new_run(cloud, server, clock)._replace(spend=spend), [image])[image].reason == "kept"
    assert set(cloud.images) == {image}


def test_no_line_of_the_journal_names_an_image_once_the_run_was_stopped(cloud: FakeCloud, server: Server) -> None:
    image, written = cloud.add_image(), list[str]()
    run_of_one = new_run(cloud, server, Clock())
    stopped = run_of_one._replace(
        spend=lambda _: run_of_one.deadline.halt(Paused("stopped")),
        journal=lambda found, _job: written.append(found.id),
    )
    assert reap(stopped, [image])[image].reason == "paused"
    assert (written, set(cloud.images)) == ([], {image})


def test_a_judgement_made_anew_that_is_the_same_deletes_what_it_read_last(cloud: FakeCloud, server: Server) -> None:
    image, clock = cloud.add_image(), Clock()
    outcome = reap(new_run(cloud, server, clock)._replace(spend=lambda _: clock.sleep(1.5)), [image])[image]
    assert (outcome.outcome, set(cloud.dead)) == ("deleted", {image})
    assert [call.method for call in cloud.calls if call.path.endswith(image)] == ["GET", "GET", "DELETE"]


@pytest.mark.parametrize("way", ["/../../../{}", "/../../{}", "?/../../../{}", "#/{}", "%2F..%2F..%2F..%2F{}"])
def test_a_tag_that_looks_like_the_address_of_another_image_is_no_way_to_it(
    way: str, run: Run, cloud: FakeCloud
) -> None:
    other = cloud.add_image("db-1")
    image = cloud.add_image("web-1", tags=[f"{MARK}=2026-06-01", SIGNATURE, f"{SWEEP}={way.format(other)}"])
    run(graceful())
    assert set(cloud.images) == {image, other}
    assert cloud.images[other].tags == []
    assert all(f"/images/{image}/tags/" in change for change in changes(cloud))


def test_what_a_veto_leaves_deactivated_any_policy_activates_again(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("snap-1", status="deactivated", tags=[f"{SWEEP}=01234567", DEACTIVATED])
    run(graceful())
    assert (cloud.images[image].tags, cloud.images[image].status) == ([f"{SWEEP}=01234567"], "active")


def test_a_page_that_is_no_answer_marks_nothing(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault(None, "/tags/", status=200, body="<html>please log in</html>", content_type="text/html")
    assert told(run(graceful())) == {image: ("failed", "unexpected")}


def test_an_image_in_a_list_that_has_no_owner_is_named(run: Run, cloud: FakeCloud) -> None:
    record = {"id": "x", "name": "ci-1", "created_at": "2026-01-01T00:00:00Z"}
    for images in ([record], []):
        cloud.fault("GET", "/v2/images$", status=200, body={"images": images})
    assert told(run(sweep())) == {"x": ("failed", "unexpected")}


def test_properties_of_a_stack_that_are_called_like_numbers_stay_texts(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    image, other = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    cloud.images[image].properties = {"limit": "1", "dry_run": "true"}
    invoke(envelope("stack", sweep({"properties": {"limit": "1", "dry_run": "true"}}), server.url))
    assert set(cloud.images) == {other}


def test_a_rehearsal_of_grace_changes_nothing_and_plans_only_what_is_due(run: Run, cloud: FakeCloud) -> None:
    due = cloud.add_image("ci-1", tags=[f"{MARK}=2026-06-01"])
    fresh = cloud.add_image("ci-2")
    lapsed = cloud.add_image("web-1", tags=[f"{MARK}=2026-06-01", SIGNATURE])
    report = run(graceful(), REAPER_MODE="dry-run")
    assert told(report) == {
        due: ("would_delete", ""),
        fresh: ("would_delete", ""),
        lapsed: ("refused", "changed"),
    }
    assert [image["id"] for plan in report.plans for image in plan["images"]] == [due]
    assert not changes(cloud)


def test_images_that_wait_count_for_no_limit(run: Run, cloud: FakeCloud) -> None:
    for n in range(3):
        cloud.add_image(f"ci-{n}")
    run(graceful(limit=3))
    cloud.add_image("ci-4")
    assert run(graceful(limit=1), day=1).counts == {"marked": 4}
    assert run(graceful(limit=2), day=8).counts == {"failed": 4}
    assert run(graceful(limit=3), day=8).counts == {"deleted": 3, "marked": 1}


def test_an_image_whose_owner_has_vetoed_counts_for_no_limit(run: Run, cloud: FakeCloud) -> None:
    vetoed = cloud.add_image("ci-1", tags=[SIGNATURE])
    other = cloud.add_image("ci-2")
    assert told(run(graceful(limit=1))) == {vetoed: ("refused", "kept"), other: ("marked", "")}


def test_more_than_the_limit_are_not_even_marked(run: Run, cloud: FakeCloud) -> None:
    for n in range(3):
        cloud.add_image(f"ci-{n}")
    assert run(graceful(limit=2)).counts == {"failed": 3}
    assert not changes(cloud)


def test_a_cap_that_is_tripped_keeps_no_image_from_being_saved(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful(deactivate=True))
    cloud.images[image].name = "prod-1"
    other = cloud.add_image("ci-2")
    report = run(graceful(deactivate=True, limit=0), day=1)
    assert told(report) == {other: ("failed", "over_limit"), image: ("refused", "changed")}
    assert (cloud.images[image].tags, cloud.images[image].status) == ([], "active")


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("then", ["done", "not done"])
def test_a_run_that_dies_while_it_marks_is_made_good_by_the_next(
    run: Run, cloud: FakeCloud, step: int, then: str
) -> None:
    image = cloud.add_image("ci-1")
    broken = cloud.fault(None, r"/(tags|actions)/", skip=step, times=None, headers=LATER, apply=then == "done")
    assert told(run(graceful(deactivate=True))) == {image: ("failed", "unavailable")}
    assert broken.used == 1
    cloud.faults.clear()
    run(graceful(deactivate=True))
    assert (mark_of(cloud, image), cloud.images[image].status) == ("2026-06-22", "deactivated")
    assert set(cloud.images[image].tags) == {f"{MARK}=2026-06-22", SIGNED, DEACTIVATED}
    assert told(run(graceful(deactivate=True), day=8)) == {image: ("deleted", "")}


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("then", ["done", "not done"])
def test_a_run_that_dies_while_it_unmarks_is_made_good_by_the_next(
    run: Run, cloud: FakeCloud, step: int, then: str
) -> None:
    image = cloud.add_image("ci-1")
    run(graceful(deactivate=True))
    cloud.images[image].name = "prod-1"
    broken = cloud.fault(None, r"/(tags|actions)/", skip=step, times=None, headers=LATER, apply=then == "done")
    assert told(run(graceful(deactivate=True), day=1)) == {image: ("failed", "unavailable")}
    assert broken.used == 1
    cloud.faults.clear()
    run(graceful(deactivate=True), day=2)
    assert (cloud.images[image].tags, cloud.images[image].status) == ([], "active")


def test_a_mark_taken_off_between_list_and_deletion_saves_the_image(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run(graceful())
    cloud.fault("GET", r"/v2/images$", skip=1, status=None, then=cloud.images[image].tags.clear)
    assert told(run(graceful(), day=8)) == {image: ("marked", "")}
    assert mark_of(cloud, image) == "2026-06-30"


@pytest.mark.parametrize("api", ["ims", "ecs-v2.1", "ecs-v2"])
def test_deactivation_is_glance_s_alone(invoke: Invoke, api: str) -> None:
    done = invoke(graceful(deactivate=True), REAPER_IMAGE_API=api)
    assert "sweep.deactivate: needs REAPER_IMAGE_API=glance" in str(done.error)
