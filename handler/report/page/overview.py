"""A run as one list: every image once, with what became of it, or would become of it, and why. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from handler.model.outcome import Decision, Objection, Outcome, OutcomeName, Result
from handler.model.request import Request, SweepRequest
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
_UNREPORTED = Objection("unexpected", "it was selected, but nothing says what became of it")


class ImageRow(NamedTuple):
    """One image. `created` and `size` are None if unknown, `group` is empty for an image that is in none."""

    place: Place
    image_id: str
    name: str
    created: datetime | None
    size: int | None
    outcome: str
    reason: str
    detail: str
    group: str


class Total(NamedTuple):
    """How many images there are, how many bytes those of known size have, and how many are of unknown size."""

    images: int
    size: int
    unknown: int

    @classmethod
    def of(cls, rows: Iterable[ImageRow]) -> "Total":
        """The sum of rows."""
        sizes = [row.size for row in rows]
        return cls(len(sizes), sum(size or 0 for size in sizes), sizes.count(None))


class Overview(NamedTuple):
    """What one run found and did: a rehearsal unless `armed`. `stops` says what kept sweeps from doing anything."""

    armed: bool
    is_sweep: bool
    rows: tuple[ImageRow, ...]
    stops: tuple[Objection, ...]
    problems: tuple[str, ...]

    def at(self, *places: Place) -> list[ImageRow]:
        """The images that end in these places."""
        return [row for row in self.rows if row.place in places]


class _Setting(NamedTuple):
    """What all images of a run have in common."""

    armed: bool
    grouped: bool
    now: datetime


def overview(results: Sequence[Result], mode: str, decisions: Iterable[Decision], now: datetime) -> Overview:
    """Put together what was decided on each image, and what became of those that were selected or asked for."""
    sweeps = [result.request for result in results if isinstance(result.request, SweepRequest)]
    setting = _Setting(armed=mode == "delete", grouped=any(sweep.keep for sweep in sweeps), now=now)
    known = _known(decisions)
    rows: dict[str, ImageRow] = {}
    for result in results:
        for outcome in result.outcomes:
            row = _row_of_outcome(outcome, result.request, known.get(outcome.image_id), setting)
            rows[row.image_id] = min(rows.get(row.image_id, row), row, key=lambda each: PLACES.index(each.place))
    rows.pop("", None)  # an outcome without an image is about the whole list of a sweep
    why = next((Objection(cap.reason, cap.detail) for result in results if (cap := _cap(result))), _UNREPORTED)
    unreported = [
        _row_of_decision(decision, why, setting) for image_id, decision in known.items() if image_id not in rows
    ]
    stops = tuple(stop for result in results if (stop := _stop(result)))
    return Overview(
        armed=setting.armed,
        is_sweep=bool(sweeps),
        rows=(*rows.values(), *unreported),
        stops=stops,
        problems=tuple(_problems(results)),
    )


def headline(view: Overview) -> str:
    """What a reviewer must know, in one sentence."""
    words: dict[Place, str] = {
        "waits": "waiting for their day",
        "refused": "refused",
        "failed": "not done" if view.stops else "failed",
        "gone": "gone already",
    }
    told = [f"{len(rows):,} {words[place]}" for place in words if (rows := view.at(place))]
    return "; ".join([*_headline_start(view), *told])


def _headline_start(view: Overview) -> Iterator[str]:
    """The first words of the headline: what goes."""
    gone = [row for row in view.at("goes") if row.outcome == "deleted" or not view.armed]
    verb = "were" if view.armed else "would be"
    if gone:
        number = f"{len(gone):,} of {len(view.rows):,} {'images' if view.is_sweep else 'images asked for'}"
        yield f"{number} {verb} deleted, freeing {gib(Total.of(gone).size)}"
    else:
        why = f": {view.stops[0].reason}" if view.stops else ""
        done = "is known to be" if view.at("failed") and not why else "was"
        yield f"Nothing {done if view.armed else 'would be'} deleted{why}"
    if left := len(view.at("goes")) - len(gone):
        yield f"{left:,} left to workers"


def gib(size: int) -> str:
    """A number of bytes, as people read it: in GiB, and less only where that would round to nothing."""
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if size * 20 >= 2**power:
            return f"{size / 2**power:,.1f} {unit}"
    return f"{size:,} B" if size else "0 GiB"


def _known(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """The decision on each image; where two sweeps differ, the one that selects it."""
    known: dict[str, Decision] = {}
    for decision in decisions:
        if decision.objection is None or decision.image.id not in known:
            known[decision.image.id] = decision
    return known


def _row_of_outcome(
    outcome: Outcome, request: Request | None, decision: Decision | None, setting: _Setting
) -> ImageRow:
    """The row of an image that has an outcome."""
    image = outcome.image or (decision.image if decision else None)
    place, why = _place(outcome, decision), Objection(outcome.reason, outcome.detail)
    if place == "stays" and decision and decision.objection:
        why = Objection(decision.objection.reason, f"{decision.objection.detail}; {outcome.detail}")
    words = _outcome_in_words(outcome, place, rehearsed=not setting.armed or bool(request and request.dry_run))
    name = outcome.name or (image.name if image else None) or ""
    created, size = (image.created_at, image.size) if image else (None, outcome.size)
    group = _group_of(name, decision, setting)
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
    )


def _row_of_decision(decision: Decision, why: Objection, setting: _Setting) -> ImageRow:
    """The row of an image that has only a decision: it stays, or it is selected and nothing was done about it."""
    image, why = decision.image, decision.objection or why
    place: Place = "stays" if decision.objection else "failed"
    name, group = image.name or "", _group_of(image.name or "", decision, setting)
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


def _outcome_in_words(outcome: Outcome, place: Place, *, rehearsed: bool) -> str:
    """The outcome in words for a person, more exact than its name where that covers several cases."""
    if place == "stays":
        return "would unmark" if rehearsed else "unmarked"
    if outcome.outcome != "would_delete":
        return outcome.outcome.replace("_", " ")
    if place == "waits":
        return "would wait"
    return "would delete" if rehearsed else "left to a worker"


def _group_of(name: str, decision: Decision | None, setting: _Setting) -> str:
    """The groups of which the sweep keeps the newest; if it keeps none, the family of the name."""
    return ", ".join(decision.groups) if decision and setting.grouped else family(name)


def _cap(result: Result) -> Outcome | None:
    """An outcome that names the cap, if a cap kept a sweep from touching anything that it had selected."""
    selected = {image.id for image in result.survey.selected} if result.survey else set()
    told = [outcome for outcome in result.outcomes if outcome.image_id in selected]
    return told[0] if told and all(outcome.reason == "over_limit" for outcome in told) else None


def _stop(result: Result) -> Objection | None:
    """Why nothing was deleted at all, in short and in full; None if something was, or might have been."""
    if cap := _cap(result):
        return Objection("over the cap", cap.detail)
    unread = next((outcome for outcome in result.outcomes if not outcome.image_id), None)
    return Objection("the images could not be listed", f"{unread.reason}, {unread.detail}") if unread else None


def _problems(results: Sequence[Result]) -> Iterator[str]:
    """Why requests were not carried out."""
    for result in results:
        if result.problem:
            yield f"A request was turned down: {result.problem}"
        elif result.held:
            yield f"Message {result.message_id} was returned to the queue: an earlier one of its group has failed"
