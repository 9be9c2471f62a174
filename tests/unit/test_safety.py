"""The rules: each alone, in their order, and that nothing passes which any of them forbids."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.image import EXPECTABLE, Image
from handler.model.request import Expected
from handler.rules.safety import RULES, RULES_OF_RECORD, Facts, Policy, judge
from tests.examples import DAY, IMAGE, OWNER, image, tagged
from tests.properties import tried

NOW = datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
FACTS = Facts(OWNER, NOW)


def reason(image: Image = IMAGE, facts: Facts = FACTS, policy: Policy = Policy()) -> str | None:  # noqa: B008 (frozen)
    refusal = judge(image, facts, policy)
    return refusal.reason if refusal else None


def with_property(name: str, value: object) -> Image:
    return image(properties=frozenset({name}), record={name: value})


def test_nothing_speaks_against_an_image_of_ours_at_rest() -> None:
    assert judge(IMAGE, FACTS, Policy()) is None


@pytest.mark.parametrize("visibility", ["public", "community"])
def test_an_image_that_every_project_may_use_is_refused(visibility: str) -> None:
    assert reason(image(visibility=visibility)) == "public"


@pytest.mark.parametrize("visibility", ["private", "shared"])
def test_visibility_for_some_projects_alone_is_no_reason(visibility: str) -> None:
    assert reason(image(visibility=visibility)) is None


@pytest.mark.parametrize("owner", [None, "", OWNER.upper(), OWNER + " ", "another"])
def test_an_image_that_is_not_certainly_ours_is_refused(owner: str | None) -> None:
    assert reason(image(owner=owner)) == "not_owner"


def test_a_protected_image_is_refused() -> None:
    assert reason(image(protected=True)) == "protected"


@pytest.mark.parametrize("status", ["queued", "saving", "importing", "uploading", "deleting", "ACTIVE", "error", ""])
def test_an_image_that_is_not_at_rest_is_refused(status: str) -> None:
    assert reason(image(status=status)) == "not_ready"


IMPORTING: list[dict[str, Any]] = [
    {"os_glance_importing_to_stores": "ceph2"},
    {"os_glance_importing_to_stores": ["ceph2"]},
    {"os_glance_import_task": "00000000-0000-4000-8000-000000000001", "os_glance_importing_to_stores": ""},
]


@pytest.mark.parametrize("record", IMPORTING, ids=str)
@pytest.mark.parametrize("status", ["active", "deactivated"])
def test_an_image_that_is_being_copied_into_another_store_is_not_ready(record: dict[str, Any], status: str) -> None:
    assert reason(image(status=status, record=record)) == "not_ready"


@pytest.mark.parametrize("value", ["", None, []])
def test_an_image_whose_copy_has_ended_is_ready(value: object) -> None:
    record = {"os_glance_importing_to_stores": value, "os_glance_import_task": value, "os_glance_failed_import": "b"}
    assert reason(image(record=record)) is None


@pytest.mark.parametrize("status", ["active", "deactivated", "killed"])
def test_an_image_at_rest_may_go(status: str) -> None:
    assert reason(image(status=status)) is None


HELD = {
    "name": "ci-1",
    "owner": OWNER,
    "checksum": "91a79b25",
    "status": "active",
    "updated_at": "2026-06-05T12:00:00Z",
    "size": 1024,
    "tags": frozenset({"ci", "x"}),
    "protected": False,
    "visibility": "private",
}


@pytest.mark.parametrize("attribute", EXPECTABLE)
def test_an_attribute_that_is_as_expected_lets_the_image_pass(attribute: str) -> None:
    assert reason(facts=FACTS._replace(expect=((attribute, HELD[attribute]),))) is None  # type: ignore[arg-type]  # mixed


@pytest.mark.parametrize("attribute", EXPECTABLE)
@pytest.mark.parametrize("expected", ["other", "", None, 1023, -1], ids=repr)
def test_an_attribute_that_is_not_as_expected_refuses_the_image(attribute: str, expected: Expected) -> None:
    refusal = judge(IMAGE, FACTS._replace(expect=((attribute, expected),)), Policy())
    assert refusal is not None
    assert refusal.reason == "changed"
    assert repr(expected) in refusal.detail
    assert attribute in refusal.detail


@pytest.mark.parametrize("attribute", ["name", "checksum", "updated_at", "size"])
def test_null_expects_that_there_is_no_value(attribute: str) -> None:
    expecting_none = FACTS._replace(expect=((attribute, None),))
    assert reason(image(**{attribute: None}), expecting_none) is None
    assert reason(IMAGE, expecting_none) == "changed"


def test_one_difference_among_several_expectations_refuses() -> None:
    assert reason(facts=FACTS._replace(expect=(("name", "ci-1"), ("size", 1)))) == "changed"


@pytest.mark.parametrize("tag", ["keep", "keep=", "keep=yes", "keep.yes", "keep=a=b", "keep.a.b", "keep=false"])
def test_the_keep_tag_keeps_in_every_form_that_a_tag_has(tag: str) -> None:
    assert reason(tagged("ci", tag)) == "kept"


@pytest.mark.parametrize("value", ["", "yes", "false", None, 0], ids=repr)
def test_a_property_named_like_the_keep_tag_keeps_whatever_its_value(value: object) -> None:
    assert reason(with_property("keep", value)) == "kept"


@pytest.mark.parametrize("tag", ["keeper", "keep-me", "not=keep", "upkeep", "ci.keep", "kee-p"])
def test_a_tag_that_only_resembles_the_keep_tag_does_not_keep(tag: str) -> None:
    assert reason(tagged(tag)) is None


@pytest.mark.parametrize("tag", ["hold", "hold=1", "hold.1"])
def test_the_keep_tag_may_have_another_name(tag: str) -> None:
    assert reason(tagged(tag), policy=Policy(keep_tag="hold")) == "kept"
    assert reason(tagged("keep"), policy=Policy(keep_tag="hold")) is None


@pytest.mark.parametrize("tag", ["do.not.delete", "do.not.delete=yes", "do.not.delete.yes"])
def test_a_keep_tag_whose_name_holds_dots_keeps_in_every_form(tag: str) -> None:
    assert reason(tagged(tag), policy=Policy(keep_tag="do.not.delete")) == "kept"


UNTIL = ["keep-until={}", "keep-until.{}"]


@pytest.mark.parametrize("form", UNTIL)
@pytest.mark.parametrize(
    ("day", "expected"), [("2027-01-30", None), ("2027-01-31", "kept"), ("2027-02-01", "kept"), ("9999-12-31", "kept")]
)
def test_keep_until_keeps_through_its_last_day(form: str, day: str, expected: str | None) -> None:
    assert reason(tagged(form.format(day))) == expected
    assert reason(with_property("keep-until", day)) == expected


def test_keep_until_ends_with_midnight_utc() -> None:
    marked = tagged("keep-until=2027-01-31")
    assert reason(marked, FACTS._replace(now=datetime(2027, 2, 1, tzinfo=UTC))) is None
    assert reason(marked, FACTS._replace(now=datetime(2027, 1, 31, tzinfo=UTC))) == "kept"


@pytest.mark.parametrize(
    "value", ["", "soon", "2027-13-01", "31.01.2020", "2020-01-01T00:00:00Z", " 2020-01-01", "2020"]
)
def test_a_keep_until_that_cannot_be_read_keeps(value: str) -> None:
    assert reason(tagged(f"keep-until={value}")) == "kept"
    assert reason(with_property("keep-until", value)) == "kept"


@pytest.mark.parametrize("value", [None, 0, True, ["2020-01-01"], {"day": "2020-01-01"}], ids=repr)
def test_a_keep_until_property_that_is_no_text_keeps(value: object) -> None:
    assert reason(with_property("keep-until", value)) == "kept"


def test_a_keep_until_tag_without_a_date_keeps() -> None:
    assert reason(tagged("keep-until")) == "kept"


def test_of_several_keep_until_marks_one_that_holds_is_enough() -> None:
    assert reason(tagged("keep-until=2020-01-01", "keep-until=2030-01-01")) == "kept"
    assert (
        reason(replace(with_property("keep-until", "2020-01-01"), tags=frozenset({"keep-until=2030-01-01"}))) == "kept"
    )


def test_keep_until_goes_with_the_keep_tag_and_stays_under_its_own_name() -> None:
    policy = Policy(keep_tag="hold")
    assert reason(tagged("hold-until=2030-01-01"), policy=policy) == "kept"
    assert reason(tagged("keep-until=2030-01-01"), policy=policy) == "kept"
    assert reason(tagged("hold-until=2020-01-01"), policy=policy) is None


def test_an_image_without_the_required_tag_is_refused() -> None:
    assert reason(policy=Policy(require_tag="reap")) == "not_allowed"
    assert reason(tagged("Reap", "reap-me", "un.reap"), policy=Policy(require_tag="reap")) == "not_allowed"


def test_an_image_with_the_required_tag_passes() -> None:
    assert reason(tagged("reap"), policy=Policy(require_tag="reap")) is None


@pytest.mark.parametrize(
    ("globs", "name", "expected"),
    [
        (("ci-*",), "ci-build-101", None),
        (("prod-*", "ci-*"), "ci-build-101", None),
        (("ci-build-10[0-9]",), "ci-build-101", None),
        (("*",), None, None),
        (("ci-*",), None, "not_allowed"),
        (("?*",), "", "not_allowed"),
        (("CI-*",), "ci-build-101", "not_allowed"),
        (("ci",), "ci-build-101", "not_allowed"),
        (("build",), "ci-build-101", "not_allowed"),
        (("ci-*",), "prod-ci-1", "not_allowed"),
        (("ci-*",), "\nci-1", "not_allowed"),
    ],
)
def test_only_names_that_match_an_allowed_pattern_pass(
    globs: tuple[str, ...], name: str | None, expected: str | None
) -> None:
    assert reason(image(name=name), policy=Policy(allow_names=globs)) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(days=3), None),
        (timedelta(days=3, microseconds=1), None),
        (timedelta(days=3, microseconds=-1), "too_young"),
        (timedelta(0), "too_young"),
        (timedelta(days=-1), "too_young"),
    ],
    ids=str,
)
def test_an_image_below_the_least_age_is_refused(age: timedelta, expected: str | None) -> None:
    assert reason(image(created_at=NOW - age), policy=Policy(min_age=3 * DAY)) == expected


def test_an_image_of_unknown_age_is_refused_only_where_an_age_is_asked_for() -> None:
    assert reason(image(created_at=None), policy=Policy(min_age=timedelta(hours=1))) == "too_young"
    assert reason(image(created_at=None)) is None


def test_an_image_that_other_projects_accepted_is_refused_unless_that_is_allowed() -> None:
    shared = FACTS._replace(shared_with=("p1",))
    assert reason(facts=shared) == "shared"
    assert reason(facts=shared, policy=Policy(allow_shared=True)) is None


def test_an_image_that_servers_were_made_from_is_refused() -> None:
    assert reason(facts=FACTS._replace(used_by=("server a (1)",))) == "in_use"
    assert reason(facts=FACTS._replace(used_by=("server a (1)",)), policy=Policy(allow_shared=True)) == "in_use"


def test_a_refusal_names_three_users_and_counts_the_others() -> None:
    refusal = judge(IMAGE, FACTS._replace(used_by=("a", "b", "c", "d", "e")), Policy())
    assert refusal is not None
    assert refusal.detail == "used by a, b, c and 2 more"


Wrong = Callable[[Image, Facts], tuple[Image, Facts]]
WRONGS: Mapping[str, Wrong] = {
    "expired": lambda i, f: (i, f._replace(not_after=NOW - DAY)),
    "public": lambda i, f: (replace(i, visibility="community"), f),
    "not_owner": lambda i, f: (replace(i, owner="another"), f),
    "protected": lambda i, f: (replace(i, protected=True), f),
    "not_ready": lambda i, f: (replace(i, status="saving"), f),
    "changed": lambda i, f: (i, f._replace(expect=(("name", "other"),))),
    "kept": lambda i, f: (replace(i, tags=i.tags | {"keep"}), f),
    "not_allowed": lambda i, f: (replace(i, name="prod"), f),
    "too_young": lambda i, f: (replace(i, created_at=None), f),
    "shared": lambda i, f: (i, f._replace(shared_with=("p1",))),
    "in_use": lambda i, f: (i, f._replace(used_by=("server",))),
}
STRICT = Policy(min_age=DAY, allow_names=("ci-*",))


@pytest.mark.parametrize("first", range(len(WRONGS)), ids=list(WRONGS))
def test_of_several_reasons_the_first_in_the_order_is_given(first: int) -> None:
    wrong, facts = IMAGE, FACTS
    for make_wrong in list(WRONGS.values())[first:]:
        wrong, facts = make_wrong(wrong, facts)
    assert reason(wrong, facts, STRICT) == list(WRONGS)[first]


def test_the_rules_of_the_record_ask_for_nothing_beside_it() -> None:
    facts = FACTS._replace(shared_with=("p1",), used_by=("server",))
    assert judge(IMAGE, facts, Policy(), RULES_OF_RECORD) is None
    assert RULES[: len(RULES_OF_RECORD)] == RULES_OF_RECORD
    assert len(RULES) == len(WRONGS)


# What follows says the rules a second time, in other words.

MARKS = ["keep", "keep=1", "keep.1", "keeper", "hold", "hold=x", "Keep ", "HOLD:y"]
UNTILS = [
    *("keep_until:2027-02-01", "keep-until=2027-01-30", "keep-until.2027-01-31", "keep-until=soon"),
    "hold-until=2027-02-01",
]
TAGS = ["ci", "reap", *MARKS, *UNTILS]
PROPERTIES = {"keep": "no", "hold": "", "os_type": "linux", "keep-until": "2027-01-30", "hold-until": "never"}


@st.composite
def images(draw: st.DrawFn) -> Image:
    properties = draw(st.sets(st.sampled_from(sorted(PROPERTIES)), max_size=1))
    return image(
        name=draw(st.sampled_from(["ci-1", "prod-1", "", None])),
        owner=draw(st.sampled_from([OWNER, OWNER, OWNER, "another", None])),
        status=draw(st.sampled_from(["active", "active", "deactivated", "killed", "saving", "queued", ""])),
        visibility=draw(st.sampled_from(["private", "private", "shared", "public", "community"])),
        protected=draw(st.sampled_from([False, False, False, True])),
        tags=frozenset(draw(st.sets(st.sampled_from(TAGS), max_size=2))),
        properties=frozenset(properties),
        record={name: PROPERTIES[name] for name in properties},
        created_at=draw(st.none() | st.integers(-1, 5).map(lambda days: NOW - days * DAY)),
        size=draw(st.sampled_from([None, 0, 1024])),
    )


EXPECTATIONS = st.sampled_from([(), (), (("name", "ci-1"),), (("name", None),), (("size", None), ("owner", OWNER))])
FACTS_SEEN = st.builds(
    Facts,
    project_id=st.just(OWNER),
    now=st.just(NOW),
    expect=EXPECTATIONS,
    not_after=st.sampled_from([None, None, NOW, NOW + DAY, NOW - DAY]),
    moment=st.sampled_from([None, NOW + timedelta(minutes=15), NOW + DAY]),
    objection=st.none(),
    shared_with=st.sampled_from([(), (), ("p1",)]),
    used_by=st.sampled_from([(), (), ("server",)]),
)
POLICIES = st.builds(
    Policy,
    min_age=st.sampled_from([timedelta(0), 3 * DAY]),
    keep_tag=st.sampled_from(["keep", "hold"]),
    require_tag=st.sampled_from(["", "", "reap"]),
    allow_names=st.sampled_from([(), (), ("ci-*",), ("prod-*", "ci-*")]),
    allow_shared=st.booleans(),
)


def runs_out(until: str) -> bool:
    try:
        return date.fromisoformat(until) < NOW.date()
    except ValueError:
        return False


def is_free_of_keep_marks(seen: Image, keep_tag: str) -> bool:
    marks = [tag.replace(".", "=", 1).replace(":", "=", 1).strip().lower() for tag in seen.tags]
    marks += [f"{key}={value}" for key, value in seen.record.items()]
    names = {mark.partition("=")[0]: mark.partition("=")[2] for mark in marks}
    untils = [value for name, _, value in (mark.partition("=") for mark in marks) if is_until(name, keep_tag)]
    return keep_tag not in names and all(runs_out(until) for until in untils)


def is_until(name: str, keep_tag: str) -> bool:
    return name.replace("_", "-") in {"keep-until", f"{keep_tag}-until"}


def is_allowed(seen: Image, policy: Policy) -> bool:
    named = policy.allow_names == () or any(fnmatchcase(seen.name or "", glob) for glob in policy.allow_names)
    return named and (policy.require_tag == "" or policy.require_tag in seen.tags)


def is_old_enough(seen: Image, policy: Policy) -> bool:
    if policy.min_age == timedelta(0):
        return True
    return seen.created_at is not None and seen.created_at + policy.min_age <= NOW


def is_as_expected(seen: Image, facts: Facts) -> bool:
    known = {"name": seen.name, "size": seen.size, "owner": seen.owner}
    return all(known[attribute] == value for attribute, value in facts.expect)


def conditions(seen: Image, facts: Facts, policy: Policy) -> dict[str, bool]:
    return {
        "in time": facts.not_after is None or facts.not_after >= (facts.moment or NOW),
        "not public": seen.visibility in {"private", "shared"},
        "ours": seen.owner == OWNER,
        "unprotected": seen.protected is False,
        "at rest": seen.status in {"active", "deactivated", "killed"},
        "unchanged": is_as_expected(seen, facts),
        "not kept": is_free_of_keep_marks(seen, policy.keep_tag),
        "allowed": is_allowed(seen, policy),
        "old enough": is_old_enough(seen, policy),
        "not shared": policy.allow_shared or facts.shared_with == (),
        "not used": facts.used_by == (),
    }


# Of what others cover: measured, it takes three times as long.
@pytest.mark.no_cover
@tried(2_000)
@given(seen=images(), facts=FACTS_SEEN, policy=POLICIES)
def test_an_image_passes_exactly_if_every_single_condition_holds(seen: Image, facts: Facts, policy: Policy) -> None:
    broken = [name for name, holds in conditions(seen, facts, policy).items() if not holds]
    assert (judge(seen, facts, policy) is None) == (broken == [])


@tried(300)
@given(seen=images(), facts=FACTS_SEEN, policy=POLICIES, tag=st.text(), value=st.text())
def test_no_tag_whatever_makes_the_judgement_fail_or_frees_a_kept_image(
    seen: Image, facts: Facts, policy: Policy, tag: str, value: str
) -> None:
    odd = replace(seen, tags=seen.tags | {tag, f"keep-until={value}"})
    if not conditions(seen, facts, policy)["not kept"]:
        assert judge(odd, facts, policy) is not None
    assert judge(tagged("keep", tag), FACTS, Policy()) is not None
