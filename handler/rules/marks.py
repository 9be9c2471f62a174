"""The marks on images that wait for their deletion: the tags, and what they say by themselves. Pure.

A mark is the tag `reaper-delete-after`. The sweep that sets it signs it with `reaper-sweep`, for its day. A signature
without a mark beside it says that somebody took the mark off, which is a veto.

While a sweep sets its mark, or takes it off, two more tags name it. They exist since a run may die after any step, and
since nothing but the tags tells the next run how far it had come:

- Beside a draft, `reaper-draft-<policy>=<day>-<begun>`, the mark of that day is not in force: it permits nothing, and
  taking it off is no veto. It is the first tag that a sweep sets, and the last that it takes off. Another sweep that
  sees it leaves the image alone, until it is older than any run can be.
- A recall, `reaper-recall-<policy>=<day>`, stands for the signature while that is taken off: alone, it is a veto, too.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Literal, NamedTuple

from handler.model.image import Image
from handler.model.request import SweepRequest
from handler.rules.tags import is_of_key

MARK = "reaper-delete-after"
"""The tag of an image that waits for its deletion; its value is the last day on which the image stays."""
SWEEP = "reaper-sweep"
"""The tag that says which sweep has marked the image, and for which day."""
DRAFT, RECALL = "reaper-draft", "reaper-recall"
"""How the tags begin that a sweep sets while it sets a mark, or takes it off."""
DEACTIVATING, DEACTIVATED = "reaper-deactivating", "reaper-deactivated"
"""The tags of an image that a sweep is about to deactivate, and of one that it has deactivated."""
NO_DAY = "0000-00-00"
"""What a draft or a recall says where the marks are not the sweep's own: no day."""
LONGEST_RUN = timedelta(days=1)
"""In whole days: what began the day before yesterday has ended."""
_OURS = "reaper"


class Step(NamedTuple):
    """A change to an image: a tag set or taken off, or the image activated or deactivated."""

    verb: Literal["tag", "untag", "activate", "deactivate"]
    tag: str = ""


class PolicyTag(NamedTuple):
    """A tag that names a sweep, by its fingerprint, and the day of its mark; a draft also says on which day it began.

    A day is None if it can't be read. The signatures of earlier versions name none.
    """

    tag: str
    signer: str
    day: date | None
    begun: date | None = None

    def is_held(self, today: date) -> bool:
        """Whether the run that has set this draft may still be at work: none lasts longer than a day."""
        return self.begun is not None and today - self.begun <= LONGEST_RUN


class MarkTags(NamedTuple):
    """Our tags on one image, each kind in alphabetical order.

    `marks` are whole tags, less those whose day can't be read. `days` has an entry for every mark, None if its day
    can't be read.
    """

    marks: tuple[str, ...] = ()
    days: tuple[date | None, ...] = ()
    signatures: tuple[PolicyTag, ...] = ()
    drafts: tuple[PolicyTag, ...] = ()
    recalls: tuple[PolicyTag, ...] = ()
    is_deactivating: bool = False
    is_deactivated: bool = False

    @property
    def last_day(self) -> date | None:
        """The last day on which the image stays; None if it is not marked, or if no mark can be read."""
        # Of several marks the latest counts: an owner may rely on any of them.
        return max((day for day in self.days if day), default=None)

    @property
    def holds(self) -> tuple[PolicyTag, ...]:
        """The drafts and the recalls."""
        return (*self.drafts, *self.recalls)

    @property
    def is_switched(self) -> bool:
        """Whether a sweep has deactivated the image, or was about to."""
        return self.is_deactivating or self.is_deactivated


NO_TAGS = MarkTags()


def read_tags(image: Image) -> MarkTags:
    """Find our tags on an image."""
    ours = sorted(tag for tag in image.tags if tag.startswith(_OURS) or _is_misspelled(tag))
    if not ours:
        return NO_TAGS
    days = {tag: read_day(value) for tag, value in _tags_of_key(ours, MARK)}
    # Written by a person, who may want to put the deletion off: a day that can't be read never passes.
    days |= dict.fromkeys(filter(_is_misspelled, ours))
    return MarkTags(
        marks=tuple(tag for tag, day in days.items() if day),
        days=tuple(days.values()),
        signatures=tuple(_signature(tag, value) for tag, value in _tags_of_key(ours, SWEEP)),
        drafts=tuple(_holds(ours, DRAFT)),
        recalls=tuple(_holds(ours, RECALL)),
        is_deactivating=DEACTIVATING in ours,
        is_deactivated=DEACTIVATED in ours,
    )


def _is_misspelled(tag: str) -> bool:
    """Whether a tag is meant to be a mark, but is not written as one: `Reaper_Delete_After: 2027-01-31`."""
    return "reaper" in tag.casefold() and is_of_key(tag, MARK) and not [*_tags_of_key([tag], MARK)]


def veto_in(tags: MarkTags, status: str) -> str:
    """How somebody has objected to the deletion of a marked image with this status; empty if nobody has."""
    # A sweep takes its signature and its recall off before its mark: what stands alone was left alone by somebody else.
    if not tags.days and (tags.signatures or tags.recalls):
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
    # Left out where they are not given: policies from before these were conditions keep their marks.
    said += (select.family,) if select.family else ()
    said += (select.unused_for.age,) if select.unused_for else ()
    # "replace": a name may hold half a character (a lone surrogate), which UTF-8 can't encode.
    return hashlib.sha256(repr(said).encode(errors="replace")).hexdigest()[:8]


def mark_for(day: date) -> str:
    """The tag of an image that stays until a day."""
    return f"{MARK}={day.isoformat()}"


def signature_for(signer: str, day: date | None) -> str:
    """The tag with which a sweep signs its mark for a day; without one, as earlier versions did."""
    return f"{SWEEP}={signer}-{day.isoformat()}" if day else f"{SWEEP}={signer}"


def draft_for(signer: str, day: date | None, today: date) -> str:
    """The tag by which a sweep says that it is about to set its mark for a day, or to take marks off."""
    return f"{DRAFT}-{signer}={day.isoformat() if day else NO_DAY}-{today.isoformat()}"


def recall_for(signer: str, day: date | None) -> str:
    """The tag that stands for a signature while that is taken off."""
    return f"{RECALL}-{signer}={day.isoformat() if day else NO_DAY}"


def read_day(text: str) -> date | None:
    """A day written YYYY-MM-DD; None if it is written in any other way."""
    # Python reads more spellings than an owner may have meant: 20261224, 2026-W52-4.
    if len(text) != len("YYYY-MM-DD") or text[4] != "-" or text[7] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _signature(tag: str, value: str) -> PolicyTag:
    signer, _, day = value.partition("-")
    return PolicyTag(tag=tag, signer=signer, day=read_day(day))


def _holds(tags: Iterable[str], kind: str) -> Iterator[PolicyTag]:
    """The drafts, or the recalls: the policy is a part of the key, since several may be at it at the same time."""
    start = f"{kind}-"
    for tag in tags:
        if tag.startswith(start):
            signer, _, days = tag[len(start) :].replace(".", "=").partition("=")
            yield PolicyTag(tag=tag, signer=signer, day=read_day(days[:10]), begun=read_day(days[11:]))


def _tags_of_key(tags: Iterable[str], key: str) -> Iterator[tuple[str, str]]:
    """The tags with this key, and their values: written `key=value`, `key.value` on old IMS, or `key` alone."""
    for tag in tags:
        if tag == key:
            yield tag, ""
        elif tag.startswith((f"{key}=", f"{key}.")):
            yield tag, tag[len(key) + 1 :]
