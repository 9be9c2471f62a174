"""The lease, and the claim to a plan: of two runs that need the same one, one changes nothing between the other's."""

from collections.abc import Iterator

from tests.chaos.history import Request
from tests.chaos.observer.approvals import resolve
from tests.chaos.observer.case import Case, case_of, changes_cloud
from tests.chaos.observer.stopped import A_HAIR

LIFE = 60.0
"""Seconds after which the lease of a sweep that died is free."""
NEAR = 12
"""How many invocations may have begun while another one was under way."""


def check_rivals(case: Case) -> None:
    """Check that no other sweep has changed anything between two changes of this one."""
    ours = _changes(case)
    needed = _needed(case)
    if not ours or not needed:
        return
    for number, theirs in _others(case):
        other = case_of(case.index.history, case.index.history.invocations[number])
        resolve(other)
        if _needed(other) != needed:
            continue
        for one in filter(changes_cloud, theirs):
            began_before = ours[0].begun.order < one.begun.order
            if began_before and any(_was_sent_after(ours_too, one) for ours_too in ours):
                case.say("lease", f"its changes and those of invocation {number} are mixed")
                break


def had_a_rival(case: Case) -> bool:
    """Whether another run had the lease or a plan while an invocation ran, or might have had it still."""
    return any(
        (b'"lease/' in one.body or b'"plan/' in one.body)
        and one.status == 200
        and one.begun.at >= case.begun.at - LIFE - A_HAIR
        for _, theirs in _others(case)
        for one in theirs
        if one.begun.order < case.ended.order
    )


def _needed(case: Case) -> str:
    """What only one run may have at a time, if all that it was asked for needs that; between two, others may have it.

    It is the lease of a project, or the digest of a plan; empty if it is nothing.
    """
    asked = [one for one in case.event.asked if not one.problem]
    # Side by side, the order in which requests come in says little about that in which they were sent.
    if len(asked) != 1 or case.rehearses(asked[0]) or not case.settings.table or case.settings.side_by_side:
        return ""
    return asked[0].approves[1] if asked[0].approves else "lease" if asked[0].sweep else ""


def _changes(case: Case) -> list[Request]:
    return [request for request in case.requests if changes_cloud(request)]


def _others(case: Case) -> Iterator[tuple[int, list[Request]]]:
    number = case.invocation.number
    for other in range(max(number - NEAR, 0), number + NEAR):
        if other != number and other < len(case.index.history.invocations):
            yield other, case.index.requests[other]


def _was_sent_after(one: Request, other: Request) -> bool:
    return one.begun.order > other.begun.order and one.sent_at >= other.begun.at
