"""The text of a notice: some ten lines for people who read it in their mail, between all their other mail. Pure.

Names come from the cloud, and reasons from whoever asked: each is one line of what can be printed, masked and cut.
"""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import NamedTuple

from handler.model.masking import masked
from handler.model.outcome import Outcome, Total
from handler.model.request import SweepRequest
from handler.report.approval import Approval
from handler.report.page.facts import caps
from handler.report.page.rows import counted, gib
from handler.report.report import Report
from handler.rules.marks import mark_for
from handler.rules.selection import family

MOST_OWNERS, MOST_IMAGES = 5, 3
"""Owners that a text names, and images of each: whoever owns more finds them on the page."""
_LONGEST_NAME, _LONGEST_DETAIL = 80, 300
_CONCERNED = ("goes", "would mark", "marked", "deleted", "sent", "held")
"""The groups of images whose owners are told."""

Tally = Mapping[str, Sequence[Outcome]]
"""The outcomes of a run, sorted by what a person wants to know of them."""


class Stored(NamedTuple):
    """What lies in the bucket: the address of the page, the command that fetches it, and how the plan is approved.

    `problem` says why nothing does. All of it is empty where there is no bucket.
    """

    page: str = ""
    fetch: str = ""
    approval: Approval | None = None
    problem: str = ""


def paragraphs(report: Report, tally: Tally, keep_tag: str, stored: Stored) -> Iterator[str]:
    """The paragraphs of the text, each of them a few lines."""
    yield "\n".join(_summary(report, tally))
    if owners := _owners(tally):
        yield "\n".join(owners)
    if stored.fetch:
        lines = ["What goes, what stays, and why: the page of this run, and the command that fetches it."]
        yield "\n".join(filter(None, [*lines, stored.page, stored.fetch]))
    yield from _objections(tally, keep_tag)
    if stored.approval:
        yield _approval(stored.approval)
    if stored.problem:
        yield f"The report of this run could not be stored: {one_line(stored.problem, _LONGEST_DETAIL)}"
    yield f"In the log of image-reaper, this run is {one_line(report.request_id)}."


def one_line(text: str, most: int = _LONGEST_NAME) -> str:
    """A text as one line that can be printed, no longer than `most`, and without an address that mail would link."""
    line = " ".join(masked(text).split()).replace("://", ": //")
    line = "".join(sign if sign.isprintable() else "?" for sign in line)
    return line if len(line) <= most else f"{line[: most - 2]}.."


def first_day(outcomes: Sequence[Outcome]) -> date | None:
    """The first of the days that were promised."""
    return min((outcome.promised for outcome in outcomes if outcome.promised), default=None)


def families(tally: Tally) -> Iterator[str]:
    """The families of the images concerned, those with the most images first."""
    names = Counter(family(outcome.name) for outcome in _concerned(tally) if outcome.name)
    return (told for name, _ in names.most_common() if (told := one_line(name)))


def _concerned(tally: Tally) -> list[Outcome]:
    return [outcome for group in _CONCERNED for outcome in tally.get(group, ())]


def _summary(report: Report, tally: Tally) -> Iterator[str]:
    """What the run did, or would do, and to how many images."""
    reasons = dict.fromkeys(one_line(each.request.reason) for each in report.results if each.request)
    asked = ", ".join(filter(None, list(reasons)[:MOST_IMAGES]))
    rehearsal = "This was a rehearsal: nothing was deleted or marked." if report.mode == "dry-run" else ""
    surveys = [result.survey for result in report.results if result.survey]
    looked_at = f", {counted(sum(survey.looked_at for survey in surveys))} looked at" if surveys else ""
    yield from filter(None, [_counts(tally), rehearsal])
    for problem in list(_problems(report, tally))[:MOST_IMAGES]:
        yield one_line(problem, _LONGEST_DETAIL)
    if "held" in tally:
        yield from (f"Caps: {told}." for told in _caps(report)[:MOST_IMAGES])
    yield f"Project {one_line(report.project_id or 'unknown')}{looked_at}{f', asked by {asked}' if asked else ''}."


def _caps(report: Report) -> list[str]:
    """The caps of the sweeps, each once."""
    requests = [result.request for result in report.results]
    return list(dict.fromkeys(caps(each, report) for each in requests if isinstance(each, SweepRequest)))


def _counts(tally: Tally) -> str:
    one = {group for group, outcomes in tally.items() if len(outcomes) == 1}
    words = {
        "goes": "would be deleted",
        "would mark": "would be marked first",
        "deleted": "deleted",
        "sent": "left to a worker, which deletes it" if "sent" in one else "left to workers, which delete them",
        "marked": "marked now",
        "waits": f"waiting for {'its' if 'waits' in one else 'their'} day",
        "refused": f"{'stays' if 'refused' in one else 'stay'}, since a rule objects",
        "already_gone": "gone already",
        "held": "held back by a cap",
        "failed": "failed",
    }
    sized = {"goes", "deleted", "sent"}
    told = [
        f"{len(tally[group]):,} {word}" + (f" ({gib(Total.of(tally[group]).size)})" if group in sized else "")
        for group, word in words.items()
        if group in tally
    ]
    return f"Images: {', '.join(told)}." if told else ""


def _problems(report: Report, tally: Tally) -> Iterator[str]:
    """Why a cap held, and what failed, each reason once."""
    first: dict[str, Outcome] = {}
    for outcome in (*tally.get("held", ()), *tally.get("failed", ())):
        first.setdefault(outcome.reason, outcome)
    yield from (f"Failed, {reason}: {outcome.detail}" for reason, outcome in first.items())
    yield from (f"Turned down: {result.problem}" for result in report.results if result.problem)


def _owners(tally: Tally) -> list[str]:
    """The images of each owner, those with the most images first, and those of no owner last."""
    by_owner: dict[str, list[Outcome]] = {}
    for outcome in _concerned(tally):
        person = outcome.image.person if outcome.image else ""
        by_owner.setdefault(one_line(person), []).append(outcome)
    nobodys = by_owner.pop("", [])
    in_order = sorted(by_owner.items(), key=lambda each: (-len(each[1]), each[0]))
    lines = [f"Owner {owner}: {_named(outcomes)}" for owner, outcomes in in_order[:MOST_OWNERS]]
    lines += [f"and {counted(len(in_order) - MOST_OWNERS, 'more owner')}"] if len(in_order) > MOST_OWNERS else []
    return lines + ([f"Of no known owner: {_named(nobodys)}"] if nobodys else [])


def _named(outcomes: Sequence[Outcome]) -> str:
    names = ", ".join(one_line(outcome.name or outcome.image_id) for outcome in outcomes[:MOST_IMAGES])
    return names + (f" and {len(outcomes) - MOST_IMAGES:,} more" if len(outcomes) > MOST_IMAGES else "")


def _objections(tally: Tally, keep_tag: str) -> Iterator[str]:
    """How an owner keeps an image that has not gone yet: one command for good, and one against a mark."""
    marked = tally.get("marked", ())
    if marked or any(group in tally for group in ("goes", "would mark", "held")):
        tag = shlex.quote(keep_tag)
        yield f"To keep an image, whatever asks for its deletion:\nopenstack image set --tag {tag} IMAGE"
    if day := first_day(marked):
        tag = shlex.quote(mark_for(day))
        yield (
            f"Or object to its mark, at the latest on {day} (UTC): without the mark, no sweep deletes it.\n"
            f"openstack image unset --tag {tag} IMAGE"
        )


def _approval(approval: Approval) -> str:
    """How a person approves the plan; where nothing here takes an approval, how it is sent as a request."""
    until = f"{approval.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if not approval.from_shell:
        each = f"each of its `plans` is a request that can be sent until {until}"
        return f"Nothing here takes an approval. Fetch the plan: {each}.\n{approval.fetch}"
    rehearses = "" if approval.armed else " But the function is not armed: until it is, this only rehearses them again."
    what = f"To approve, until {until}: this deletes exactly the images of the plan ({approval.images:,})."
    return f"{what}{rehearses}\n{approval.command or approval.from_shell}"
