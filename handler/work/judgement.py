"""The judgement of one image: what was found out about it, and whether it may be deleted on the strength of that."""

from typing import NamedTuple

from handler.model.image import Image
from handler.model.outcome import Objection, Outcome, OutcomeName
from handler.model.request import Job
from handler.rules import mark_state
from handler.rules.mark_state import Mark, MarkState, state_of
from handler.rules.safety import RULES_OF_RECORD, Facts, judge
from handler.work.run import Run

FRESH_FOR = 1.0
"""Seconds after which a judgement is too old to delete an image on its strength."""


class Judgement(NamedTuple):
    """What was decided about an image.

    `objection` says why it stays, None if nothing speaks against its deletion; `mark` what its marks say to its sweep,
    None if no sweep has chosen it. `made_at` is the moment at which the judgement was complete. It is good for one
    DELETE.
    """

    image: Image
    mark: Mark | None
    objection: Objection | None
    made_at: float

    @property
    def is_due(self) -> bool:
        """Whether the image has no grace to wait for, or has waited for it."""
        return self.mark is None or self.mark.state is MarkState.DUE

    @property
    def permits_deletion(self) -> bool:
        """Whether nothing speaks against the deletion."""
        return self.objection is None and self.is_due

    def is_fresh(self, now: float) -> bool:
        """Whether the judgement is still young enough to delete the image on its strength."""
        return now - self.made_at <= FRESH_FOR


def current_image(job: Job, run: Run, since: float | None = None) -> Image | None:
    """Read an image for its judgement; None if it is gone.

    Which images are used is asked first, and asked again unless the answer is from after the moment `since`.
    """
    # In this order, since the record must be newer than every list that it is judged with: while the list of servers is
    # tried again and again, the image may be renamed, kept or shelved.
    if run.in_use:
        run.in_use.ask(since)
    return run.cloud.image(job.target.image_id)


def judged(image: Image, job: Job, run: Run) -> Judgement | None:
    """Judge an image; None if it turns out to be gone. Raises CloudError if something can't be found out."""
    return _judged(image, _mark_of(image, job, run), job, run)


def _mark_of(image: Image, job: Job, run: Run) -> Mark | None:
    return state_of(image, job.sweep, run.now) if job.sweep else None


def _judged(image: Image, mark: Mark | None, job: Job, run: Run) -> Judgement | None:
    objection = _objection_of_sweep(image, mark, job, run)
    facts = Facts(
        project_id=run.cloud.project_id,
        now=run.now,
        expect=job.target.expect,
        not_after=job.request.not_after,
        objection=objection,
    )
    # What the record decides needs no further question: most images that stay cost one request.
    verdict = judge(image, facts, run.policy, RULES_OF_RECORD)
    if verdict is None:
        gathered = _gathered(image, facts, run)
        if gathered is None:
            return None
        verdict = judge(image, gathered, run.policy)
    return Judgement(image=image, mark=mark, objection=verdict, made_at=run.deadline.now())


def judged_again(job: Job, run: Run, since: float) -> Judgement | Outcome:
    """Judge an image anew, before a DELETE that is late or repeated; an outcome if it may not be deleted any more.

    It may be gone by the DELETE that had no answer, and anything about it may have changed since.
    """
    image = current_image(job, run, since)
    if image is None:
        return gone(job)
    mark = _mark_of(image, job, run)
    if mark and mark.state is not MarkState.DUE:
        return outcome(image, "refused", "changed", "its mark was taken off, or its day was put off")
    judgement = _judged(image, mark, job, run)
    if judgement is None:
        return gone(job)
    return refused(image, judgement.objection) if judgement.objection else judgement


def outcome(image: Image, name: OutcomeName, reason: str = "", detail: str = "") -> Outcome:
    """The outcome of an image that was read."""
    return Outcome(image.id, name, reason, detail, name=image.name, size=image.size, image=image)


def refused(image: Image, objection: Objection) -> Outcome:
    """The outcome of an image that stays."""
    return outcome(image, "refused", objection.reason, objection.detail)


def gone(job: Job) -> Outcome:
    """The outcome of an image that does not exist."""
    return Outcome(job.target.image_id, "already_gone", detail="the cloud knows no such image")


def _objection_of_sweep(image: Image, mark: Mark | None, job: Job, run: Run) -> Objection | None:
    """Why the sweep that chose the image leaves it alone after all."""
    if job.deselected:
        return Objection("changed", "no longer selected")
    return mark_state.objection_of_sweep(image, mark, job.sweep, run.now) if mark and job.sweep else None


def _gathered(image: Image, facts: Facts, run: Run) -> Facts | None:
    """Ask the cloud for the facts that the record does not hold; None if the image is gone by now."""
    # The members of most images can't matter, and asking for them would be one more request for each.
    matters = image.may_be_shared and not run.policy.allow_shared
    accepted_by = run.cloud.accepted_members(image.id) if matters else ()
    if accepted_by is None:
        return None
    return facts._replace(accepted_by=accepted_by, used_by=run.in_use.of(image) if run.in_use else ())
