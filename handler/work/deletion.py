"""One image: read and judged, then deleted, marked or left alone. Where a sweep grants grace, it is marked first.

The order of the steps before a DELETE is the safety of this project:

1. Everything that a judgement rests on is asked first: which images are used, and who shares this one. Then the image
   is read: its record is newer than all that it is judged with.
2. The rules judge it.
3. The limit of the invocation and the budget of all invocations count the deletion. They are asked last of all that can
   say no, so that nothing is counted that a rule keeps; and before the DELETE, so that none is sent uncounted.
4. The whole record is written to the journal: once the DELETE is sent, the log is all that is left of the image.
5. The connection is made, if there is none. Then the fence asks: does the run go on, and is the judgement young enough?
   Nothing comes between this question and the DELETE.

A judgement is good for one DELETE, and for a second after the image was read. When more time has passed, whatever took
it, and when no answer says how the DELETE ended, or its token was refused, the image is read and judged anew.
"""

from collections.abc import Mapping
from dataclasses import replace

from handler.clock import Backoff
from handler.cloud.calls import Reply
from handler.cloud.meanings import Meaning
from handler.errors import AnswerLost, BackupLeft, CloudError, CredentialsRefused, Outdated, Throttled, Unavailable
from handler.model.image import Image
from handler.model.outcome import Objection, Outcome
from handler.model.request import Job, SweepRequest
from handler.rules.mark_state import CHANGING, Mark, MarkState
from handler.rules.marks import release
from handler.work import grace
from handler.work.judgement import Judgement, gone, judged, judged_again, outcome, read_for, refused
from handler.work.run import Run

REFUSALS: Mapping[Meaning, str] = {
    Meaning.PROTECTED: "protected",
    Meaning.IN_USE: "in_use",
    Meaning.PUBLIC: "public",
    Meaning.NOT_OWNER: "not_owner",
    Meaning.NOT_READY: "not_ready",
}
"""The meanings with which the cloud refuses a deletion, and the reason that each becomes."""
MOST_JUDGEMENTS = 6
"""How often one image is judged at most: once, and five times anew."""


def outcome_of(job: Job, run: Run) -> Outcome:
    """Deal with one image. A CloudError becomes an outcome, and ends the run if every other image would meet it too."""
    reading = None
    try:
        reading = read_for(job, run)
        judgement = judged(reading, job, run) if reading else None
        result = gone(job) if judgement is None else _dealt_with(judgement, job, run)
    except CloudError as error:
        run.note(error)
        return failed(job.target.image_id, error, reading.image if reading else None)
    # A success is noted as well: it ends a row of images without an answer.
    run.note(None)
    return result


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


def _dealt_with(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Delete an image, mark it, or say why neither."""
    if judgement.objection:
        return _released(judgement, judgement.objection, job, run)
    if judgement.mark and job.sweep and not judgement.is_due:
        return _marked(judgement.image, judgement.mark, job.sweep, job, run)
    return _reaped(judgement, job, run)


def _released(judgement: Judgement, objection: Objection, job: Job, run: Run) -> Outcome:
    """Refuse an image, and take our marks off it, if its sweep may do that."""
    image, mark, refusal = judgement.image, judgement.mark, refused(judgement.image, objection)
    steps = release(image, mark.tags, job.sweep) if mark and job.sweep and mark.removable else []
    # An image that now belongs to another project is not ours to change.
    if refusal.reason == "not_owner" or not steps:
        return refusal
    if run.rehearses(job):
        return replace(refusal, detail=f"{refusal.detail}; it would no longer wait for its deletion")
    run.deadline.check()
    grace.take(steps, image, run.cloud.changes)
    return replace(refusal, detail=f"{refusal.detail}; it no longer waits for its deletion")


def _marked(image: Image, mark: Mark, sweep: SweepRequest, job: Job, run: Run) -> Outcome:
    """Mark an image that is not due yet, or rehearse that."""
    if not run.rehearses(job):
        run.deadline.check()
        last_day = grace.mark(image, mark, sweep, run.now, run.cloud.changes)
        return outcome(image, "marked", detail=f"will be deleted after {last_day}")
    if mark.state not in CHANGING:
        return outcome(image, "marked", detail=f"will be deleted after {mark.last_day}")
    if mark.state is MarkState.UNANNOUNCED:
        detail = f"would be deactivated, and deleted after {mark.last_day}"
    else:
        detail = f"would be marked, and deleted after {grace.last_day(sweep, run.now)}"
    # Without its image, an outcome is no part of the plan: a plan knows no grace, and would delete the image at once.
    return replace(outcome(image, "would_delete", detail=detail), image=None, waits=True)


def _reaped(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Delete an image that passed every rule, or rehearse that. The module says why the steps have this order."""
    run.deadline.check()
    # A rehearsal counts for the limit of the invocation, so that it shows what would be over it; it spends no budget,
    # since that would keep others from deleting.
    run.progress.take_deletion()
    if run.rehearses(job):
        return outcome(judgement.image, "would_delete")
    run.spend()
    return _deleted(judgement, job, run)


class _Tries:
    """What has come of the DELETEs of one image so far.

    One `is_lost` if it had no answer, and so may have been carried out. `journaled` is the image as it stands in the
    journal.
    """

    def __init__(self, run: Run) -> None:
        self.is_lost = False
        self.journaled: Image | None = None
        self._run = run
        self._began_at = run.deadline.now()
        self._backoff = Backoff(run.deadline)
        self._was_refused = False
        self._judgements = 1

    def failed(self, error: CloudError) -> None:
        """Wait before the next DELETE; raises the error if no further one can help."""
        if isinstance(error, Outdated):  # nothing was sent
            return
        # By now there is a new token, which may be accepted. If it is refused as well, that is for good.
        if isinstance(error, CredentialsRefused) and not self._was_refused:
            self._was_refused = True
            return
        self.is_lost = self.is_lost or isinstance(error, AnswerLost)
        self._backoff.wait(error)

    def count_judgement(self) -> None:
        """Count a new judgement before it is made; raises Throttled or Unavailable if there were enough."""
        if self._judgements >= MOST_JUDGEMENTS:
            kind = Throttled if self._run.cloud.was_throttled_since(self._began_at) else Unavailable
            message = f"read {self._judgements} times, and each time too long before the DELETE could be sent"
            raise kind(message)
        self._judgements += 1


def _deleted(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Send DELETEs until the cloud says how one ended; before each further one, the image is judged anew."""
    tries = _Tries(run)
    while True:
        if result := _tried(judgement, job, run, tries):
            return result
        tries.count_judgement()
        again = judged_again(job, run)
        # What was counted stays counted if the image is refused now: one deletion too few is safe.
        if isinstance(again, Outcome):
            return _after_all(again, judgement.image, job) if tries.is_lost else again
        judgement = again


def _tried(judgement: Judgement, job: Job, run: Run, tries: _Tries) -> Outcome | None:
    """Send one DELETE; None if the image must be judged anew before another one."""
    # The budget may have taken its time.
    if run.deadline.now() > judgement.good_until:
        return None
    # As late as can be, so that the journal names few images that were spared. If the line can't be written, no DELETE
    # is sent.
    if judgement.image != tries.journaled:
        run.deadline.check()
        run.journal(judgement.image, job)
        tries.journaled = judgement.image
    try:
        reply = _send(judgement, job, run)
    except CloudError as error:
        tries.failed(error)
        return None
    return _concluded(judgement.image, job, reply, run, is_lost=tries.is_lost)


def _send(judgement: Judgement, job: Job, run: Run) -> Reply:
    """Send one DELETE. No other place does, and only a judgement that permits it opens this one."""
    image = judgement.image
    if not judgement.permits_deletion:
        message = "no judgement permits this deletion"
        raise RuntimeError(message)
    permit = judgement.permit(run.deadline.now)
    try:
        return run.cloud.delete(image.id, permit, delete_backup=job.request.delete_backup)
    # Only a GET can say whether the image went without its backup: the operator has to look after what is left.
    except BackupLeft as error:
        message = f"{error}; the image is {_whereabouts(image, run)}"
        raise BackupLeft(message) from error


def _whereabouts(image: Image, run: Run) -> str:
    try:
        return "gone" if run.cloud.image(image.id) is None else "still there"
    except CloudError:
        return "in an unknown state"


def _concluded(image: Image, job: Job, reply: Reply, run: Run, *, is_lost: bool) -> Outcome:
    """Turn the cloud's answer to the DELETE into an outcome."""
    if reason := REFUSALS.get(reply.meaning):
        return outcome(image, "refused", reason, reply.detail)
    if reply.meaning in {Meaning.UNCONFIRMED, Meaning.GONE}:
        # "Not found" may be said of something else than the image, and "accepted" is no deletion yet.
        run.cloud.confirm_gone(image.id, reply.detail)
    if reply.meaning is not Meaning.GONE:
        return replace(_gone_by_us(image, job), latency=reply.latency)
    # By others, unless an earlier DELETE of ours has had no answer.
    gone_already = outcome(image, "already_gone", detail=reply.detail)
    return _after_all(gone_already, image, job) if is_lost else gone_already


def _after_all(result: Outcome, image: Image, job: Job) -> Outcome:
    """What became of an image after a DELETE of ours without an answer: if it is gone, we have deleted it."""
    if result.outcome != "already_gone":
        return result
    deleted = _gone_by_us(image, job)
    return replace(deleted, detail="; ".join(filter(None, ["the answer to its DELETE was lost", deleted.detail])))


def _gone_by_us(image: Image, job: Job) -> Outcome:
    left = image.left_behind(without_backup=not job.request.delete_backup)
    return replace(outcome(image, "deleted", detail=left), backup_left=bool(left))
