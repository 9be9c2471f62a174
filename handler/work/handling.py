"""One image: read and judged, then deleted, marked or left alone. Where a sweep grants grace, it is marked first."""

from dataclasses import replace

from handler.errors import BackupLeft, CloudError
from handler.model.image import Image
from handler.model.outcome import Objection, Outcome
from handler.model.request import Job, SweepRequest
from handler.rules import mark_state
from handler.rules.mark_state import CHANGING, Mark, MarkState
from handler.rules.marking import last_day, to_release
from handler.work import grace
from handler.work.deletion import deleted
from handler.work.judgement import Judgement, gone, judged, outcome, read_for, refused
from handler.work.run import Run


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
        retry_after=error.retry_after,
        image=image.without_record() if image else None,
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
    # An image that now belongs to another project is not ours to change, nor any once the sweep has expired.
    if mark is None or job.sweep is None or refusal.reason in {"not_owner", "expired"}:
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
        run.check_change(image.id, deletes=False)
        found = grace.mark(image, mark, sweep, run) if sweep.grace else mark
        if found is None:
            return gone(job)
        if found.veto:
            return refused(image, Objection("kept", found.veto))
        marked = outcome(image, "marked", detail=f"will be deleted after {found.last_day}" if found.last_day else "")
        return replace(marked, promised=found.last_day) if mark.state in CHANGING else marked
    if mark.state not in CHANGING:
        return outcome(image, "marked", detail=f"will be deleted after {mark.last_day}")
    is_marked = mark.state is MarkState.UNANNOUNCED
    promised = mark.last_day if is_marked else last_day(sweep, run.now)
    detail = f"would be {'deactivated' if is_marked else 'marked'}, and deleted after {promised}"
    # What waits is no part of the plan: a plan knows no grace, and would delete the image at once.
    return replace(outcome(image, "would_delete", detail=detail), waits=True, promised=promised)


def _reaped(judgement: Judgement, job: Job, run: Run) -> Outcome:
    """Delete an image that passed every rule, or rehearse that. `deletion` says why the steps have this order."""
    if not run.rehearses(job):
        run.check_change(judgement.image.id)
    run.deadline.check()
    # A rehearsal counts for the limit of the invocation, so that it shows what would be over it; it spends no budget,
    # since that would keep others from deleting.
    run.progress.take_deletion()
    if run.rehearses(job):
        return outcome(judgement.image, "would_delete")
    run.spend(judgement.image.id)
    return deleted(judgement, job, run)
