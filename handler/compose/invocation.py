"""One invocation: reads an event, builds a run from the settings, and has it carried out."""

import random
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from handler.clock import Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.dialects import DIALECTS
from handler.cloud.transport import Transport
from handler.compose import ending, postponing
from handler.compose.ending import Context
from handler.compose.engines.engine import Engine
from handler.compose.telling.gathering import gather
from handler.compose.telling.telling import Means, tell
from handler.compose.warm import access_to_cloud, reporter
from handler.config.settings import Settings, is_in_lambda
from handler.engine.ports import Allowance, HeedStop
from handler.errors import CloudError, InvalidRequest, Paused
from handler.model.message import Received, Rejected
from handler.model.request import names_images
from handler.report.plans import plans_of
from handler.report.report import Report, ages_of, mode_of
from handler.report.reporter import Reporter
from handler.rules.unused import why_unknown
from handler.sources import shapes
from handler.work.approvals.opening import Approvals
from handler.work.batches.postponements import postponements
from handler.work.dispatch import Reach, admit, problem_of, results
from handler.work.parallel import in_time
from handler.work.run import Observe, Progress, Run
from handler.work.uses.in_use import InUse


def read(event: Any, settings: Settings, engine: Engine) -> Received:  # noqa: ANN401 (an event may be any JSON)
    """Read an event of any source; raises UnknownEvent."""
    standing = settings.scheduled_request, settings.lifecycle_request
    here, failed_to = not is_in_lambda(), settings.failed_to
    return shapes.read_event(event, *standing, engine.SHAPES, answers_here=here, failed_to=failed_to)


def process(  # noqa: PLR0913, PLR0917 (all that a run is made of)
    event: Any,  # noqa: ANN401 (an event may be any JSON)
    context: Context,
    settings: Settings,
    engine: Engine,
    now: datetime | None = None,
    observe: Observe | None = None,
) -> Report:
    """Read an event and carry it out."""
    return handle(read(event, settings, engine), context, settings, engine, now, observe)


def handle(  # noqa: PLR0913, PLR0917 (the same)
    received: Received,
    context: Context,
    settings: Settings,
    engine: Engine,
    now: datetime | None = None,
    observe: Observe | None = None,
) -> Report:
    """Do what was asked for, write it to the log and to the metrics, and return the report.

    `now` is read from the clock unless it is given; `observe` gets a sweep's decision on every image. Raises
    InvalidRequest for a request that is turned down, unless its message can fail alone.
    """
    # Before anything that may take long: a run that begins before midnight has the day on which it began.
    now = now or datetime.now(UTC)
    invocation = _begin(received, context, settings, engine, now)
    with ending.of(invocation.deadline, invocation.progress):
        project_id = invocation.connect()
        run, reach = invocation.build_run(project_id, now, observe), invocation.reach(project_id)
        gathered = gather(run, invocation.reporter, invocation.request_id, received.source, project_id)
        with Approvals(gathered.run, invocation.request_id, partial(problem_of, reach=reach)) as approvals:
            admitted = invocation.admitted(reach, approvals)
            done = results(admitted, gathered.run, approvals)
    until = postponing.deadline_for(ending.remaining_of(context), invocation.deadline.reserve - ending.PUTTING_OFF)
    found = postponements(admitted.messages, done, invocation.deadline.elapsed(), random.random)
    postponing.put_off(found, engine.postpone(settings), until, invocation.reporter)
    mode = mode_of(settings.mode, done)
    report = Report(
        source=received.source,
        mode=mode,
        request_id=invocation.request_id,
        project_id=project_id,
        results=done,
        plans=tuple(plans_of(done, project_id, now + settings.plan_life)) if mode == "dry-run" else (),
        ages=ages_of(admitted.messages, done, now.timestamp() + invocation.deadline.elapsed()),
    )
    invocation.reporter.finished(report)
    if invocation.allowance and not report.ok:
        ending.settle(invocation.allowance, context, invocation.reporter)
    tell(report, gathered, Means(received, context, settings, engine, invocation.reporter))
    return report


def _begin(received: Received, context: Context, settings: Settings, engine: Engine, now: datetime) -> "_Invocation":
    deadline = Deadline(ending.remaining_of(context), reserve=ending.reserve_for(received, settings))
    invocation = _Invocation(
        received=received,
        request_id=context.aws_request_id,
        settings=settings,
        engine=engine,
        reporter=reporter(settings.service, settings.namespace),
        deadline=deadline,
        progress=Progress(settings.max_images),
        allowance=engine.allowance(received, settings, context.aws_request_id, now),
        heed_stop=engine.heed_stop(settings, deadline),
        cloud=_cloud(settings, engine, deadline),
    )
    if DIALECTS[settings.image_api].is_discarded:
        advice = "REAPER_IMAGE_API=glance or ims"
        invocation.reporter.warn("api.discarded", image_api=settings.image_api, advice=advice)
    return invocation


class _Invocation(NamedTuple):
    """What a run is built from, before the cloud was asked which project it is for."""

    received: Received
    request_id: str
    settings: Settings
    engine: Engine
    reporter: Reporter
    deadline: Deadline
    progress: Progress
    allowance: Allowance | None
    heed_stop: HeedStop
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
            return in_time(self._project_id, self.deadline, self.progress)
        except CloudError as error:
            # The address that the secret holds may be wrong, and be cured before the next invocation.
            self.engine.forget_secret()
            # Without an image that could fail, as where a stack is created, only an exception can say so.
            if not any(map(names_images, requests)):
                raise
            self.deadline.halt(error)
            return ""

    def _project_id(self) -> str:
        # The flag first, for the same reason. It stops no rehearsal, and no stack that is created.
        is_armed = self.settings.mode == "delete"
        if is_armed and any(names_images(request) and not request.dry_run for request in self.received.requests):
            self.heed_stop()
        return self.cloud.project_id

    def reach(self, project_id: str) -> Reach:
        """What can be done here."""
        settings = self.settings
        return Reach(
            image_api=settings.image_api,
            project_id=project_id,
            why_unknown=why_unknown(settings.state_table, settings.in_use_check),
            why_no_approvals=partial(self.engine.why_no_approvals, settings),
        )

    def admitted(self, reach: Reach, approvals: Approvals) -> Received:
        """What was received, with Rejected in place of each request that can't be carried out.

        Only in a batch can one message fail alone; from any other source, the whole event fails with InvalidRequest.
        """
        received = self.received
        messages = [approvals.admit(admit(message, reach)) for message in received.messages]
        received = received._replace(messages=tuple(messages))
        problems = [(m.request.problem, m.id) for m in received.messages if isinstance(m.request, Rejected)]
        for problem, message_id in problems:
            self.reporter.rejected(self.request_id, received.source, problem, message_id)
        # Before anything is done: what another request of the event had deleted would stand in no report. The problems
        # are counted here, since there will be no run to count them.
        if problems and not received.fails_one_by_one:
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
            heed_stop=self.heed_stop,
            spend=self.engine.spend(settings, project_id, now, self.allowance),
            journal=partial(self.reporter.deleting, self.request_id, source),
            report=partial(self.reporter.outcome, self.request_id, source),
            report_untouched=partial(self.reporter.untouched, self.request_id, source),
            report_bug=self.reporter.bug,
            observe=observe,
            enqueue=self.engine.enqueue(settings, self.deadline),
            plan_life=settings.plan_life,
            bucket=self.engine.bucket(settings, self.deadline),
            lease=self.engine.lease(settings, project_id, self.request_id, self.deadline),
            claim_plan=self.engine.claim_plan(settings, project_id, self.deadline),
            remember=self.engine.remember(settings, project_id, now),
            report_unremembered=lambda error: self.reporter.warn("uses.not_remembered", problem=str(error)),
        )


def _cloud(settings: Settings, engine: Engine, deadline: Deadline) -> Cloud:
    options = Options(
        image_api=settings.image_api,
        project_pin=settings.project_pin,
        image_endpoint=settings.image_endpoint,
        compute_endpoint=settings.compute_endpoint,
        owner_key=settings.owner_key,
    )
    access = access_to_cloud(settings, engine.rotated, engine.forget_secret)
    return Cloud(Transport(access.session, access.identity, deadline), options)
