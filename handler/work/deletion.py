"""One image: gather, judge, delete, verify; where a sweep grants it grace, mark it first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from handler.clock import Backoff, Deadline
from handler.cloud.calls import Cloud, Reply
from handler.cloud.meanings import Meaning
from handler.errors import BackupLeft, CloudError, OverLimit, Unanswered
from handler.model.image import Image
from handler.model.outcome import Objection, Outcome, OutcomeName
from handler.model.request import Job, SweepRequest
from handler.rules import marks
from handler.rules.safety import RULES_OF_RECORD, Facts, Policy, judge
from handler.work import grace
from handler.work.in_use import Usage

REFUSALS: Mapping[Meaning, str] = {
    Meaning.PROTECTED: "protected",
    Meaning.IN_USE: "in_use",
    Meaning.PUBLIC: "public",
    Meaning.NOT_OWNER: "not_owner",
    Meaning.NOT_READY: "not_ready",
}
"""What the cloud may say no with, and the reason that it becomes."""
LONG = 1.0
"""Seconds after which a judgement is too old to delete an image on its strength."""
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

    Without `armed` everything is a rehearsal, without `usage` nobody asks whether an image is used. `spend` takes one
    deletion out of the budget, or raises CloudError. `journal` returns when what is about to be deleted has been
    written down, `tell` is told each outcome as soon as it is known, `unforeseen` each error that is a fault of ours.
    `late` is set when work was still going on at the deadline.
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
    spend: Callable[[], None] = lambda: None
    late: bool = field(default=False, init=False)
    silences: int = field(default=0, init=False)


def outcome_of(job: Job, run: Run) -> Outcome:
    """Deal with one image; a CloudError becomes an outcome, and ends the run where every image would meet it."""
    image = None
    try:
        if run.usage:
            run.usage.ask()  # first: the record that is judged must be newer than the list
        image = run.cloud.image(job.target.image_id)
        outcome = _gone(job) if image is None else _dealt_with(image, job, run)
    except CloudError as error:
        heed(error, run)
        return failed(job.target.image_id, error, image)
    run.silences = 0
    return outcome


def heed(error: CloudError, run: Run) -> None:
    """End the run where the other images would meet the same error."""
    run.silences = run.silences + 1 if isinstance(error, Unanswered) else 0
    if error.ends_run or run.silences >= MOST_SILENCES:
        run.deadline.halt(error)


def _dealt_with(image: Image, job: Job, run: Run) -> Outcome:
    """Delete an image, mark it, or say why neither; what may not be deleted bears no mark of ours any longer."""
    if objection := _refused(image, job, run):
        if job.sweep and objection.outcome == "refused":
            return _released(image, objection, job.sweep, job, run)
        return objection
    if job.sweep and not marks.is_due(image, job.sweep, run.now):
        return _marked(image, job.sweep, job, run)
    return _reap(image, job, run)


def _refused(image: Image, job: Job, run: Run) -> Outcome | None:
    """The outcome of an image that must stay, or is gone meanwhile; None if nothing speaks against its deletion."""
    facts = Facts(run.cloud.project_id, run.now, job.target.expect, _objection(image, job, run))
    if refusal := judge(image, facts, run.policy, RULES_OF_RECORD):
        return _outcome(image, "refused", refusal.reason, refusal.detail)
    gathered = _gather(image, facts, run)
    if gathered is None:
        return _gone(job)
    if refusal := judge(image, gathered, run.policy):
        return _outcome(image, "refused", refusal.reason, refusal.detail)
    return None


def _objection(image: Image, job: Job, run: Run) -> Objection | None:
    """Why the sweep that chose the image lets it be after all."""
    if job.lapsed:
        return Objection("changed", "no longer selected")
    return marks.refusal(image, job.sweep, run.now) if job.sweep else None


def _gather(image: Image, facts: Facts, run: Run) -> Facts | None:
    """Find out what only the cloud knows; None if the image is gone meanwhile."""
    matters = image.may_be_shared and not run.policy.allow_shared
    accepted_by = run.cloud.accepted_members(image.id) if matters else ()
    if accepted_by is None:
        return None
    return facts._replace(accepted_by=accepted_by, used_by=run.usage.of(image) if run.usage else ())


def _rehearses(job: Job, run: Run) -> bool:
    return job.request.dry_run or not run.armed


def _released(image: Image, refusal: Outcome, sweep: SweepRequest, job: Job, run: Run) -> Outcome:
    """Set an image free that stays: nobody shall wait for its deletion."""
    steps = marks.release(image, sweep) if marks.has_lapsed(image, sweep, run.now) else []
    if refusal.reason == "not_owner" or not steps:
        return refusal
    if _rehearses(job, run):
        return replace(refusal, detail=f"{refusal.detail}; it would be set free")
    run.deadline.check()
    grace.take(steps, image, run.cloud.changes)
    return replace(refusal, detail=f"{refusal.detail}; it was set free")


def _marked(image: Image, sweep: SweepRequest, job: Job, run: Run) -> Outcome:
    """Mark an image that is not due yet, or rehearse that: then it is no part of a plan, which knows no grace."""
    last = marks.stays_until(image)
    if _rehearses(job, run) and marks.acts_on(image, sweep, run.now):
        if last is None or marks.is_to_be_taken_over(image, sweep, run.now):
            detail = f"would be marked, and deleted after {grace.last_day(sweep, run.now)}"
        else:
            detail = f"would be deactivated, and deleted after {last}"
        return replace(_outcome(image, "would_delete", detail=detail), image=None)
    if not _rehearses(job, run):
        run.deadline.check()
        last = grace.mark(image, sweep, run.now, run.cloud.changes)
    return _outcome(image, "marked", detail=f"will be deleted after {last}")


def _reap(image: Image, job: Job, run: Run) -> Outcome:
    """Delete an image that passed every rule, or rehearse that."""
    run.deadline.check()
    run.allowance.take()
    if _rehearses(job, run):
        return _outcome(image, "would_delete")
    judged = run.deadline.now()
    run.spend()
    if run.deadline.now() - judged > LONG and (objection := _look_again(job, run, judged)):
        return objection
    run.journal(image, job)
    return _sent(image, job, run)


def _sent(image: Image, job: Job, run: Run) -> Outcome:
    """Send the DELETE, and again where that may help: each is a new DELETE, for which the image is judged anew."""
    backoff = Backoff(run.deadline)
    while True:
        sent = run.deadline.now()
        try:
            reply = _delete(image, job, run)
        except CloudError as error:
            backoff.wait(error)
        else:
            return _concluded(image, job, reply, run)
        if objection := _look_again(job, run, sent):
            return objection


def _look_again(job: Job, run: Run, since: float) -> Outcome | None:
    """Judge anew before a late or repeated DELETE: it may have been done, and the image may have changed meanwhile."""
    if run.usage:
        run.usage.ask(since)
    image = run.cloud.image(job.target.image_id)
    if image is None:
        return _gone(job)
    if job.sweep and not marks.is_due(image, job.sweep, run.now):
        return _outcome(image, "refused", "changed", "its mark was taken off or put off")
    return _refused(image, job, run)


def _delete(image: Image, job: Job, run: Run) -> Reply:
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


def _concluded(image: Image, job: Job, reply: Reply, run: Run) -> Outcome:
    """Turn the cloud's answer to the DELETE into an outcome."""
    if reply.meaning is Meaning.GONE:
        return _outcome(image, "already_gone", detail=reply.detail)
    if reason := REFUSALS.get(reply.meaning):
        return _outcome(image, "refused", reason, reply.detail)
    if reply.meaning is Meaning.UNCONFIRMED:
        run.cloud.confirm_gone(image.id)
    left = image.has_backup and not job.request.delete_backup
    outcome = _outcome(image, "deleted", detail="its backup is left" if left else "")
    return replace(outcome, latency=reply.latency, backup_left=left)


def _outcome(image: Image, name: OutcomeName, reason: str = "", detail: str = "") -> Outcome:
    return Outcome(image.id, name, reason, detail, name=image.name, size=image.size, image=image)


def _gone(job: Job) -> Outcome:
    return Outcome(job.target.image_id, "already_gone", detail="the cloud knows no such image")


def failed(image_id: str, error: CloudError, image: Image | None = None) -> Outcome:
    """The outcome of an image that could not be dealt with."""
    return Outcome(
        image_id,
        "failed",
        error.reason,
        str(error),
        name=image.name if image else None,
        size=image.size if image else None,
        backup_left=isinstance(error, BackupLeft),
        image=image,
    )
