"""The day that counts: today, or another one in a rehearsal."""

from datetime import UTC, date, datetime

from handler.errors import InvalidRequest
from handler.model.message import Received
from handler.model.request import ApprovalRequest, Request, SweepRequest


def moment(today: date | None) -> datetime:
    """The present moment, or the same time of another day, in UTC."""
    now = datetime.now(UTC)
    return now if today is None else datetime.combine(today, now.timetz())


def check_today(received: Received) -> None:
    """Raise InvalidRequest for what can't be rehearsed as if on another day."""
    for request in received.requests:
        if problem := _problem_of(request):
            raise InvalidRequest(problem)


def _problem_of(request: Request) -> str:
    if isinstance(request, ApprovalRequest):
        return "--today: a stored plan is good for a few days from now: it can't be rehearsed as if on another day"
    if isinstance(request, SweepRequest) and request.projects:
        return "--today: a sweep of many projects is sent to a queue: rehearse one of them, with project_id"
    if isinstance(request, SweepRequest) and request.select.unused_for:
        return "--today: nobody knows what will be in use by another day: leave out unused_for"
    return ""
