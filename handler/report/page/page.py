"""A run as a page for a person: what goes and why, what stays and why, and how much that is. Pure: values to text.

Names and answers come from the cloud: each is escaped, and the page's own policy lets no script run but the page's.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from string import Template

from handler.model.outcome import Decision, Result
from handler.model.request import ApprovalRequest, DeletionRequest, Keep, Request, SweepRequest
from handler.report.approval import Approval
from handler.report.page.box import box
from handler.report.page.overview import Overview, headline, overview
from handler.report.page.rows import PLACES, Place, gib
from handler.report.page.sections import as_text, code, images, section, size
from handler.report.report import Report

CHIPS = {"delete": "Armed", "paused": "Paused", "dry-run": "Rehearsal: nothing was deleted or marked"}


def page(report: Report, decisions: Iterable[Decision], now: datetime, approval: Approval | None = None) -> str:
    """The whole page. `decisions` are those that the run's sweeps have told, if it had any sweeps.

    Where the plan of the run can be approved, a box below the headline says how.
    """
    template = files("handler.report.page").joinpath("page.html").read_text(encoding="utf-8")
    view = overview(report.results, report.mode, decisions, now)
    return Template(template).substitute(
        policy=_policy(template),
        box=box(approval) if approval else "",
        title=f"image-reaper: {as_text(headline(view))}",
        headline=as_text(headline(view)),
        mode=as_text(report.mode),
        chip=as_text(CHIPS.get(report.mode, report.mode)),
        line=f"Project {code(report.project_id or 'unknown')}, {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        verdicts="\n".join(_verdicts(view)),
        facts="\n".join(_facts(report.results)),
        bar=_bar(view),
        cards="\n".join(_cards(view)),
        sections="\n".join(section(place, view, now) for place in PLACES if view.at(place)),
        footer=f"Made by image-reaper. In its log, this run is {code(report.request_id)}.",
    )


def _policy(template: str) -> str:
    """The Content-Security-Policy: the page's own style and script, by their hashes, and nothing else."""
    # The page shows names that strangers have chosen. Should one get past the escaping, it still can't run.
    hashes = {tag: _hash(re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)) for tag in ("style", "script")}
    own = "; ".join(f"{tag}-src '{given}'" for tag, given in hashes.items())
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"


def _hash(contents: Sequence[str]) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256("".join(contents).encode()).digest()).decode()


def _verdicts(view: Overview) -> Iterator[str]:
    """What a reviewer must see first: stops, problems, failures and unknown sizes."""
    for stop in view.stops:
        yield f'<p class="verdict">{as_text(stop.reason.capitalize())}: {as_text(stop.detail)}.</p>'
    for problem in view.problems:
        yield f'<p class="verdict">{as_text(problem)}.</p>'
    if (failed := _failed(view)) and not view.stops:
        told = ", ".join(f"{reason} {number:,}" for reason, number in failed.most_common())
        yield f'<p class="verdict note">Some images failed, and must be looked at again: {as_text(told)}.</p>'
    if any(row.size is None for row in view.at("goes", "waits")):
        yield '<p class="verdict note">The size of some images is unknown: they count as zero in every sum.</p>'


def _failed(view: Overview) -> Counter[str]:
    """How many images failed, by reason."""
    failed = Counter(row.reason for row in view.at("failed"))
    failed.update({reason: total.images for (place, reason), total in view.counted.items() if place == "failed"})
    return failed


def _facts(results: Sequence[Result]) -> Iterator[str]:
    """What was asked for."""
    for request in [result.request for result in results if result.request]:
        for term, words in _asked(request):
            if words:
                yield f"<dt>{term}</dt><dd>{as_text(words)}</dd>"


def _asked(request: Request) -> Iterator[tuple[str, str]]:
    yield "Asked by", request.reason
    if isinstance(request, DeletionRequest):
        yield "Asked for", f"{len(request.targets):,} images by their ids"
    elif isinstance(request, ApprovalRequest):
        yield "Asked for", f"the plan {request.plan}"
    else:
        yield "Selects", ", ".join(_conditions_in_words(request))
        keep, grace = request.keep, request.grace
        yield "Keeps", f"the {keep.newest:,} newest of each group, by {_grouping(keep)}" if keep else ""
        yield "Caps", f"{request.limit:,} images, and {request.limit_percent:g}% of all"
        meanwhile = ", deactivated meanwhile" if request.deactivate else ""
        yield "Grace", f"{_age_in_words(grace)} between mark and deletion{meanwhile}" if grace else ""
    yield "Backups", "deleted as well" if request.delete_backup else ""


def _conditions_in_words(request: SweepRequest) -> Iterator[str]:
    select = request.select
    unused = select.unused_for.age if select.unused_for else timedelta(0)
    given = {
        f"name {select.name}": select.name,
        f"family {select.family}": select.family,
        f"tagged {', '.join(sorted(select.tags))}": select.tags,
        ", ".join(f"{key} = {value}" for key, value in select.properties): select.properties,
        f"status {select.status}": select.status,
        f"older than {_age_in_words(select.older_than or timedelta(0))}": select.older_than,
        f"created before {select.created_before}": select.created_before,
        f"larger than {gib(select.size_over or 0)}": select.size_over is not None,
        f"not used for {_age_in_words(unused)}": unused,
    }
    return (words for words, asked in given.items() if asked)


def _grouping(keep: Keep) -> str:
    return "name up to the last hyphen" if keep.group_by == "name" else keep.group_by


def _age_in_words(age: timedelta) -> str:
    days, rest = divmod(age, timedelta(days=1))
    return f"{age // timedelta(hours=1)} hours" if rest else f"{days} days"


CARDS: Sequence[tuple[str, str, Sequence[Place]]] = (
    ("goes", "Goes", ("goes",)),
    ("waits", "Waits", ("waits",)),
    ("stays", "Stays", ("stays", "refused", "failed")),
)


def _bar(view: Overview) -> str:
    """The shares of bytes, drawn as a bar."""
    whole, left, parts, words = view.total().size, 0.0, [], []
    if not whole:
        return ""
    for name, title, places in CARDS:
        share = view.total(*places).size / whole * 100
        parts.append(f'<rect class="{name}" x="{left:.3f}%" width="{share:.3f}%" height="100%"></rect>')
        words.append(f"{title} {share:.1f}%")
        left += share
    return f'<svg class="bar" role="img" aria-label="Shares of bytes: {", ".join(words)}">{"".join(parts)}</svg>'


def _cards(view: Overview) -> Iterator[str]:
    whole = view.total()
    for name, title, places in CARDS:
        total = view.total(*places)
        if name == "waits" and not total.images:
            continue
        shares = f"{_share(total.images, whole.images)} of images, {_share(total.size, whole.size)} of bytes"
        link = next((place for place in places if view.at(place)), None)
        yield (
            f'<li class="{name}">{f"<a href=#{link}>{title}</a>" if link else title} <b>{size(total)}</b>'
            f'<p>{images(total)}</p><p class="soft">{shares}</p><output data-bytes="{total.size}"></output></li>'
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"
