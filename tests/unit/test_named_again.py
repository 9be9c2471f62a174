"""What we write, we take back: plans and messages to workers name images so that nothing else is deleted, nor later."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.cloud.payloads import read_image
from handler.model.image import EXPECTABLE
from handler.model.outcome import Outcome, Result
from handler.model.request import DeletionRequest
from handler.report.plans import plans_of
from handler.sources.parsing import read_json
from handler.sources.schema import read_request
from tests.conftest import UNKNOWN_ID, Invoke, queue
from tests.examples import image
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.wire import glance_image
from tests.properties import tried

pytestmark = pytest.mark.slow("each test waits for a moment to pass")

UPPER = "AB12CD34-5E6F-4A7B-8C9D-0E1F2A3B4C5D"
SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}
STATUSES = ["queued", "saving", "uploading", "importing"]
CHANGES: dict[str, Callable[[Any], None]] = {
    "a tag more": lambda record: record.tags.append("new"),
    "a tag less": lambda record: record.tags.clear(),
    "protected": lambda record: setattr(record, "protected", True),
    "shared": lambda record: setattr(record, "visibility", "shared"),
}


def days(number: float) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).isoformat()


def plan_of(invoke: Invoke, request: dict[str, Any] | None = None, **settings: str) -> dict[str, Any]:
    answer = invoke((request or SWEEP) | {"dry_run": True}, **settings).answer
    plan: dict[str, Any] = json.loads(json.dumps(answer["plan"]))
    return plan


# Ids


@pytest.mark.parametrize("spelling", [UPPER, UPPER.lower(), UPPER.title()])
def test_an_id_is_sent_as_it_was_given(invoke: Invoke, cloud: FakeCloud, spelling: str) -> None:
    cloud.add_image("ci-7", id=spelling)
    assert invoke({"image_ids": [spelling]}).outcomes == {spelling: ("deleted", "")}
    assert [call.path.rpartition("/")[2] for call in cloud.calls_of("DELETE")] == [spelling]


def test_two_spellings_of_an_id_are_two_images(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-7", id=UPPER)
    done = invoke({"image_ids": [UPPER.lower(), UPPER]})
    assert done.outcomes == {UPPER.lower(): ("already_gone", ""), UPPER: ("deleted", "")}


def test_a_plan_with_ids_in_upper_case_is_carried_out(invoke: Invoke, cloud: FakeCloud) -> None:
    images = {cloud.add_image("ci-7", id=UPPER), cloud.add_image("ci-8")}
    assert set(invoke(plan_of(invoke)).outcomes.values()) == {("deleted", "")}
    assert set(cloud.dead) == images


@pytest.mark.parametrize("odd", ["AB12CD345E6F4A7B8C9D0E1F2A3B4C5D", "ci-7", "..%2f"])
def test_an_image_whose_id_no_request_can_name_fails_alone(invoke: Invoke, cloud: FakeCloud, odd: str) -> None:
    cloud.add_image("ci-7", id=odd)
    good = cloud.add_image("ci-8")
    assert [image["id"] for image in plan_of(invoke)["images"]] == [good]
    assert invoke(SWEEP).outcomes == {odd: ("failed", "unexpected"), good: ("deleted", "")}
    assert not [call for call in cloud.calls if odd in call.path]


TEXTS = st.none() | st.text(max_size=6) | st.just("\ud800")
RECORDS = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str) | st.uuids().map(lambda u: str(u).upper()) | st.text(max_size=5),
        "name": TEXTS,
        "owner": TEXTS,
        "status": st.sampled_from(["active", "queued"]) | st.text(min_size=1, max_size=9),
        "visibility": st.sampled_from(["private", "shared"]),
        "protected": st.booleans(),
        "tags": st.lists(st.text(max_size=9) | st.just("a\udfff"), max_size=4),
        "updated_at": TEXTS,
        "size": st.none() | st.integers() | st.floats() | st.booleans() | st.text(max_size=3),
        "checksum": TEXTS,
    }
)


@tried(500)
@given(record=RECORDS)
def test_every_plan_is_taken_back_whatever_the_cloud_says_of_its_images(record: dict[str, Any]) -> None:
    found = [one for one in (read_image(record, record["id"]), image()) if one]
    outcomes = tuple(Outcome(one.id, "would_delete", image=one) for one in found)
    results = (Result("", DeletionRequest(()), outcomes),)
    (plan,) = plans_of(results, "p", datetime.now(UTC)) or [{"image_ids": [UNKNOWN_ID]}]
    request = read_request(read_json(json.dumps(plan), "plan"))
    assert isinstance(request, DeletionRequest)
    expected = {one.id: {key: getattr(one, key) for key in EXPECTABLE} for one in found if one.can_be_named}
    assert {target.image_id: dict(target.expect) for target in request.targets} == expected


# What a plan expects


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_plan_notices_a_change_that_does_not_move_updated_at(
    invoke: Invoke, cloud: FakeCloud, change: Callable[[Any], None]
) -> None:
    image_id = cloud.add_image("ci-1", tags=["temporary"])
    plan = plan_of(invoke)
    change(cloud.images[image_id])
    assert set(plan["images"][0]["expect"]) == set(EXPECTABLE)
    assert invoke(plan).outcomes[image_id] in {("refused", "changed"), ("refused", "protected")}
    assert not cloud.dead


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"], ["b", "a", "a"]])
def test_tags_are_compared_without_their_order(invoke: Invoke, cloud: FakeCloud, order: list[str]) -> None:
    image_id = cloud.add_image("ci-1", tags=["a", "b"])
    expect = {"tags": order, "protected": False, "visibility": "private"}
    assert invoke({"images": [{"id": image_id, "expect": expect}]}).outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize(
    "expect",
    [{"tags": ["a"]}, {"tags": []}, {"tags": None}, {"protected": True}, {"protected": None}, {"visibility": "shared"}],
    ids=str,
)
def test_a_tag_protection_or_visibility_that_differs_refuses(
    invoke: Invoke, cloud: FakeCloud, expect: dict[str, Any]
) -> None:
    image_id = cloud.add_image("ci-1", tags=["a", "b"])
    assert invoke({"images": [{"id": image_id, "expect": expect}]}).outcomes == {image_id: ("refused", "changed")}


# Until when


@pytest.mark.parametrize(("not_after", "outcome"), [(-1, ("refused", "expired")), (1, ("deleted", ""))])
@pytest.mark.parametrize("request_of", [lambda i: {"image_ids": [i]}, lambda _: SWEEP], ids=["by id", "sweep"])
def test_after_its_moment_a_request_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, request_of: Callable[[str], Any], not_after: int, outcome: tuple[str, str]
) -> None:
    image_id = cloud.add_image("ci-1")
    assert invoke(request_of(image_id) | {"not_after": days(not_after)}).outcomes == {image_id: outcome}
    assert (image_id in cloud.dead) == (outcome[0] == "deleted")


@pytest.mark.parametrize("request_of", [lambda i: {"image_ids": [i]}, lambda _: SWEEP], ids=["by id", "sweep"])
@pytest.mark.parametrize("path", [r"/servers/detail$", r"/members$", r"/images$|/servers/detail$"])
def test_a_moment_that_passes_while_the_run_goes_on_has_passed(
    invoke: Invoke, cloud: FakeCloud, request_of: Callable[[str], Any], path: str
) -> None:
    image_id = cloud.add_image("ci-1", visibility="shared")
    cloud.fault("GET", path, status=None, delay=0.7)
    done = invoke(request_of(image_id) | {"not_after": days(0.5 / 86400)})
    assert done.outcomes == {image_id: ("refused", "expired")}
    assert set(cloud.images) == {image_id}
    assert not cloud.calls_of("DELETE")


def test_a_moment_that_passes_before_a_mark_is_set_or_taken_off_leaves_the_image_as_it_is(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    policy = {"sweep": SWEEP["sweep"] | {"grace": "7d"}}
    marked = cloud.add_image("ci-1")
    invoke(policy)
    cloud.images[marked].name, other = "web-1", cloud.add_image("ci-2")
    before = {image_id: list(image.tags) for image_id, image in cloud.images.items()}
    cloud.fault("GET", r"/servers/detail$", status=None, delay=0.7)
    done = invoke(policy | {"not_after": days(0.5 / 86400)})
    assert done.outcomes == dict.fromkeys((marked, other), ("refused", "expired"))
    assert {image_id: image.tags for image_id, image in cloud.images.items()} == before


@pytest.mark.parametrize("tags", [[], ["reaper-delete-after=2020-01-01"]])
@pytest.mark.parametrize("name", ["ci-1", "web-1"])
def test_an_expired_sweep_sets_no_mark_and_takes_none_off(
    invoke: Invoke, cloud: FakeCloud, tags: list[str], name: str
) -> None:
    image_id = cloud.add_image(name, tags=tags)
    policy = SWEEP["sweep"] | {"grace": "7d"}
    done = invoke({"sweep": policy, "not_after": days(-1)})
    assert set(done.outcomes.values()) <= {("refused", "expired")}
    assert cloud.images[image_id].tags == tags
    assert not cloud.calls_of("PUT") + cloud.calls_of("DELETE")


def test_a_plan_is_good_for_a_week_and_no_longer(invoke: Invoke, cloud: FakeCloud) -> None:
    image_id = cloud.add_image("ci-1")
    plan = plan_of(invoke)
    left = datetime.fromisoformat(plan["not_after"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < left <= timedelta(days=7)
    assert invoke(queue(plan | {"not_after": days(-0.01)})).returned == []
    assert set(cloud.images) == {image_id}


def test_the_operator_says_how_long_a_plan_is_good(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    assert plan_of(invoke, REAPER_PLAN_LIFE="12h")["not_after"] < days(0.51)


def test_a_plan_outlives_no_request_that_it_comes_from(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    assert plan_of(invoke, SWEEP | {"not_after": days(1)})["not_after"] < days(1.01)


@pytest.mark.parametrize("moment", ["2027-01-31T12:00:00", "2027-01-31T12:00:00Z", "2027-01-31T13:00:00+01:00"])
def test_a_moment_without_a_zone_is_in_utc(moment: str) -> None:
    request = read_request({"image_ids": [UNKNOWN_ID], "not_after": moment})
    assert request.not_after == datetime(2027, 1, 31, 12, tzinfo=UTC)


# Uploads that nobody ends


@pytest.mark.parametrize("status", STATUSES)
def test_an_upload_that_nobody_ends_is_swept_after_a_day(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    cloud.add_image("ci-2", status=status, created_at=days(-0.5))
    policy = {"select": {"status": status, "older_than": "1d"}, "limit_percent": 100}
    assert invoke({"sweep": policy}).outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize("status", STATUSES)
def test_a_plan_of_uploads_that_nobody_ends_is_carried_out(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    plan = plan_of(invoke, {"sweep": {"select": {"status": status, "older_than": "30d"}, "limit_percent": 100}})
    assert invoke(plan).outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize("status", STATUSES)
def test_an_upload_that_moved_since_the_list_was_read_stays(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    cloud.fault("GET", f"{image_id}$", status=200, body=_moved(cloud, image_id))
    policy = {"select": {"status": status, "older_than": "30d"}, "limit_percent": 100}
    assert invoke({"sweep": policy}).outcomes == {image_id: ("refused", "changed")}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("moved_at", [days(-0.5), "soon", None], ids=["today", "unreadable", "unknown"])
def test_an_upload_into_an_old_record_that_began_today_stays(
    invoke: Invoke, cloud: FakeCloud, status: str, moved_at: str | None
) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    cloud.images[image_id].updated_at = moved_at  # type: ignore[assignment]  # a cloud may leave it out
    policy = {"select": {"status": status, "older_than": "30d"}, "limit_percent": 100}
    assert invoke({"sweep": policy}).outcomes == {image_id: ("refused", "not_ready")}


@pytest.mark.parametrize("status", STATUSES)
def test_an_upload_that_nobody_ends_goes_after_its_grace(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    policy = {"select": {"status": status, "older_than": "30d"}, "limit_percent": 100, "grace": "1d"}
    assert [invoke({"sweep": policy}).outcomes for _ in range(2)] == [{image_id: ("marked", "")}] * 2
    yesterday = [re.sub(r"\d{4}-\d\d-\d\d", days(-1)[:10], tag) for tag in cloud.images[image_id].tags]
    cloud.images[image_id].tags = yesterday
    assert invoke({"sweep": policy}).outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize("status", STATUSES)
def test_an_upload_is_nobody_s_leftover_for_a_policy_that_keeps_the_newest_of_a_property(
    invoke: Invoke, cloud: FakeCloud, status: str
) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31), os="linux")
    policy = {"select": {"name": "ci-*"}, "keep": {"newest": 1, "group_by": "property:os"}, "limit_percent": 100}
    assert invoke({"sweep": policy}).outcomes == {image_id: ("refused", "not_ready")}


def _moved(cloud: FakeCloud, image_id: str) -> dict[str, Any]:
    return {**glance_image(cloud.images[image_id]), "updated_at": days(0)}


@pytest.mark.parametrize("status", STATUSES)
def test_a_request_by_id_deletes_no_upload(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image_id = cloud.add_image("ci-1", status=status, created_at=days(-31))
    for expect in ({}, {"status": status}):
        request = {"images": [{"id": image_id, "expect": expect}]}
        assert invoke(request).outcomes == {image_id: ("refused", "not_ready")}
    young = cloud.add_image("ci-2", status=status, created_at=days(-0.5))
    expect = {"status": status, "updated_at": cloud.images[young].updated_at}
    assert invoke({"images": [{"id": young, "expect": expect}]}).outcomes == {young: ("refused", "not_ready")}


# Workers


def test_a_worker_sees_a_tag_that_did_not_move_updated_at(invoke_with: Invoke) -> None:
    cloud = FakeCloud("otc")
    image_id = cloud.add_image("ci-1", tags=["temporary"])
    with Server(cloud) as server:
        settings = cloud.env(server.url) | {"REAPER_MODE": "delete", "REAPER_IMAGE_API": "ims"}
        plan = invoke_with(SWEEP | {"dry_run": True}, settings).answer["plan"]
        cloud.images[image_id].tags.clear()
        assert invoke_with(queue(plan), settings).returned == []
    assert set(cloud.images) == {image_id}
