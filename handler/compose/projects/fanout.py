"""A sweep of many projects: one message for each, before any cloud is asked."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from handler.clock import Deadline
from handler.compose.projects.reach import Shared
from handler.engine.ports import HeedStop, Send
from handler.errors import CloudError, EngineFault, Paused
from handler.model.message import Message, Received, Rejected
from handler.model.outcome import Outcome, Result
from handler.model.request import Job, SweepRequest, Target, earliest
from handler.work.handling import failed
from handler.work.parallel import TELLING_LINE, in_time
from handler.work.run import Progress


class Outbox(NamedTuple):
    """What it takes to send sweeps to projects: the queue, the mode of this function, and where to report."""

    send: Send | None
    mode: str
    heed_stop: HeedStop
    deadline: Deadline
    progress: Progress
    report: Callable[[Outcome, Job], None]
    now: datetime
    plan_life: timedelta


def outbox(part: Received, shared: Shared, deadline: Deadline, progress: Progress) -> Outbox:
    """What it takes to send the sweeps of an invocation."""
    settings, engine = shared.settings, shared.engine
    return Outbox(
        send=engine.send(settings, deadline),
        mode=settings.mode,
        heed_stop=engine.heed_stop(settings, deadline),
        deadline=deadline,
        progress=progress,
        report=partial(shared.reporter.outcome, shared.request_id, part.source),
        now=shared.now,
        plan_life=settings.plan_life,
    )


def fan_out(messages: list[Message], outbox: Outbox) -> Iterator[tuple[Message, Result]]:
    """Send the sweeps in messages to their projects; a project that gets none is an outcome that has failed."""
    for message in messages:
        request = message.request
        if isinstance(request, Rejected):
            yield message, Result(message.id, None, problem=request.problem)
        elif isinstance(request, SweepRequest):
            yield message, _sent(request, message.id, outbox)


def _sent(request: SweepRequest, message_id: str, outbox: Outbox) -> Result:
    # They have to be told one by one.
    outbox.deadline.keep_back(TELLING_LINE * len(request.projects))
    orders = orders_of(request, outbox)
    try:
        problems = in_time(lambda: _send(orders, outbox), outbox.deadline, outbox.progress)
    except CloudError as error:
        outcomes = [failed("", error.anew(), None)]
        return _told(outcomes, 0, request, message_id, outbox)
    unsent = [(order["project_id"], problem) for order, problem in zip(orders, problems, strict=True) if problem]
    faults = [
        EngineFault(f"project {project_id}: the queue did not take its sweep: {why}") for project_id, why in unsent
    ]
    return _told([failed("", fault) for fault in faults], len(orders) - len(unsent), request, message_id, outbox)


def _send(orders: list[dict[str, Any]], outbox: Outbox) -> list[str]:
    if outbox.mode == "paused":
        message = "REAPER_MODE is paused"
        raise Paused(message)
    # It stops no rehearsal.
    if any("dry_run" not in order for order in orders):
        outbox.heed_stop()
    return outbox.send(orders) if outbox.send else ["there is no queue of workers"] * len(orders)


def orders_of(request: SweepRequest, outbox: Outbox) -> list[dict[str, Any]]:
    """The sweep of each project, as a request of its own."""
    fields = {
        # Whatever the mode of the workers is: where this function rehearses, it arms nobody.
        "dry_run": request.dry_run or outbox.mode != "delete",
        "delete_backup": request.delete_backup,
        "reason": request.reason,
        "not_after": earliest(outbox.now + outbox.plan_life, [request]).isoformat(timespec="seconds"),
    }
    shared = {"sweep": json.loads(request.written)} | {name: value for name, value in fields.items() if value}
    return [shared | {"project_id": project_id} for project_id in request.projects]


def _told(outcomes: list[Outcome], sent: int, request: SweepRequest, message_id: str, outbox: Outbox) -> Result:
    for outcome in outcomes:
        outbox.report(outcome, Job(Target(""), request, message_id=message_id))
    return Result(message_id, request, outcomes=tuple(outcomes), sent=sent)
