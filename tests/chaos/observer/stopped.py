"""The stop flag: no DELETE comes in five seconds after it was written, and no run begins to work while it is there."""

from collections.abc import Iterator

from tests.chaos.history import History, Moment, Request
from tests.chaos.observer.case import UNSEEN, Case, image_in

PROMISED = 5.0
"""Seconds."""
A_HAIR = 1e-6
Stop = tuple[Moment, Moment | None]
"""When the flag was written, and when it was taken away, if it was."""


def check_stopped(case: Case) -> None:
    """Check what an invocation did although an operator had stopped all deletions."""
    if not case.settings.table:
        return
    found = list(stops(case.index.history))
    for request in case.requests:
        since = _stopped_at(request.begun, found)
        if since is None:
            continue
        late = request.sent_at - since.at
        is_delete = request.method == "DELETE" and image_in(request) != ""
        # Side by side, the world's clock passes while a DELETE is on its way.
        if is_delete and late > PROMISED + A_HAIR and not case.settings.side_by_side:
            case.say("stop", f"a DELETE, {late:g} seconds after deletions were stopped", image_in(request))
        asks = not request.path.startswith(UNSEEN) or _is_left_to_workers(request)
        if since.order < case.begun.order and asks and _rehearses_nothing(case):
            case.say("stop", f"{request.method} {request.path}, and it began after deletions were stopped")


def _is_left_to_workers(request: Request) -> bool:
    """Whether a request sends messages to the workers; one that puts theirs off names the queue as well."""
    return b"/workers" in request.body and b"MessageBody" in request.body


def _rehearses_nothing(case: Case) -> bool:
    """Whether all that it was asked for would change something."""
    asked = [one for one in case.event.asked if not one.problem and (one.targets or one.sweep)]
    return bool(asked) and not any(case.rehearses(one) for one in asked)


def was_stopped(case: Case) -> bool:
    """Whether the flag was there at any time while an invocation ran."""
    return case.settings.table and any(
        since.order < case.ended.order and (until is None or until.order > case.begun.order)
        for since, until in stops(case.index.history)
    )


def _stopped_at(moment: Moment, found: list[Stop]) -> Moment | None:
    """Since when the flag is there at a moment, None if it is not."""
    there = (since for since, until in found if since < moment and (until is None or moment < until))
    return next(there, None)


def stops(history: History) -> Iterator[Stop]:
    """Every time for which the flag was there."""
    since = None
    for act in history.acts:
        if act.who == "operator" and act.what == "stop":
            since = since or act.moment
        elif act.who == "operator" and act.what == "go" and since:
            yield since, act.moment
            since = None
    if since:
        yield since, None
