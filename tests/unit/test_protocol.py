"""Every life of a mark is explored; and each old fault, put back, is found again.

The rules need no cloud for this, so it stands among the unit tests: `make test-fast` explores a part of it.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from handler.rules import claims, mark_state, marking
from handler.rules.mark_state import MarkState
from handler.rules.marking import Plan
from handler.rules.marks import MARK, Step
from tests.unit.protocol import Dialect, Exploration, Policy, Violation

# Thousands of worlds of what others cover: measured, they take three times as long.
pytestmark = [pytest.mark.no_cover, pytest.mark.slow("it explores thousands of worlds")]

SHORT, LONG, SAME = Policy("A", 1), Policy("B", 3), Policy("B", 1)
NOTICE, LONG_NOTICE = Policy("A", 1, deactivate=True), Policy("B", 3, deactivate=True)
AT_ONCE = Policy("B")
CASTS: dict[str, tuple[tuple[Policy, Policy], Dialect, int, int]] = {
    "two with grace": ((SHORT, LONG), "set", 1, 2),
    "two with grace, keyed": ((SHORT, LONG), "keyed", 1, 2),
    "two with the same grace": ((SHORT, SAME), "set", 1, 1),
    "two with the same grace, keyed": ((SHORT, SAME), "keyed", 1, 1),
    "one without grace": ((SHORT, AT_ONCE), "set", 3, 2),
    "one without grace, keyed": ((SHORT, AT_ONCE), "keyed", 3, 2),
    "one deactivates": ((NOTICE, LONG), "set", 1, 1),
    "both deactivate": ((NOTICE, LONG_NOTICE), "set", 1, 1),
    "one deactivates, one without grace": ((NOTICE, AT_ONCE), "set", 2, 1),
}
"""Policies, tags, and how often the owner acts and a run fails."""
MOST = 40 * settings().max_examples ** 2
"""Worlds of one cast: all that there are, or in the quick profile the nearest 4,000."""


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_no_image_goes_before_every_day_that_was_promised_and_no_veto_is_lost_or_made_up(
    cast: tuple[tuple[Policy, Policy], Dialect, int, int],
) -> None:
    policies, dialect, acts, faults = cast
    exploration = Exploration(policies, dialect, acts=acts, faults=faults)
    worlds = exploration.explore(MOST)
    assert worlds > 3000
    assert worlds >= MOST or exploration.deleted_by == {"A", "B"}


# Old faults, and others that are as near


def untagged(*kinds: Any) -> Plan:  # noqa: ANN401 (tags, or what holds them)
    """Tags taken off in this order, without a look in between."""
    tags = [getattr(each, "tag", each) for kind in kinds for each in kind]
    return Plan(tuple(Step("untag", tag) for tag in tags))


def an_unsigned_mark_counts_for_nothing_without_grace(patch: pytest.MonkeyPatch) -> None:
    real = mark_state._state

    def state(image: Any, mark: Any, sweep: Any, today: Any, **more: Any) -> MarkState:  # noqa: ANN401
        is_ignored = not sweep.grace and not mark.tags.signatures
        return MarkState.DUE if is_ignored else real(image, mark, sweep, today, **more)

    patch.setattr(mark_state, "_state", state)


def the_signature_goes_and_then_the_mark(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(marking, "to_release", lambda _, mark, *__: untagged(mark.tags.signatures, mark.tags.marks))


def the_mark_goes_and_then_the_signature(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(marking, "to_release", lambda _, mark, *__: untagged(mark.tags.marks, mark.tags.signatures))


def an_unsigned_mark_is_taken_off_whatever_is_selected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mark_state, "may_release", lambda _, mark, *__: bool(mark.tags.marks and not mark.tags.signatures))
    patch.setattr(marking, "to_release", lambda _, mark, *__: untagged(mark.tags.marks))


def the_signature_of_another_is_taken_off_as_well(patch: pytest.MonkeyPatch) -> None:
    real = claims.claim_of
    patch.setattr(marking, "claim_of", lambda mark, name, today, **_: real(mark, name, today, takes_all=True))


def the_signature_is_set_before_the_mark(patch: pytest.MonkeyPatch) -> None:
    real = marking._set

    def turned(*given: Any) -> Plan:  # noqa: ANN401
        plan = real(*given)
        mark, signature, *rest = plan.steps
        return plan._replace(steps=(signature, mark, *rest)) if mark.tag.startswith(MARK) else plan

    patch.setattr(marking, "_set", turned)


def nobody_looks_again_before_the_mark_is_set(patch: pytest.MonkeyPatch) -> None:
    def begun(image: Any, tags: Any, own: Any, sweep: Any, now: Any, **_: Any) -> Plan:  # noqa: ANN401
        return marking._set(image, tags, own, sweep, marking.last_day(sweep, now))

    patch.setattr(marking, "_waits", lambda *_: None)
    patch.setattr(marking, "_begun", begun)


def a_mark_that_is_not_in_force_is(patch: pytest.MonkeyPatch) -> None:
    real = mark_state._state

    def state(image: Any, mark: Any, sweep: Any, today: Any, **more: Any) -> MarkState:  # noqa: ANN401
        is_unsigned = mark.tags.days and not mark.tags.signatures
        return real(image, mark, sweep, today, **dict.fromkeys(more, False) if is_unsigned else more)

    patch.setattr(mark_state, "_state", state)


def nobody_looks_again_before_the_mark_goes(patch: pytest.MonkeyPatch) -> None:
    def released(_: Any, tags: Any, own: Any, **__: Any) -> Plan:  # noqa: ANN401
        return untagged(own.signatures, own.recalls, tags.marks, own.drafts)

    patch.setattr(marking, "_released", released)


SEEDS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    an_unsigned_mark_counts_for_nothing_without_grace: "deletes before a day that was promised",
    the_signature_goes_and_then_the_mark: "a veto was lost",
    the_mark_goes_and_then_the_signature: "a veto that nobody gave",
    an_unsigned_mark_is_taken_off_whatever_is_selected: "takes off the mark of",
    the_signature_of_another_is_taken_off_as_well: "takes off",
    the_signature_is_set_before_the_mark: "a veto that nobody gave",
    nobody_looks_again_before_the_mark_is_set: "deletes in spite of a veto",
    a_mark_that_is_not_in_force_is: "deletes on the promise of another",
    nobody_looks_again_before_the_mark_goes: "a veto was lost",
}


@pytest.mark.slow("it takes thousands of worlds to find some of them")
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.__name__)
def test_a_fault_that_is_put_back_is_found(
    seed: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(monkeypatch)
    found = [violation_of(Exploration((SHORT, other), "set", acts=1, faults=1)) for other in (LONG, AT_ONCE)]
    assert SEEDS[seed] in " ".join(map(str, found))


def violation_of(exploration: Exploration) -> Violation | None:
    try:
        exploration.explore(60_000, looks_ahead=False)
    except Violation as violation:
        return violation
    return None
