"""How a mark is set and taken off: the next steps, planned from what an image's tags say. Pure.

A plan is made from an image that was just read. Its steps are safe to end after each of them, whoever else acts in
between; where what comes next depends on that, the plan ends, and the image is read again:

    to mark       a draft, read again: nobody else? then the mark, its signature, and the draft off
    to take off   a draft, read again: nobody else? then a recall, and the signature off, read again: is the mark still
                  there? then the recall, the mark and the draft off

If a run dies, the next one of the same policy takes up what it has left. A signature is set after its mark, and taken
off before it. So one that stands alone is a veto, and never of our making.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from handler.model.image import Image
from handler.model.request import SweepRequest
from handler.rules.claims import Claim, claim_of
from handler.rules.mark_state import Mark, MarkState
from handler.rules.marks import (
    DEACTIVATED,
    DEACTIVATING,
    MarkTags,
    PolicyTag,
    Step,
    draft_for,
    fingerprint,
    mark_for,
    recall_for,
    signature_for,
)


class Plan(NamedTuple):
    """The next steps. If the plan `goes_on`, the image is read again after them, and planned for anew.

    A plan that `begins` sets the first draft of this sweep: the image was read before it.
    """

    steps: tuple[Step, ...] = ()
    goes_on: bool = False
    begins: bool = False


def last_day(sweep: SweepRequest, now: datetime) -> date:
    """The last day on which an image stays if it is marked now."""
    return (now + sweep.grace).date()


def to_mark(image: Image, mark: Mark, sweep: SweepRequest, now: datetime, before: Plan | None = None) -> Plan:
    """Plan how a selected image comes to bear the mark of this sweep, signed, and is deactivated if the sweep says so.

    `before` is the plan that the image was read after, if there was one.
    """
    name, today, day = fingerprint(sweep), now.date(), last_day(sweep, now)
    own = claim_of(mark, name, today)
    if mark.state is MarkState.UNMARKED:
        return _plan([Step("tag", draft_for(name, day, today))], goes_on=True, begins=True)
    # As when an image stays, so that no veto is lost that is given meanwhile; after that, it is marked anew.
    if mark.state is MarkState.FORGOTTEN:
        return to_release(image, mark, sweep, now, before)._replace(goes_on=True)
    if mark.state is MarkState.VETOED and mark.removable:
        return to_release(image, mark, sweep, now, before)
    if mark.state is MarkState.BEGUN:
        waits = _waits(own, today, before)
        return waits or _begun(image, mark.tags, own, sweep, now, is_new=bool(before and before.begins))
    is_waiting = mark.state in {MarkState.UNANNOUNCED, MarkState.WAITING}
    if is_waiting and own.signatures and _switch_off(image, mark.tags, sweep) and not own.held_by_others:
        return _drafted(own, today)
    return Plan()


def to_release(image: Image, mark: Mark, sweep: SweepRequest, now: datetime, before: Plan | None = None) -> Plan:
    """Plan how an image that stays comes to bear nothing of this sweep; a veto is left on it, as somebody gave it."""
    tags, today = mark.tags, now.date()
    own = claim_of(mark, fingerprint(sweep), today, takes_all=mark.is_forgotten)
    rest = _vetoed(image, tags, own) if mark.veto or not tags.days else []
    # A mark that nobody can read stays, and so does all that stands beside it.
    if None in tags.days:
        return Plan() if own.held_by_others else _plan(rest)
    if not own.drafts and not own.recalls:
        # Another sweep is at it: the next run will see what has come of that.
        return Plan() if own.held_by_others or (mark.veto and not rest) else _drafted(own, today)
    waits = _waits(own, today, before)
    if waits is not None:
        return waits
    if not tags.days:
        return _plan([*rest, *_signed_again(own)])
    if mark.veto and own.signatures:
        return _plan([*rest, *_off(own.recalls), *_off(own.drafts)])
    return _released(image, tags, own, is_disowned=bool(before and before.begins) and not mark.is_forgotten)


def to_undo(image: Image, mark: Mark, sweep: SweepRequest, now: datetime) -> Plan:
    """Plan what is done where the cloud has refused a step to the mark: what is not in force yet is taken off again."""
    own = claim_of(mark, fingerprint(sweep), now.date())
    if not own.held_for or own.held_by_others or own.recalls or None in mark.tags.days:
        return Plan()
    return _plan(_discarded(image, mark.tags, own))


def _drafted(own: Claim, today: date) -> Plan:
    """Say that we are about to change an image that is marked already."""
    return _plan([Step("tag", draft_for(own.name, day, today)) for day in own.days], goes_on=True, begins=True)


def _waits(own: Claim, today: date, before: Plan | None) -> Plan | None:
    """What comes first beside a draft or a recall of ours, if it is not time yet for what they are there for."""
    # Said again: the draft of a run that died keeps nobody away any more, and may have been for something else.
    days = own.days if own.days == (None,) else tuple({each.day: None for each in (*own.drafts, *own.recalls)})
    if not own.held_for.issuperset(days):
        return _plan([Step("tag", draft_for(own.name, day, today)) for day in days], goes_on=True)
    if own.held_by_others:
        return _plan(_off(own.drafts)) if before and before.begins else Plan()
    return None


def _begun(  # noqa: PLR0913 (what a plan is made from)
    image: Image, tags: MarkTags, own: Claim, sweep: SweepRequest, now: datetime, *, is_new: bool
) -> Plan:
    """Go on with an image that is selected, from where this run is, or where an earlier one has died."""
    day = last_day(sweep, now)
    is_for_today = [(draft.day, draft.begun) for draft in own.drafts] == [(day, now.date())]
    if is_for_today and not (tags.days or tags.signatures):
        return _set(image, tags, own, sweep, day)
    if own.signatures and not own.recalls:
        return _plan([*_switch_off(image, tags, sweep), *_off(own.drafts)], goes_on=True)
    # Somebody was quicker. A mark that is there before we have set ours is not ours, even if it is for the same day.
    if is_new:
        return _plan(_off(own.drafts), goes_on=True)
    if own.recalls:
        return _plan(_signed_again(own), goes_on=True)
    # A draft of another day was left by a run that died. The owner is promised a whole notice, so it begins anew.
    return _plan(_discarded(image, tags, own), goes_on=True)


def _set(image: Image, tags: MarkTags, own: Claim, sweep: SweepRequest, day: date) -> Plan:
    """Set the mark, now that nobody else does."""
    # Left by somebody else: beside a mark, it would be ours.
    if tags.is_switched:
        return _plan(switch_on(image, tags), goes_on=True)
    signed = [Step("tag", mark_for(day)), Step("tag", signature_for(own.name, day))]
    return _plan([*signed, *_switch_off(image, tags, sweep), *_off(own.drafts)])


def _released(image: Image, tags: MarkTags, own: Claim, *, is_disowned: bool) -> Plan:
    """Go on with an image that stays: a recall for the signature, and then the mark, if it is still there."""
    if own.signatures:
        recalls = [] if own.recalls else [Step("tag", recall_for(own.name, day)) for day in own.days]
        return _plan([*recalls, *_off(own.signatures)], goes_on=True)
    # Where somebody has just taken the signature off, he has made the mark his own.
    return _plan(_off(own.drafts) if is_disowned else _discarded(image, tags, own))


def _signed_again(own: Claim) -> list[Step]:
    """Take a recall back: somebody has taken the mark off meanwhile, or the image is selected again."""
    signatures = [] if own.signatures else [Step("tag", signature_for(own.name, each.day)) for each in own.recalls]
    return [*signatures, *_off(own.recalls), *_off(own.drafts)]


def _discarded(image: Image, tags: MarkTags, own: Claim) -> list[Step]:
    """Take off a mark that is not in force; one that is signed is in force once its draft is off."""
    if own.signatures:
        return [*_off(own.recalls), *_off(own.drafts)]
    on = [] if own.has_others else switch_on(image, tags)
    return [*on, *_off(own.recalls), *_untag(own.marks), *_off(own.drafts)]


def _vetoed(image: Image, tags: MarkTags, own: Claim) -> list[Step]:
    """What is left to do once somebody has objected: the image becomes active, and the objection stays."""
    if not tags.days or None in tags.days:
        return switch_on(image, tags)
    # By activating it. The signature remembers that once the mark is off; the tags of the deactivation go last, since
    # they are what says that the image was activated.
    switches = [tag for tag in (DEACTIVATED, DEACTIVATING) if tag in image.tags]
    return [*_untag(own.marks), *_untag(switches)] if own.signatures and own.marks == tags.marks else []


def _switch_off(image: Image, tags: MarkTags, sweep: SweepRequest) -> list[Step]:
    """Deactivate an image, or complete what an earlier run began; one that its owner has deactivated is left alone."""
    begun, done = tags.is_deactivating, tags.is_deactivated
    if not sweep.deactivate or (not begun and (done or image.status != "active")):
        return []
    # Noted as begun before it is done, and as done after it: an image that is active, but noted as deactivated, looks
    # as if its owner had activated it.
    first = [] if begun else [Step("tag", DEACTIVATING)]
    return [*first, *([] if done else [Step("deactivate"), Step("tag", DEACTIVATED)]), Step("untag", DEACTIVATING)]


def switch_on(image: Image, tags: MarkTags) -> list[Step]:
    """Activate an image that a sweep has deactivated; one that its owner wants to be inactive is left alone."""
    # Back to `deactivating` first, for the same reason.
    undo = [Step("tag", DEACTIVATING), Step("untag", DEACTIVATED)] if tags.is_deactivated else []
    on = [Step("activate")] if tags.is_switched and image.status == "deactivated" else []
    return [*undo, *on, *([Step("untag", DEACTIVATING)] if tags.is_switched else [])]


def _plan(steps: Iterable[Step], *, goes_on: bool = False, begins: bool = False) -> Plan:
    return Plan(steps=tuple(steps), goes_on=goes_on, begins=begins)


def _off(found: Iterable[PolicyTag]) -> list[Step]:
    return _untag(each.tag for each in found)


def _untag(tags: Iterable[str]) -> list[Step]:
    return [Step("untag", tag) for tag in tags]
