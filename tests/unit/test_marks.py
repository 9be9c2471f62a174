"""Marks, read without a cloud: what they say about an image, and what is to be done about them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from handler.model.history import Unused
from handler.model.image import Image
from handler.model.outcome import Objection
from handler.model.request import Keep, Select, SweepRequest
from handler.rules.mark_state import CHANGING, MarkState, may_release, objection_of_sweep, state_of
from handler.rules.mark_state import FORGOTTEN_AFTER as FORGOTTEN
from handler.rules.marking import Plan, to_mark, to_release
from handler.rules.marks import (
    DEACTIVATED,
    DEACTIVATING,
    MARK,
    SWEEP,
    PolicyTag,
    Step,
    draft_for,
    fingerprint,
    read_day,
    read_tags,
    recall_for,
    signature_for,
    veto_in,
)
from tests.examples import DAY, EVERY_SELECT, IMAGE, NOW, WATCHED, tagged

TODAY = NOW.date()


# What the tests ask of a mark.


def marks_of(found: Image) -> list[str]:
    return list(read_tags(found).marks)


def signatures_of(found: Image) -> list[str]:
    return [signature.tag for signature in read_tags(found).signatures]


def stays_until(found: Image) -> date | None:
    return read_tags(found).last_day


def veto(found: Image) -> str:
    return veto_in(read_tags(found), found.status)


def is_due(found: Image, sweep: SweepRequest, now: datetime) -> bool:
    return state_of(found, sweep, now).state is MarkState.DUE


def acts_on(found: Image, sweep: SweepRequest, now: datetime) -> bool:
    return state_of(found, sweep, now).state in CHANGING


def has_lapsed(found: Image, sweep: SweepRequest, now: datetime) -> bool:
    return state_of(found, sweep, now).removable


def refusal(found: Image, sweep: SweepRequest, now: datetime) -> Objection | None:
    return objection_of_sweep(found, state_of(found, sweep, now), sweep, now)


GRACE = SweepRequest(Select(name="ci-*"), grace=7 * DAY)
OURS = f"{SWEEP}={fingerprint(GRACE)}"
OTHERS = f"{SWEEP}=0123abcd"


def mark(days: float = 0) -> str:
    """A mark whose last day is so many days from today."""
    return f"{MARK}={(NOW + days * DAY).date().isoformat()}"


def test_a_mark_is_read_in_each_of_its_spellings() -> None:
    assert marks_of(tagged(f"{MARK}=2026-06-22", f"{MARK}.2026-06-23", MARK, f"{MARK}=soon", f"{MARK}s=1", "x")) == [
        f"{MARK}.2026-06-23",
        f"{MARK}=2026-06-22",
    ]
    assert stays_until(tagged(f"{MARK}.2026-06-23")) == date(2026, 6, 23)


def test_of_several_marks_the_last_day_counts() -> None:
    assert stays_until(tagged(mark(1), mark(3), mark(2))) == TODAY + 3 * DAY
    assert not is_due(tagged(mark(-5), mark(0)), GRACE, NOW)
    assert is_due(tagged(mark(-5), mark(-1)), GRACE, NOW)


@pytest.mark.parametrize("value", ["=", "=soon", "=2026-13-01", "=2026-02-30", "=2026-06-01T00:00:00", "", "=0"])
def test_a_mark_whose_day_cannot_be_read_never_lets_an_image_go(value: str) -> None:
    for tags in ((f"{MARK}{value}",), (f"{MARK}{value}", mark(-100))):
        said = refusal(tagged(*tags, OURS), GRACE, NOW)
        assert said is not None
        assert said.reason == "kept"
        assert not is_due(tagged(*tags), GRACE, NOW)


@pytest.mark.parametrize(
    "spelling", ["{}:{}", "{} = {}", "{} ={}", " {}={}", "{}: {}", "REAPER-DELETE-AFTER={1}", "Reaper_Delete_After.{1}"]
)
@pytest.mark.parametrize("grace", [timedelta(0), 7 * DAY])
def test_a_later_day_puts_a_deletion_off_in_whatever_spelling(spelling: str, grace: timedelta) -> None:
    sweep, later = GRACE._replace(grace=grace), spelling.format(MARK, "2027-01-31")
    for tags in ((later,), (mark(-3), later), (mark(-3), OURS, later)):
        said = refusal(tagged(*tags), sweep, NOW)
        assert said is not None
        assert said.reason == "kept"
        assert not is_due(tagged(*tags), sweep, NOW)


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (datetime(2026, 6, 14, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 0, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 23, 59, 59, 999999, tzinfo=UTC), False),
        (datetime(2026, 6, 16, 0, 0, 0, tzinfo=UTC), True),
    ],
)
def test_an_image_may_go_once_its_last_day_has_ended_in_utc(moment: datetime, due: bool) -> None:  # noqa: FBT001
    assert is_due(tagged(f"{MARK}=2026-06-15"), GRACE, moment) is due


def test_without_a_mark_an_image_may_go_only_where_there_is_no_grace() -> None:
    assert not is_due(IMAGE, GRACE, NOW)
    assert is_due(IMAGE, GRACE._replace(grace=timedelta(0)), NOW)
    assert not is_due(tagged(mark(30)), GRACE._replace(grace=timedelta(0)), NOW)


@pytest.mark.parametrize("grace", [timedelta(0), 7 * DAY])
def test_what_is_selected_still_is_not_refused(grace: timedelta) -> None:
    for found in (IMAGE, tagged(mark(3), OURS), tagged(mark(-3), OURS), tagged(mark(-3), OTHERS), tagged(mark(-3))):
        assert refusal(found, GRACE._replace(grace=grace), NOW) is None


@pytest.mark.parametrize("grace", [timedelta(0), 7 * DAY])
def test_what_is_no_longer_selected_is_refused_as_changed(grace: timedelta) -> None:
    said = refusal(tagged(mark(-3), OURS, name="web-1"), GRACE._replace(grace=grace), NOW)
    assert said is not None
    assert said.reason == "changed"


@pytest.mark.parametrize("signature", [OURS, OTHERS, f"{SWEEP}.0123abcd", SWEEP])
def test_a_signature_without_a_mark_is_a_veto(signature: str) -> None:
    said = refusal(tagged(signature), GRACE, NOW)
    assert said is not None
    assert (said.reason, said.detail) == ("kept", "its mark was taken off")


def test_a_marked_image_that_somebody_activated_again_stays() -> None:
    said = refusal(tagged(mark(-3), OURS, DEACTIVATED), GRACE, NOW)
    assert said is not None
    assert (said.reason, said.detail) == ("kept", "it was activated again")
    assert refusal(tagged(mark(-3), OURS, DEACTIVATED, status="deactivated"), GRACE, NOW) is None


def test_a_signature_is_read_in_each_of_its_spellings() -> None:
    assert signatures_of(tagged(OTHERS, f"{SWEEP}.1", SWEEP, f"{SWEEP}er=1")) == [SWEEP, f"{SWEEP}.1", OTHERS]


@pytest.mark.parametrize(
    ("written", "day", "begun"),
    [
        ("=2026-06-22-2026-06-15", date(2026, 6, 22), TODAY),
        (".2026-06-22-2026-06-15", date(2026, 6, 22), TODAY),
        ("=2026-06-22", date(2026, 6, 22), None),
        ("=2026-06-22-2026.06.15", date(2026, 6, 22), None),
        ("=2026-06-22-2026-06-15=x", date(2026, 6, 22), None),
        ("=2026-06-22-2026-06-15.x", date(2026, 6, 22), None),
        ("=0000-00-00-2026-06-15", None, TODAY),
        ("=soon", None, None),
        ("", None, None),
    ],
)
def test_a_draft_and_a_recall_are_read_in_each_of_their_spellings(
    written: str, day: date | None, begun: date | None
) -> None:
    draft, recall = f"reaper-draft-0123abcd{written}", f"reaper-recall-0123abcd{written}"
    tags = read_tags(tagged(draft, recall, "reaper-drafts-1=2026-06-22", "reaper-recalls-1"))
    assert tags.drafts == (PolicyTag(draft, "0123abcd", day, begun),)
    assert tags.recalls == (PolicyTag(recall, "0123abcd", day, begun),)
    assert tags.holds == (*tags.drafts, *tags.recalls)


@pytest.mark.parametrize("written", ["2026_06-22", "2026-06_22", "2026-6-022", "20260622", "2026-W26-1", "+026-06-22"])
def test_a_day_is_read_in_one_way_of_writing_it(written: str) -> None:
    assert read_day(written) is None
    assert read_day("2026-06-22") == date(2026, 6, 22)


@pytest.mark.parametrize("tags", [(mark(3), OURS), (mark(-3), OURS), (DEACTIVATED,), (DEACTIVATING,)])
def test_a_mark_of_this_sweep_lapses_with_the_selection(tags: tuple[str, ...]) -> None:
    assert has_lapsed(tagged(*tags), GRACE, NOW)


@pytest.mark.parametrize("tags", [(), ("x",), (OURS,), (mark(3), OTHERS), (mark(3),), (mark(-3),)])
def test_no_mark_lapses_that_is_not_there_or_is_not_this_sweep_s(tags: tuple[str, ...]) -> None:
    assert not has_lapsed(tagged(*tags), GRACE, NOW)


def test_a_sweep_without_grace_takes_no_marks_off() -> None:
    assert not has_lapsed(tagged(mark(-100), OURS), GRACE._replace(grace=timedelta(0)), NOW)


def test_a_mark_of_another_sweep_lapses_once_it_is_forgotten_if_the_image_is_selected() -> None:
    last = NOW - FORGOTTEN
    old = (f"{MARK}={(last - DAY).date()}", OTHERS)
    assert not lapses(tagged(f"{MARK}={last.date()}", OTHERS))
    assert lapses(tagged(*old))
    assert not lapses(tagged(*old, name="web-1"))
    assert not lapses(tagged(*old, mark(1)))
    assert not lapses(tagged(*old, f"{OTHERS}-{TODAY}"))


def lapses(found: Image) -> bool:
    return may_release(found, state_of(found, GRACE, NOW), GRACE, NOW)


@pytest.mark.parametrize(
    ("tags", "acts"),
    [
        ((), True),
        ((mark(-1), OURS), True),
        ((mark(0), OURS), False),
        ((mark(-1), mark(0), OURS), False),
        ((OURS,), False),
        ((f"{MARK}=soon", OURS), False),
        ((mark(-1), OURS, DEACTIVATED), False),
    ],
)
def test_a_sweep_acts_on_what_it_would_mark_or_delete(tags: tuple[str, ...], acts: bool) -> None:  # noqa: FBT001
    assert acts_on(tagged(*tags), GRACE, NOW) is acts
    assert acts_on(tagged(*tags), GRACE._replace(grace=timedelta(0)), NOW) is acts


# Setting an image free


def after(steps: list[Step], found: Image) -> Image:
    """The image once these steps are done."""
    tags, status = set(found.tags), found.status
    for step in steps:
        status = "active" if step.verb == "activate" else status
        tags |= {step.tag} if step.verb == "tag" else set()
        tags -= {step.tag} if step.verb == "untag" else set()
    return replace(found, tags=frozenset(tags), status=status)


def freed(found: Image) -> list[Image]:
    """The image after each step of a sweep that sets it free, the first as it was."""
    images, plan = [found], Plan(goes_on=True)
    while plan.goes_on:
        mark_of = state_of(images[-1], GRACE, NOW)
        if not mark_of.removable:
            break
        plan = to_release(images[-1], mark_of, GRACE, NOW, plan)
        for step in plan.steps:
            images.append(after([step], images[-1]))
    return images


NAME = fingerprint(GRACE)
SIGNATURES = ((), (OURS,), (signature_for(NAME, TODAY - 3 * DAY),), (OTHERS,))
SWITCHES = ((), (DEACTIVATING,), (DEACTIVATED,), (DEACTIVATING, DEACTIVATED))
DAYS = ((), (mark(-3),), (mark(3),), (mark(-3), mark(3)), (MARK,), (f"{MARK}=soon", mark(-3)))
HOLDS = ((), (draft_for(NAME, TODAY - 3 * DAY, TODAY),), (recall_for(NAME, TODAY - 3 * DAY),))
MARKED = [
    tagged("x", *days, *signatures, *switches, *holds, status=status)
    for days in DAYS
    for signatures in SIGNATURES
    for switches in SWITCHES
    for holds in HOLDS
    for status in ("active", "deactivated")
]
OWN = [
    tagged("x", mark(-3), *SIGNATURES[number], *switches, status="deactivated")
    for number in (1, 2)
    for switches in SWITCHES
]


def test_nothing_is_left_of_a_mark_of_this_sweep() -> None:
    assert {freed(found)[-1].tags for found in OWN} == {frozenset({"x"})}


def test_an_image_that_is_set_free_is_active_unless_its_owner_deactivated_it() -> None:
    for found in OWN:
        by_owner = found.tags.isdisjoint({DEACTIVATING, DEACTIVATED})
        assert freed(found)[-1].status == ("deactivated" if by_owner else "active")


def test_a_veto_is_remembered_after_each_step() -> None:
    for found in filter(veto, MARKED):
        tags = read_tags(found)
        # Activated while it is being set free, which will activate it anyway.
        is_begun = bool(tags.holds and tags.days and not tags.signatures)
        for later in freed(found):
            assert is_begun or veto(later)
            assert is_begun or not acts_on(later, GRACE, NOW)


def test_an_image_that_is_being_set_free_never_seems_to_be_vetoed() -> None:
    for found in MARKED:
        assert veto(found) or not any(map(veto, freed(found)))


@pytest.mark.slow("one run for each step")
def test_setting_free_ends_the_same_whatever_step_it_is_taken_up_from() -> None:
    for found in MARKED:
        steps = freed(found)
        for begun in steps:
            assert freed(begun)[-1].tags == steps[-1].tags
            assert freed(begun)[-1].status == steps[-1].status


def test_what_is_left_while_a_mark_is_set_or_taken_off_is_due_for_no_sweep_with_grace() -> None:
    others = GRACE._replace(select=Select(name="*"), grace=30 * DAY)
    for found in (tagged(mark(-3), *SIGNATURES[2]), tagged(mark(-3), OURS)):
        for later in freed(found)[1:]:
            assert not is_due(later, GRACE, NOW)
            assert not is_due(later, others, NOW)


def test_a_mark_is_signed_while_its_draft_is_there() -> None:
    drafted = tagged(draft_for(NAME, TODAY + 7 * DAY, TODAY))
    plan = to_mark(drafted, state_of(drafted, GRACE, NOW), GRACE, NOW)
    assert [(step.verb, step.tag.partition("=")[0]) for step in plan.steps] == [
        ("tag", MARK),
        ("tag", SWEEP),
        ("untag", f"reaper-draft-{NAME}"),
    ]


# What tells policies apart


def test_the_identity_of_a_policy_is_fixed_for_good() -> None:
    assert fingerprint(SweepRequest(Select(name="ci-*"))) == "03523a93"
    full = Select("ci-*", frozenset({"b", "a"}), (("k", "v"),), "active", DAY, NOW, 7)
    assert fingerprint(SweepRequest(full, Keep(3))) == "1a1b974e"


def test_the_order_of_tags_and_properties_does_not_change_a_policy() -> None:
    one = Select(tags=frozenset(["a", "b", "c"]), properties=(("k", "v"), ("a", "b")))
    other = Select(tags=frozenset(["c", "b", "a"]), properties=(("a", "b"), ("k", "v")))
    assert fingerprint(SweepRequest(one)) == fingerprint(SweepRequest(other))


def test_no_condition_is_left_out_here() -> None:
    given = [
        [name for name in Select._fields if getattr(one, name) != getattr(Select(), name)]
        for one in EVERY_SELECT.values()
    ]
    assert given == [[name] for name in Select._fields]


@pytest.mark.parametrize("select", EVERY_SELECT.values(), ids=list(EVERY_SELECT))
def test_policies_that_select_or_keep_otherwise_are_told_apart(select: Select) -> None:
    other = SweepRequest(select, Keep(3))
    assert len({fingerprint(SweepRequest(select)), fingerprint(other), fingerprint(other._replace(keep=Keep(4)))}) == 3
    assert fingerprint(SweepRequest(select)) not in {fingerprint(GRACE), fingerprint(SweepRequest(Select()))}


def test_what_is_known_of_use_does_not_change_a_policy_but_the_time_that_it_asks_for_does() -> None:
    asked = [Unused(DAY), Unused(DAY, WATCHED), Unused(2 * DAY)]
    first, same, other = (fingerprint(SweepRequest(Select(unused_for=each))) for each in asked)
    assert first == same != other


def test_how_much_a_run_may_do_does_not_change_a_policy() -> None:
    changed = GRACE._replace(grace=DAY, limit=1, limit_percent=1, deactivate=True, reason="x", dry_run=True)
    assert fingerprint(changed) == fingerprint(GRACE)


def test_a_name_that_is_no_text_of_utf_8_has_an_identity_too() -> None:
    assert len(fingerprint(SweepRequest(Select(name="ci-\udc80*")))) == 8
