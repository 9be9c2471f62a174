"""A run as a page for a person: what goes and why, what stays and why, and how much that is. Pure: values to text.

Names and answers come from the cloud: each is escaped, and the page's own policy lets no script run but the page's.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from string import Template

from handler.model.outcome import Decision, Total
from handler.report.approval import Approval
from handler.report.page.advice import how_to_carry_out, how_to_keep
from handler.report.page.box import box
from handler.report.page.facts import facts
from handler.report.page.overview import Overview, headline, overview
from handler.report.page.rows import PLACES, Place, counted
from handler.report.page.sections import as_text, code, images, prose, section, size
from handler.report.report import Report

CHIPS = {"delete": "Armed", "paused": "Paused", "dry-run": "Rehearsal: nothing was deleted or marked"}


def page(
    report: Report, decisions: Iterable[Decision], now: datetime, approval: Approval | None = None, *, plan: str = ""
) -> str:
    """The whole page. `decisions` are those that the run's sweeps have told, if it had any sweeps.

    Where the plan of the run can be approved, a box below the headline says how. `plan` is the path of the file that
    holds it, if it was written.
    """
    template = files("handler.report.page").joinpath("page.html").read_text(encoding="utf-8")
    view = overview(report.results, report.mode, decisions, now)
    advice = _advice(view, report, "" if approval else how_to_carry_out(report, plan))
    return Template(template).substitute(
        policy=_policy(template),
        box=box(approval) if approval else "",
        title=f"image-reaper: {as_text(headline(view))}",
        headline=as_text(headline(view)),
        mode=as_text(report.mode),
        chip=as_text(CHIPS.get(report.mode, report.mode)),
        line=f"Project {code(report.project_id or 'unknown')}, <time>{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC</time>",
        verdicts="\n".join(_verdicts(view)),
        facts="\n".join(f"<dt>{term}</dt><dd>{prose(words)}</dd>" for term, words in facts(report)),
        bar=_bar(view),
        cards="\n".join(_cards(view)),
        sections="\n".join(section(place, view, now, advice.get(place, "")) for place in PLACES if view.at(place)),
        footer=f"Made by image-reaper. In its log, this run is {code(report.request_id)}.",
    )


def _advice(view: Overview, report: Report, carry_out: str) -> Mapping[Place, str]:
    """What a reader may do about the images that end in a place."""
    ways: dict[Place, str] = {"goes": carry_out, "waits": how_to_keep(view, report)}
    return {place: f'<div class="advice">{way}</div>' for place, way in ways.items() if way}


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
        yield f'<p class="verdict">{as_text(stop.reason.capitalize())}: {prose(stop.detail)}.</p>'
    for problem in view.problems:
        yield f'<p class="verdict">{prose(problem)}.</p>'
    if (failed := _failed(view)) and not view.stops:
        number = counted(failed.total())
        told = ", ".join(f"{reason} {some:,}" for reason, some in failed.most_common())
        yield f'<p class="verdict note">{number} failed, and must be looked at again: {as_text(told)}.</p>'
    if unknown := sum(row.size is None for row in view.at("goes", "waits")):
        sums = f"{'it counts' if unknown == 1 else 'they count'} as zero in every sum"
        yield f'<p class="verdict note">The size of {counted(unknown)} is unknown: {sums}.</p>'


def _failed(view: Overview) -> Counter[str]:
    """How many images failed, by reason."""
    failed = Counter(row.reason for row in view.at("failed"))
    failed.update({reason: total.images for (place, reason), total in view.counted.items() if place == "failed"})
    return failed


CARDS: Sequence[tuple[str, str, Sequence[Place]]] = (
    ("goes", "Goes", ("goes",)),
    ("waits", "Waits", ("waits",)),
    ("stays", "Stays", ("stays", "refused", "failed")),
)


def _bar(view: Overview) -> str:
    """The shares of bytes, drawn as a bar."""
    whole, left, parts, words = view.total().size, 0.0, [], []
    if not whole or view.unlisted:
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
        if view.unlisted:
            yield _card_of_some(name, title, total, view)
            continue
        shares = f"{_share(total.images, whole.images)} of images, {_share(total.size, whole.size)} of bytes"
        link = next((place for place in places if view.at(place)), None)
        yield (
            f'<li class="{name}">{f"<a href=#{link}>{title}</a>" if link else title} <b>{size(total)}</b>'
            f'<p>{images(total)}</p><p class="soft">{shares}</p><output data-bytes="{total.size}"></output></li>'
        )


def _card_of_some(name: str, title: str, total: Total, view: Overview) -> str:
    """A card where not all images are known: what stays is no number then."""
    if name != "stays":
        return f'<li class="{name}">{title} <b>{size(total)}</b><p>{images(total)}</p></li>'
    known = f", {images(total)} aside" if total.images else ""
    return f'<li class="{name}">{title} <b>unknown</b><p>{as_text(view.unlisted)}{known}</p></li>'


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"
