"""The marks on images that wait for their deletion: the tags, and what they say by themselves. Pure.

A mark is the tag `reaper-delete-after`; the sweep that sets it signs it with `reaper-sweep`. A signature without a mark
beside it says that somebody took the mark off, which is a veto.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

from handler.model.image import Image
from handler.model.request import SweepRequest

MARK = "reaper-delete-after"
"""The tag of an image that waits for its deletion; its value is the last day on which the image stays."""
SWEEP = "reaper-sweep"
"""The tag that says which sweep has marked the image."""
DEACTIVATING, DEACTIVATED = "reaper-deactivating", "reaper-deactivated"
"""The tags of an image that a sweep is about to deactivate, and of one that it has deactivated."""
_OURS = "reaper-"


class Step(NamedTuple):
    """A change to an image: a tag set or taken off, or the image activated again."""

    verb: Literal["tag", "untag", "activate"]
    tag: str = ""


class MarkTags(NamedTuple):
    """Our tags on one image.

    `marks` and `signatures` are whole tags in alphabetical order; `marks` leaves out those whose day can't be read.
    `days` has an entry for every mark, None if its day can't be read. `signers` are the fingerprints of sweeps.
    """

    marks: tuple[str, ...] = ()
    days: tuple[date | None, ...] = ()
    signatures: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    is_deactivating: bool = False
    is_deactivated: bool = False

    @property
    def last_day(self) -> date | None:
        """The last day on which the image stays; None if it is not marked, or if no mark can be read."""
        # Of several marks the latest counts: an owner may rely on any of them.
        return max((day for day in self.days if day), default=None)

    @property
    def is_marked(self) -> bool:
        """Whether there is something to take off when the image stays."""
        return bool(self.marks) or self.is_deactivating or self.is_deactivated


NO_TAGS = MarkTags()


def read_tags(image: Image) -> MarkTags:
    """Find our tags on an image."""
    ours = sorted(tag for tag in image.tags if tag.startswith(_OURS))
    if not ours:
        return NO_TAGS
    days = {tag: _day(value) for tag, value in _tags_of_key(ours, MARK)}
    signers = dict(_tags_of_key(ours, SWEEP))
    return MarkTags(
        marks=tuple(tag for tag, day in days.items() if day),
        days=tuple(days.values()),
        signatures=tuple(signers),
        signers=tuple(signers.values()),
        is_deactivating=DEACTIVATING in ours,
        is_deactivated=DEACTIVATED in ours,
    )


def veto_in(tags: MarkTags, status: str) -> str:
    """How somebody has objected to the deletion of a marked image with this status; empty if nobody has."""
    # A signature that stands alone is always a veto: our own runs take it off before the mark, or leave it for a veto.
    if not tags.days and tags.signatures:
        return "its mark was taken off"
    if None in tags.days:
        return f"its mark {MARK} has no date that can be read"
    if tags.days and tags.is_deactivated and status == "active":
        return "it was activated again"
    return ""


def fingerprint(sweep: SweepRequest) -> str:
    """What tells one policy from another: eight hexadecimal digits made from what it selects and keeps."""
    # It is written into tags that stay for weeks: if the same policy got a different one, its own marks would be those
    # of a stranger. Caps and grace are left out: changing how much a run may do does not make another policy.
    select = sweep.select
    said: tuple[object, ...] = (
        *(select.name, sorted(select.tags), sorted(select.properties), select.status),
        *(select.older_than, select.created_before, select.size_over, sweep.keep),
    )
    # Left out where it is not given: policies from before it was a condition keep their marks.
    said += (select.family,) if select.family else ()
    # "replace": a name may hold half a character (a lone surrogate), which UTF-8 can't encode.
    return hashlib.sha256(repr(said).encode(errors="replace")).hexdigest()[:8]


def signature_of(sweep: SweepRequest) -> str:
    """The tag with which a sweep signs its marks."""
    return f"{SWEEP}={fingerprint(sweep)}"


def release(image: Image, tags: MarkTags, sweep: SweepRequest) -> list[Step]:
    """Steps that undo our marks on an image that stays, in an order that is safe to interrupt.

    A run may die after any of them; the next run goes on. What remembers a veto is left on the image: a signature
    without a mark, or the mark that can't be read, just as somebody has written it. Without a veto, nothing is left.
    """
    # An image that no sweep has deactivated is not activated either: its owner wants it to be inactive.
    switches = [tag for tag in (DEACTIVATED, DEACTIVATING) if tag in image.tags]
    activate = [Step("activate")] if switches and image.status == "deactivated" else []
    if None in tags.days:
        return [*activate, *_untag(switches)]
    if veto_in(tags, image.status):
        # The signature comes first: without it, the image would look as if it had never been marked, and the next run
        # would mark it again. The tags of a deactivation go last: they are what says that it must be ended.
        sign = [] if tags.signatures else [Step("tag", signature_of(sweep))]
        return [*activate, *sign, *_untag(tags.marks), *_untag(switches)]
    # Back to `deactivating` before the image is activated: one that is active, and tagged as deactivated, would look as
    # if its owner had activated it.
    undo = [Step("tag", DEACTIVATING), Step("untag", DEACTIVATED)] if tags.is_deactivated else []
    # The signature goes before the mark: alone, it would be a veto that nobody has cast.
    off = [*_untag(tags.signatures), *_untag(tags.marks), *_untag([DEACTIVATING] if switches else [])]
    return [*undo, *activate, *off]


def _untag(tags: Iterable[str]) -> list[Step]:
    return [Step("untag", tag) for tag in tags]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _tags_of_key(tags: Iterable[str], key: str) -> Iterable[tuple[str, str]]:
    """The tags with this key, and their values: written `key=value`, `key.value` on old IMS, or `key` alone."""
    for tag in tags:
        if tag == key:
            yield tag, ""
        elif tag.startswith((f"{key}=", f"{key}.")):
            yield tag, tag[len(key) + 1 :]
