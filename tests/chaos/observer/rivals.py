"""The lease: of two armed sweeps, one changes nothing before the other has made its last change."""

from collections.abc import Iterator

from tests.chaos.history import Request
from tests.chaos.observer.case import Case, case_of, changes_cloud
from tests.chaos.observer.stopped import A_HAIR

LIFE = 60.0
"""Seconds after which the lease of a sweep that died is free."""
NEAR = 12
"""How many invocations may have begun while another one was under way."""


def check_rivals(case: Case) -> None:
    """Check that no other sweep has changed anything between two changes of this one."""
    ours = _changes(case)
    if not ours or not _needs_lease(case):
        return
    for number, theirs in _others(case):
        other = case_of(case.index.history, case.index.history.invocations[number])
        if not _needs_lease(other):
            continue
        for one in filter(changes_cloud, theirs):
            began_before = ours[0].begun.order < one.begun.order
            if began_before and any(_was_sent_after(ours_too, one) for ours_too in ours):
                case.say("lease", f"its changes and those of sweep {number} are mixed")
                break


def had_a_rival(case: Case) -> bool:
    """Whether another sweep had the lease while an invocation ran, or might have had it still."""
    return any(
        b'"lease/' in one.body and one.status == 200 and one.begun.at >= case.begun.at - LIFE - A_HAIR
        for _, theirs in _others(case)
        for one in theirs
        if one.begun.order < case.ended.order
    )


def _needs_lease(case: Case) -> bool:
    """Whether all that it was asked for is one sweep that changes something; between two, others may have theirs."""
    asked = [one for one in case.event.asked if not one.problem]
    is_armed = len(asked) == 1 and asked[0].sweep is not None and not case.rehearses(asked[0])
    # Side by side, the order in which requests come in says little about that in which they were sent.
    return is_armed and case.settings.table and not case.settings.side_by_side


def _changes(case: Case) -> list[Request]:
    return [request for request in case.requests if changes_cloud(request)]


def _others(case: Case) -> Iterator[tuple[int, list[Request]]]:
    number = case.invocation.number
    for other in range(max(number - NEAR, 0), number + NEAR):
        if other != number and other < len(case.index.history.invocations):
            yield other, case.index.requests[other]


def _was_sent_after(one: Request, other: Request) -> bool:
    return one.begun.order > other.begun.order and one.sent_at >= other.begun.at
