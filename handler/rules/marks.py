"""Marks on images that wait for their deletion: what they say, and what is to be done about them. Pure.

A mark is the tag `reaper-delete-after`; the sweep that set it signs it. A signature without a mark beside it says that
somebody took the mark off, which is a veto.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from handler.model.image import Image
from handler.model.outcome import Objection
from handler.model.request import SweepRequest
from handler.rules.selection import objection

MARK = "reaper-delete-after"
"""The tag of an image that waits for its deletion; its value is the last day on which it stays."""
SWEEP = "reaper-sweep"
"""The tag that says which sweep has marked the image. Without a mark beside it, somebody took the mark off."""
DEACTIVATING, DEACTIVATED = "reaper-deactivating", "reaper-deactivated"
"""The tags of an image that is about to be deactivated since it is marked, and of one that was."""
FORGOTTEN = timedelta(days=31)
"""How long after its last day a mark counts as forgotten by the sweep that set it, so that any sweep takes it off."""


class Step(NamedTuple):
    """A change to an image: a tag set or taken off, or the image activated again."""

    verb: Literal["tag", "untag", "activate"]
    tag: str = ""


def refusal(image: Image, sweep: SweepRequest, now: datetime) -> Objection | None:
    """Say why a sweep leaves an image alone that it had selected: it has changed, or somebody wants it to stay."""
    if why_not := objection(image, sweep.select, now):
        return Objection("changed", f"no longer selected: {why_not.detail}")
    return veto(image)


def veto(image: Image) -> Objection | None:
    """Say how somebody has let us know that a marked image shall stay, or None if nobody has."""
    days = _days(image)
    if not days and signatures_of(image):
        return Objection("kept", "its mark was taken off")
    if None in days:
        return Objection("kept", f"its mark {MARK} has no date that can be read")
    if days and DEACTIVATED in image.tags and image.status == "active":
        return Objection("kept", "it was activated again")
    return None


def stays_until(image: Image) -> date | None:
    """The last day on which a marked image stays; None if it is not marked, or if the mark can't be read."""
    days = [day for day in _days(image) if day]
    return max(days, default=None)


def is_due(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether an image that is selected may go now: its day has passed unopposed, or it need not be marked.

    Each sweep keeps to the grace that it has promised: a mark that another has signed does not count, nor one whose
    notice, the deactivation, is not complete. One without grace waits for the day that any sweep has promised.
    """
    last = stays_until(image)
    passed = last is not None and now.date() > last
    if veto(image):
        return False
    if not sweep.grace:
        return passed or last is None or not signatures_of(image)
    notified = not (sweep.deactivate and DEACTIVATING in image.tags)
    return passed and notified and not is_foreign(image, sweep)


def acts_on(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether a sweep changes an image that is selected: it does nothing while that waits, nor after a veto."""
    if veto(image):
        return False
    unmarked = stays_until(image) is None or is_to_be_taken_over(image, sweep, now)
    return unmarked or is_due(image, sweep, now) or is_to_be_deactivated(image, sweep)


def is_to_be_deactivated(image: Image, sweep: SweepRequest) -> bool:
    """Whether an image that is marked, or will be, is still to be deactivated by this sweep."""
    told = not image.tags.isdisjoint({DEACTIVATING, DEACTIVATED})
    return sweep.deactivate and not is_foreign(image, sweep) and image.status == "active" and not told


def is_foreign(image: Image, sweep: SweepRequest) -> bool:
    """Whether only other sweeps have signed the mark of an image."""
    signatures = _values(image, SWEEP)
    return bool(signatures) and identity(sweep) not in signatures


def is_to_be_taken_over(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether the mark of an image is one that its own sweep forgot."""
    last = stays_until(image)
    return is_foreign(image, sweep) and last is not None and now.date() - last > FORGOTTEN


def has_lapsed(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether an image that is not selected, or is refused, is to be set free by this sweep.

    It bears the sweep's own mark, one that nobody signed, one that its sweep forgot, or is deactivated without any.
    """
    if not sweep.grace or not is_marked(image):
        return False
    return not marks_of(image) or not is_foreign(image, sweep) or is_to_be_taken_over(image, sweep, now)


def release(image: Image, sweep: SweepRequest) -> list[Step]:
    """The steps that set an image free which stays, in their order; after each of them it is safe to end.

    A veto is remembered: by the signature of the sweep without a mark, or by the mark that can't be read, which is left
    as somebody has written it. In any other case nothing is left of the mark.
    """
    ours, signatures, marks = sorted(image.tags & {DEACTIVATING, DEACTIVATED}), signatures_of(image), marks_of(image)
    activate = [Step("activate")] if ours and image.status == "deactivated" else []
    if None in _days(image):
        return [*activate, *_untag(ours)]
    if veto(image):
        sign = [] if signatures else [Step("tag", f"{SWEEP}={identity(sweep)}")]
        return [*activate, *sign, *_untag(marks), *_untag(ours)]
    # An image that is active and still says that it was deactivated would have been activated by somebody.
    undo = [Step("tag", DEACTIVATING), Step("untag", DEACTIVATED)] if DEACTIVATED in ours else []
    return [*undo, *activate, *_untag(signatures), *_untag(marks), *_untag([DEACTIVATING] if ours else [])]


def _untag(tags: Iterable[str]) -> list[Step]:
    return [Step("untag", tag) for tag in tags]


def is_marked(image: Image) -> bool:
    """Whether an image bears a mark that is to be taken off when the image stays."""
    return bool(marks_of(image)) or not image.tags.isdisjoint({DEACTIVATING, DEACTIVATED})


def marks_of(image: Image) -> list[str]:
    """The tags that mark an image with a day, in full."""
    return [tag for tag in sorted(image.tags) if _day(_value(tag, MARK) or "")]


def signatures_of(image: Image) -> list[str]:
    """The tags by which sweeps have signed their marks, in full."""
    return [tag for tag in sorted(image.tags) if _value(tag, SWEEP) is not None]


def identity(sweep: SweepRequest) -> str:
    """What tells a policy from others: eight hexadecimal digits made from what it selects and keeps."""
    select = sweep.select
    said = (
        *(select.name, sorted(select.tags), sorted(select.properties), select.status),
        *(select.older_than, select.created_before, select.size_over, sweep.keep),
    )
    return hashlib.sha256(repr(said).encode(errors="replace")).hexdigest()[:8]


def _days(image: Image) -> list[date | None]:
    """The days of the marks of an image; None for a mark whose date can't be read."""
    return [_day(value) for value in _values(image, MARK)]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _values(image: Image, key: str) -> list[str]:
    return [value for tag in sorted(image.tags) if (value := _value(tag, key)) is not None]


def _value(tag: str, key: str) -> str | None:
    """The value of a tag of this key: written `key=value`, `key.value` on old IMS, or without any."""
    if tag == key:
        return ""
    return tag[len(key) + 1 :] if tag.startswith((f"{key}=", f"{key}.")) else None
