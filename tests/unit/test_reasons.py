"""Why an image stays, to the letter: people act on these words, and find the images in the log by them."""

from datetime import timedelta

import pytest

from handler.errors import Unexpected
from handler.model.history import Unused
from handler.model.image import Image
from handler.model.outcome import Objection
from handler.model.request import Keep, Select, SweepRequest
from handler.rules import selection
from handler.rules.mark_state import objection_of_sweep, state_of
from handler.rules.safety import Facts, Policy, judge
from tests.examples import DAY, IMAGE, NOW, OWNER, SECOND, WATCHED, image, tagged

FACTS = Facts(OWNER, NOW)
GRACE = SweepRequest(Select(name="ci-*"), grace=7 * DAY)

RULES: list[tuple[str, Image, Facts, Policy, str]] = [
    ("expired", IMAGE, FACTS._replace(not_after=NOW - SECOND), Policy(), "the request was good until {before}"),
    ("public", image(visibility="public"), FACTS, Policy(), "visibility public: every project may use it"),
    ("not_owner", image(owner="x"), FACTS, Policy(), f"owned by project x, not by {OWNER}"),
    ("protected", image(protected=True), FACTS, Policy(), "the image is protected"),
    ("not_ready", image(status="queued"), FACTS, Policy(), "status queued"),
    (
        "not_ready",
        image(record={"os_glance_importing_to_stores": "ceph"}),
        FACTS,
        Policy(),
        "os_glance_importing_to_stores is ceph",
    ),
    ("not_ready", image(record={"os_glance_import_task": "7"}), FACTS, Policy(), "os_glance_import_task is 7"),
    ("changed", IMAGE, FACTS._replace(expect=(("name", "x"),)), Policy(), "name is 'ci-1', expected 'x'"),
    (
        "changed",
        IMAGE,
        FACTS._replace(expect=(("tags", frozenset({"b", "a"})),)),
        Policy(),
        "tags is ['ci', 'x'], expected ['a', 'b']",
    ),
    ("kept", tagged("keep"), FACTS, Policy(), "marked keep"),
    ("kept", tagged("Keep"), FACTS, Policy(), "'Keep' is read as keep"),
    ("kept", tagged("keep-until=2099-01-01"), FACTS, Policy(), "marked keep-until=2099-01-01"),
    ("kept", image(properties=frozenset({"keep"}), record={"keep": "x"}), FACTS, Policy(), "marked keep=x"),
    ("kept", image(properties=frozenset({"KEEP"}), record={"KEEP": 1}), FACTS, Policy(), "'KEEP=1' is read as keep=1"),
    ("not_allowed", IMAGE, FACTS, Policy(require_tag="may-go"), "the required tag may-go is missing"),
    ("not_allowed", IMAGE, FACTS, Policy(allow_names=("a",)), "the name 'ci-1' matches none of the allowed patterns"),
    ("too_young", image(created_at=None), FACTS, Policy(min_age=DAY), "its age is unknown"),
    ("too_young", image(created_at=NOW), FACTS, Policy(min_age=DAY), "created at {now}"),
    ("shared", IMAGE, FACTS._replace(shared_with=("p", "q")), Policy(), "shared with p, q"),
    ("in_use", IMAGE, FACTS._replace(used_by=("a", "b", "c", "d")), Policy(), "used by a, b, c and 1 more"),
]


@pytest.mark.parametrize(("reason", "found", "facts", "policy", "detail"), RULES, ids=range(len(RULES)))
def test_a_refusal_says_what_it_rests_on(reason: str, found: Image, facts: Facts, policy: Policy, detail: str) -> None:
    words = detail.format(before=(NOW - SECOND).isoformat(), now=NOW.isoformat())
    assert judge(found, facts, policy) == Objection(reason, words)


def test_an_operator_who_sets_nothing_has_no_rule_but_the_keep_tag() -> None:
    assert judge(image(created_at=NOW), FACTS, Policy()) is None
    assert judge(tagged(), FACTS, Policy()) is None
    assert Policy() == Policy(timedelta(0), "keep", "", (), allow_shared=False)


@pytest.mark.parametrize(("late", "refused"), [(-1, False), (0, False), (1, True)])
def test_a_request_is_good_up_to_its_last_moment(late: int, *, refused: bool) -> None:
    at_its_end = FACTS._replace(not_after=NOW)
    assert bool(judge(IMAGE, at_its_end._replace(now=NOW + late * SECOND), Policy())) is refused
    assert bool(judge(IMAGE, at_its_end._replace(moment=NOW + late * SECOND), Policy())) is refused


# Uploads that nobody ends

STATES = ("queued", "saving", "uploading", "importing")


def may_go(found: Image, moved: str | None = "2026-06-05T12:00:00Z", status: str | None = None) -> bool:
    expect = (("status", status or found.status), ("updated_at", moved), ("tags", found.tags))
    return judge(found, FACTS._replace(expect=expect), Policy()) is None


def upload(status: str = "queued", moved: str = "2026-06-05T12:00:00Z", *tags: str) -> Image:
    return image(status=status, updated_at=moved, tags=frozenset(tags))


@pytest.mark.parametrize("status", STATES)
def test_an_upload_that_nobody_ends_may_go_if_whoever_asks_knows_it_as_one(status: str) -> None:
    assert may_go(upload(status))
    assert judge(upload(status), FACTS, Policy()) == Objection("not_ready", f"status {status}")
    only_status = FACTS._replace(expect=(("status", status),))
    assert judge(upload(status), only_status, Policy()) == Objection("not_ready", f"status {status}")


def test_an_upload_that_moved_within_a_day_may_go_on() -> None:
    for moved, goes in (("2026-06-14T12:00:00Z", True), ("2026-06-14T12:00:01Z", False), ("soon", False)):
        assert may_go(upload("queued", moved), moved) is goes
    assert not may_go(image(status="queued", created_at=NOW - DAY + SECOND))
    assert may_go(image(status="queued", created_at=NOW - DAY))
    assert not may_go(image(status="queued", created_at=None))


def test_the_time_of_the_cloud_is_in_utc_unless_it_says_otherwise() -> None:
    for moved, goes in (("2026-06-14T12:00:00", True), ("2026-06-14T12:00:01", False)):
        assert may_go(upload("queued", moved), moved) is goes
    assert may_go(upload("queued", "2026-06-14T14:00:00+02:00"), "2026-06-14T14:00:00+02:00")


def test_a_mark_that_moved_an_upload_does_not_make_it_one_that_goes_on() -> None:
    just_now = "2026-06-15T11:59:00Z"
    assert may_go(upload("queued", just_now, "reaper-sweep=0123abcd"), just_now)
    assert not may_go(upload("queued", just_now, "reaper", "a-reaper-"), just_now)


# What a policy does not select

USED_TODAY = WATCHED._replace(last={IMAGE.id: NOW.date()})
OBJECTIONS: list[tuple[str, Image, Select, str]] = [
    ("name", IMAGE, Select(name="web-*"), "its name does not match web-*"),
    ("family", IMAGE, Select(family="web"), "it is not of the family web"),
    ("tags", IMAGE, Select(tags=frozenset({"ci", "b", "a"})), "it lacks the tag a"),
    ("properties", IMAGE, Select(properties=(("os_type", "linux"), ("cpus", "5"))), "its cpus is not 5"),
    ("status", IMAGE, Select(status="killed"), "its status is active"),
    ("age", image(created_at=None), Select(name="*"), "its age is unknown"),
    ("age", image(created_at=NOW + SECOND), Select(name="*"), "it was created in the future, at {after}"),
    ("age", image(created_at=NOW), Select(older_than=DAY), "it is younger than asked for: created at {now}"),
    ("age", image(created_at=NOW), Select(created_before=NOW), "it was created at {now}"),
    ("size", image(size=None), Select(size_over=7), "its size is unknown"),
    ("size", image(size=7), Select(size_over=7), "its size is 7"),
    ("use", IMAGE, Select(unused_for=Unused(DAY)), "its use is unknown"),
    ("use", IMAGE, Select(unused_for=Unused(DAY, WATCHED._replace(since=NOW))), "its use is unknown before 2026-06-15"),
    ("use", IMAGE, Select(unused_for=Unused(DAY, WATCHED._replace(in_use={IMAGE.id}))), "it is in use"),
    ("use", IMAGE, Select(unused_for=Unused(DAY, USED_TODAY)), "it was in use on 2026-06-15"),
    ("use", image(created_at=NOW), Select(unused_for=Unused(DAY, WATCHED)), "it was created at {now}"),
]


@pytest.mark.parametrize(("reason", "found", "select", "detail"), OBJECTIONS, ids=range(len(OBJECTIONS)))
def test_what_a_policy_does_not_select_stays_with_the_reason(
    reason: str, found: Image, select: Select, detail: str
) -> None:
    words = detail.format(now=NOW.isoformat(), after=(NOW + SECOND).isoformat())
    assert selection.objection(found, select, NOW) == Objection(reason, words)


@pytest.mark.parametrize(
    ("group_by", "found"),
    [("name", image(name=None)), ("property:job", IMAGE), ("tag-prefix:job", IMAGE)],
)
def test_an_image_in_no_group_stays_with_the_reason(group_by: str, found: Image) -> None:
    (decision,) = selection.decide([found], SweepRequest(Select(tags=frozenset({"ci"})), Keep(1, group_by)), NOW)
    assert decision.objection == Objection("group", f"in no group by {group_by}")


def test_the_newest_of_a_group_stays_with_the_reason() -> None:
    decisions = selection.decide([IMAGE], SweepRequest(Select(name="*"), Keep(3)), NOW)
    assert [decision.objection for decision in decisions] == [Objection("newest", "among the 3 newest of ci")]


UNREAD = image(
    record={"name": 7, "tags": "x", "secret": "y"}, unread=("name", "tags"), name=None, tags=frozenset(), created_at=NOW
)


def test_an_image_that_cannot_be_read_stays_with_the_fields() -> None:
    (decision,) = selection.decide([UNREAD], SweepRequest(Select(status="active")), NOW)
    assert decision.objection == Objection("unexpected", "its name can't be read: '7'; its tags can't be read: 'x'")
    assert decision.image == UNREAD.without_record()


@pytest.mark.parametrize(("group_by", "ends"), [("name", True), ("tag-prefix:job", True), ("property:name", False)])
def test_a_policy_that_keeps_the_newest_ends_with_the_image_whose_group_nobody_knows(
    group_by: str, *, ends: bool
) -> None:
    sweep = SweepRequest(Select(status="active"), Keep(1, group_by))
    if not ends:
        assert len([*selection.decide([UNREAD], sweep, NOW)]) == 1
        return
    detail = "its name can't be read: '7'; its tags can't be read: 'x'"
    with pytest.raises(Unexpected) as raised:
        list(selection.decide([UNREAD], sweep, NOW))
    assert str(raised.value) == f"image {UNREAD.id} is in a group by {group_by} that nobody knows: {detail}"


# What marks say

VETOES: list[tuple[Image, Objection | None]] = [
    (tagged("reaper-sweep=0123abcd"), Objection("kept", "its mark was taken off")),
    (tagged("reaper-recall-0123abcd=2026-06-14"), Objection("kept", "its mark was taken off")),
    (
        tagged("reaper-delete-after=soon"),
        Objection("kept", "its mark reaper-delete-after has no date that can be read"),
    ),
    (
        tagged("reaper-delete-after=2026-06-14", "reaper-deactivated"),
        Objection("kept", "it was activated again"),
    ),
    (tagged("reaper-delete-after=2026-06-14", "reaper-deactivated", status="deactivated"), None),
    (tagged("reaper-delete-after=2026-06-14"), None),
    (
        tagged("reaper-delete-after=2026-06-14", name="web-1"),
        Objection("changed", "no longer selected: its name does not match ci-*"),
    ),
]


@pytest.mark.parametrize(("found", "said"), VETOES, ids=range(len(VETOES)))
def test_what_the_marks_of_an_image_say_against_its_deletion(found: Image, said: Objection | None) -> None:
    assert objection_of_sweep(found, state_of(found, GRACE, NOW), GRACE, NOW) == said
