"""What the tags on an image promise about its deletion, as the contract says it."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.chaos.history import Image
from tests.chaos.observer.reading import day_of, generous_value, is_over

MARK, SIGNATURE, DRAFT, RECALL = "reaper-delete-after", "reaper-sweep", "reaper-draft-", "reaper-recall-"
DEACTIVATED = "reaper-deactivated"
FORGOTTEN = timedelta(days=31)


def days_of(image: Image) -> list[str]:
    """The days of its marks, as they are written; an empty text for a mark in another spelling."""
    return [*_days(image)]


def _days(image: Image) -> Iterator[str]:
    for tag in image.tags:
        if found := re.fullmatch(rf"{MARK}(?:[=.](.*))?", tag, re.DOTALL):
            yield found[1] or ""
        elif "reaper" in tag.casefold() and generous_value(tag, MARK) is not None:
            yield ""


def signers_of(image: Image) -> set[str]:
    """Whose signatures it bears."""
    found = (re.fullmatch(rf"{SIGNATURE}[=.]([^-]*).*", tag, re.DOTALL) for tag in image.tags)
    return {match[1] for match in found if match}


def is_signed(image: Image) -> bool:
    """Whether any policy has signed it."""
    return any(re.match(rf"{SIGNATURE}(=|\.|$)", tag) for tag in image.tags)


def is_begun(image: Image) -> bool:
    """Whether a run has begun to mark it, or to take marks off."""
    return any(tag.startswith((DRAFT, RECALL)) for tag in image.tags)


def _is_held(tag: str, now: datetime) -> bool:
    """Whether this is the draft of a run that may still be at work: none lasts longer than a day."""
    begun = day_of(tag[-10:]) if tag.startswith(DRAFT) else None
    return tag.startswith(DRAFT) and (begun is None or now.date() - begun <= timedelta(days=1))


def is_touched(image: Image) -> bool:
    """Whether it bears any tag of ours."""
    return any("reaper" in tag.casefold() for tag in image.tags)


def is_vetoed(image: Image) -> bool:
    """Whether somebody wants a marked image to stay."""
    days = days_of(image)
    taken_off = not days and (is_signed(image) or any(tag.startswith(RECALL) for tag in image.tags))
    revived = bool(days) and DEACTIVATED in image.tags and image.status == "active"
    return taken_off or revived or any(day_of(day) is None for day in days)


def why_not_due(image: Image, policy: str, grace: int, now: datetime, signers: dict[str, set[str]]) -> str:
    """Why a sweep with this policy and grace may not delete it yet; empty if nothing holds it back."""
    days = days_of(image)
    if is_vetoed(image):
        return "veto"
    if not all(is_over(day, now) for day in days):
        return "grace"
    if not grace:
        return ""
    if not days or any(_is_held(tag, now) for tag in image.tags):
        return "unmarked"
    theirs = signers_of(image)
    is_foreign = bool(theirs) and all(policy not in signers.get(one, {policy}) for one in theirs)
    return "foreign mark" if is_foreign else ""
