"""Whatever the project, the policy and the faults of the cloud: nothing goes but what the policy may delete."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.report.report import Report
from tests.fakecloud import DEMO, FakeCloud, ImageRecord, Server
from tests.faults.sweeping import (
    NOW,
    SWITCHED_OFF,
    SWITCHING_OFF,
    Json,
    Scene,
    break_down,
    deletable,
    faults,
    image_id_of,
    newest,
    policies,
    projects,
    selected,
    state_of,
    thorough,
)
from tests.properties import REPEATABLE, tried

OWNERS_WAYS: dict[str, Callable[[FakeCloud, ImageRecord], object]] = {
    "keeps it": lambda _, image: image.tags.append("keep"),
    "protects it": lambda _, image: setattr(image, "protected", True),
    "uses it": lambda cloud, image: cloud.add_server(image=image.id),
    "gives it to all": lambda _, image: setattr(image, "visibility", "public"),
    "gives it away": lambda _, image: setattr(image, "owner", "cc2f34fa3bca4152a27a6f808cfd533d"),
    "writes it anew": lambda _, image: setattr(image, "status", "saving"),
}


@pytest.fixture
def scene(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Scene:
    del clean_environment
    return Scene(cloud, server)


def outcomes(report: Report) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each image; no image may have two."""
    told = [outcome.image_id for outcome in report.outcomes]
    assert len(told) == len(set(told)), Counter(told)
    return {outcome.image_id: (outcome.outcome, outcome.reason) for outcome in report.outcomes}


def named(told: dict[str, tuple[str, str]], outcome: str) -> set[str]:
    return {image_id for image_id, (name, _) in told.items() if name == outcome}


@thorough
@given(project=projects, policy=policies())
def test_a_sweep_deletes_just_what_its_policy_may(project: Json, policy: Json, scene: Scene) -> None:
    scene.fill(project, policy)
    expected, chosen = deletable(policy, scene.cloud, NOW), selected(policy, scene.cloud.images.values(), NOW)
    told = outcomes(scene.run({"sweep": policy}))
    assert set(scene.cloud.dead) == named(told, "deleted") == expected
    assert chosen <= set(told)


@tried(80, REPEATABLE)
@given(project=projects, policy=policies(), broken=faults, most=st.sampled_from(["0", "1", "2", "100"]))
def test_no_fault_lets_anything_go_that_may_not(
    project: Json, policy: Json, broken: Json, most: str, scene: Scene
) -> None:
    scene.fill(project, policy)
    allowed, before = deletable(policy, scene.cloud, NOW), copy.deepcopy(scene.cloud.images)
    stay = newest(policy, before.values(), NOW)
    break_down(scene.cloud, broken)
    report = scene.run({"sweep": policy}, REAPER_MAX_IMAGES=most)
    told = outcomes(report)
    assert set(scene.cloud.dead) <= allowed
    assert stay <= set(scene.cloud.images)
    assert _held(policy, scene.cloud, before, int(most))
    assert named(told, "deleted") <= set(scene.cloud.dead) <= named(told, "deleted") | named(told, "failed")
    assert all(vars(scene.cloud.images[i.id]) == vars(i) for i in before.values() if i.owner != DEMO)
    assert report.ok or not told or named(told, "failed")
    assert "" in told or selected(policy, before.values(), NOW) <= set(told)


def _held(policy: Json, cloud: FakeCloud, before: dict[str, ImageRecord], most: int) -> bool:
    """Whether every cap was."""
    gone, ours = len(cloud.dead), sum(image.owner == DEMO for image in before.values())
    sent = [call for call in cloud.calls_of("DELETE") if "/tags/" not in call.path]
    share = policy.get("limit_percent", 50)
    return gone <= len(sent) <= min(most, policy.get("limit", 25)) and gone <= float(share) / 100 * ours


@thorough
@given(project=projects, policy=policies(), broken=faults)
def test_where_there_is_time_to_try_again_nothing_else_goes(
    project: Json, policy: Json, broken: Json, scene: Scene
) -> None:
    scene.fill(project, policy)
    allowed = deletable(policy, scene.cloud, NOW)
    break_down(scene.cloud, broken)
    told = scene.run_patiently(policy)
    gone = {outcome.image_id for outcome in told if outcome.outcome in {"deleted", "already_gone"}}
    assert gone <= set(scene.cloud.dead) <= allowed
    assert len(told) == len({outcome.image_id for outcome in told})


@thorough
@given(
    project=projects,
    policy=policies(),
    way=st.sampled_from(sorted(OWNERS_WAYS.keys() - {"uses it"})),  # what is used is asked once a minute
    told=st.sampled_from(["after it", "in its place"]),
)
def test_what_an_owner_does_before_a_delete_is_tried_again_saves_the_image(
    project: Json, policy: Json, way: str, told: str, scene: Scene
) -> None:
    scene.fill(project, policy)
    allowed = sorted(deletable(policy, scene.cloud, NOW))
    for image_id in allowed[:2]:
        act = partial(_act, way, [image_id], scene.cloud)
        scene.cloud.fault("DELETE", f"{image_id}$", status=503, apply=told == "after it", then=act)
    outcome = {outcome.image_id: outcome.outcome for outcome in scene.run_patiently(policy)}
    tried = set(allowed[:2])
    assert set(scene.cloud.dead) == set(allowed) - (tried if told == "in its place" else set())
    assert {outcome[i] for i in tried} <= ({"already_gone"} if told == "after it" else {"refused", "already_gone"})


def _act(way: str, image_ids: Iterable[str], cloud: FakeCloud) -> None:
    for image_id in cloud.images.keys() & set(image_ids):
        OWNERS_WAYS[way](cloud, cloud.images[image_id])


@thorough
@given(project=projects, policy=policies(), broken=faults)
def test_a_run_after_one_that_failed_ends_as_if_nothing_had_gone_wrong(
    project: Json, policy: Json, broken: Json, scene: Scene
) -> None:
    scene.fill(project, policy)
    expected = deletable(policy, scene.cloud, NOW)
    break_down(scene.cloud, broken)
    scene.run({"sweep": policy})
    scene.cloud.faults.clear()
    scene.run({"sweep": {**policy, "limit": 1000, "limit_percent": 100}} if expected else {"sweep": policy})
    assert expected == set(scene.cloud.dead)


@thorough
@given(project=projects, policy=policies())
def test_a_rehearsal_changes_nothing_at_all(project: Json, policy: Json, scene: Scene) -> None:
    scene.fill(project, policy)
    before = state_of(scene.cloud)
    by_request = scene.run({"sweep": policy, "dry_run": True})
    assert {call.method for call in scene.cloud.calls if "/images" in call.path} == {"GET"}
    by_setting = scene.run({"sweep": policy}, REAPER_MODE="dry-run")
    assert state_of(scene.cloud) == before
    assert outcomes(by_request) == outcomes(by_setting)
    assert by_request.plans == by_setting.plans
    assert not named(outcomes(by_request), "deleted")


@thorough
@given(project=projects, policy=policies())
def test_a_plan_deletes_just_what_its_rehearsal_foresaw(project: Json, policy: Json, scene: Scene) -> None:
    scene.fill(project, policy)
    expected = deletable(policy, scene.cloud, NOW)
    rehearsed = scene.run({"sweep": policy, "dry_run": True})
    planned = {image["id"] for plan in rehearsed.plans for image in plan["images"]}
    assert planned == expected <= named(outcomes(rehearsed), "would_delete")
    if expected:
        assert named(outcomes(scene.run(*rehearsed.plans)), "deleted") == expected
    assert set(scene.cloud.dead) == expected


@thorough
@given(
    project=projects,
    policy=policies(),
    changed=st.sets(st.integers(0, 8)),
    way=st.sampled_from(["tag", "name"]),
)
def test_of_a_plan_what_changed_meanwhile_stays(
    project: Json, policy: Json, changed: set[int], way: str, scene: Scene
) -> None:
    scene.fill(project, policy)
    plans = scene.run({"sweep": policy, "dry_run": True}).plans
    planned = {image["id"] for plan in plans for image in plan["images"]}
    for image_id in {image_id_of(number) for number in changed} & set(scene.cloud.images):
        image = scene.cloud.images[image_id]
        image.tags, image.name = (["new"], image.name) if way == "tag" else (image.tags, "new")
        scene.cloud._touch(image)
    told = outcomes(scene.run(*plans)) if planned else {}
    stays = planned & {image_id_of(number) for number in changed}
    assert {image_id for image_id in told if told[image_id] == ("refused", "changed")} == stays
    assert set(scene.cloud.dead) == planned - stays


@thorough
@given(project=projects, policy=policies())
def test_running_twice_is_running_once(project: Json, policy: Json, scene: Scene) -> None:
    scene.fill(project, policy)
    scene.run({"sweep": policy})
    once = state_of(scene.cloud)
    scene.run({"sweep": policy})
    assert state_of(scene.cloud) == once


@thorough
@given(project=projects, policy=policies(), off=st.sets(st.integers(0, 8), min_size=4))
def test_what_an_owner_deactivated_is_neither_activated_nor_taken_for_ours(
    project: Json, policy: Json, off: set[int], scene: Scene
) -> None:
    caps = {"limit": 1000, "limit_percent": 100, "grace": "7d", "deactivate": "status" not in policy["select"]}
    scene.fill(project, policy | caps)
    owners = [image for number in off if (image := scene.cloud.images.get(image_id_of(number)))]
    owners = [image for image in owners if not {SWITCHED_OFF, SWITCHING_OFF} & set(image.tags)]
    for image in owners:
        image.status = "deactivated"
    scene.run({"sweep": policy | caps})
    for image in owners:
        assert image.status == "deactivated"
        assert not {SWITCHED_OFF, SWITCHING_OFF} & set(image.tags)


@thorough
@given(project=projects, policy=policies(), draw=st.data())
def test_what_the_owner_does_after_the_list_was_read_saves_the_image(
    project: Json, policy: Json, draw: st.DataObject, scene: Scene
) -> None:
    scene.fill(project, policy)
    expected = deletable(policy, scene.cloud, NOW)
    saved = draw.draw(st.sets(st.sampled_from(sorted(expected)))) if expected else set()
    way = draw.draw(st.sampled_from(sorted(OWNERS_WAYS)))
    scene.cloud.fault("GET", r"/images$", status=None, skip=1, then=partial(_act, way, saved, scene.cloud))
    told = outcomes(scene.run({"sweep": policy}))
    assert set(scene.cloud.dead) == expected - saved
    assert all(told[image_id][0] in {"refused", "already_gone"} for image_id in saved)
