"""The door of the observer: an invocation that has ended, or a whole world, goes in; what was wrong comes out."""

from collections.abc import Callable

from tests.chaos.history import History, Invocation
from tests.chaos.observer.case import Case, Violation, case_of, changes_cloud
from tests.chaos.observer.changes import check_caps, check_changes, learn_signers
from tests.chaos.observer.deletions import check_deletions
from tests.chaos.observer.index import index_of
from tests.chaos.observer.leaks import check_secrets
from tests.chaos.observer.messages import check_all_messages, check_messages
from tests.chaos.observer.telling import check_telling
from tests.chaos.observer.windows import check_budget

__all__ = ["Violation", "judge", "judge_world"]

CHECKS: tuple[Callable[[Case], None], ...] = (
    learn_signers,
    check_deletions,
    check_changes,
    check_caps,
    check_messages,
    check_telling,
    check_secrets,
)


def judge(history: History, invocation: Invocation) -> list[Violation]:
    """What was wrong about an invocation that has ended, or has died."""
    case = case_of(history, invocation)
    for check in CHECKS:
        check(case)
    return case.violations


def judge_world(history: History) -> list[Violation]:
    """What was wrong about a whole world, beside what was wrong about its invocations."""
    found = [*check_all_messages(history), *check_budget(history)]
    for request in index_of(history).requests[None]:
        kind = "changes" if changes_cloud(request) else "asks"
        text = f"environment {request.environment} {kind} after the end: {request.method} {request.path}"
        found.append(Violation("after the end", None, "", text))
    return found
