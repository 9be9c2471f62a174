"""The end of a run: its files are stored, and people are told, before the answer and inside time kept back for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

from handler.clock import Deadline, uptime
from handler.compose.ending import LAST_WORDS
from handler.compose.engines.engine import Engine
from handler.compose.telling.gathering import Gathered
from handler.config.settings import Settings
from handler.engine.ports import Bucket
from handler.errors import CloudError, DeadlineReached
from handler.model.notice import Notice
from handler.model.request import DeletionRequest, SweepRequest
from handler.report.approval import Approval, Place, approval_of
from handler.report.files import File, page_file, plan_file, report_file
from handler.report.notice import notice_of
from handler.report.paragraphs import Stored
from handler.report.report import Report
from handler.report.reporter import Reporter

NOTIFYING = 2.0
"""Seconds of these that are left for the notice, whatever the files take."""


class Means(NamedTuple):
    """What a run is told with, besides what it has gathered.

    `until_answer` is the seconds that are left for that, but for the runs of other projects in the same invocation.
    `function` is what the function was invoked as on Lambda, empty elsewhere.
    """

    settings: Settings
    engine: Engine
    reporter: Reporter
    until_answer: Callable[[], float]
    function: str


class _Time(NamedTuple):
    """The time for what a run tells, until the moment `end`."""

    until_answer: Callable[[], float]
    end: float

    def deadline(self, more: float = 0.0) -> Deadline:
        """A deadline that leaves so many seconds more."""
        return Deadline(lambda: min(self.until_answer(), self.end - uptime()), reserve=more)


def tell(report: Report, gathered: Gathered, means: Means) -> None:
    """Store the files of a run, and send its notice, if there is something to say; raises nothing."""
    # What the run has left of its own share of the time, and what was kept back.
    ours = gathered.run.deadline.left() + gathered.kept_back + LAST_WORDS
    time = _Time(means.until_answer, uptime() + ours)
    stored = _stored(report, gathered, means, time)
    if means.settings.notice_topic and (notice := notice_of(report, means.settings.keep_tag, stored)):
        _send(notice, report, means, time)


def _stored(report: Report, gathered: Gathered, means: Means, time: _Time) -> Stored:
    deadline = time.deadline(NOTIFYING if means.settings.notice_topic else 0.0)
    bucket = means.engine.bucket(means.settings, deadline)
    if bucket is None:
        return Stored()
    files = _Files(report, gathered, bucket, _place(means))
    problem = _done_in_time(files.store, deadline, means.reporter)
    origin = {"request_id": report.request_id, "prefix": gathered.folder}
    if problem:
        means.reporter.told("report.not_stored", report.source, problem=problem, files=files.names, **origin)
    elif files.names:
        means.reporter.told("report.stored", report.source, files=files.names, **origin)
    return files.stored(problem)


def _send(notice: Notice, report: Report, means: Means, time: _Time) -> None:
    deadline = time.deadline()
    send = means.engine.notify(means.settings, deadline)
    if send is None:
        return
    answers: list[str] = []
    problem = _done_in_time(lambda: answers.append(send(notice)), deadline, means.reporter) or "".join(answers)
    origin = {"request_id": report.request_id, "subject": notice.subject}
    if problem:
        means.reporter.told("notice.not_sent", report.source, problem=problem, **origin)
    else:
        means.reporter.told("notice.sent", report.source, kind=notice.attributes["kind"], **origin)


def _place(means: Means) -> Place:
    settings = means.settings
    return Place(
        armed=settings.mode == "delete",
        takes_approvals=bool(settings.state_table),
        function=means.function,
        region=settings.aws.region,
    )


def _done_in_time(work: Callable[[], object], deadline: Deadline, reporter: Reporter) -> str:
    """Do a piece of work, but not past the deadline; returns why it was not done, or an empty string."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="telling")

    def fenced() -> None:
        with deadline.fence.around():
            work()

    doing = executor.submit(fenced)
    executor.shutdown(wait=False)
    wait([doing], timeout=deadline.left())
    late = DeadlineReached("not done before the deadline of the invocation")
    error = doing.exception() if doing.done() else late
    # A late thread would go on in a later invocation: what it still sends meets the fence, or a connection that is cut.
    deadline.halt(late)
    deadline.fence.cut()
    if error is None or isinstance(error, CloudError):
        return str(error or "")
    # The images are done with by now: what can't be told of them because of a bug must not bring them back.
    reporter.bug(error)
    return "a bug in image-reaper: see the log"


class _Files:
    """The files of a run, in the order in which they are stored: what is hardest to get again comes first."""

    def __init__(self, report: Report, gathered: Gathered, bucket: Bucket, place: Place) -> None:
        self._report, self._gathered, self._bucket, self._place = report, gathered, bucket, place
        self._approval: Approval | None = None
        self._page = ""
        self.names: list[str] = []

    def store(self) -> None:
        """Store all of them; raises EngineFault at the first that can't be stored."""
        for file in self._made():
            self._bucket.put(self._gathered.folder + file.name, file.content, file.content_type)
            self.names.append(file.name)

    def _made(self) -> Iterator[File]:
        report = self._report
        yield from self._gathered.journal.files()
        requests = [result.request for result in report.results if result.request]
        if report.ok and all(isinstance(request, DeletionRequest) for request in requests):
            return
        plan = None
        if report.plans and any(isinstance(request, SweepRequest) for request in requests):
            plan = plan_file(report.plans)
            yield plan
            fetch = self._bucket.command_for(self._gathered.folder + plan.name)
            self._approval = approval_of(plan, report.plans, self._gathered.folder, fetch, self._place)
        yield report_file(report)
        # Not at the top: most runs leave no page, and nothing else needs what makes one.
        from handler.report.page.page import page  # noqa: PLC0415

        made = page_file(page(report, self._gathered.decisions, self._gathered.run.now, self._approval), plan)
        self._page = made.name
        yield made

    def stored(self, problem: str) -> Stored:
        """What people are told of the files."""
        if self._page not in self.names:
            return Stored(approval=self._approval, problem=problem)
        key = self._gathered.folder + self._page
        page, fetch = self._bucket.page_of(key), self._bucket.command_for(key)
        return Stored(page=page, fetch=fetch, approval=self._approval)
