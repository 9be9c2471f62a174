"""The sections of the page: the images that end in one place, counted by reason and listed in groups. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape

from handler.model.masking import masked
from handler.model.outcome import MOST_LISTED, Total
from handler.report.page.overview import Overview
from handler.report.page.rows import ImageRow, Place, counted, gib

COLUMNS = ("Name", "Id", "Age", "Size", "Outcome", "Why")
NUMBERS = ("Age", "Size")
SECTIONS: Mapping[str, tuple[str, str]] = {
    "goes": ("Goes", "Selected or asked for, and no rule objects."),
    "waits": ("Waits", "Marked first, with a tag. A later run deletes it, once the day of the tag has passed."),
    "failed": ("Failed", "Not known to be deleted."),
    "refused": ("Refused by a rule", "Asked for or selected, but a rule of ours or of the cloud objects."),
    "stopped": ("Not done", "Selected, and not touched."),
    "gone": ("Gone already", "The cloud knows no such image."),
    "stays": ("Stays", "Not selected. The reason is the first of the sweep's conditions that does not hold."),
}
REASONS: Mapping[str, str] = {
    "name": "its name does not match",
    "family": "it is of another family",
    "tags": "it lacks a tag",
    "properties": "it lacks a property, or has another value",
    "status": "it has another status",
    "age": "too young, or its age is unknown",
    "size": "too small, or its size is unknown",
    "use": "used too lately, or not watched for long enough",
    "group": "in no group",
    "newest": "among the newest of its group",
    "expired": "the request is too old",
    "public": "every project may use it",
    "not_owner": "it belongs to another project",
    "protected": "it is protected",
    "not_ready": "it is being written, or not at rest",
    "changed": "it is not what was expected, or no longer selected",
    "kept": "it is tagged to be kept, or its mark was taken off",
    "not_allowed": "it lacks the operator's tag, or has a name outside the operator's patterns",
    "too_young": "younger than the operator's minimum age",
    "shared": "another project may use it, and has not turned it down",
    "in_use": "something uses it",
    "denied": "the credentials are refused, or may not do it",
    "throttled": "the cloud keeps asking for fewer requests",
    "unavailable": "the cloud has failed, or can't be reached",
    "deadline": "no time was left for it",
    "over_limit": "over a cap of the sweep or of the function",
    "budget": "the budget is used up, or can't be counted",
    "backup_left": "its backup could not be deleted",
    "paused": "the function is paused",
    "busy": "another run does the same at this moment",
    "unexpected": "the cloud said something that is not understood, or image-reaper has a bug",
}


_DAY = re.compile(r"(?<![\w-])\d{4}-\d{2}-\d{2}(?![\d-])")


def section(place: Place, view: Overview, now: datetime, advice: str = "") -> str:
    """One section, with advice on what a reader may do, as HTML.

    The images that stay are folded away: they are the most, and matter the least.
    """
    title, lead = SECTIONS["stopped" if place == "failed" and view.stops else place]
    rows, total = view.at(place), view.total(place)
    listed = _rows_listed(rows, place)
    table = _table(place, listed, view, now)
    if place == "stays":
        table = f"<details><summary>{_listing(listed, total)}</summary>{table}</details>"
    elif len(listed) < total.images:
        table = f"<p>{_listing(listed, total)}</p>{table}"
    return (
        f'<section id="{place}" class="{place}" aria-labelledby="{place}-title">'
        f'<h2 id="{place}-title">{title} <small>{images_and_size(total)}</small></h2>'
        f'<p class="soft">{lead}</p>{advice}{_reasons(place, view)}{table}</section>'
    )


def as_text(value: str) -> str:
    """A text as HTML: nothing in it is markup, and characters that can't be seen are written out."""
    # An invisible character in a name could turn the text around it, or make two images look like one.
    value = masked(value)
    if not value.isprintable():
        value = "".join(sign if sign.isprintable() else f"<U+{ord(sign):04X}>" for sign in value)
    return escape(value)


def prose(value: str) -> str:
    """A text as HTML in which no day is broken at the end of a line."""
    return _DAY.sub(r"<time>\g<0></time>", as_text(value))


def code(value: str) -> str:
    """A text as HTML, set as what a machine says or reads."""
    return f"<code>{as_text(value)}</code>"


def images(total: Total) -> str:
    """A number of images in words."""
    some = f"{total.unknown:,} " if total.unknown < total.images else ""
    return counted(total.images) + (f", {some}of unknown size" if total.unknown else "")


def images_and_size(total: Total) -> str:
    """A number of images in words, and their bytes if those of any are known."""
    return images(total) + (f", {gib(total.size)}" if total.unknown < total.images else "")


def size(total: Total) -> str:
    """The bytes of images in words."""
    return "unknown" if total.images and total.unknown == total.images else gib(total.size)


def _rows_listed(rows: Sequence[ImageRow], place: Place) -> Sequence[ImageRow]:
    """The images that are listed one by one: all that go or wait, and the largest of the others."""
    if place in {"goes", "waits"}:
        return rows
    return sorted(rows, key=lambda row: (row.outcome == "stays", -(row.size or 0)))[:MOST_LISTED]


def _listing(listed: Sequence[ImageRow], total: Total) -> str:
    if len(listed) == total.images:
        return images(total) + (", one by one" if total.images > 1 else "")
    return f"The {len(listed):,} largest of {total.images:,} images, one by one; the rest is only counted above"


def _reasons(place: Place, view: Overview) -> str:
    """How many images there are for each reason, if there are reasons."""
    by_reason: dict[str, list[ImageRow]] = {}
    for row in view.at(place):
        by_reason.setdefault(row.reason, []).append(row)
    totals = {reason: Total.of(rows) for reason, rows in by_reason.items()}
    for (_, reason), more in [each for each in view.counted.items() if each[0][0] == place]:
        totals[reason] = totals.get(reason, Total()).plus(more)
    if set(totals) <= {""}:
        return ""
    lines = "".join(
        f'<tr><td>{code(reason)}</td><td>{REASONS.get(reason, "")}</td><td class="number">{total.images:,}</td>'
        f'<td class="number">{size(total)}</td></tr>'
        for reason, total in sorted(totals.items(), key=lambda each: -each[1].images)
    )
    return f'<table class="reasons"><tbody>{lines}</tbody></table>'


def _table(place: Place, rows: Sequence[ImageRow], view: Overview, now: datetime) -> str:
    heads = "".join(
        f'<th scope="col"{" class=number" * (column in NUMBERS)}><button type="button">{column}</button></th>'
        for column in COLUMNS
    )
    bodies = "".join(_groups(rows, view, now))
    # Where no row says why, the names get the room.
    bare = " data-bare" * (not any(_why(row, view) for row in rows))
    return (
        f'<table class="images"{bare} aria-labelledby="{place}-title"><thead><tr>{heads}</tr></thead>{bodies}</table>'
    )


def _groups(rows: Sequence[ImageRow], view: Overview, now: datetime) -> Iterator[str]:
    """The groups with the most bytes first, and in each the oldest images."""
    for group, members in sorted(_by_group(rows).items(), key=lambda each: (-Total.of(each[1]).size, each[0])):
        part = Total.of(members)
        told = images_and_size(part)
        if view.groups is not None:
            whole = view.groups[group]
            sizes = f", {gib(part.size)} of {gib(whole.size)}" if whole.unknown < whole.images else ""
            told = f"{part.images:,} of {images(whole)}{sizes}"
        oldest_first = sorted(members, key=lambda row: row.created or now)
        lines = "\n".join(_row(row, _why(row, view), now) for row in oldest_first)
        yield (
            f'\n<tbody data-v="{part.size}"><tr class="group"><th colspan="{len(COLUMNS)}" scope="rowgroup">'
            f'<button type="button" aria-expanded="true"><bdi>{as_text(group) or "in no group"}</bdi></button>'
            f" <small>{told}</small></th></tr>\n{lines}</tbody>"
        )


def _by_group(rows: Iterable[ImageRow]) -> dict[str, list[ImageRow]]:
    groups: dict[str, list[ImageRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return groups


def _why(row: ImageRow, view: Overview) -> str:
    """The cell with the mark or the reason, and with the detail unless that stands at the top of the page."""
    if row.mark:
        return f'<code class="mark">{as_text(row.mark)}</code>'
    if row.reason:
        return code(row.reason) + ("" if view.stops and row.place == "failed" else f" {prose(row.detail)}")
    return prose(row.detail)


def _row(row: ImageRow, why: str, now: datetime) -> str:
    in_bytes = 'data-v="">unknown' if row.size is None else f'data-v="{row.size}">{gib(row.size)}'
    name = as_text(row.name) or "<i>no name</i>"
    return (
        f'<tr><th scope="row"><bdi>{name}</bdi></th><td class="id">{as_text(row.image_id)}</td>'
        f"{_age_cell(row.created, now)}"
        f'<td class="number" {in_bytes}</td><td>{as_text(row.outcome)}</td><td>{why}</td></tr>'
    )


def _age_cell(created: datetime | None, now: datetime) -> str:
    """The cell of an image's age."""
    if created is None:
        return '<td class="number" data-v="">unknown</td>'
    age = now - created
    days = f"{age.days:,} d" if created <= now else "in the future"
    return f'<td class="number" data-v="{age.total_seconds():.0f}">{days}<small>{created:%Y-%m-%d}</small></td>'
