"""How an image comes to bear none of our tags, before uninstalling: the next steps, from an image just read. Pure.

    nobody else at it?     a draft for each day of a mark, read again
    still so?              a recall for each day, and what others have signed off, read again
    is the mark there?     the image active again, then the recalls, the marks and the drafts off, read again

It is the way by which a policy takes its own mark off (see `rules/marking.py`), under a name of its own, and it claims
what all policies have signed. So sweeps know what its drafts and recalls say, and nothing that is left where a run dies
permits a deletion that was not permitted before: a mark never stands there unclaimed. A veto that is given meanwhile
stays, since a recall stands for the signature while that is off.

An image that a person has decided on stays as it is, but that it becomes active if it was vetoed: to take a veto off
could let a sweep delete what somebody keeps, and the day of a mark that was set by hand is what somebody relies on.
"""

from datetime import date, timedelta
from typing import NamedTuple

from handler.model.image import Image
from handler.rules.mark_state import is_over
from handler.rules.marking import switch_on
from handler.rules.marks import LONGEST_RUN, MarkTags, PolicyTag, Step, draft_for, read_tags, recall_for, veto_in

NAME = "unmark-all"
"""Takes the place of a policy's fingerprint in our drafts and recalls; no fingerprint is written so."""
ROOM = 2
"""The tags that an image gets beside those that it has: a draft and a recall."""
BY_HAND = "somebody has set its mark by hand, or written another day"


class FreePlan(NamedTuple):
    """The next steps. Without any, the image is free, `stays` says why a person has it stay, or `busy` who is at it.

    A plan that `begins` needs ROOM.
    """

    steps: tuple[Step, ...] = ()
    stays: str = ""
    busy: str = ""
    begins: bool = False


def to_free(image: Image, today: date) -> FreePlan:
    """Plan the next steps."""
    tags = read_tags(image)
    drafts, recalls = _ours(tags.drafts), _ours(tags.recalls)
    if veto := veto_in(tags, image.status):
        return _vetoed(image, tags, veto)
    if held := [each for each in tags.drafts if each not in drafts and each.is_held(today)]:
        return FreePlan(busy=_at_it(held))
    if not tags.days:
        return _without_mark(image, tags, drafts, today)
    others = [each for each in (*tags.signatures, *tags.recalls) if each not in recalls]
    marks = _claimed(tags, today)
    # Ours to the end once we have begun: beside a recall of ours, others may have been taken off.
    is_under_way = bool(recalls) or (not others and any(each.day in marks.values() for each in drafts))
    if not is_under_way and len(marks) < len(tags.marks):
        return FreePlan(stays=BY_HAND)
    return FreePlan(_next(image, tags, marks, others, today), begins=not drafts and not recalls)


def _vetoed(image: Image, tags: MarkTags, veto: str) -> FreePlan:
    drafts, recalls = _ours(tags.drafts), _ours(tags.recalls)
    # Set by a run that came late, after another one had ended: given meanwhile, a veto has our draft beside it.
    if not (drafts or tags.days or tags.signatures) and len(recalls) == len(tags.recalls):
        return FreePlan(tuple(_off(recalls)))
    is_activated = image.status == "active" and bool(tags.days)
    return FreePlan(() if is_activated else tuple(switch_on(image, tags)), stays=f"vetoed: {veto}")


def _without_mark(image: Image, tags: MarkTags, drafts: list[PolicyTag], today: date) -> FreePlan:
    others = [each for each in tags.drafts if each not in drafts]
    # A policy may begin to mark it. Where tags have keys, the draft that we take off could be one just set anew.
    if (others or tags.is_switched) and not any(each.is_held(today) for each in drafts):
        return FreePlan((Step("tag", draft_for(NAME, None, today)),), begins=True)
    return FreePlan((*switch_on(image, tags), *_off(others), *_off(drafts)))


def _next(
    image: Image, tags: MarkTags, marks: dict[str, date], others: list[PolicyTag], today: date
) -> tuple[Step, ...]:
    drafts, recalls = _ours(tags.drafts), _ours(tags.recalls)
    # Without a mark of ours, there is nothing left but to take our recalls off.
    days = sorted(set(marks.values()) or {each.day for each in recalls if each.day})
    # Said again where a run died days ago: its draft keeps nobody away any more.
    held = {each.day for each in drafts if each.is_held(today)}
    if missing := [day for day in days if day not in held]:
        return tuple(Step("tag", draft_for(NAME, day, today)) for day in missing)
    if others:
        recalled = {each.day for each in recalls}
        return (*(Step("tag", recall_for(NAME, day)) for day in days if day not in recalled), *_off(others))
    # The recalls before the marks: without its mark, a recall is a veto. Our drafts last: they claim the marks.
    stale = [each for each in tags.drafts if each not in drafts]
    marks_off = (Step("untag", mark) for mark in marks)
    return (*switch_on(image, tags), *_off(recalls), *marks_off, *_off(stale), *_off(drafts))


def _claimed(tags: MarkTags, today: date) -> dict[str, date]:
    """The marks that some policy, or we, claim; the others were set by hand. Each with its day."""
    readable = dict(zip(tags.marks, (day for day in tags.days if day), strict=True))
    named = {each.day for each in (*tags.signatures, *tags.holds) if each.day}
    # Earlier versions signed without a day, and set the mark before anybody could write a later one beside it.
    if any(each.day is None for each in tags.signatures):
        named.add(min(readable.values()))
    # Without a day, a policy was taking off what had been forgotten.
    if is_over(tags, today) and any(each.day is None and each.signer != NAME for each in tags.holds):
        named.update(readable.values())
    return {mark: day for mark, day in readable.items() if day in named}


def _ours(found: tuple[PolicyTag, ...]) -> list[PolicyTag]:
    return [each for each in found if each.signer == NAME]


def _off(found: list[PolicyTag] | tuple[PolicyTag, ...]) -> list[Step]:
    return [Step("untag", each.tag) for each in found]


def _at_it(held: list[PolicyTag]) -> str:
    begun = max(each.begun for each in held if each.begun)
    again = begun + LONGEST_RUN + timedelta(days=1)
    return f"a sweep may be at work on it since {begun} ({held[0].tag}): stop all sweeps, and run this again on {again}"
