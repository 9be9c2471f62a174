"""Many images: side by side, inside the deadline."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from threading import Lock
from typing import TypeVar

from handler.clock import Deadline
from handler.errors import CloudError, DeadlineReached, Unexpected
from handler.model.outcome import Outcome
from handler.model.request import Job
from handler.work.handling import failed, outcome_of
from handler.work.run import Progress, Run

T = TypeVar("T")

TELLING = 1.5e-4
"""Seconds kept back at the end for each image, to tell its outcome in the log and in the answer."""
TELLING_LINE = 1e-3
"""Seconds kept back at the end for each message, or image, that has a line of its own in the log."""


def carry_out(jobs: Sequence[Job], run: Run) -> list[Outcome]:
    """Do the jobs; returns an outcome for each of them, in their order.

    Jobs for one image are done one after the other, so that it is deleted once; all others are done side by side, and
    begun in their order. What was not begun when the run ended is told in one line, not image by image.
    """
    if run.watch:
        run.watch.takes_on(len(jobs))
    work = _Work(jobs, run)
    executor = ThreadPoolExecutor(run.concurrency, thread_name_prefix="image")
    why_unfinished = _done_by(executor, work, run)
    # Not waited for: a thread may hang where no time-out counts. Once it wakes up, it finds the run halted, and sends
    # nothing.
    executor.shutdown(wait=False)
    return work.outcomes(why_unfinished)


def untouched(jobs: Sequence[Job], error: CloudError, run: Run) -> list[Outcome]:
    """The outcomes of images that were not even looked at. They are told in one line: there may be thousands."""
    if jobs:
        run.report_untouched(jobs, error)
    return [failed(job.target.image_id, error) for job in jobs]


def in_time(work: Callable[[], T], deadline: Deadline, progress: Progress) -> T:
    """Do a piece of work that asks the cloud; raises DeadlineReached if it has not ended by the deadline."""
    # In a thread of its own: a server may go on sending a little for ever, which no time-out covers, and the invocation
    # would end with nothing reported while it waits.
    executor = ThreadPoolExecutor(1, thread_name_prefix="image")

    def fenced() -> T:
        with deadline.fence.around():
            return work()

    answer = executor.submit(fenced)
    executor.shutdown(wait=False)
    try:
        return answer.result(deadline.left())
    except TimeoutError:
        progress.be_late()
        error = DeadlineReached("no answer before the deadline of the invocation")
        deadline.halt(error)
        raise error from None


class _Work:
    """Jobs, and what has become of them so far. Safe for threads."""

    def __init__(self, jobs: Sequence[Job], run: Run) -> None:
        self._jobs = jobs
        self._run = run
        self._waiting = deque(_by_image(jobs))
        self._begun: set[int] = set()
        self._done: dict[int, Outcome] = {}
        self._telling = Lock()

    @property
    def waiting(self) -> int:
        """How many images no thread has begun with; none once the run has ended."""
        return len(self._waiting) if self._goes_on() else 0

    def work(self) -> None:
        """Do jobs until none is left, or the run ends."""
        with self._run.deadline.fence.around():
            # Taken without a look first: another thread may take the last ones in between.
            while self._goes_on() and (numbers := _taken_from(self._waiting)):
                for number in numbers:
                    with self._run.slots or nullcontext():
                        if self._goes_on():
                            self._do(number)

    def _goes_on(self) -> bool:
        try:
            self._run.deadline.check()
        except CloudError:
            return False
        return True

    def _do(self, number: int) -> None:
        with self._telling:
            self._begun.add(number)
        self._settle(number, outcome_of(self._jobs[number], self._run))

    def _settle(self, number: int, outcome: Outcome) -> None:
        # The first outcome stays: a thread may come to its own after the deadline, when the image was reported as
        # failed. Reported under the lock as well: an outcome that is in the answer must be in the log by then. What is
        # logged after the answer appears in another invocation, or never.
        with self._telling:
            if self._done.setdefault(number, outcome) is outcome:
                self._run.report(outcome, self._jobs[number])
                if self._run.watch:
                    self._run.watch.settled(outcome)

    def outcomes(self, why_unfinished: CloudError) -> list[Outcome]:
        """The outcome of each job, now that all is done or the run has ended."""
        # A job without an outcome has failed: otherwise its message would count as done, and would not come again.
        self._waiting.clear()
        with self._telling:
            begun = sorted(self._begun)
        for number in begun:
            self._settle(number, failed(self._jobs[number].target.image_id, why_unfinished))
        # All at once under the lock: a late thread must not report one of them as well.
        with self._telling:
            left = [number for number in range(len(self._jobs)) if number not in self._done]
            failures = untouched([self._jobs[number] for number in left], self._why_left(), self._run)
            self._done.update(zip(left, failures, strict=True))
        return [self._done[number] for number in range(len(self._jobs))]

    def _why_left(self) -> CloudError:
        try:
            self._run.deadline.check()
        except CloudError as error:
            return error
        return _a_bug()


def _a_bug() -> CloudError:
    return Unexpected("a bug in image-reaper: see the log")


def _taken_from(waiting: deque[list[int]]) -> list[int] | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _by_image(jobs: Sequence[Job]) -> Iterable[list[int]]:
    """The numbers of the jobs, image by image."""
    numbers: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        numbers.setdefault(job.target.image_id, []).append(number)
    return numbers.values()


def _done_by(executor: ThreadPoolExecutor, work: _Work, run: Run) -> CloudError:
    """Have work done, but not past the deadline; returns the error of the jobs that have no outcome by then."""
    # The work turns every error of the cloud into an outcome: what a thread raises is a bug. It ends that thread, but
    # must cost no other image anything: so new threads take over what is left.
    while work.waiting:
        workers = [executor.submit(work.work) for _ in range(min(run.concurrency, work.waiting))]
        finished, unfinished = wait(workers, timeout=run.deadline.left())
        for worker in finished:
            if error := worker.exception():
                run.report_bug(error)
        if unfinished:
            # Noted, so that the connections and the lock of the token, which late threads may hold, are left to them.
            run.progress.be_late()
            late = DeadlineReached("not finished before the deadline of the invocation")
            run.deadline.halt(late)
            return late
    return _a_bug()
