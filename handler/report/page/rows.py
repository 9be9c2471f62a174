"""The rows of the page: one for each image, with the place where it ends. Pure."""

from datetime import datetime
from typing import Literal, NamedTuple, get_args

from handler.model.image import Image
from handler.model.outcome import Decision, Objection, Outcome, OutcomeName
from handler.model.request import Request
from handler.rules.marks import mark_for, read_tags
from handler.rules.selection import family

Place = Literal["goes", "waits", "failed", "refused", "gone", "stays"]
PLACES: tuple[Place, ...] = get_args(Place)
"""Where an image may end. If several requests were about it, the first of these places counts."""
_PLACE_OF: dict[OutcomeName, Place] = {
    "deleted": "goes",
    "would_delete": "goes",
    "marked": "waits",
    "failed": "failed",
    "refused": "refused",
    "already_gone": "gone",
}


class ImageRow(NamedTuple):
    """One image. `created` and `size` are None if unknown, `group` is empty for an image that is in none.

    `mark` is the tag of an image that waits, or would: what permits its deletion once the day has passed.
    """

    place: Place
    image_id: str
    name: str
    created: datetime | None
    size: int | None
    outcome: str
    reason: str
    detail: str
    group: str
    mark: str = ""


class Circumstances(NamedTuple):
    """What all images of a run have in common."""

    armed: bool
    grouped: bool
    now: datetime


def gib(size: int) -> str:
    """A number of bytes, as people read it: in GiB, and less only where that would round to nothing."""
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if size * 20 >= 2**power:
            return f"{size / 2**power:,.1f} {unit}"
    return f"{size:,} B" if size else "0 GiB"


def counted(number: int, thing: str = "image") -> str:
    """A number of things in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def row_of_outcome(
    outcome: Outcome, request: Request | None, decision: Decision | None, circumstances: Circumstances
) -> ImageRow:
    """The row of an image that has an outcome."""
    image = outcome.image or (decision.image if decision else None)
    place, why = _place(outcome, decision), Objection(outcome.reason, outcome.detail)
    if place == "stays" and decision and decision.objection:
        why = Objection(decision.objection.reason, f"{decision.objection.detail}; {outcome.detail}")
    words = _outcome_in_words(outcome, place, rehearsed=not circumstances.armed or bool(request and request.dry_run))
    name = outcome.name or (image.name if image else None) or ""
    created, size = (image.created_at, image.size) if image else (None, outcome.size)
    group = _group_of(name, decision, circumstances)
    return ImageRow(
        place=place,
        image_id=outcome.image_id,
        name=name,
        created=created,
        size=size,
        outcome=words,
        reason=why.reason,
        detail=why.detail,
        group=group,
        mark=_mark(outcome, image) if place == "waits" else "",
    )


def row_of_decision(decision: Decision, why: Objection, circumstances: Circumstances) -> ImageRow:
    """The row of an image that has only a decision: it stays, or it is selected and nothing was done about it."""
    image, why = decision.image, decision.objection or why
    place: Place = "stays" if decision.objection else "failed"
    name, group = image.name or "", _group_of(image.name or "", decision, circumstances)
    return ImageRow(
        place=place,
        image_id=image.id,
        name=name,
        created=image.created_at,
        size=image.size,
        outcome=place,
        reason=why.reason,
        detail=why.detail,
        group=group,
    )


def _place(outcome: Outcome, decision: Decision | None) -> Place:
    if outcome.waits:
        return "waits"
    if decision and decision.objection and outcome.outcome == "refused":
        return "stays"  # it was not selected, and has an outcome only because it bore a mark
    return _PLACE_OF[outcome.outcome]


def _mark(outcome: Outcome, image: Image | None) -> str:
    """The tag for which an image waits, as it stands there or would; several if there are several."""
    found = ", ".join(read_tags(image).marks) if image else ""
    return found or (mark_for(outcome.promised) if outcome.promised else "")


def _outcome_in_words(outcome: Outcome, place: Place, *, rehearsed: bool) -> str:
    """The outcome in words for a person, more exact than its name where that covers several cases."""
    if place == "stays":
        return "would unmark" if rehearsed else "unmarked"
    if outcome.outcome != "would_delete":
        return outcome.outcome.replace("_", " ")
    if place == "waits":
        return "would wait"
    return "would delete" if rehearsed else "to a worker"


def _group_of(name: str, decision: Decision | None, circumstances: Circumstances) -> str:
    """The groups of which the sweep keeps the newest; if it keeps none, the family of the name."""
    return ", ".join(decision.groups) if decision and circumstances.grouped else family(name)
