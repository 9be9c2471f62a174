"""The rows of the table: what is said of each image. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from handler.model.outcome import Outcome, OutcomeName
from handler.model.request import DeletionRequest
from handler.report.page.rows import gib
from handler.report.report import Report
from handler.rules.marks import read_tags, veto_in
from handler.shell.screen.terminal import one_line, printable

UNKNOWN = "unknown"
_MINUTES = (("d", 24 * 60), ("h", 60))


class Kind(NamedTuple):
    """What rows may have in common: the outcome in words for a person, the reason, and the sentence."""

    word: str
    reason: str
    detail: str


class Row(NamedTuple):
    """One image. Where it was never read, nothing is said of its age and its size."""

    outcome: OutcomeName
    kind: Kind
    image_id: str
    name: str
    created: datetime | None
    size: int | None
    was_read: bool


def rows_of(report: Report) -> Iterator[Row]:
    """The rows of a report, in the order in which the images were named."""
    for result in report.results:
        rehearsed = report.mode != "delete" or bool(result.request and result.request.dry_run)
        # What a plan names was shown with its mark when the plan was made.
        is_by_id = isinstance(result.request, DeletionRequest) and result.request.not_after is None
        for outcome in result.outcomes:
            yield _row(outcome, rehearsed=rehearsed, is_by_id=is_by_id)


def age_in_words(row: Row, now: datetime) -> str:
    """How old an image is; empty where it was not read."""
    return since(row.created, now) if row.was_read else ""


def since(created: datetime | None, now: datetime) -> str:
    """How old something is, in its largest unit."""
    if created is None:
        return UNKNOWN
    minutes = max(now - created, timedelta(0)) // timedelta(minutes=1)
    unit, size = next((each for each in _MINUTES if minutes >= each[1]), ("min", 1))
    return f"{minutes // size:,} {unit}"


def size_in_words(row: Row) -> str:
    """How large an image is."""
    if row.size is None:
        return UNKNOWN if row.was_read else ""
    return gib(row.size)


def _row(outcome: Outcome, *, rehearsed: bool, is_by_id: bool) -> Row:
    detail = one_line(outcome.detail or (_promise(outcome) if is_by_id else ""))
    kind = Kind(word=_word(outcome, rehearsed=rehearsed), reason=outcome.reason, detail=detail)
    return Row(
        outcome=outcome.outcome,
        kind=kind,
        image_id=printable(outcome.image_id),
        name=printable(outcome.name or ""),
        created=outcome.image.created_at if outcome.image else None,
        size=outcome.size,
        was_read=outcome.image is not None,
    )


def _promise(outcome: Outcome) -> str:
    """What the marks of an image say that would be deleted all the same: a request by its id does not heed them."""
    if outcome.outcome != "would_delete" or outcome.image is None:
        return ""
    tags = read_tags(outcome.image)
    if veto := veto_in(tags, outcome.image.status):
        return f"vetoed: {veto}"
    return f"marked to stay until {tags.last_day}" if tags.last_day else ""


def _word(outcome: Outcome, *, rehearsed: bool) -> str:
    """The outcome in a word for a person, more exact than its name where that covers several cases."""
    match outcome.outcome:
        case "would_delete" if outcome.waits:
            return "would_mark"
        case "would_delete" if not rehearsed:
            return "sent"  # to a worker
        # Only the run that sets a mark promises a day.
        case "marked" if not outcome.promised:
            return "waits"
        case name:
            return name
