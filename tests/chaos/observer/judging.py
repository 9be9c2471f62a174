"""The door of the observer: an invocation that has ended, or a whole world, goes in; what was wrong comes out."""

from collections.abc import Callable, Iterator

from tests.chaos.history import History, Invocation, Request
from tests.chaos.observer.approvals import check_approvals, resolve
from tests.chaos.observer.case import Case, Violation, case_of, changes_cloud, image_in
from tests.chaos.observer.changes import check_caps, check_changes, learn_signers
from tests.chaos.observer.deletions import check_deletions
from tests.chaos.observer.index import index_of
from tests.chaos.observer.leaks import check_secrets
from tests.chaos.observer.messages import check_all_messages, check_messages
from tests.chaos.observer.postponed import check_postponed, check_turns
from tests.chaos.observer.proofs import check_proofs
from tests.chaos.observer.published import check_keys, check_published
from tests.chaos.observer.released import check_released
from tests.chaos.observer.repetitions import check_allowances, check_repetitions
from tests.chaos.observer.rivals import check_rivals
from tests.chaos.observer.stopped import check_stopped
from tests.chaos.observer.stored import check_stored
from tests.chaos.observer.telling import check_telling
from tests.chaos.observer.windows import check_budget

__all__ = ["Violation", "judge", "judge_world"]

CHECKS: tuple[Callable[[Case], None], ...] = (
    learn_signers,
    check_deletions,
    check_stopped,
    check_rivals,
    check_changes,
    check_caps,
    check_messages,
    check_turns,
    check_postponed,
    check_telling,
    check_proofs,
    check_approvals,
    check_stored,
    check_released,
    check_repetitions,
    check_published,
    check_keys,
    check_secrets,
)


def judge(history: History, invocation: Invocation) -> list[Violation]:
    """What was wrong about an invocation that has ended, or has died."""
    case = case_of(history, invocation)
    resolve(case)
    for check in CHECKS:
        check(case)
    case.index.judged[invocation.number] = len(case.requests)
    return case.violations


def judge_world(history: History) -> list[Violation]:
    """What was wrong about a whole world, beside what was wrong about its invocations."""
    late = (_too_late(request) for request in _late_requests(history))
    return [*check_all_messages(history), *check_budget(history), *check_allowances(history), *late]


def _late_requests(history: History) -> Iterator[Request]:
    """What came in between two invocations of an environment, or of one after it had been judged."""
    index = index_of(history)
    yield from index.requests[None]
    for invocation in history.invocations:
        if not invocation.died:
            requests = index.requests[invocation.number]
            yield from requests[index.judged.get(invocation.number, len(requests)) :]


def _too_late(request: Request) -> Violation:
    kind = "changes" if changes_cloud(request) else "asks"
    text = f"environment {request.environment} {kind} something: {request.method} {request.path}"
    return Violation("after the end", request.invocation, image_in(request), text)
