"""A run as one list: every image once, with what became of it, or would become of it, and why. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from handler.model.outcome import Decision, Objection, Outcome, Rest, Result, Total
from handler.model.request import ApprovalRequest, SweepRequest
from handler.report.page.rows import (
    PLACES,
    Circumstances,
    ImageRow,
    Place,
    counted,
    gib,
    row_of_decision,
    row_of_outcome,
)

_UNREPORTED = Objection("unexpected", "it was selected, but nothing says what became of it")


class Overview(NamedTuple):
    """What one run found and did: a rehearsal unless `armed`. `stops` says what kept sweeps from doing anything.

    `unlisted` says why nobody knows all images that stay; it is empty if all are known.

    `counted` are the images that have no row, by their place and reason; `groups` is how many images each group has in
    all, None if nobody knows.
    """

    armed: bool
    is_sweep: bool
    rows: tuple[ImageRow, ...]
    stops: tuple[Objection, ...]
    unlisted: str
    problems: tuple[str, ...]
    counted: Mapping[tuple[Place, str], Total]
    groups: Mapping[str, Total] | None

    def at(self, *places: Place) -> list[ImageRow]:
        """The images with a row that end in these places."""
        return [row for row in self.rows if row.place in places]

    def total(self, *places: Place) -> Total:
        """All images that end in these places; in all, if none is named."""
        counted = [total for (place, _), total in self.counted.items() if place in (places or PLACES)]
        return _sum([Total.of(self.at(*(places or PLACES))), *counted])


def overview(results: Sequence[Result], mode: str, decisions: Iterable[Decision], now: datetime) -> Overview:
    """Put together what was decided on each image, and what became of those that were selected or asked for."""
    sweeps = [result.request for result in results if isinstance(result.request, SweepRequest)]
    circumstances = Circumstances(armed=mode == "delete", grouped=any(sweep.keep for sweep in sweeps), now=now)
    known = _known(decisions)
    rows: dict[str, ImageRow] = {}
    for result in results:
        for outcome in result.outcomes:
            row = row_of_outcome(outcome, result.request, known.get(outcome.image_id), circumstances)
            rows[row.image_id] = min(rows.get(row.image_id, row), row, key=lambda each: PLACES.index(each.place))
    rows.pop("", None)  # an outcome without an image is about the whole list of a sweep
    why = next((Objection(cap.reason, cap.detail) for result in results if (cap := _cap(result))), _UNREPORTED)
    unreported = [
        row_of_decision(decision, why, circumstances) for image_id, decision in known.items() if image_id not in rows
    ]
    stops = tuple(stop for result in results if (stop := _stop(result)))
    listed = (*rows.values(), *unreported)
    rests = [result.survey.rest for result in results if result.survey]
    return Overview(
        armed=circumstances.armed,
        is_sweep=bool(sweeps),
        rows=listed,
        stops=stops,
        unlisted=next((unread.reason for result in results if (unread := _unread(result))), ""),
        problems=tuple(_problems(results)),
        counted=_counted(rests, why.reason),
        groups=_groups(listed, rests),
    )


def _counted(rests: Iterable[Rest], why_not_done: str) -> dict[tuple[Place, str], Total]:
    """The images that are only counted. If several sweeps count the same image, each of them counts here."""
    counted: dict[tuple[Place, str], Total] = {}
    for rest in rests:
        for reason, total in rest.stay.items():
            counted["stays", reason] = counted.get(("stays", reason), Total()).plus(total)
        if rest.selected.images:
            counted["failed", why_not_done] = counted.get(("failed", why_not_done), Total()).plus(rest.selected)
    return counted


def _groups(rows: Iterable[ImageRow], rests: Sequence[Rest]) -> dict[str, Total] | None:
    if any(rest.groups is None for rest in rests):
        return None
    in_group: dict[str, list[ImageRow]] = {}
    for row in rows:
        in_group.setdefault(row.group, []).append(row)
    groups = {group: Total.of(members) for group, members in in_group.items()}
    for group, total in [each for rest in rests for each in (rest.groups or {}).items()]:
        groups[group] = groups.get(group, Total()).plus(total)
    return groups


def _sum(totals: Iterable[Total]) -> Total:
    return Total(*map(sum, zip(*totals, strict=True)))


def headline(view: Overview) -> str:
    """What a reviewer must know, in one sentence."""
    numbers = {place: view.total(place).images for place in PLACES}
    words: dict[Place, str] = {
        "waits": f"waiting for {'its' if numbers['waits'] == 1 else 'their'} day",
        "refused": "refused",
        "failed": "not done" if view.stops else "failed",
        "gone": "gone already",
    }
    told = [f"{numbers[place]:,} {word}" for place, word in words.items() if numbers[place]]
    return "; ".join([*_headline_start(view), *told])


def _headline_start(view: Overview) -> Iterator[str]:
    """The first words of the headline: what goes."""
    gone = [row for row in view.at("goes") if row.outcome == "deleted" or not view.armed]
    verb = ("was" if len(gone) == 1 else "were") if view.armed else "would be"
    if gone:
        number = f"{len(gone):,} of {counted(view.total().images)}{'' if view.is_sweep else ' asked for'}"
        freed = Total.of(gone)
        yield f"{number} {verb} deleted" + (f", freeing {gib(freed.size)}" if freed.unknown < freed.images else "")
    else:
        why = f": {view.stops[0].reason}" if view.stops else ""
        done = "is known to be" if view.at("failed") and not why else "was"
        yield f"Nothing {done if view.armed else 'would be'} deleted{why}"
    if left := len(view.at("goes")) - len(gone):
        yield f"{left:,} left to {'a worker' if left == 1 else 'workers'}"


def _known(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """The decision on each image; where two sweeps differ, the one that selects it."""
    known: dict[str, Decision] = {}
    for decision in decisions:
        if decision.objection is None or decision.image.id not in known:
            known[decision.image.id] = decision
    return known


def _cap(result: Result) -> Outcome | None:
    """An outcome that names the cap, if a cap kept a sweep from touching anything that it had selected."""
    selected = {image.id for image in result.survey.selected} if result.survey else set()
    told = [outcome for outcome in result.outcomes if outcome.image_id in selected]
    return told[0] if told and all(outcome.reason == "over_limit" for outcome in told) else None


def _stop(result: Result) -> Objection | None:
    """Why nothing was deleted at all, in short and in full; None if something was, or might have been."""
    if cap := _cap(result):
        return Objection("over the cap", cap.detail)
    return _unread(result)


def _unread(result: Result) -> Objection | None:
    """Why nobody knows which images there are; None if that is known."""
    unread = next((outcome for outcome in result.outcomes if not outcome.image_id), None)
    if unread is None:
        return None
    is_plan = isinstance(result.request, ApprovalRequest)
    what = "the plan was not carried out" if is_plan else "the images could not be listed"
    return Objection(what, f"{unread.reason}, {unread.detail}")


def _problems(results: Sequence[Result]) -> Iterator[str]:
    """Why requests were not carried out."""
    for result in results:
        if result.problem:
            yield f"A request was turned down: {result.problem}"
        elif result.held:
            yield f"Message {result.message_id} was returned to the queue: an earlier one of its group has failed"
