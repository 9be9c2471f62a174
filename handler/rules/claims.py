"""Whose mark is whose: which of the tags on an image a policy may change. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from handler.rules.mark_state import Mark, is_over
from handler.rules.marks import MarkTags, PolicyTag


class Claim(NamedTuple):
    """The tags that a policy may change: those that name it, and the marks of their days that no other policy claims.

    `days` are those of its marks, or else that of its signature. `held_for` are the days of its own drafts that keep
    others away. `held_by_others` says whether a draft of another keeps it away, `has_others` whether another has signed
    a mark.
    """

    name: str
    signatures: tuple[PolicyTag, ...]
    drafts: tuple[PolicyTag, ...]
    recalls: tuple[PolicyTag, ...]
    marks: tuple[str, ...]
    days: tuple[date | None, ...]
    held_for: frozenset[date | None]
    held_by_others: bool
    has_others: bool


def claim_of(mark: Mark, name: str, today: date, *, takes_all: bool = False) -> Claim:
    """What a policy may change; if it `takes_all`, that includes what others have signed, and forgotten."""
    tags = mark.tags
    signatures, drafts, recalls = (_of(name, found) for found in (tags.signatures, tags.drafts, tags.recalls))
    if takes_all:
        # But for the drafts of others: without a mark they say nothing, and the mark may be theirs again.
        signatures = (*tags.signatures, *(each for each in tags.recalls if each not in recalls))
    others = [each for each in (*tags.signatures, *tags.recalls) if each not in (*signatures, *recalls)]
    foreign_drafts = [each for each in tags.drafts if each not in drafts]
    # A draft says nothing against a signature: whoever sets one after that leaves the mark alone.
    rivals = others if signatures or recalls else [*others, *foreign_drafts]
    marks = _marks(tags, (*signatures, *drafts, *recalls), rivals, today)
    # Never the last one beside another policy's signature: that would be a veto.
    if takes_all or (others and len(marks) == len(tags.marks)):
        marks = {tag: day for tag, day in _readable(tags).items() if takes_all}
    named = [each.day for each in (*signatures, *recalls, *drafts) if each.day]
    return Claim(
        name=name,
        signatures=signatures,
        drafts=drafts,
        recalls=recalls,
        marks=tuple(marks),
        days=(None,) if takes_all else tuple(marks.values()) or (max(named, default=None),),
        held_for=frozenset(each.day for each in drafts if each.is_held(today)),
        held_by_others=any(each.is_held(today) for each in foreign_drafts),
        has_others=bool(others),
    )


def _of(name: str, found: Iterable[PolicyTag]) -> tuple[PolicyTag, ...]:
    return tuple(each for each in found if each.signer == name)


def _readable(tags: MarkTags) -> dict[str, date]:
    return dict(zip(tags.marks, (day for day in tags.days if day), strict=True))


def _marks(tags: MarkTags, own: Sequence[PolicyTag], rivals: Sequence[PolicyTag], today: date) -> dict[str, date]:
    """The marks that these tags claim, and no rival."""
    readable = _readable(tags)
    # Earlier versions signed without a day, and set the mark before anybody could write a later one beside it.
    claimed = _days(own, tags, [min(readable.values(), default=date.min)])
    # A draft without a day was set to take off what was forgotten: it is taken off even if the image is deselected now.
    is_left = all(each in tags.drafts for each in rivals)
    if is_left and is_over(tags, today) and any(each in tags.drafts and each.day is None for each in own):
        claimed |= {*readable.values()}
    return {tag: day for tag, day in readable.items() if day in claimed - _days(rivals, tags, readable.values())}


def _days(named: Iterable[PolicyTag], tags: MarkTags, unnamed: Iterable[date]) -> set[date]:
    """The days whose marks are claimed; a signature without a day claims these."""
    return {day for each in named for day in ([each.day] if each.day else unnamed if each in tags.signatures else [])}
