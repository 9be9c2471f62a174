"""A run as one list: every image once, with what became of it, or would become of it, and why. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from handler.model.outcome import Decision, Objection, Outcome, Result
from handler.model.request import ApprovalRequest, SweepRequest
from handler.report.page.rows import PLACES, Circumstances, ImageRow, Place, Total, gib, row_of_decision, row_of_outcome

_UNREPORTED = Objection("unexpected", "it was selected, but nothing says what became of it")


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
    return Overview(
        armed=circumstances.armed,
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
