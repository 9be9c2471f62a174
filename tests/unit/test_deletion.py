"""One image of a request: what becomes of it, for which reason, and what the cloud holds afterwards."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest

from handler import app
from handler.compose import invocation
from handler.errors import InvalidRequest
from handler.model.outcome import Objection, Outcome
from handler.model.request import DeletionRequest, Job, Target
from handler.rules.mark_state import Mark, MarkState
from handler.rules.marks import MarkTags
from handler.work import deletion, handling, parallel
from handler.work.judgement import Judgement
from handler.work.run import Run
from handler.work.uses.lists import Expiry
from tests.conftest import UNKNOWN_ID, Context, Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.faults import Clock, new_run, reap

Fields = dict[str, Any]

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
YESTERDAY = "2026-01-01T00:00:00Z"
PAGE = "<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"


class Hourglass:
    """Lambda's context, with the seconds that a test says."""

    aws_request_id = "hourglass"
    seconds = 60.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def armed(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> None:
    """The settings of a function that deletes, for tests that bring a context of their own."""
    for name, value in (cloud.env(server.url) | {"REAPER_MODE": "delete"}).items():
        clean_environment.setenv(name, value)


def looked_at(cloud: FakeCloud, image_id: str, then: Callable[[], object]) -> None:
    """Let something happen to an image just after it was first read."""
    cloud.fault("GET", f"/v2/images/{image_id}$", status=None, then=then)


def nothing_deleted(cloud: FakeCloud) -> bool:
    return not cloud.dead and not cloud.calls_of("DELETE")


# Deleted, already gone


def test_an_image_that_nothing_speaks_against_is_deleted(invoke: Invoke, cloud: FakeCloud) -> None:
    image, stays = cloud.add_image(), cloud.add_image()
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("deleted", "")}
    assert (set(cloud.dead), set(cloud.images)) == ({image}, {stays})


@pytest.mark.parametrize("status", ["active", "deactivated", "killed"])
def test_an_image_at_rest_is_deleted(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image = cloud.add_image(status=status)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert set(cloud.dead) == {image}


def test_an_image_that_never_was_is_already_gone(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [UNKNOWN_ID]})
    assert (run.outcomes, run.answer["ok"]) == ({UNKNOWN_ID: ("already_gone", "")}, True)
    assert cloud.calls_of("DELETE") == []


def test_a_deleted_image_is_already_gone_when_it_is_asked_for_again(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    invoke({"image_ids": [image]})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("already_gone", "")}
    assert len(cloud.calls_of("DELETE")) == 1


@pytest.mark.parametrize("status", ["deleted", "pending_delete"])
def test_an_image_that_the_cloud_still_shows_as_deleted_is_already_gone(
    invoke: Invoke, cloud: FakeCloud, status: str
) -> None:
    image = cloud.add_image(status=status)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("already_gone", "")}
    assert cloud.calls_of("DELETE") == []


def test_an_image_that_we_may_not_see_is_already_gone_for_us(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(owner=OTHER)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("already_gone", "")}
    assert image in cloud.images


# Refused: each reason


REFUSED: dict[str, tuple[Fields, Fields, str]] = {
    "protected": ({"protected": True}, {}, "protected"),
    "public, our own": ({"visibility": "public"}, {}, "public"),
    "public, of others": ({"visibility": "public", "owner": OTHER}, {}, "public"),
    "community": ({"visibility": "community"}, {}, "public"),
    "lent to us": ({"visibility": "shared", "owner": OTHER, "members": {DEMO: "accepted"}}, {}, "not_owner"),
    "lent out": ({"visibility": "shared", "members": {OTHER: "accepted"}}, {}, "shared"),
    "queued": ({"status": "queued"}, {}, "not_ready"),
    "saving": ({"status": "saving"}, {}, "not_ready"),
    "uploading": ({"status": "uploading"}, {}, "not_ready"),
    "importing": ({"status": "importing"}, {}, "not_ready"),
    "a status of tomorrow": ({"status": "resting"}, {}, "not_ready"),
    "kept by tag": ({"tags": ["x", "keep"]}, {}, "kept"),
    "kept by property": ({"keep": "false"}, {}, "kept"),
    "kept by tag until": ({"tags": ["keep-until=2099-12-31"]}, {}, "kept"),
    "kept by property until": ({"keep-until": "2099-12-31"}, {}, "kept"),
    "kept until nobody knows": ({"tags": ["keep-until=soon"]}, {}, "kept"),
    "kept by a tag of ours": ({"tags": ["gold"]}, {"REAPER_KEEP_TAG": "gold"}, "kept"),
    "too young": ({"created_at": YESTERDAY}, {"REAPER_MIN_AGE": "9999w"}, "too_young"),
    "of unknown age": ({"created_at": "once"}, {"REAPER_MIN_AGE": "1h"}, "too_young"),
    "without the tag": ({"tags": ["cl"]}, {"REAPER_REQUIRE_TAG": "ci"}, "not_allowed"),
    "of another name": ({"name": "prod-1"}, {"REAPER_ALLOW_NAMES": "ci-*,tmp-*"}, "not_allowed"),
    "without a name": ({"name": None}, {"REAPER_ALLOW_NAMES": "ci-*"}, "not_allowed"),
}


@pytest.mark.parametrize(("image", "settings", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_image_that_a_rule_is_for_is_refused(
    invoke: Invoke, cloud: FakeCloud, image: Fields, settings: dict[str, str], reason: str
) -> None:
    refused, other = cloud.add_image(**image), cloud.add_image("ci-2", tags=["ci"], created_at="1815-12-10T00:00:00Z")
    run = invoke({"image_ids": [refused, other]}, **settings)
    assert run.outcomes == {refused: ("refused", reason), other: ("deleted", "")}
    assert set(cloud.dead) == {other}
    assert len(cloud.calls_of("DELETE")) == 1


def test_an_image_that_a_server_uses_is_refused(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_server("web-1", image=image)
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("refused", "in_use")}
    assert "web-1" in run.answer["outcomes"][0]["detail"]
    assert nothing_deleted(cloud)


def test_a_refusal_is_no_failure(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image(protected=True)]})
    assert (run.answer["ok"], run.answer["counts"]) == (True, {"refused": 1})


@pytest.mark.parametrize(("visibility", "status"), [("private", "pending"), ("shared", "rejected")])
def test_an_invitation_that_lets_nobody_in_keeps_no_image(
    invoke: Invoke, cloud: FakeCloud, visibility: str, status: str
) -> None:
    image = cloud.add_image(visibility=visibility, members={OTHER: status})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("status", ["pending", "accepted", "invited"])
def test_a_member_is_a_user_until_it_has_turned_the_image_down(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image = cloud.add_image(visibility="shared", members={OTHER: status})
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("refused", "shared")}
    assert OTHER in run.answer["outcomes"][0]["detail"]
    assert image in cloud.images


def test_a_shared_image_may_go_where_the_settings_say_so(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(visibility="shared", members={OTHER: "accepted"})
    assert invoke({"image_ids": [image]}, REAPER_ALLOW_SHARED="true").outcomes == {image: ("deleted", "")}


def test_a_date_that_has_passed_keeps_no_image(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(tags=["keep-until=2020-01-31"])
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


def test_an_image_that_passes_every_rule_of_the_operator_is_deleted(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["ci", "keep"], created_at="2020-01-01T00:00:00Z")
    rules = {"REAPER_REQUIRE_TAG": "ci", "REAPER_ALLOW_NAMES": "tmp-*, ci-*", "REAPER_KEEP_TAG": "gold"}
    assert invoke({"image_ids": [image]}, REAPER_MIN_AGE="4w", **rules).outcomes == {image: ("deleted", "")}


# Failed: each reason that one image can meet


FAILED: dict[str, tuple[Fields, str]] = {
    "forbidden": ({"status": 403, "body": {"message": "Forbidden"}}, "denied"),
    "throttled": ({"status": 429, "headers": LATER}, "throttled"),
    "over quota": ({"status": 413, "headers": LATER}, "throttled"),
    "broken": ({"status": 500, "headers": LATER}, "unavailable"),
    "overloaded": ({"status": 503, "headers": LATER}, "unavailable"),
    "bad request": ({"status": 400, "body": {"message": "Bad request"}}, "unexpected"),
    "not found, but not the image": ({"status": 404, "body": {"message": "Not Found"}}, "unexpected"),
    "a web page that is not found": ({"status": 404, "body": PAGE, "content_type": "text/html"}, "unexpected"),
    "moved": ({"status": 301, "headers": {"Location": "/elsewhere"}}, "unexpected"),
    "a status of tomorrow": ({"status": 299}, "unexpected"),
}


@pytest.mark.parametrize(("fault", "reason"), FAILED.values(), ids=FAILED)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_the_cloud_does_not_do_is_a_failure(
    invoke: Invoke, cloud: FakeCloud, method: str, fault: Fields, reason: str
) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.fault(method, f"/v2/images/{image}$", times=None, **fault)
    run = invoke(queue({"image_ids": [image]}, {"image_ids": [other]}))
    assert run.logged("image.failed")[0]["reason"] == reason
    assert (run.returned, set(cloud.dead)) == (["m0"], {other})


def test_credentials_that_may_not_delete_are_denied(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, **cloud.env(server.url, user="reader"))
    assert (run.outcomes, cloud.dead) == ({image: ("failed", "denied")}, {})


def test_an_invocation_without_time_fails_every_image(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(), UNKNOWN_ID]
    run = invoke({"image_ids": images}, seconds=1.5)
    assert (run.outcomes, cloud.calls) == (dict.fromkeys(images, ("failed", "deadline")), [])


@pytest.mark.parametrize("field", ["owner", "status", "visibility", "protected", "tags", "id"])
@pytest.mark.parametrize("value", [None, 7, "", {}])
def test_an_image_that_cannot_be_understood_stays(invoke: Invoke, cloud: FakeCloud, field: str, value: object) -> None:
    image = cloud.add_image()
    record = {"id": image, "name": "x", "owner": DEMO, "status": "active", "visibility": "private", "tags": []}
    cloud.fault("GET", f"/v2/images/{image}$", status=200, body=record | {"protected": False, field: value})
    outcome, reason = invoke({"image_ids": [image]}).outcomes[image]
    assert (outcome, reason) in {("failed", "unexpected"), ("refused", "not_owner")}
    assert nothing_deleted(cloud)


def test_a_failed_image_stops_no_other(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(30)]
    cloud.fault("DELETE", images[3], status=403)
    run = invoke({"image_ids": images})
    assert run.answer["counts"] == {"deleted": 29, "failed": 1}
    assert set(cloud.images) == {images[3]}


@pytest.mark.parametrize("concurrency", ["1", "2", "128"])
def test_any_number_of_workers_deletes_the_same(invoke: Invoke, cloud: FakeCloud, concurrency: str) -> None:
    images = [cloud.add_image() for _ in range(9)]
    run = invoke({"image_ids": [*images, UNKNOWN_ID]}, REAPER_CONCURRENCY=concurrency)
    assert run.answer["counts"] == {"deleted": 9, "already_gone": 1}
    assert cloud.images == {}


# What the requester expects


EXPECTED = {
    "name": ("ci-1", "ci-2"),
    "owner": (DEMO, OTHER),
    "checksum": ("d41d8cd98f00b204e9800998ecf8427e", None),
    "status": ("active", "deactivated"),
    "updated_at": ("2026-02-02T00:00:00Z", "2026-02-02T00:00:01Z"),
    "size": (1024, 1025),
}


@pytest.mark.parametrize(("attribute", "values"), EXPECTED.items(), ids=EXPECTED)
def test_an_image_that_is_what_was_expected_is_deleted_and_no_other(
    invoke: Invoke, cloud: FakeCloud, attribute: str, values: tuple[object, object]
) -> None:
    known = {"checksum": EXPECTED["checksum"][0], "updated_at": EXPECTED["updated_at"][0]}
    same, different = (cloud.add_image("ci-1", **known) for _ in range(2))  # type: ignore[arg-type]  # two of its own
    wishes = [{"id": same, "expect": {attribute: values[0]}}, {"id": different, "expect": {attribute: values[1]}}]
    run = invoke({"images": wishes})
    assert run.outcomes == {same: ("deleted", ""), different: ("refused", "changed")}
    assert attribute in run.answer["outcomes"][1]["detail"]
    assert set(cloud.images) == {different}


def test_one_difference_among_many_expectations_refuses(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=5)
    run = invoke({"images": [{"id": image, "expect": {"name": "ci-1", "size": 5, "status": "queued"}}]})
    assert (run.outcomes, cloud.dead) == ({image: ("refused", "changed")}, {})


def test_an_image_may_be_expected_to_have_no_name(invoke: Invoke, cloud: FakeCloud) -> None:
    unnamed, named = cloud.add_image(None), cloud.add_image("ci-1")
    run = invoke({"images": [{"id": image, "expect": {"name": None}} for image in (unnamed, named)]})
    assert run.outcomes == {unnamed: ("deleted", ""), named: ("refused", "changed")}


@pytest.mark.parametrize("image", [{}, {"expect": {}}])
def test_an_image_without_expectations_is_deleted(invoke: Invoke, cloud: FakeCloud, image: Fields) -> None:
    image_id = cloud.add_image()
    assert invoke({"images": [{"id": image_id} | image]}).outcomes == {image_id: ("deleted", "")}


# Rehearsals


def test_without_a_mode_nothing_is_deleted(
    clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server
) -> None:
    for name, value in cloud.env(server.url).items():
        clean_environment.setenv(name, value)
    image = cloud.add_image()
    answer = app.lambda_handler({"image_ids": [image], "dry_run": False}, Context())
    assert (answer["mode"], answer["counts"]) == ("dry-run", {"would_delete": 1})
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("mode", ["", "dry-run"])
def test_no_request_can_arm_the_function(invoke: Invoke, cloud: FakeCloud, mode: str) -> None:
    image = cloud.add_image()
    for event in ({"image_ids": [image]}, {"image_ids": [image], "dry_run": False}, queue({"image_ids": [image]})):
        run = invoke(event, REAPER_MODE=mode)
        assert [line["image_id"] for line in run.logged("image.would_delete")] == [image]
        assert nothing_deleted(cloud)


def test_a_request_may_rehearse_where_the_function_is_armed(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    run = invoke({"image_ids": [image], "dry_run": True})
    assert (run.answer["mode"], run.outcomes) == ("dry-run", {image: ("would_delete", "")})
    assert nothing_deleted(cloud)


def test_only_the_message_that_asks_for_a_rehearsal_gets_one(invoke: Invoke, cloud: FakeCloud) -> None:
    rehearsed, deleted = cloud.add_image(), cloud.add_image()
    run = invoke(queue({"image_ids": [rehearsed], "dry_run": True}, {"image_ids": [deleted], "dry_run": False}))
    assert (run.returned, set(cloud.dead)) == ([], {deleted})
    assert len(run.logged("image.would_delete")) == 1


@pytest.mark.parametrize(("image", "settings", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_rehearsal_makes_every_check(
    invoke: Invoke, cloud: FakeCloud, image: Fields, settings: dict[str, str], reason: str
) -> None:
    image_id = cloud.add_image(**image)
    run = invoke({"image_ids": [image_id]}, REAPER_MODE="dry-run", **settings)
    assert run.outcomes == {image_id: ("refused", reason)}
    assert not {"plan", "plans"} & run.answer.keys()


def test_a_rehearsal_only_reads(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(visibility="shared", members={OTHER: "pending"}) for _ in range(3)]
    cloud.add_server(image=None)
    invoke({"image_ids": images}, REAPER_MODE="dry-run")
    assert {call.method for call in cloud.calls if "/auth/tokens" not in call.path} == {"GET"}


# The plan


def test_a_plan_names_what_would_be_deleted_with_all_that_was_seen(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=7, updated_at="2026-03-01T00:00:00Z", tags=["b", "a"])
    refused = cloud.add_image(protected=True)
    plan = invoke({"image_ids": [image, refused, UNKNOWN_ID]}, REAPER_MODE="dry-run").answer["plan"]
    seen = {"name": "ci-1", "owner": DEMO, "status": "active", "size": 7, "updated_at": "2026-03-01T00:00:00Z"}
    seen |= {"tags": ["a", "b"], "protected": False, "visibility": "private"}
    expected = seen | {"checksum": cloud.images[image].checksum}
    assert plan == {"not_after": plan["not_after"], "images": [{"id": image, "expect": expected}], "project_id": DEMO}


def test_a_plan_sent_back_deletes_just_what_it_names(invoke: Invoke, cloud: FakeCloud) -> None:
    planned = [cloud.add_image(), cloud.add_image(None, size=None)]
    other, refused = cloud.add_image(), cloud.add_image(protected=True)
    answer = invoke({"image_ids": [*planned, refused]}, REAPER_MODE="dry-run").answer
    run = invoke(json.loads(json.dumps(answer["plan"])))
    assert run.outcomes == dict.fromkeys(planned, ("deleted", ""))
    assert set(cloud.images) == {other, refused}


def test_a_plan_may_be_sent_back_as_a_message(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    plan = invoke({"image_ids": [image], "dry_run": True}).answer["plan"]
    assert invoke(queue(plan)).returned == []
    assert set(cloud.dead) == {image}


CHANGES: dict[str, object] = {
    "name": "prod-1",
    "checksum": "0" * 32,
    "status": "deactivated",
    "updated_at": "2026-11-11T00:00:00Z",
    "size": 1,
}


@pytest.mark.parametrize(("attribute", "value"), CHANGES.items(), ids=CHANGES)
def test_an_image_that_changed_after_the_plan_is_refused(
    invoke: Invoke, cloud: FakeCloud, attribute: str, value: object
) -> None:
    changed, same = cloud.add_image(), cloud.add_image()
    plan = invoke({"image_ids": [changed, same], "dry_run": True}).answer["plan"]
    setattr(cloud.images[changed], attribute, value)
    assert invoke(plan).outcomes == {changed: ("refused", "changed"), same: ("deleted", "")}
    assert set(cloud.images) == {changed}


def test_a_plan_keeps_what_the_request_said(invoke: Invoke, cloud: FakeCloud) -> None:
    request = {"image_ids": [cloud.add_image()], "reason": "nightly", "project_id": DEMO, "delete_backup": True}
    plan = invoke(request | {"dry_run": True}, REAPER_IMAGE_API="ims").answer["plan"]
    kept = {name: plan[name] for name in plan if name not in {"images", "not_after"}}
    assert kept == {"reason": "nightly", "project_id": DEMO, "delete_backup": True}


def test_an_armed_run_answers_without_a_plan(invoke: Invoke, cloud: FakeCloud) -> None:
    assert "plan" not in invoke({"image_ids": [cloud.add_image()]}).answer


# Limits, repetitions


def test_no_more_images_are_deleted_than_one_invocation_may(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(8)]
    run = invoke({"image_ids": images}, REAPER_MAX_IMAGES="3")
    assert sorted(run.outcomes.values()) == [("deleted", "")] * 3 + [("failed", "over_limit")] * 5
    assert (len(cloud.dead), len(cloud.calls_of("DELETE"))) == (3, 3)


def test_a_limit_of_none_deletes_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(3)]
    run = invoke({"image_ids": images}, REAPER_MAX_IMAGES="0")
    assert run.outcomes == dict.fromkeys(images, ("failed", "over_limit"))
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("groups", [None, ["a", "b", "c"], ["a", "a", "a"]])
def test_a_queue_gets_back_what_is_over_the_limit(invoke: Invoke, cloud: FakeCloud, groups: list[str] | None) -> None:
    event = queue(*({"image_ids": [cloud.add_image()]} for _ in range(3)), fifo_groups=groups)
    runs = [invoke(event, REAPER_MAX_IMAGES="1") for _ in range(3)]
    assert [len(run.returned) for run in runs] == [2, 1, 0]
    assert (cloud.images, len(cloud.calls_of("DELETE"))) == ({}, 3)


def test_images_that_stay_do_not_count_towards_the_limit(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(protected=True), UNKNOWN_ID, cloud.add_image(tags=["keep"]), cloud.add_image()]
    run = invoke({"image_ids": images}, REAPER_MAX_IMAGES="1")
    assert (run.answer["ok"], set(cloud.dead)) == (True, {images[-1]})


def test_a_rehearsal_tells_what_would_be_over_the_limit(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(3)]
    run = invoke({"image_ids": images}, REAPER_MODE="dry-run", REAPER_MAX_IMAGES="2")
    assert run.answer["counts"] == {"would_delete": 2, "failed": 1}
    assert len(run.answer["plan"]["images"]) == 2


def test_the_limit_counts_from_nothing_in_the_next_invocation(invoke: Invoke, cloud: FakeCloud) -> None:
    for _ in range(2):
        invoke({"image_ids": [cloud.add_image()]}, REAPER_MAX_IMAGES="1")
    assert len(cloud.dead) == 2


def test_an_image_named_twice_in_a_request_is_deleted_once(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    run = invoke({"image_ids": [image, UNKNOWN_ID, image]})
    assert run.answer["counts"] == {"deleted": 1, "already_gone": 1}
    assert len(cloud.calls_of("DELETE")) == 1


def test_an_image_named_with_two_expectations_is_turned_down(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    run = invoke({"images": [{"id": image, "expect": {"name": "ci-1"}}, {"id": image, "expect": {"name": "ci-2"}}]})
    assert isinstance(run.error, InvalidRequest)
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("groups", [None, ["a", "b", "c", "d"], ["a", "a", "a", "a"]])
def test_an_image_in_several_messages_is_deleted_once(
    invoke: Invoke, cloud: FakeCloud, groups: list[str] | None
) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=None, delay=0.05)
    run = invoke(queue(*[{"image_ids": [image]}] * 4, fifo_groups=groups))
    assert (run.returned, len(cloud.calls_of("DELETE"))) == ([], 1)
    assert (len(run.logged("image.deleted")), len(run.logged("image.already_gone"))) == (1, 3)


# While it is looked at


def test_an_image_that_dies_while_it_is_looked_at_is_already_gone(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    looked_at(cloud, image, lambda: cloud.kill(image))
    run = invoke({"image_ids": [image]})
    assert run.outcomes == {image: ("already_gone", "")}
    assert (run.metric("ImagesDeleted"), run.metric("BytesReclaimed")) == (0, 0)


def test_an_image_that_is_protected_while_it_is_looked_at_is_refused(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    looked_at(cloud, image, lambda: setattr(cloud.images[image], "protected", True))
    run = invoke({"image_ids": [image]})
    assert (run.outcomes, cloud.dead) == ({image: ("refused", "protected")}, {})
    assert "is protected and cannot be deleted" in run.answer["outcomes"][0]["detail"]


def test_an_image_that_goes_to_another_project_while_it_is_looked_at_stays(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()

    def give_away() -> None:
        cloud.images[image].owner, cloud.images[image].visibility = OTHER, "community"

    looked_at(cloud, image, give_away)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "denied")}
    assert cloud.dead == {}


def test_an_image_that_dies_before_its_members_are_read_is_already_gone(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(visibility="shared", members={OTHER: "accepted"})
    looked_at(cloud, image, lambda: cloud.kill(image))
    assert invoke({"image_ids": [image]}).outcomes == {image: ("already_gone", "")}
    assert cloud.calls_of("DELETE") == []


@pytest.mark.parametrize("why", ["it is in use: rbd clone", "it has snapshot(s)."])
def test_an_image_that_the_cloud_calls_in_use_is_refused(invoke: Invoke, cloud: FakeCloud, why: str) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=409, body={"message": f"Image {image} could not be deleted because {why}"})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


def test_members_that_cannot_be_read_keep_the_image(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(visibility="shared") for _ in range(4)]
    bodies = ("[]", PAGE, '{"members": null}', '{"members": ["x"]}')
    for image, body in zip(images, bodies, strict=True):
        cloud.fault("GET", f"{image}/members", status=200, body=body)
    assert invoke({"image_ids": images}).outcomes == dict.fromkeys(images, ("failed", "unexpected"))
    assert nothing_deleted(cloud)


# What is asked of the cloud


def test_the_servers_are_listed_once_for_all_images(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_server(image=cloud.add_image())
    messages = [{"image_ids": [cloud.add_image() for _ in range(5)]} for _ in range(4)]
    run = invoke(queue(*messages, fifo_groups=["a", "a", "b", "a"]))
    assert (run.returned, len(cloud.dead)) == ([], 20)
    assert len([call for call in cloud.calls if call.path.endswith("/servers/detail")]) == 1


def test_the_servers_are_listed_anew_in_the_next_invocation(invoke: Invoke, cloud: FakeCloud) -> None:
    first, second = cloud.add_image(), cloud.add_image()
    invoke({"image_ids": [first]})
    cloud.add_server(image=second)
    assert invoke({"image_ids": [second]}).outcomes == {second: ("refused", "in_use")}


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_members_are_asked_for_only_where_they_matter(invoke: Invoke, cloud: FakeCloud, allowed: str) -> None:
    shared = cloud.add_image(visibility="shared")
    invoke({"image_ids": [cloud.add_image(), shared]}, REAPER_ALLOW_SHARED=allowed)
    asked = [call.path for call in cloud.calls if call.path.endswith("/members")]
    assert asked == ([] if allowed == "true" else [f"/image/v2/images/{shared}/members"])
    assert len(cloud.dead) == 2


def test_an_image_that_its_own_record_refuses_is_asked_about_no_further(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(visibility="shared", protected=True)
    invoke({"image_ids": [image]})
    assert [call.path for call in cloud.calls if image in call.path] == [f"/image/v2/images/{image}"]


# Answers that confirm nothing


def test_a_deletion_that_was_taken_on_is_deleted_once_the_image_is_gone(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=202, apply=True)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert [call.method for call in cloud.calls if image in call.path] == ["GET", "DELETE", "GET"]


def test_a_deletion_that_was_taken_on_may_take_a_while(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=202)
    cloud.fault("GET", f"{image}$", status=None, skip=1, then=lambda: cloud.kill(image))
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert len(cloud.calls_of("DELETE")) == 1


@pytest.mark.usefixtures("armed")
@pytest.mark.parametrize("fault", [{"status": 202}, {"status": 200, "body": PAGE}, {"status": 201}])
def test_a_deletion_that_was_taken_on_and_not_done_is_a_failure(cloud: FakeCloud, fault: Fields) -> None:
    image, context = cloud.add_image(), Hourglass()
    cloud.fault("DELETE", image, then=lambda: setattr(context, "seconds", 2.1), **fault)
    outcome = app.lambda_handler({"image_ids": [image]}, context)["outcomes"][0]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert "still there" in outcome["detail"]
    assert (image in cloud.images, len(cloud.calls_of("DELETE"))) == (True, 1)


def test_a_success_that_comes_with_a_web_page_is_looked_after(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=200, body=PAGE, content_type="text/html", apply=True)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert cloud.calls[-1].method == "GET"


@pytest.mark.parametrize("status", [200, 204])
def test_a_success_without_words_is_believed(invoke: Invoke, cloud: FakeCloud, status: int) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=status, apply=True)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert cloud.calls[-1].method == "DELETE"


def test_a_deletion_whose_answer_was_lost_is_found_out(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, apply=True, cut=True)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert set(cloud.dead) == {image}


def test_where_nobody_asks_for_servers_a_delete_is_repeated_all_the_same(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=503)
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_CHECK="off").outcomes == {image: ("deleted", "")}
    assert len(cloud.calls_of("DELETE")) == 2


def test_a_fault_of_ours_fails_its_image_and_no_other(
    invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = cloud.add_image(), cloud.add_image()

    def outcome_of(job: Job, run: Run) -> Outcome:
        return {sound: handling.outcome_of}[job.target.image_id](job, run)

    monkeypatch.setattr(parallel, "outcome_of", outcome_of)
    run = invoke({"image_ids": [broken, sound]})
    assert run.outcomes == {broken: ("failed", "unexpected"), sound: ("deleted", "")}
    assert (len(run.logged("run.fault")), set(cloud.dead)) == (1, {sound})


# The journal


def test_the_whole_record_is_printed_before_the_delete_is_answered(
    invoke: Invoke, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    image = cloud.add_image("ci-1", tags=["x"], os_version="12")
    printed: list[str] = []
    cloud.fault("DELETE", image, status=None, then=lambda: printed.append(capsys.readouterr().out))
    invoke(queue({"image_ids": [image], "reason": "nightly"}))
    line = json.loads(printed[0])
    known = {"message": "image.deleting", "image_id": image, "asked_by": "nightly", "message_id": "m0"}
    assert line | known | {"source": "queue"} == line
    record = {"id": image, "name": "ci-1", "owner": DEMO, "tags": ["x"], "os_version": "12", "size": 1024}
    assert line["image"] | record | {"checksum": cloud.dead[image].checksum} == line["image"]


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR", "CRITICAL"])
def test_the_journal_is_written_at_every_log_level(invoke: Invoke, cloud: FakeCloud, level: str) -> None:
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, LOG_LEVEL=level, POWERTOOLS_SERVICE_NAME=f"service-{level}")
    assert [line["image"]["id"] for line in run.logged("image.deleting")] == [image]
    assert len(run.logged("image.deleted")) == (1 if level == "DEBUG" else 0)
    assert set(cloud.dead) == {image}


def test_there_is_a_journal_line_for_each_delete_and_for_nothing_else(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(12)]
    stay = [cloud.add_image(protected=True), cloud.add_image(tags=["keep"]), UNKNOWN_ID]
    run = invoke({"image_ids": [*images, *stay]})
    assert sorted(line["image_id"] for line in run.logged("image.deleting")) == sorted(images)
    assert run.logged("image.deleting")[0]["level"] == "FATAL"


class Kept(io.StringIO):
    """Standard output that keeps to itself what nobody flushes."""

    out = ""

    def flush(self) -> None:
        self.out = self.getvalue()


@pytest.mark.usefixtures("armed")
def test_the_journal_has_left_the_process_before_the_delete(cloud: FakeCloud) -> None:
    image, output = cloud.add_image(), Kept()
    seen: list[str] = []
    cloud.fault("DELETE", image, status=None, then=lambda: seen.append(output.out))
    with redirect_stdout(output):
        app.lambda_handler({"image_ids": [image]}, Context())
    assert ["image.deleting" in text for text in seen] == [True]


def test_a_rehearsal_writes_no_journal(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image()]}, REAPER_MODE="dry-run")
    assert (run.logged("image.deleting"), len(run.logged("image.would_delete"))) == ([], 1)


class FullDisk(io.StringIO):
    """Standard output that has no room for the journal."""

    def write(self, text: str) -> int:
        if "image.deleting" in text:
            message = "No space left on device"
            raise OSError(28, message)
        return len(text)


def test_what_cannot_be_written_down_is_not_deleted(
    invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image()
    monkeypatch.setattr("sys.stdout", FullDisk())
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "unexpected")}
    assert nothing_deleted(cloud)


def test_a_server_that_starts_before_a_delete_is_repeated_saves_its_image(cloud: FakeCloud, server: Server) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", status=503, headers={"Retry-After": "3"}, then=lambda: cloud.add_server(image=image))
    assert reap(new_run(cloud, server, Clock()), [image])[image].reason == "in_use"
    assert set(cloud.images) == {image}


# The one place that sends a DELETE


@pytest.mark.parametrize(
    ("objection", "state"),
    [(Objection("kept", "tagged keep"), None), (None, MarkState.WAITING), (None, MarkState.VETOED)],
)
def test_a_judgement_that_does_not_permit_it_opens_no_way_to_a_delete(
    objection: Objection | None, state: MarkState | None, cloud: FakeCloud, server: Server
) -> None:
    image_id = cloud.add_image()
    run = new_run(cloud, server, Clock())
    image = run.cloud.image(image_id)
    assert image is not None
    mark = Mark(state=state, tags=MarkTags(), last_day=None, veto="", removable=False) if state else None
    judgement = Judgement(image=image, mark=mark, objection=objection, expiry=Expiry(run.deadline.now(), "it"))
    with pytest.raises(RuntimeError, match="no judgement permits"):
        deletion._send(judgement, Job(Target(image_id), DeletionRequest((Target(image_id),))), run)
    assert nothing_deleted(cloud)


def test_a_mark_that_was_put_off_before_a_second_delete_needs_no_further_question(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", visibility="shared", tags=["reaper-delete-after=2026-01-01"])
    put_off = lambda: cloud.images[image].tags.append("reaper-delete-after=2099-01-01")  # noqa: E731
    cloud.fault("DELETE", f"{image}$", status=503, then=put_off)
    policy = {"sweep": {"select": {"name": "ci-*"}, "grace": "1d", "limit_percent": 100}}
    assert invoke(policy).outcomes == {image: ("refused", "changed")}
    assert len([call for call in cloud.calls_of("GET") if call.path.endswith("/members")]) == 1
    assert (image in cloud.images, len(cloud.calls_of("DELETE"))) == (True, 1)


def test_a_veto_before_a_second_delete_is_called_one(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["reaper-delete-after=2026-01-01"])
    veto = lambda: cloud.images[image].tags.append("reaper-delete-after=never")  # noqa: E731
    cloud.fault("DELETE", f"{image}$", status=503, then=veto)
    policy = {"sweep": {"select": {"name": "ci-*"}, "grace": "1d", "limit_percent": 100}}
    assert invoke(policy).outcomes == {image: ("refused", "kept")}
    assert (image in cloud.images, len(cloud.calls_of("DELETE"))) == (True, 1)


def test_a_run_has_the_day_on_which_it_began_however_long_it_takes_to_connect(
    invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image("ci-1", tags=["reaper-delete-after=2026-11-25"], created_at="2026-01-01T00:00:00Z")
    seconds = [datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)]

    class Midnight(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(seconds[0].timestamp(), tz)

    monkeypatch.setattr(invocation, "datetime", Midnight)
    cloud.fault("POST", "/auth/tokens$", status=None, then=lambda: seconds.insert(0, seconds[0] + timedelta(seconds=5)))
    policy = {"sweep": {"select": {"name": "ci-*"}, "grace": "1d", "limit_percent": 100}}
    assert invoke(policy).outcomes == {image: ("marked", "")}
    assert image in cloud.images
