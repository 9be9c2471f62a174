"""The state that an image is in for one sweep, read from its tags once. Pure.

    UNMARKED ──────── the sweep begins to mark it ──> BEGUN
    BEGUN ─────────── the sweep is done with that ──> UNANNOUNCED or WAITING
    UNANNOUNCED ───── the sweep deactivates it ─────> WAITING
    WAITING ───────── its day passes ───────────────> DUE
    DUE ───────────── the sweep deletes it
    FOREIGN ───────── 31 days pass ─────────────────> FORGOTTEN
    FORGOTTEN ─────── the sweep takes the mark off ─> UNMARKED
    any but the first: somebody takes the mark off, activates the image, or writes a day that nobody can read ─> VETOED
    VETOED ────────── somebody takes the signature off as well ─> UNMARKED

state         the tags say                                           the sweep, if it selects the image
UNMARKED      nothing, and the sweep grants grace                    marks it
BEGUN         the sweep was setting its mark, or taking it off       marks it, or completes its mark
UNANNOUNCED   a day that has not passed; not deactivated, as it      deactivates it
              ought to be
WAITING       a day that has not passed, or a deactivation that has  leaves it, or ends the deactivation
              only begun
DUE           a day that has passed; or the sweep needs no mark      deletes it
FOREIGN       only other sweeps have signed the mark, or are about   leaves it
              to
FORGOTTEN     the same, and the day is more than 31 days ago         marks it anew
VETOED        somebody wants it to stay                              refuses it, `kept`

A sweep without grace needs no mark, but it waits for the day of each that is there, no matter who has set it, and
whether or not it is signed: an image is DUE, WAITING, FOREIGN or VETOED for it. A mark that nobody has signed is one
that somebody has set by hand. Once its day has passed, it counts for every sweep, but none takes it off, nor
deactivates its image; when its owner takes it off, that leaves no trace: the image is UNMARKED again.
"""

from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from handler.model.image import Image
from handler.model.outcome import Objection
from handler.model.request import SweepRequest
from handler.rules import selection
from handler.rules.marks import NO_TAGS, MarkTags, fingerprint, read_tags, veto_in

FORGOTTEN_AFTER = timedelta(days=31)
"""How long after its last day a mark counts as forgotten; then any sweep that selects the image may take it off."""


class MarkState(Enum):
    """The states of the table above."""

    UNMARKED = auto()
    BEGUN = auto()
    UNANNOUNCED = auto()
    WAITING = auto()
    DUE = auto()
    FOREIGN = auto()
    FORGOTTEN = auto()
    VETOED = auto()


CHANGING = frozenset({MarkState.UNMARKED, MarkState.BEGUN, MarkState.UNANNOUNCED, MarkState.DUE, MarkState.FORGOTTEN})
"""The states in which a sweep begins something with an image that it selects, so that its caps count it."""


class Mark(NamedTuple):
    """The state, and what it was read from.

    If it is `removable`, there is something that the sweep takes off when the image stays; if it `is_forgotten`, any
    sweep may that selects the image.
    """

    state: MarkState
    tags: MarkTags
    last_day: date | None
    veto: str
    removable: bool
    is_forgotten: bool = False


_UNMARKED = Mark(state=MarkState.UNMARKED, tags=NO_TAGS, last_day=None, veto="", removable=False)
_UNMARKED_WITHOUT_GRACE = _UNMARKED._replace(state=MarkState.DUE)


def state_of(image: Image, sweep: SweepRequest, now: datetime) -> Mark:
    """Read the marks of an image as one sweep sees them."""
    tags = read_tags(image)
    # Nearly every image of a project: a sweep asks this of each that it selects.
    if tags is NO_TAGS:
        return _UNMARKED if sweep.grace else _UNMARKED_WITHOUT_GRACE
    name, today = fingerprint(sweep), now.date()
    is_signed = any(each.signer == name for each in tags.signatures)
    is_held = any(each.signer == name for each in tags.holds)
    ended = [each for each in tags.drafts if each.signer != name and not each.is_held(today)]
    held_by_others = [each for each in tags.drafts if each.signer != name and each not in ended]
    last_day = tags.last_day
    # A sweep without grace takes nothing off. What another one is at work on was not forgotten.
    veto = veto_in(tags, image.status)
    may_forget = bool(sweep.grace) and not is_signed and not held_by_others and not veto
    mark = Mark(
        state=MarkState.VETOED,
        tags=tags,
        last_day=last_day or max((each.day for each in tags.drafts if each.day and each not in ended), default=None),
        veto=veto,
        removable=bool(sweep.grace) and (is_held or _is_left(tags, is_signed=is_signed)),
        is_forgotten=may_forget and is_over(tags, today),
    )
    # Asked first: no day that has passed, and no other sweep's signature, outweighs somebody who objects.
    if veto:
        return mark
    is_foreign = bool(held_by_others or (tags.days and (tags.signatures or tags.holds))) and not is_signed
    return mark._replace(state=_state(image, mark, sweep, today, is_foreign=is_foreign, is_held=is_held))


def is_over(tags: MarkTags, today: date) -> bool:
    """Whether the day of a mark, and each that was promised with it, is so long ago that it may be forgotten."""
    named = [each.day for each in (*tags.signatures, *tags.holds) if each.day]
    days = [day for day in tags.days if day]
    return bool(days) and None not in tags.days and today - max([*days, *named]) > FORGOTTEN_AFTER


def objection_of_sweep(image: Image, mark: Mark, sweep: SweepRequest, now: datetime) -> Objection | None:
    """Why a sweep leaves alone an image that it had selected: it has changed, or somebody wants it to stay."""
    if why := selection.objection(image, sweep.select, now):
        return Objection("changed", f"no longer selected: {why.detail}")
    return Objection("kept", mark.veto) if mark.veto else None


def may_release(image: Image, mark: Mark, sweep: SweepRequest, now: datetime) -> bool:
    """Whether a sweep may take a mark off an image that stays: its own, or a forgotten one of an image it selects."""
    return mark.removable or (mark.is_forgotten and selection.objection(image, sweep.select, now) is None)


def _is_left(tags: MarkTags, *, is_signed: bool) -> bool:
    """Whether there is a mark of this sweep to take off, or a deactivation to end."""
    # Without a mark, only a deactivation can be left, as after a veto. Any sweep ends it: nobody else would.
    is_nobody_s = not tags.days or (None in tags.days and not tags.signatures and not tags.holds)
    return (is_signed and bool(tags.days) and None not in tags.days) or (
        tags.is_switched and (is_signed or is_nobody_s)
    )


def _state(  # noqa: PLR0913 (what a state is made from)
    image: Image, mark: Mark, sweep: SweepRequest, today: date, *, is_foreign: bool, is_held: bool
) -> MarkState:
    """The state of an image whose owner does not object."""
    has_passed = mark.tags.last_day is None or today > mark.tags.last_day
    if not sweep.grace:
        waits = MarkState.FOREIGN if is_foreign else MarkState.WAITING
        return MarkState.DUE if has_passed else waits
    if mark.is_forgotten and is_foreign:
        return MarkState.FORGOTTEN
    if is_held:
        return MarkState.BEGUN
    # The day is another sweep's promise. A sweep with a grace of its own never deletes on the strength of it, which
    # could cut its own notice short.
    if is_foreign:
        return MarkState.FOREIGN
    if not mark.tags.days:
        return MarkState.UNMARKED
    return _state_of_own(image, mark.tags, sweep, has_passed=has_passed)


def _state_of_own(image: Image, tags: MarkTags, sweep: SweepRequest, *, has_passed: bool) -> MarkState:
    """The state of a mark whose day counts for this sweep: by that day, and by whether the owner was given notice."""
    announces = sweep.deactivate and bool(tags.signatures)
    # A deactivation that has only begun may never have been noticed: it is completed before the image goes.
    if has_passed and not (announces and tags.is_deactivating):
        return MarkState.DUE
    is_announced = tags.is_switched or image.status != "active"
    return MarkState.WAITING if is_announced or not announces else MarkState.UNANNOUNCED
