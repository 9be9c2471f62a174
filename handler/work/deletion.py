"""The deletion of one image: the DELETEs, what permits each, and what their answers prove.

The order of the steps before a DELETE is the safety of this project:

1. Everything that a judgement rests on is asked first: which images are used, who shares this one, and whether an
   operator has stopped all deletions. Then the image is read: its record is newer than all that it is judged with.
2. The rules judge it.
3. The limits of the invocation and of its event, and the budget of all invocations, count the deletion. They are asked
   last of all that can say no, so that nothing is counted that a rule keeps; and before the DELETE, so that none is
   sent uncounted.
4. If the service is throttled, the slot of the DELETE is waited for. Then the whole record is written to the journal:
   once the DELETE is sent, the log is all that is left of the image.
5. The connection is made, if there is none. Then the fence asks: does the run go on, and is the judgement young enough?
   Nothing comes between this question and the DELETE.

A judgement is good for one DELETE, for a second after the image was read, and for 4.5 seconds after the stop flag was
asked for. When more time has passed, whatever took it, and when no answer says how the DELETE ended, or its token was
refused, the image is read and judged anew.
"""

from collections.abc import Mapping
from dataclasses import replace

from handler.clock import Backoff
from handler.cloud.calls import Reply
from handler.cloud.meanings import Meaning
from handler.errors import AnswerLost, BackupLeft, CloudError, CredentialsRefused, Outdated, Throttled, Unavailable
from handler.model.image import Image
from handler.model.outcome import Outcome
from handler.model.request import Job
from handler.work.judgement import Judgement, judged_again, outcome
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
"""How often one image is judged too early for its DELETE at most: once, and five times anew."""

SPARE = 0.2
"""Seconds of a judgement that are left for its DELETE when its slot comes: for the journal, and a new connection."""


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
        # By now there is a new token, which may be accepted. If it is refused as well, that is for good.
        if isinstance(error, CredentialsRefused) and not self._was_refused:
            self._was_refused = True
            return
        self.is_lost = self.is_lost or isinstance(error, AnswerLost)
        self._backoff.wait(error)

    def count_late(self, judgement: Judgement) -> None:
        """Count a judgement that was too late for its DELETE; raises Throttled or Unavailable at one too many."""
        if self._judgements >= MOST_JUDGEMENTS:
            kind = Throttled if self._run.cloud.was_throttled_since(self._began_at) else Unavailable
            known = f"what was known of {judgement.expiry.of}"
            message = f"judged {self._judgements} times, and each time its DELETE was too late for {known}"
            raise kind(message)
        self._judgements += 1


def deleted(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Send DELETEs until the cloud says how one ended; before each further one, the image is judged anew."""
    tries = _Tries(run)
    while True:
        if result := _tried(judgement, job, run, tries):
            return result
        again = judged_again(job, run)
        # What was counted stays counted if the image is refused now: one deletion too few is safe.
        if isinstance(again, Outcome):
            return _after_all(again, judgement.image, job) if tries.is_lost else again
        judgement = again


def _tried(judgement: Judgement, job: Job, run: Run, tries: _Tries) -> Outcome | None:
    """Send one DELETE; None if the image must be judged anew before another one."""
    run.cloud.wait_to_delete(judgement.expiry.at - SPARE)
    # The budget may have taken its time.
    if run.deadline.now() > judgement.expiry.at:
        tries.count_late(judgement)
        return None
    # As late as can be, so that the journal names few images that were spared. If the line can't be written, no DELETE
    # is sent.
    if judgement.image != tries.journaled:
        run.deadline.check()
        run.journal(judgement.image, job)
        tries.journaled = judgement.image
    try:
        reply = _send(judgement, job, run)
    except Outdated:  # nothing was sent
        tries.count_late(judgement)
        return None
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
