"""One image: read and judged, then deleted, marked or left alone. Where a sweep grants grace, it is marked first.

The order of the steps before a DELETE is the safety of this project:

1. First the cloud is asked which images are used, then the image is read: its record is newer than the lists that it is
   judged with, unless these turn a minute old in between and are asked for again.
2. The rules judge it.
3. The limit of the invocation and the budget of all invocations count the deletion. They are asked last of all that can
   say no, so that nothing is counted that a rule keeps; and before the DELETE, so that none is sent uncounted.
4. The budget may have taken its time. If the judgement is old by then, the image is judged anew.
5. The whole record is written to the journal: once the DELETE is sent, the log is all that is left of the image.
6. The DELETE is sent. If no answer says how it ended, it may have been carried out, or may yet be. So it is not simply
   sent again: first the image is read and judged anew. Only a DELETE that was refused for its token, and so was not
   carried out, is sent again with a new one as it is.
"""

from collections.abc import Mapping
from dataclasses import replace

from handler.clock import Backoff
from handler.cloud.calls import Reply
from handler.cloud.meanings import Meaning
from handler.errors import BackupLeft, CloudError
from handler.model.image import Image
from handler.model.outcome import Objection, Outcome
from handler.model.request import Job, SweepRequest
from handler.rules import mark_state
from handler.rules.mark_state import CHANGING, Mark, MarkState
from handler.rules.marking import last_day, to_release
from handler.work import grace
from handler.work.judgement import Judgement, current_image, gone, judged, judged_again, outcome, refused
from handler.work.run import Run

REFUSALS: Mapping[Meaning, str] = {
    Meaning.PROTECTED: "protected",
    Meaning.IN_USE: "in_use",
    Meaning.PUBLIC: "public",
    Meaning.NOT_OWNER: "not_owner",
    Meaning.NOT_READY: "not_ready",
}
"""The meanings with which the cloud refuses a deletion, and the reason that each becomes."""


def outcome_of(job: Job, run: Run) -> Outcome:
    """Deal with one image. A CloudError becomes an outcome, and ends the run if every other image would meet it too."""
    image = None
    try:
        image = current_image(job, run)
        judgement = judged(image, job, run) if image else None
        result = gone(job) if judgement is None else _dealt_with(judgement, job, run)
    except CloudError as error:
        run.note(error)
        return failed(job.target.image_id, error, image)
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
    # An image that now belongs to another project is not ours to change.
    if mark is None or job.sweep is None or refusal.reason == "not_owner":
        return refusal
    may_release = mark.removable if job.deselected else mark_state.may_release(image, mark, job.sweep, run.now)
    if not may_release or not to_release(image, mark, job.sweep, run.now).steps:
        return refusal
    if run.rehearses(job):
        return replace(refusal, detail=f"{refusal.detail}; it would no longer wait for its deletion")
    run.deadline.check()
    grace.release(image, mark, job.sweep, run)
    return replace(refusal, detail=f"{refusal.detail}; it no longer waits for its deletion")


def _marked(image: Image, mark: Mark, sweep: SweepRequest, job: Job, run: Run) -> Outcome:
    """Mark an image that is not due yet, or rehearse that."""
    if not run.rehearses(job):
        run.deadline.check()
        day = grace.mark(image, mark, sweep, run) if sweep.grace else mark.last_day
        return outcome(image, "marked", detail=f"will be deleted after {day}" if day else "")
    if mark.state not in CHANGING:
        return outcome(image, "marked", detail=f"will be deleted after {mark.last_day}")
    if mark.state is MarkState.UNANNOUNCED:
        detail = f"would be deactivated, and deleted after {mark.last_day}"
    else:
        detail = f"would be marked, and deleted after {last_day(sweep, run.now)}"
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
    # The budget is in a table, and may have taken seconds to answer: the image may have been renamed, kept or put to
    # use since. What was counted stays counted if it is refused now: one deletion too few is safe.
    if not judgement.is_fresh(run.deadline.now()):
        again = judged_again(job, run, since=judgement.made_at)
        if isinstance(again, Outcome):
            return again
        judgement = again
    # As late as can be, so that the journal names few images that were spared: the budget may have used up the time of
    # the run. If the line can't be written, this raises, and no DELETE is sent.
    run.deadline.check()
    run.journal(judgement.image, job)
    return _deleted(judgement, job, run)


def _deleted(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Send DELETEs until the cloud says how one ended; before each further one, the image is judged anew."""
    image, backoff = judgement.image, Backoff(run.deadline)
    while True:
        # Taken before it is sent: it may be carried out at any moment from then on.
        sent_at = run.deadline.now()
        try:
            reply = _send(judgement, job, run)
        except CloudError as error:
            backoff.wait(error)
        else:
            return _concluded(image, job, reply, run)
        again = judged_again(job, run, since=sent_at)
        if isinstance(again, Outcome):
            return again
        judgement = again


def _send(judgement: Judgement, job: Job, run: Run) -> Reply:
    """Send one DELETE. No other place does, and only a judgement that permits it opens this one."""
    image = judgement.image
    if not judgement.permits_deletion:
        message = "no judgement permits this deletion"
        raise RuntimeError(message)
    try:
        return run.cloud.delete(image.id, delete_backup=job.request.delete_backup)
    # Only a GET can say whether the image went without its backup: the operator has to look after what is left.
    except BackupLeft as error:
        message = f"{error}; the image is {_whereabouts(image, run)}"
        raise BackupLeft(message) from error


def _whereabouts(image: Image, run: Run) -> str:
    try:
        return "gone" if run.cloud.image(image.id) is None else "still there"
    except CloudError:
        return "in an unknown state"


def _concluded(image: Image, job: Job, reply: Reply, run: Run) -> Outcome:
    """Turn the cloud's answer to the DELETE into an outcome."""
    # By others, or by an earlier DELETE of ours whose answer was lost: nobody can tell, and so we do not claim it.
    if reply.meaning is Meaning.GONE:
        return outcome(image, "already_gone", detail=reply.detail)
    if reason := REFUSALS.get(reply.meaning):
        return outcome(image, "refused", reason, reply.detail)
    if reply.meaning is Meaning.UNCONFIRMED:
        run.cloud.confirm_gone(image.id)
    left = image.has_backup and not job.request.delete_backup
    deleted = outcome(image, "deleted", detail="its backup is left" if left else "")
    return replace(deleted, latency=reply.latency, backup_left=left)
