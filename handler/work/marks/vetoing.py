"""A veto, given for a person: the mark is taken off an image, and a trace stays that keeps every sweep away. Pure.

That trace is the signature of the policy. A mark that nobody has signed leaves none, so the keep tag is set before it
is taken off:

    signed         the marks off
    not signed     the keep tag on, read again: is it there? then the marks off
    no mark left   read again: is there a trace? else the keep tag; then the image is activated, if a sweep had
                   deactivated it

A sweep may set the mark, or take it off, at the same moment. So what counts is what the image says after each step.
"""

from typing import NamedTuple

from handler.model.image import Image
from handler.rules.marking import switch_on
from handler.rules.marks import Step, read_tags, veto_in
from handler.rules.tags import is_of_key, protections


class VetoPlan(NamedTuple):
    """The next steps; without any, the image is as it should be, or `problem` says why it can't be vetoed."""

    steps: tuple[Step, ...] = ()
    problem: str = ""


NOT_MARKED = "it is not marked, so there is nothing to take off: to keep it, tag it"


def to_veto(image: Image, keep_tag: str, *, was_marked: bool) -> VetoPlan:
    """Plan the next steps of a veto; `was_marked` says that its mark was taken off by this very command."""
    tags = read_tags(image)
    is_kept = any(protections(image, keep_tag))
    if veto_in(tags, image.status):
        # Active again, but only once no mark counts any more: one that was activated stays so.
        return VetoPlan(() if image.status == "active" and tags.days else tuple(switch_on(image, tags)))
    if tags.days:
        has_trace = bool(tags.signatures or tags.recalls) or is_kept
        return VetoPlan(tuple(Step("untag", mark) for mark in tags.marks) if has_trace else (Step("tag", keep_tag),))
    if is_kept:
        return VetoPlan(tuple(switch_on(image, tags)))
    # A sweep was taking its own mark off meanwhile, and with it the trace.
    return VetoPlan((Step("tag", keep_tag),)) if was_marked else VetoPlan(problem=NOT_MARKED)


def traces_of(image: Image, keep_tag: str) -> tuple[str, ...]:
    """The tags that keep sweeps away from an image without a mark: whoever withdraws the veto takes them off."""
    tags = read_tags(image)
    signed = tuple(each.tag for each in (*tags.signatures, *tags.recalls))
    return signed or tuple(sorted(tag for tag in image.tags if is_of_key(tag, keep_tag)))
