"""One project: its messages, in a run of their own."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.transport import Transport
from handler.compose import ending
from handler.compose.projects.fanout import fan_out, outbox
from handler.compose.projects.reach import PAUSED, Shared, reached
from handler.compose.projects.shares import Share
from handler.compose.telling.gathering import Gathered, gather
from handler.compose.warm import drop_access
from handler.config.settings import Settings
from handler.engine.ports import HeedStop
from handler.errors import CloudError, InvalidRequest, Paused
from handler.model.message import Received, Rejected
from handler.model.outcome import Result
from handler.model.request import names_images
from handler.report.plans import plans_of
from handler.report.report import Report, ages_of, mode_of
from handler.report.reporter import Reporter
from handler.work.approvals.opening import Approvals
from handler.work.dispatch import admit_to, carry_out_wave, problem_of, results
from handler.work.parallel import in_time
from handler.work.run import Progress, Run
from handler.work.uses.in_use import InUse


def carry_out(share: Share, deadline: Deadline, received: Received, shared: Shared) -> Report:
    """Carry out the messages of one project, or those that need no cloud, and tell what came of it.

    Where no message can fail alone, this raises InvalidRequest for a request that is turned down, and InvalidSettings
    for a project whose secret can't be used.
    """
    part, progress = received._replace(messages=share.messages), shared.progress.of_another_run()
    if shared.watch:
        shared.watch.begins(deadline)
    if share.project_id is None:
        with ending.of(deadline, progress, lambda: None):
            done = results(part, partial(fan_out, outbox=outbox(part, shared, deadline, progress)), shared.broken)
        return _told(part, done, "", shared, deadline)
    # Known before the cloud is asked, where each project has a secret of its own.
    shared = shared._replace(reporter=shared.reporter.about(share.project_id))
    with (
        reached(share.project_id, part, shared, deadline, progress) as (settings, access),
        ending.of(deadline, progress, lambda: drop_access(access)),
    ):
        run = _ProjectRun(
            received=part,
            shared=shared,
            settings=settings,
            deadline=deadline,
            progress=progress,
            heed_stop=shared.engine.heed_stop(settings, deadline),
            cloud=Cloud(Transport(access.session, access.identity, deadline), options_of(settings)),
        )
        project_id = run.connect()
        about = shared.reporter.about(project_id)
        # Where nobody could tell the project, the files of several must not replace each other.
        whose = project_id or share.project_id
        gathered = gather(run.build_run(project_id), about, shared.request_id, part.source, whose)
        done = run.results_of(gathered.run, project_id)
    report = _told(part, done, whose, shared, deadline)
    if settings.report_bucket or settings.notice_topic:
        _tell(report, gathered, settings, about, received, shared)
    return report


def _tell(  # noqa: PLR0913, PLR0917 (all that a run is told with)
    report: Report, gathered: Gathered, settings: Settings, about: Reporter, received: Received, shared: Shared
) -> None:
    # Not at the top: who has neither bucket nor topic should not wait for it in a cold start.
    from handler.compose.telling.telling import Means, tell  # noqa: PLC0415

    means = Means(
        settings=settings,
        engine=shared.engine,
        reporter=about,
        until_answer=ending.until_answer(received, shared.context, shared.settings),
        function=ending.function_of(shared.context, shared.settings.function),
    )
    tell(report, gathered, means)


def _told(part: Received, done: tuple[Result, ...], project_id: str, shared: Shared, deadline: Deadline) -> Report:
    """The report on a run, which is written to the log and to the metrics."""
    mode, until = mode_of(shared.settings.mode, done), shared.now + shared.settings.plan_life
    report = Report(
        source=part.source,
        mode=mode,
        request_id=shared.request_id,
        project_id=project_id,
        results=tuple(result._replace(project_id=project_id) for result in done),
        plans=tuple(plans_of(done, project_id, until)) if mode == "dry-run" else (),
        ages=ages_of(part.messages, done, shared.now.timestamp() + deadline.elapsed()),
        max_images=shared.settings.max_images,
        own=shared.own_rules,
    )
    shared.reporter.about(project_id).finished(report)
    return report


class _ProjectRun(NamedTuple):
    """What a run is built from, before the cloud was asked which project it is for."""

    received: Received
    shared: Shared
    settings: Settings
    deadline: Deadline
    progress: Progress
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
                raise Paused(PAUSED)
            return in_time(self._project_id, self.deadline, self.progress)
        except CloudError as error:
            # The address that the secret holds may be wrong, and be cured before the next invocation.
            self.shared.engine.forget_secret(self.settings)
            # Without an image that could fail, as where a stack is created, only an exception can say so.
            if not self.shared.has_others and not any(map(names_images, requests)):
                raise
            self.deadline.halt(error)
            return ""

    def _project_id(self) -> str:
        # The flag first, for the same reason. It stops no rehearsal, and no stack that is created.
        is_armed = self.settings.mode == "delete"
        if is_armed and any(names_images(request) and not request.dry_run for request in self.received.requests):
            self.heed_stop()
        return self.cloud.project_id

    def results_of(self, run: Run, project_id: str) -> tuple[Result, ...]:
        """Carry out the messages; returns what became of each."""
        shared = self.shared
        with Approvals(run, shared.request_id, partial(problem_of, reach=shared.reach)) as approvals:
            admitted = self.admitted(project_id, approvals)
            return results(admitted, partial(carry_out_wave, run=run, approvals=approvals), shared.broken)

    def admitted(self, project_id: str, approvals: Approvals) -> Received:
        """The messages, with Rejected in place of each request that can't be carried out for this project."""
        admitted = [approvals.admit(admit_to(project_id, message)) for message in self.received.messages]
        pairs = zip(admitted, self.received.messages, strict=True)
        problems = [
            (message.request.problem, message.id)
            for message, earlier in pairs
            if isinstance(message.request, Rejected) and not isinstance(earlier.request, Rejected)
        ]
        reporter = self.shared.reporter.about(project_id)
        turn_down(problems, self.received, reporter, self.shared.request_id)
        return self.received._replace(messages=tuple(admitted))

    def build_run(self, project_id: str) -> Run:
        """Build the run, complete."""
        settings, source, engine, shared = self.settings, self.received.source, self.shared.engine, self.shared
        reporter, asks = shared.reporter.about(project_id), settings.in_use_check == "on"
        return Run(
            cloud=self.cloud,
            deadline=self.deadline,
            progress=self.progress,
            policy=settings.policy,
            now=shared.now,
            armed=settings.mode == "delete",
            in_use=InUse(self.cloud, self.deadline, shared.concurrency, settings.in_use_also) if asks else None,
            concurrency=shared.concurrency,
            heed_stop=self.heed_stop,
            spend=engine.spend(settings, project_id, shared.now, shared.allowance),
            journal=partial(reporter.deleting, shared.request_id, source),
            report=partial(reporter.outcome, shared.request_id, source),
            report_untouched=partial(reporter.untouched, shared.request_id, source),
            report_bug=reporter.bug,
            report_unremembered=lambda error: reporter.warn("uses.not_remembered", problem=str(error)),
            observe=shared.observe,
            watch=shared.watch,
            enqueue=engine.enqueue(settings, self.deadline),
            plan_life=settings.plan_life,
            is_worker=source == "queue" and shared.settings.is_for_all,
            slots=shared.slots,
            bucket=engine.bucket(settings, self.deadline),
            lease=engine.lease(settings, project_id, shared.request_id, self.deadline),
            claim_plan=engine.claim_plan(settings, project_id, self.deadline),
            remember=engine.remember(settings, project_id, shared.now),
        )


def turn_down(problems: Sequence[tuple[str, str]], received: Received, reporter: Reporter, request_id: str) -> None:
    """Tell which requests were turned down: pairs of what is wrong and the id of the message.

    Only in a batch can one message fail alone; from any other source, the whole event fails with InvalidRequest.
    """
    for problem, message_id in problems:
        reporter.rejected(request_id, received.source, problem, message_id)
    # Before anything is done: what another request of the event had deleted would stand in no report. The problems
    # are counted here, since there will be no run to count them.
    if problems and not received.fails_one_by_one:
        reporter.count(received.source, (), len(problems))
        raise InvalidRequest("; ".join(problem for problem, _ in problems))


def options_of(settings: Settings) -> Options:
    """Which cloud the settings are for, and how it is asked."""
    return Options(
        image_api=settings.image_api,
        project_pin=settings.project_pin,
        image_endpoint=settings.image_endpoint,
        compute_endpoint=settings.compute_endpoint,
        owner_key=settings.owner_key,
    )
