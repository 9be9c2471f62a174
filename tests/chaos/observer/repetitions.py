"""Events that an engine repeats: MaxImages holds over all their runs, and what no repetition can cure is told once."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import cast

from tests.chaos.history import History, Invocation, Request
from tests.chaos.observer.case import Case, Violation, came_before, image_in
from tests.chaos.observer.index import index_of
from tests.chaos.observer.on_functiongraph import is_batch
from tests.chaos.observer.reading import Json
from tests.chaos.observer.settings import settings_of

ASYNCHRONOUS = frozenset({"topic", "schedule", "lifecycle"})
"""The sources that read no answer, and whose engine sends an event again if the function raises."""
LASTING = frozenset({"over_limit", "backup_left"})
SECONDS = 25.0
"""What may be missing at the end for a message to be sent, with all its tries."""


def check_repetitions(case: Case) -> None:
    """Check what an invocation has counted, and what it has handed over."""
    _check_counted(case)
    if not is_batch(case.invocation.event):
        _check_handed_over(case)


def is_rejected(case: Case) -> bool:
    """Whether it was answered that nothing was begun, since its request was turned down."""
    answer = case.invocation.answer
    return isinstance(answer, dict) and "rejected" in answer


def _check_counted(case: Case) -> None:
    if case.event.source not in ASYNCHRONOUS or not case.settings.table:
        return
    asked = [one for one in case.requests if one.path.startswith("/aws") and b'"event/' in one.body]
    counted = [one for one in asked if one.status == one.told == 200]
    for image_id, sent in case.deletes.items():
        if not any(came_before(one.answered, sent[0].begun) for one in counted):
            case.say("cap", "the event was not counted before its DELETE", image_id)


def _check_handed_over(case: Case) -> None:
    sent = [one.body for one in case.index.history.handed_over if one.invocation == case.invocation.number]
    asked = [one for one in case.requests if b"request" in one.body and _hands_over(one)]
    # Nobody can tell whether a message was sent of which no answer tells.
    is_clear = all(one.whole for one in asked) and not case.invocation.died and not case.invocation.frozen
    if sent and (case.event.source not in ASYNCHRONOUS or not case.settings.hands_over):
        case.say("handed over", f"of the source {case.event.source}, to {case.settings.hands_over}")
    if len(sent) > 1 and is_clear:
        case.say("handed over", f"{len(sent)} times")
    if sent and case.invocation.answer is None and is_clear:
        case.say("handed over", f"and raised {case.invocation.error[:100]}")
    for body in sent:
        _check_message(case, cast("Mapping[str, Json]", json.loads(body)))
    if case.event.source in ASYNCHRONOUS and case.was_answered:
        _check_end(case, is_sent=bool(sent), is_clear=is_clear and all(one.status == 200 for one in asked))


def _hands_over(request: Request) -> bool:
    return (request.path.startswith("/aws") and b"requestPayload" in request.body) or request.path.endswith("/publish")


def _check_message(case: Case, told: Mapping[str, Json]) -> None:
    report, answer = told["responsePayload"], case.invocation.answer
    if told["requestPayload"] != case.invocation.event:
        case.say("handed over", "another event than the one that came in")
    if answer is not None and report != answer and "outcomes_in_log" not in report:
        case.say("handed over", "another report than the one that was answered")
    if not _lasts(case, report):
        case.say("handed over", f"what may get better: {report.get('counts')}")


def _lasts(case: Case, report: Mapping[str, Json]) -> bool:
    """Whether no repetition can cure what a report tells."""
    if "rejected" in report:
        return any(one.problem or one.doubt for one in case.event.asked)
    return any(one.get("reason") in LASTING for one in case.outcomes)


def _check_end(case: Case, *, is_sent: bool, is_clear: bool) -> None:
    """What failed has raised or was handed over: the one where nothing can cure it, the other where something may."""
    answer, settings = case.invocation.answer, case.settings
    failed = any(one["message"] == "image.failed" for one in case.outcomes)
    if isinstance(answer, dict) and (failed or is_rejected(case)) and not is_sent:
        case.say("report", "something failed, and it has neither raised nor was handed over")
    lasting = any(one.get("reason") in LASTING for one in case.outcomes)
    is_turned_down = case.invocation.error.startswith(("InvalidRequest", "handler.errors.InvalidRequest"))
    has_time = case.ended.at + SECONDS < case.end
    if answer is None and (lasting or is_turned_down) and settings.hands_over and is_clear and has_time:
        case.say("handed over", f"not, and no repetition can cure it: {case.invocation.error[:100]}")


def check_allowances(history: History) -> Iterator[Violation]:
    """Count what the runs of each event have deleted together: no more than one run may."""
    index, sent, most = index_of(history), defaultdict[int, set[str]](set), defaultdict[int, int](int)
    used_up = set[int]()
    for invocation in history.invocations:
        settings = settings_of(invocation.settings, history.project)
        if invocation.first is None or not settings.table or invocation.messages:
            continue
        images = {image_in(one) for one in index.requests[invocation.number] if one.method == "DELETE"} - {""}
        event = invocation.first
        sent[event] |= images
        most[event] = max(most[event], settings.max_images)
        if images and len(sent[event]) > most[event]:
            yield _over(invocation, f"{len(sent[event])} images in all its runs, and {most[event]} are allowed")
        if images and event in used_up:
            yield _over(invocation, "an earlier run died, and had told nobody what it has deleted")
        if images and invocation.died:
            used_up.add(event)


def _over(invocation: Invocation, text: str) -> Violation:
    return Violation("cap", invocation.number, "", text)
