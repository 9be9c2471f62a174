"""The judgement of one image: what was found out about it, and whether it may be deleted on the strength of that."""

import math
from typing import NamedTuple

from handler.model.image import Image
from handler.model.outcome import Objection, Outcome, OutcomeName
from handler.model.request import Job
from handler.rules import mark_state
from handler.rules.mark_state import Mark, MarkState, state_of
from handler.rules.safety import RULES_OF_RECORD, Facts, judge
from handler.work.in_use import Uses
from handler.work.run import Run

FRESH_FOR = 1.0
"""Seconds after which a judgement is too old to delete an image on its strength."""


class Judgement(NamedTuple):
    """What was decided about an image.

    `objection` says why it stays, None if nothing speaks against its deletion; `mark` what its marks say to its sweep,
    None if no sweep has chosen it. `made_at` is the moment at which the judgement was complete, `good_until` the one
    from which on what is known of uses is too old. It is good for one DELETE.
    """

    image: Image
    mark: Mark | None
    objection: Objection | None
    made_at: float
    good_until: float

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
        return now - self.made_at <= FRESH_FOR and now <= self.good_until


class Seen(NamedTuple):
    """An image as it was read, and the uses of images that were known before; None if nobody asks for them."""

    image: Image
    uses: Uses | None


def current_image(job: Job, run: Run) -> Seen | None:
    """Find out which images are used, then read an image for its judgement; None if it is gone."""
    # In this order, since the record must be newer than every list that it is judged with: while the list of servers is
    # tried again and again, the image may be renamed, kept or shelved.
    uses = run.in_use.ask() if run.in_use else None
    image = run.cloud.image(job.target.image_id)
    return Seen(image, uses) if image else None


def judged(seen: Seen, job: Job, run: Run) -> Judgement | None:
    """Judge an image; None if it turns out to be gone. Raises CloudError if something can't be found out."""
    return _judged(seen, _mark_of(seen.image, job, run), job, run)


def _mark_of(image: Image, job: Job, run: Run) -> Mark | None:
    return state_of(image, job.sweep, run.now) if job.sweep else None


def _judged(seen: Seen, mark: Mark | None, job: Job, run: Run) -> Judgement | None:
    image, uses = seen
    objection = _objection_of_sweep(image, mark, job, run)
    facts = Facts(project_id=run.cloud.project_id, now=run.now, expect=job.target.expect, objection=objection)
    # What the record decides needs no further question: most images that stay cost one request.
    verdict = judge(image, facts, run.policy, RULES_OF_RECORD)
    if verdict is None:
        gathered = _gathered(seen, facts, run)
        if gathered is None:
            return None
        verdict = judge(image, gathered, run.policy)
    good_until = uses.good_until if uses else math.inf
    return Judgement(image=image, mark=mark, objection=verdict, made_at=run.deadline.now(), good_until=good_until)


def judged_again(job: Job, run: Run) -> Judgement | Outcome:
    """Judge an image anew, before a DELETE that is late or repeated; an outcome if it may not be deleted any more.

    It may be gone by the DELETE that had no answer, and anything about it may have changed since.
    """
    seen = current_image(job, run)
    if seen is None:
        return gone(job)
    image = seen.image
    mark = _mark_of(image, job, run)
    if mark and mark.state is not MarkState.DUE:
        return outcome(image, "refused", "changed", "its mark was taken off, or its day was put off")
    judgement = _judged(seen, mark, job, run)
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


def _gathered(seen: Seen, facts: Facts, run: Run) -> Facts | None:
    """Ask the cloud for the facts that the record does not hold; None if the image is gone by now."""
    image, uses = seen
    # The members of most images can't matter, and asking for them would be one more request for each.
    matters = image.may_be_shared and not run.policy.allow_shared
    shared_with = run.cloud.members(image.id) if matters else ()
    if shared_with is None:
        return None
    return facts._replace(shared_with=shared_with, used_by=uses.of(image) if uses else ())
