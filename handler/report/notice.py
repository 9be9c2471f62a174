"""The notice for people: one message on a run that has something to say. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from handler.model.notice import Kind, Notice
from handler.model.outcome import Outcome, Result, Total
from handler.model.request import DeletionRequest
from handler.report.page.rows import counted, gib
from handler.report.paragraphs import Stored, Tally, families, first_day, one_line, paragraphs
from handler.report.report import Report

LONGEST_SUBJECT = 99
"""Characters; a subject of SNS has fewer than 100, all of them ASCII. Source: Amazon SNS API reference, "Publish"."""
MOST_FAMILIES = 20
"""Families that subscribers can filter by."""


def notice_of(report: Report, keep_tag: str, stored: Stored) -> Notice | None:
    """What a run has to say to people; None if that is nothing."""
    tally = _tally(report)
    kind = _kind(report, tally)
    if kind is None or not _is_told(report, kind):
        return None
    attributes: dict[str, str | tuple[str, ...]] = {"project": one_line(report.project_id or "unknown"), "kind": kind}
    if names := tuple(families(tally))[:MOST_FAMILIES]:
        attributes["family"] = names
    text = "\n\n".join(paragraphs(report, tally, keep_tag, stored))
    return Notice(subject=_subject(kind, tally, report), text=f"{text}\n", attributes=attributes)


def _tally(report: Report) -> Tally:
    tally: dict[str, list[Outcome]] = {}
    for result in report.results:
        for outcome in result.outcomes:
            tally.setdefault(_group(outcome, result, report), []).append(outcome)
    return tally


def _group(outcome: Outcome, result: Result, report: Report) -> str:
    is_rehearsal = report.mode == "dry-run" or bool(result.request and result.request.dry_run)
    match outcome.outcome:
        case "would_delete" if outcome.waits:
            return "would mark"
        case "would_delete":
            return "goes" if is_rehearsal else "sent"
        case "marked" if not outcome.promised:
            return "waits"
        case "failed" if outcome.reason == "over_limit":
            return "held"
        case name:
            return name


def _kind(report: Report, tally: Tally) -> Kind | None:
    """The most serious that there is to say."""
    if "failed" in tally or any(result.problem or result.held for result in report.results):
        return "failed"
    kinds: Mapping[str, Kind] = {"held": "held", "deleted": "deleted", "sent": "deleted", "marked": "marked"}
    return next((kind for group, kind in kinds.items() if group in tally), "plan" if _would(tally) else None)


def _would(tally: Tally) -> Sequence[Outcome]:
    return [*tally.get("goes", ()), *tally.get("would mark", ())]


def _is_told(report: Report, kind: Kind) -> bool:
    """Whether nobody else tells of it: whoever sends ids to a queue, or a sweep that does, has the say there."""
    if any(result.request and not isinstance(result.request, DeletionRequest) for result in report.results):
        return True
    return report.source != "queue" and kind != "plan"


def _subject(kind: Kind, tally: Tally, report: Report) -> str:
    # What happened comes first: a list of mails shows little more than half of a subject.
    start = f"image-reaper: {_headline(kind, tally)} in project "
    subject = start + one_line(report.project_id or "unknown", LONGEST_SUBJECT - len(start))
    return subject.encode("ascii", "replace").decode()


def _headline(kind: Kind, tally: Tally) -> str:
    """What matters most, in a few words."""
    if kind == "failed":
        return _failure(tally)
    if kind == "held":
        gone = len(tally.get("deleted", ()))
        return f"a cap held: {f'only {gone:,}' if gone else 'nothing'} {_verb(max(gone, 1), 'was', 'were')} deleted"
    group = next(each for each in _WORDS if each in tally)
    outcomes = tally[group]
    words = _verb(len(outcomes), *_WORDS[group])
    return f"{counted(len(outcomes))} {words.format(size=gib(Total.of(outcomes).size), day=first_day(outcomes))}"


_WORDS: Mapping[str, tuple[str, str]] = {
    "deleted": ("was deleted ({size})", "were deleted ({size})"),
    "sent": ("goes to a worker to be deleted ({size})", "go to workers to be deleted ({size})"),
    "marked": ("is marked, and goes after {day}", "are marked, and go after {day}"),
    "goes": ("would be deleted ({size})",) * 2,
    "would mark": ("would be marked first",) * 2,
}
"""What is said in a subject of one image, and of several; the first group that there is counts."""


def _verb(number: int, singular: str, plural: str) -> str:
    return singular if number == 1 else plural


def _failure(tally: Tally) -> str:
    failed = tally.get("failed", ())
    if not failed:
        return "a request was turned down or returned"
    reason = Counter(outcome.reason for outcome in failed).most_common(1)[0][0]
    return f"{counted(len(failed)) if failed[0].image_id else 'a sweep'} failed ({reason})"
