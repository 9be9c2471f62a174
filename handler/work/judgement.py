"""The judgement of one image: what was found out about it, and whether it may be deleted on the strength of that."""

import math
from collections.abc import Callable
from typing import NamedTuple

from handler.errors import Outdated, Unexpected
from handler.model.image import Image
from handler.model.outcome import Objection, Outcome, OutcomeName
from handler.model.request import Job
from handler.rules import mark_state
from handler.rules.mark_state import Mark, MarkState, state_of
from handler.rules.safety import RULES_OF_RECORD, Facts, judge
from handler.work.run import Run
from handler.work.uses.in_use import Uses
from handler.work.uses.lists import LIFE, Expiry

GOOD_FOR = 1.0
"""Seconds after the answer to the GET in which an image may be deleted on the strength of what it said."""


class Reading(NamedTuple):
    """An image as it was read for its judgement, after everything else that the judgement rests on had been asked.

    `uses` says which images are used, None if nobody asks. `shared_with` are the projects that may use the image by
    invitation, None as long as they were not asked for. After the `expiry`, the image must not be deleted on the
    strength of all this.
    """

    image: Image
    uses: Uses | None
    shared_with: tuple[str, ...] | None
    expiry: Expiry


class Judgement(NamedTuple):
    """What was decided about an image.

    `objection` says why it stays, None if nothing speaks against its deletion; `mark` what its marks say to its sweep,
    None if no sweep has chosen it. It is good for one DELETE, before its `expiry`.
    """

    image: Image
    mark: Mark | None
    objection: Objection | None
    expiry: Expiry

    @property
    def is_due(self) -> bool:
        """Whether the image has no grace to wait for, or has waited for it."""
        return self.mark is None or self.mark.state is MarkState.DUE

    @property
    def permits_deletion(self) -> bool:
        """Whether nothing speaks against the deletion."""
        return self.objection is None and self.is_due

    def permit(self, now: Callable[[], float]) -> Callable[[], None]:
        """A function that returns once, and only while the judgement is young enough; else it raises Outdated."""
        unused = [True]

        def use() -> None:
            # A list, since one that is empty can't be emptied again: not even two threads could use a permit twice.
            if now() > self.expiry.at or not unused:
                message = "the image has to be read again before its DELETE"
                raise Outdated(message)
            unused.pop()

        return use


def read_for(job: Job, run: Run, shared_with: tuple[str, ...] | None = None) -> Reading | None:
    """Read an image for its judgement; None if it is gone."""
    uses: Uses | None = None
    goes_on_until = math.inf

    def ask() -> None:
        nonlocal uses, goes_on_until
        uses = run.in_use.ask() if run.in_use else None
        # After the lists, which may take their time.
        goes_on_until = math.inf if run.rehearses(job) else run.heed_stop()

    # In this order, since the record must be newer than every list that it is judged with: while the list of servers is
    # tried again and again, the image may be renamed, kept or shelved.
    image = run.cloud.image_to_judge(job.target.image_id, ask)
    if image is None:
        return None
    expiry = Expiry(run.deadline.now() + GOOD_FOR, f"the image ({GOOD_FOR:g} second)")
    expiry = min(expiry, Expiry(goes_on_until, "the stop flag"))
    if uses:
        expiry = min(expiry, uses.expiry)
    if end := job.request.not_after:
        moment = run.deadline.now() + (end - run.moment).total_seconds()
        expiry = min(expiry, Expiry(moment, f"its request (good until {end.isoformat()})"))
    return Reading(image=image, uses=uses, shared_with=shared_with, expiry=expiry)


def judged(reading: Reading, job: Job, run: Run) -> Judgement | None:
    """Judge an image; None if it turns out to be gone. Raises CloudError if something can't be found out."""
    image = reading.image
    mark = _mark_of(image, job, run)
    objection = _objection_of_sweep(image, mark, job, run)
    facts = Facts(
        project_id=run.cloud.project_id,
        now=run.now,
        expect=job.target.expect,
        not_after=job.request.not_after,
        moment=run.moment,
        objection=objection,
    )
    # What the record decides needs no further question: most images that stay cost one request.
    verdict = judge(image, facts, run.policy, RULES_OF_RECORD)
    if verdict is None:
        # The members of most images can't matter, and asking for them would be one more request for each.
        if reading.shared_with is None and image.may_be_shared and not run.policy.allow_shared:
            return _judged_with_members(job, run)
        used_by = reading.uses.of(image) if reading.uses else ()
        facts = facts._replace(shared_with=reading.shared_with or (), used_by=used_by)
        verdict = judge(image, facts, run.policy)
    return Judgement(image=image, mark=mark, objection=verdict, expiry=reading.expiry)


def _judged_with_members(job: Job, run: Run) -> Judgement | None:
    """Judge an image that may be shared: its members are asked for, and then it is read anew."""
    asked_at = run.deadline.now()
    members = run.cloud.members(job.target.image_id)
    # The answer may have taken its time, and the image may have been kept in the meantime.
    reading = read_for(job, run, members or ())
    if reading is None:
        return None
    # Only an image that is gone has none, and that was not asked for here.
    if members is None:
        message = "the cloud shows the image, but says of its members that there is no such image"
        raise Unexpected(message)
    # What was asked after them may have taken its time as well.
    expiry = min(reading.expiry, Expiry(asked_at + LIFE, f"its members ({LIFE:g} seconds)"))
    return judged(reading._replace(expiry=expiry), job, run)


def judged_again(job: Job, run: Run) -> Judgement | Outcome:
    """Judge an image anew, before a DELETE that is late or repeated; an outcome if it may not be deleted any more.

    It may be gone by the DELETE that had no answer, and anything about it may have changed.
    """
    reading = read_for(job, run)
    if reading is None:
        return gone(job)
    mark = _mark_of(reading.image, job, run)
    if mark and mark.state is not MarkState.DUE:
        put_off = Objection("changed", "its day was put off")
        return refused(reading.image, _objection_of_sweep(reading.image, mark, job, run) or put_off)
    judgement = judged(reading, job, run)
    if judgement is None:
        return gone(job)
    return refused(judgement.image, judgement.objection) if judgement.objection else judgement


def _mark_of(image: Image, job: Job, run: Run) -> Mark | None:
    return state_of(image, job.sweep, run.now) if job.sweep else None


def outcome(image: Image, name: OutcomeName, reason: str = "", detail: str = "") -> Outcome:
    """The outcome of an image that was read."""
    # Not with the whole record: it is in the journal by now, and the outcomes of thousands are kept to the end.
    kept = image.without_record()
    return Outcome(image.id, name, reason, detail, name=image.name, size=image.size, image=kept)


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
