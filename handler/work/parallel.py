"""Many images: side by side, inside the deadline."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import TypeVar

from handler.clock import Deadline
from handler.errors import CloudError, DeadlineReached, Unexpected
from handler.model.outcome import Outcome
from handler.model.request import Job
from handler.work.handling import failed, outcome_of
from handler.work.run import Progress, Run

T = TypeVar("T")


def carry_out(jobs: Sequence[Job], run: Run) -> list[Outcome]:
    """Do the jobs; returns an outcome for each of them, in their order.

    Jobs for one image are done one after the other, so that it is deleted once; all others are done side by side.
    """
    done: dict[int, Outcome] = {}
    telling = Lock()

    def settle(number: int, outcome: Outcome) -> None:
        # The first outcome stays: a thread may come to its own after the deadline, when the image was reported as
        # failed. Reported under the lock as well: who finds an outcome of a thread must find it told, since what is
        # told after the answer comes with another invocation, or never.
        with telling:
            if done.setdefault(number, outcome) is outcome:
                run.report(outcome, jobs[number])

    def work(numbers: Sequence[int]) -> None:
        with run.deadline.fence.around():
            for number in numbers:
                settle(number, outcome_of(jobs[number], run))

    executor = ThreadPoolExecutor(run.concurrency, thread_name_prefix="image")
    why_missing = _await([executor.submit(work, numbers) for numbers in _by_image(jobs)], run)
    # Not waited for: a thread may hang where no time-out counts. What is still queued finds the run halted, and sends
    # nothing.
    executor.shutdown(wait=False)
    # A job without an outcome has failed: otherwise its message would count as done, and would not come again.
    for number, job in enumerate(jobs):
        settle(number, failed(job.target.image_id, why_missing))
    return [done[number] for number in range(len(jobs))]


def untouched(jobs: Sequence[Job], error: CloudError, run: Run) -> list[Outcome]:
    """Leave jobs alone; returns an outcome for each of them, in their order: it failed with this error."""
    outcomes = [failed(job.target.image_id, error) for job in jobs]
    for outcome, job in zip(outcomes, jobs, strict=True):
        run.report(outcome, job)
    return outcomes


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


def _by_image(jobs: Sequence[Job]) -> Iterable[list[int]]:
    """The numbers of the jobs, image by image."""
    numbers: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        numbers.setdefault(job.target.image_id, []).append(number)
    return numbers.values()


def _await(futures: Sequence[Future[None]], run: Run) -> CloudError:
    """Wait for the work, but not past the deadline; returns the error of the jobs that have no outcome by then."""
    finished, unfinished = wait(futures, timeout=run.deadline.left())
    # The work turns every error of the cloud into an outcome: what is raised here is a bug.
    for future in finished:
        if error := future.exception():
            run.report_bug(error)
    if not unfinished:
        return Unexpected("a bug in image-reaper: see the log")
    # Noted, so that the connections and the lock of the token, which late threads may hold, are left to them.
    run.progress.be_late()
    error = DeadlineReached("not finished before the deadline of the invocation")
    run.deadline.halt(error)
    return error
