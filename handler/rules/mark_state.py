"""The state that an image is in for one sweep, read from its tags once. Pure.

    UNMARKED ──────── the sweep marks it ───────> UNANNOUNCED or WAITING
    UNANNOUNCED ───── the sweep deactivates it ─> WAITING
    WAITING ───────── its day passes ───────────> DUE
    DUE ───────────── the sweep deletes it
    FOREIGN ───────── 31 days pass ─────────────> FORGOTTEN
    FORGOTTEN ─────── the sweep takes it over ──> WAITING
    any but the first: somebody takes the mark off, activates the image, or writes a day that nobody can read ─> VETOED
    VETOED ────────── somebody takes the signature off as well ─> UNMARKED

state         the tags say                                           the sweep, if it selects the image
UNMARKED      nothing, and the sweep grants grace                    marks it
UNANNOUNCED   a day that has not passed; not deactivated, as it      deactivates it
              ought to be
WAITING       a day that has not passed, or a deactivation that has  leaves it, or ends the deactivation
              only begun
DUE           a day that has passed; or the sweep needs no mark      deletes it
FOREIGN       only other sweeps have signed the mark                 leaves it
FORGOTTEN     the same, and the day is more than 31 days ago         marks it anew
VETOED        somebody wants it to stay                              refuses it, `kept`

A sweep without grace needs no mark, but it waits for the day of a signed one, no matter which sweep has signed it: an
image is DUE, WAITING, FOREIGN or VETOED for it, and both waits end on that day. A mark that nobody has signed leaves no
trace when it is taken off: the image is UNMARKED again.
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
"""How long after its last day a mark counts as forgotten; then any sweep with grace may take it off."""


class MarkState(Enum):
    """The states of the table above."""

    UNMARKED = auto()
    UNANNOUNCED = auto()
    WAITING = auto()
    DUE = auto()
    FOREIGN = auto()
    FORGOTTEN = auto()
    VETOED = auto()


CHANGING = frozenset({MarkState.UNMARKED, MarkState.UNANNOUNCED, MarkState.DUE, MarkState.FORGOTTEN})
"""The states in which a sweep begins something with an image that it selects, so that its caps count it."""


class Mark(NamedTuple):
    """The state, and what it was read from. If `removable`, the sweep takes the mark off when the image stays."""

    state: MarkState
    tags: MarkTags
    last_day: date | None
    veto: str
    removable: bool


_UNMARKED = Mark(state=MarkState.UNMARKED, tags=NO_TAGS, last_day=None, veto="", removable=False)
_UNMARKED_WITHOUT_GRACE = _UNMARKED._replace(state=MarkState.DUE)


def state_of(image: Image, sweep: SweepRequest, now: datetime) -> Mark:
    """Read the marks of an image as one sweep sees them."""
    tags = read_tags(image)
    # Nearly every image of a project: a sweep asks this of each that it selects.
    if tags is NO_TAGS:
        return _UNMARKED if sweep.grace else _UNMARKED_WITHOUT_GRACE
    last_day, veto = tags.last_day, veto_in(tags, image.status)
    # A mark that nobody has signed is not foreign: a run may have died between the mark and its signature.
    is_foreign = bool(tags.signers) and fingerprint(sweep) not in tags.signers
    is_forgotten = is_foreign and last_day is not None and now.date() - last_day > FORGOTTEN_AFTER
    # Asked first: no day that has passed, and no other sweep's signature, outweighs somebody who objects.
    if veto:
        state = MarkState.VETOED
    elif is_forgotten and sweep.grace:
        state = MarkState.FORGOTTEN
    elif last_day is None or (not sweep.grace and not tags.signers):
        state = MarkState.UNMARKED if sweep.grace else MarkState.DUE
    # The day is another sweep's promise. A sweep with a grace of its own never deletes on the strength of it, which
    # could cut its own notice short. One without grace does, but not before the day has passed.
    elif is_foreign and (sweep.grace or now.date() <= last_day):
        state = MarkState.FOREIGN
    else:
        state = _state_of_own(image, tags, sweep, has_passed=now.date() > last_day)
    # Without a mark, only a deactivation can be left, as after a veto. Any sweep with grace ends it: nobody else would.
    removable = bool(sweep.grace) and tags.is_marked and (not tags.marks or not is_foreign or is_forgotten)
    return Mark(state=state, tags=tags, last_day=last_day, veto=veto, removable=removable)


def objection_of_sweep(image: Image, mark: Mark, sweep: SweepRequest, now: datetime) -> Objection | None:
    """Why a sweep leaves alone an image that it had selected: it has changed, or somebody wants it to stay."""
    if why := selection.objection(image, sweep.select, now):
        return Objection("changed", f"no longer selected: {why.detail}")
    return Objection("kept", mark.veto) if mark.veto else None


def _state_of_own(image: Image, tags: MarkTags, sweep: SweepRequest, *, has_passed: bool) -> MarkState:
    """The state of a mark whose day counts for this sweep: by that day, and by whether the owner was given notice."""
    # A deactivation that has only begun may never have been noticed: it is completed before the image goes.
    if has_passed and not (sweep.deactivate and tags.is_deactivating):
        return MarkState.DUE
    is_announced = tags.is_deactivating or tags.is_deactivated or image.status != "active"
    return MarkState.WAITING if is_announced or not sweep.deactivate else MarkState.UNANNOUNCED
