"""One image: gather, judge, delete, verify. Many images: side by side, inside the deadline."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from threading import Lock

from handler.answers import Meaning
from handler.cloud import Cloud, Deletion, Usage
from handler.deadline import Deadline
from handler.errors import BackupLeft, CloudError, DeadlineReached, OverLimit, Unanswered, Unexpected
from handler.model import Image, Job, Outcome, OutcomeName, Policy
from handler.safety import RULES_OF_RECORD, Facts, judge

REFUSALS: Mapping[Meaning, str] = {
    Meaning.PROTECTED: "protected",
    Meaning.IN_USE: "in_use",
    Meaning.PUBLIC: "public",
    Meaning.NOT_OWNER: "not_owner",
    Meaning.NOT_READY: "not_ready",
}
"""What the cloud may say no with, and the reason that it becomes."""
MOST_SILENCES = 3
"""Images in a row for which no answer came in time; then the rest of the run is not tried any more."""


class Allowance:
    """How many DELETEs an invocation may still send. Safe for threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = Lock()

    def take(self) -> None:
        """Take one, or raise OverLimit."""
        with self._lock:
            if self._taken >= self._limit:
                message = f"more than {self._limit} images in one invocation"
                raise OverLimit(message)
            self._taken += 1


@dataclass
class Run:
    """What the images of one invocation share.

    Without `armed` everything is a rehearsal, without `usage` nobody asks whether an image is used. `journal` returns
    when what is about to be deleted has been written down, `tell` is told each outcome as soon as it is known,
    `unforeseen` each error that is a fault of ours. `late` is set when work was still going on at the deadline.
    """

    cloud: Cloud
    deadline: Deadline
    policy: Policy
    now: datetime
    armed: bool
    usage: Usage | None
    concurrency: int
    allowance: Allowance
    journal: Callable[[Image, Job], None]
    tell: Callable[[Outcome, Job], None]
    unforeseen: Callable[[BaseException], None]
    late: bool = field(default=False, init=False)
    silences: int = field(default=0, init=False)


def carry_out(jobs: Sequence[Job], run: Run) -> list[Outcome]:
    """Do the jobs, and give an outcome for each, in their order.

    Jobs for one image are done one after the other, so that it is deleted once; all others are done side by side.
    """
    done: dict[int, Outcome] = {}

    def settle(number: int, outcome: Outcome) -> None:
        if done.setdefault(number, outcome) is outcome:  # else it came too late, and was told as failed
            run.tell(outcome, jobs[number])

    def work(numbers: Sequence[int]) -> None:
        for number in numbers:
            settle(number, outcome_of(jobs[number], run))

    executor = ThreadPoolExecutor(run.concurrency, thread_name_prefix="image")
    why_missing = _await([executor.submit(work, numbers) for numbers in _by_image(jobs)], run)
    executor.shutdown(wait=False, cancel_futures=True)
    for number, job in enumerate(jobs):
        settle(number, _failed(job, why_missing))
    return [done[number] for number in range(len(jobs))]


def project_of(run: Run) -> str:
    """Give the project that the credentials are for; raises CloudError, and that by the deadline at the latest."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="image")
    answer = executor.submit(lambda: run.cloud.project_id)
    executor.shutdown(wait=False)
    try:
        return answer.result(run.deadline.left())
    except TimeoutError:
        run.late = True
        message = "no token before the deadline of the invocation"
        raise DeadlineReached(message) from None


def _by_image(jobs: Sequence[Job]) -> Iterable[list[int]]:
    """The numbers of the jobs for each image."""
    numbers: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        numbers.setdefault(job.target.image_id, []).append(number)
    return numbers.values()


def _await(futures: Sequence[Future[None]], run: Run) -> CloudError:
    """Wait for the work, but not past the deadline. Gives the error of the jobs that have no outcome then."""
    finished, late = wait(futures, timeout=run.deadline.left())
    for future in finished:
        if error := future.exception():
            run.unforeseen(error)
    if not late:
        return Unexpected("a fault of image-reaper: see the log")
    run.late = True
    error = DeadlineReached("not ended before the deadline of the invocation")
    run.deadline.halt(error)
    return error


def outcome_of(job: Job, run: Run) -> Outcome:
    """Deal with one image; a CloudError becomes an outcome, and ends the run where every image would meet it."""
    image = None
    try:
        if run.usage:
            run.usage.ask()  # first: the record that is judged must be newer than the list
        image = run.cloud.image(job.target.image_id)
        outcome = _gone(job) if image is None else _refused(image, job, run) or _reap(image, job, run)
    except CloudError as error:
        _heed(error, run)
        return _failed(job, error, image)
    run.silences = 0
    return outcome


def _heed(error: CloudError, run: Run) -> None:
    """End the run where the other images would meet the same error."""
    run.silences = run.silences + 1 if isinstance(error, Unanswered) else 0
    if error.ends_run or run.silences >= MOST_SILENCES:
        run.deadline.halt(error)


def _refused(image: Image, job: Job, run: Run) -> Outcome | None:
    """The outcome of an image that must stay, or is gone meanwhile; None if nothing speaks against its deletion."""
    facts = Facts(run.cloud.project_id, run.now, job.target.expect)
    if refusal := judge(image, facts, run.policy, RULES_OF_RECORD):
        return _outcome(image, "refused", refusal.reason, refusal.detail)
    gathered = _gather(image, facts, run)
    if gathered is None:
        return _gone(job)
    if refusal := judge(image, gathered, run.policy):
        return _outcome(image, "refused", refusal.reason, refusal.detail)
    return None


def _gather(image: Image, facts: Facts, run: Run) -> Facts | None:
    """Find out what only the cloud knows; None if the image is gone meanwhile."""
    matters = image.may_be_shared and not run.policy.allow_shared
    accepted_by = run.cloud.accepted_members(image.id) if matters else ()
    if accepted_by is None:
        return None
    return replace(facts, accepted_by=accepted_by, used_by=run.usage.of(image) if run.usage else ())


def _reap(image: Image, job: Job, run: Run) -> Outcome:
    """Delete an image that passed every rule, or rehearse that."""
    run.deadline.check()
    run.allowance.take()
    if job.request.dry_run or not run.armed:
        return _outcome(image, "would_delete")
    run.journal(image, job)
    attempts = count()

    def attempt() -> Outcome:
        if next(attempts) and (objection := _look_again(job, run)):
            return objection
        return _concluded(image, job, _delete(image, job, run), run)

    return run.cloud.persist(attempt)


def _look_again(job: Job, run: Run) -> Outcome | None:
    """Judge anew before a DELETE is repeated: it may have been done, and the image may have changed meanwhile."""
    image = run.cloud.image(job.target.image_id)
    return _gone(job) if image is None else _refused(image, job, run)


def _delete(image: Image, job: Job, run: Run) -> Deletion:
    try:
        return run.cloud.delete(image.id, delete_backup=job.request.delete_backup)
    except BackupLeft as error:
        message = f"{error}; the image is {_state_of(image, run)}"
        raise BackupLeft(message) from error


def _state_of(image: Image, run: Run) -> str:
    try:
        return "gone" if run.cloud.image(image.id) is None else "still there"
    except CloudError:
        return "in an unknown state"


def _concluded(image: Image, job: Job, deletion: Deletion, run: Run) -> Outcome:
    """Turn the cloud's answer to the DELETE into an outcome."""
    if deletion.meaning is Meaning.GONE:
        return _outcome(image, "already_gone", detail=deletion.detail)
    if reason := REFUSALS.get(deletion.meaning):
        return _outcome(image, "refused", reason, deletion.detail)
    if deletion.meaning is Meaning.UNCONFIRMED:
        run.cloud.confirm_gone(image.id)
    left = image.has_backup and not job.request.delete_backup
    outcome = _outcome(image, "deleted", detail="its backup is left" if left else "")
    return replace(outcome, latency=deletion.latency, backup_left=left)


def _outcome(image: Image, name: OutcomeName, reason: str = "", detail: str = "") -> Outcome:
    return Outcome(image.id, name, reason, detail, name=image.name, size=image.size, image=image)


def _gone(job: Job) -> Outcome:
    return Outcome(job.target.image_id, "already_gone", detail="the cloud knows no such image")


def _failed(job: Job, error: CloudError, image: Image | None = None) -> Outcome:
    return Outcome(
        job.target.image_id,
        "failed",
        error.reason,
        str(error),
        name=image.name if image else None,
        size=image.size if image else None,
        backup_left=isinstance(error, BackupLeft),
        image=image,
    )
