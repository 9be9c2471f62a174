"""Marks as text: the list of what is marked, and what became of each image. Pure."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from handler.config.settings import Settings
from handler.report.page.rows import gib
from handler.rules.marks import RECALL, SWEEP
from handler.shell.screen.lines.rows import UNKNOWN, since
from handler.shell.screen.terminal import Screen, printable
from handler.work.marks.changing import Told
from handler.work.marks.freeing import BY_HAND, to_free
from handler.work.marks.listing import Listing, Marked

HEADS = {
    "vetoed": (
        "To withdraw a veto, take these tags off. A veto does not stop a request that names the image by its id; the "
        "tag {keep_tag} does:"
    ),
    "not marked": "To keep such an image from every sweep and request:",
    "stays": "A person has decided on what stays, so it keeps its tags. To take them off, in this order:",
}
"""What stands above the commands for images of which this became."""


def marks_text(listing: Listing, now: datetime, screen: Screen) -> str:
    """What is marked: a line for each image in a pipe, and lines that fit on a terminal."""
    rows = [_cells(each, now) for each in listing.marked]
    rows += [("its tags can't be read", image.id, image.name or "") for image in listing.unreadable]
    if not rows:
        return "no image is marked"
    unread = len(listing.unreadable)
    more = f"; the tags of {_images(unread)} can't be read, and may be marks" if unread else ""
    return "\n".join([*_table(rows, screen), *_wrapped(f"{_counted(listing)}{more}", screen)])


def _counted(listing: Listing) -> str:
    vetoed = sum(each.is_vetoed for each in listing.marked)
    marked = len(listing.marked) - vetoed
    if vetoed and not marked:
        return f"{_images(vetoed)} vetoed"
    return f"{_images(marked)} marked" + (f", {vetoed} vetoed" if vetoed else "")


def _cells(each: Marked, now: datetime) -> Sequence[str]:
    image = each.image
    age = since(image.created_at, now).replace(UNKNOWN, "unknown age")
    size = "unknown size" if image.size is None else gib(image.size)
    named = f"polic{'y' if len(each.policies) == 1 else 'ies'} {', '.join(each.policies)}" if each.policies else ""
    signed = "set by hand" if each.is_by_hand else named
    is_off = "deactivated" if each.is_deactivated else ""
    return each.state(now.date()), image.id, image.name or "", age, size, signed, is_off


def unmark_question(listing: Listing, today: date) -> str:
    """What a person is asked before the marks are taken off; empty if that would change nothing."""
    plans = [to_free(each.image, today) for each in listing.marked]
    free, active = sum(not plan.stays for plan in plans), sum(bool(plan.stays and plan.steps) for plan in plans)
    acts = [f"take the mark{'s' * (free != 1)} off {_images(free)}"] if free else []
    acts += [f"activate {_images(active)} again"] if active else []
    return f"{' and '.join(acts).capitalize()}? {what_stays(listing, today)}".rstrip() if acts else ""


def what_stays(listing: Listing, today: date) -> str:
    """How many vetoes and marks stay since a person has decided on the image, as a sentence; empty if none does."""
    stays = [plan.stays for each in listing.marked if (plan := to_free(each.image, today)).stays]
    by_hand = stays.count(BY_HAND)
    vetoes = len(stays) - by_hand
    parts = [f"{vetoes:,} veto{'es' * (vetoes != 1)}"] if vetoes else []
    parts += [f"{by_hand:,} mark{'s' * (by_hand != 1)} set by hand"] if by_hand else []
    return f"{' and '.join(parts)} stay{'s' * (len(stays) == 1)}." if parts else ""


def told_text(told: Sequence[Told], settings: Settings, screen: Screen) -> str:
    """What became of each image, below that the commands that a person may want next, and the counts."""
    rows = [(each.word, each.image_id, (each.image and each.image.name) or "", each.detail) for each in told]
    lines = list(_table(rows, screen))
    for word, head in HEADS.items():
        commands = [line for each in told if each.word == word for line in _commands(each, settings)]
        if commands:
            lines += ["", *_wrapped(head.format(keep_tag=settings.keep_tag), screen), *map(printable, commands)]
    if not told:
        return "no image is marked"
    words = [each.word for each in told]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    return "\n".join([*lines, *([""] if len(lines) > len(rows) else []), *_wrapped(counts, screen)])


def _commands(told: Told, settings: Settings) -> Iterator[str]:
    """Lines that can be pasted as they are, but for IMS: its tags have keys, so they are changed in its console."""
    image_id = shlex.quote(told.image_id)
    set_tag, unset_tag = (
        ("in the console of IMS: set on {1} the tag {0}", "in the console of IMS: take off {1} the tag {0}")
        if settings.image_api == "ims"
        else ("openstack image set --tag {0} {1}", "openstack image unset --tag {0} {1}")
    )
    if told.word == "not marked":
        yield f"  {set_tag.format(shlex.quote(settings.keep_tag), image_id)}"
    if told.word == "stays" and told.image and told.image.status == "deactivated":
        yield f"  openstack image set --activate {image_id}"
    for tag in _in_order(told.tags):
        yield f"  {unset_tag.format(shlex.quote(tag), image_id)}"


def _in_order(tags: Sequence[str]) -> list[str]:
    """Tags in the order in which they may be taken off: a mark that nobody signs any more would count for everybody."""
    return sorted(tags, key=lambda tag: (tag.startswith((SWEEP, RECALL)), tag))


def _table(rows: Sequence[Sequence[str]], screen: Screen) -> Iterator[str]:
    """The rows with their cells below each other, or, if they are wider than the screen, a few lines for each."""
    shown = [[printable(cell) for cell in row] for row in rows]
    columns = max(map(len, shown), default=0)
    widths = [max(len(row[column]) for row in shown if column < len(row)) for column in range(columns)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]
    if screen.width is None or max(map(len, lines), default=0) <= screen.width:
        yield from lines
        return
    for state, image_id, name, *rest in shown:
        yield from _wrapped(f"{state}  {name}", screen)
        yield f"  {image_id}"
        yield from _wrapped("  ".join(filter(None, rest)), screen, indent="  ")


def _wrapped(text: str, screen: Screen, indent: str = "") -> list[str]:
    if screen.width is None:
        return [f"{indent}{text}"]
    return textwrap.wrap(text, screen.width, initial_indent=indent, subsequent_indent=indent or "  ")


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"
