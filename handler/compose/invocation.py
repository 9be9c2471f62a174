"""One invocation: reads an event, builds a run from the settings, and has it carried out."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

from handler.clock import RESERVE, Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.dialects import DIALECTS
from handler.cloud.transport import Transport
from handler.compose import ports, postponing
from handler.compose.warm import access_to_cloud, drop_access, reporter
from handler.config import Settings, is_in_lambda
from handler.errors import CloudError, DeadlineReached, InvalidRequest, Paused
from handler.model.message import Received, Rejected, Waiting
from handler.model.outcome import Decision
from handler.model.request import SweepRequest
from handler.report.report import Report, mode_of
from handler.report.reporter import Reporter
from handler.sources import shapes
from handler.work.batches.postponements import postponements
from handler.work.dispatch import Reach, admit, results
from handler.work.parallel import in_time
from handler.work.run import Progress, Run
from handler.work.uses.in_use import InUse

STACK_RESERVE = 10.0
"""Seconds kept back to answer CloudFormation."""

Observe = Callable[[Decision], None]


class Context(Protocol):
    """The part of Lambda's context that we need."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime ends the invocation."""


def read(event: Any, settings: Settings) -> Received:  # noqa: ANN401 (an event may be any JSON)
    """Read an event of any source; raises UnknownEvent."""
    return shapes.read_event(
        event, settings.scheduled_request, settings.lifecycle_request, answers_here=not is_in_lambda()
    )


def process(
    event: Any,  # noqa: ANN401 (an event may be any JSON)
    context: Context,
    settings: Settings,
    now: datetime | None = None,
    observe: Observe | None = None,
) -> Report:
    """Read an event and carry it out."""
    return handle(read(event, settings), context, settings, now, observe)


def handle(
    received: Received,
    context: Context,
    settings: Settings,
    now: datetime | None = None,
    observe: Observe | None = None,
) -> Report:
    """Do what was asked for, write it to the log and to the metrics, and return the report.

    `now` is read from the clock unless it is given; `observe` gets a sweep's decision on every image. Raises
    InvalidRequest for a request that is turned down, unless a queue can take back its message alone.
    """
    # Before anything that may take long: a run that begins before midnight has the day on which it began.
    now = now or datetime.now(UTC)
    invocation = _begin(received, context, settings)
    with _ending(invocation.deadline, invocation.progress):
        project_id = invocation.connect()
        admitted = invocation.admitted(project_id)
        done = results(admitted, invocation.build_run(project_id, now, observe))
    deadline = postponing.deadline_for(_remaining(context), _reserve(received))
    late = postponements(admitted.messages, done, invocation.deadline.elapsed(), random.random)
    postponing.put_off(late, ports.postpone(settings), deadline, invocation.reporter)
    report = Report(
        source=received.source,
        mode=mode_of(settings.mode, done),
        request_id=invocation.request_id,
        project_id=project_id,
        results=done,
        not_after=now + settings.plan_life,
    )
    invocation.reporter.finished(report)
    return report


def _begin(received: Received, context: Context, settings: Settings) -> "_Invocation":
    deadline = Deadline(_remaining(context), reserve=_reserve(received) + postponing.time_for(received))
    invocation = _Invocation(
        received=received,
        request_id=context.aws_request_id,
        settings=settings,
        reporter=reporter(settings.service, settings.namespace),
        deadline=deadline,
        progress=Progress(settings.max_images),
        cloud=_cloud(settings, deadline),
    )
    if DIALECTS[settings.image_api].is_discarded:
        advice = "REAPER_IMAGE_API=glance or ims"
        invocation.reporter.warn("api.discarded", image_api=settings.image_api, advice=advice)
    return invocation


def _reserve(received: Received) -> float:
    return STACK_RESERVE if any(message.call for message in received.messages) else RESERVE


def _remaining(context: Context) -> Callable[[], float]:
    return lambda: context.get_remaining_time_in_millis() / 1000


@contextmanager
def _ending(deadline: Deadline, progress: Progress) -> Iterator[None]:
    """Make sure that nothing more is sent once the invocation has ended."""
    try:
        yield
    finally:
        # Lambda freezes what is still running, and thaws it in a later invocation. A late thread must not share its
        # connections and its token with that one. It finds its own run halted before it can send anything; and if it
        # has found that just before, it finds its connection closed.
        deadline.halt(DeadlineReached("the invocation has ended"))
        if progress.is_late:
            deadline.fence.cut()
            drop_access()


class _Invocation(NamedTuple):
    """What a run is built from, before the cloud was asked which project it is for."""

    received: Received
    request_id: str
    settings: Settings
    reporter: Reporter
    deadline: Deadline
    progress: Progress
    cloud: Cloud

    def connect(self) -> str:
        """Return the project that we act for. If it can't be found out, the run is halted, and every image fails."""
        requests = self.received.requests
        # A batch in which no message can be read needs no token.
        if not requests:
            return ""
        try:
            # Before the first request: a paused function asks the cloud nothing.
            if self.settings.mode == "paused":
                message = "REAPER_MODE is paused"
                raise Paused(message)
            return in_time(lambda: self.cloud.project_id, self.deadline, self.progress)
        except CloudError as error:
            # Without an image that could fail, as where a stack is created, only an exception can say so.
            if not any(isinstance(request, SweepRequest) or request.targets for request in requests):
                raise
            self.deadline.halt(error)
            return ""

    def admitted(self, project_id: str) -> Received:
        """What was received, with Rejected in place of each request that can't be carried out.

        Only a queue can take back one message alone; for any other source the whole event fails, with InvalidRequest.
        """
        received, reach = self.received, Reach(image_api=self.settings.image_api, project_id=project_id)
        received = received._replace(messages=tuple(admit(message, reach) for message in received.messages))
        problems = [(m.request.problem, m.id) for m in received.messages if isinstance(m.request, Rejected)]
        for problem, message_id in problems:
            self.reporter.rejected(self.request_id, received.source, problem, message_id)
        # Before anything is done: what another request of the event had deleted would stand in no report. The problems
        # are counted here, since there will be no run to count them.
        if problems and received.waiting is not Waiting.QUEUE:
            self.reporter.count(received.source, (), len(problems))
            raise InvalidRequest("; ".join(problem for problem, _ in problems))
        return received

    def build_run(self, project_id: str, now: datetime, observe: Observe | None) -> Run:
        """Build the run, complete."""
        settings, source = self.settings, self.received.source
        asks = settings.in_use_check == "on"
        return Run(
            cloud=self.cloud,
            deadline=self.deadline,
            progress=self.progress,
            policy=settings.policy,
            now=now,
            armed=settings.mode == "delete",
            in_use=InUse(self.cloud, self.deadline, settings.concurrency, settings.in_use_also) if asks else None,
            concurrency=settings.concurrency,
            spend=ports.spend(settings, project_id, now),
            journal=partial(self.reporter.deleting, self.request_id, source),
            report=partial(self.reporter.outcome, self.request_id, source),
            report_bug=self.reporter.bug,
            observe=observe,
            enqueue=ports.enqueue(settings, self.deadline),
            plan_life=settings.plan_life,
        )


def _cloud(settings: Settings, deadline: Deadline) -> Cloud:
    options = Options(
        image_api=settings.image_api,
        project_pin=settings.project_pin,
        image_endpoint=settings.image_endpoint,
        compute_endpoint=settings.compute_endpoint,
    )
    access = access_to_cloud(settings)
    return Cloud(Transport(access.session, access.identity, deadline), options)
