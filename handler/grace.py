"""Marks on images that wait for their deletion: set, and taken off again.

Each step can be repeated after a run that died in the middle: the mark itself is set first, and that an image is about
to be deactivated is noted before, that it was, after.
"""

from collections.abc import Iterable
from datetime import date, datetime

from handler.changes import Changes
from handler.marks import (
    DEACTIVATED,
    DEACTIVATING,
    MARK,
    SWEEP,
    Step,
    identity,
    is_to_be_taken_over,
    marks_of,
    signatures_of,
    stays_until,
)
from handler.model import Image, SweepRequest


def last_day(sweep: SweepRequest, now: datetime) -> date:
    """The last day on which an image stays that is marked now."""
    return (now + sweep.grace).date()


def mark(image: Image, sweep: SweepRequest, now: datetime, changes: Changes) -> date:
    """Mark an image, unless it is marked, and deactivate it if the sweep says so; the last day on which it stays.

    A mark that its sweep forgot is replaced.
    """
    taken_over = is_to_be_taken_over(image, sweep, now)
    last = None if taken_over else stays_until(image)
    if last is None:
        last = last_day(sweep, now)
        changes.add_tag(image.id, f"{MARK}={last.isoformat()}")
    if taken_over or not signatures_of(image):
        changes.add_tag(image.id, f"{SWEEP}={identity(sweep)}")
    if taken_over and not changes.tag_replaces:
        carry_out([Step("untag", tag) for tag in (*marks_of(image), *signatures_of(image))], image, changes)
    if sweep.deactivate:
        _deactivate(image, changes)
    return last


def carry_out(steps: Iterable[Step], image: Image, changes: Changes) -> None:
    """Make changes to an image, one after the other."""
    for step in steps:
        if step.verb == "activate":
            changes.set_active(image.id, active=True)
        elif step.verb == "tag":
            changes.add_tag(image.id, step.tag)
        else:
            changes.remove_tag(image.id, step.tag)


def _deactivate(image: Image, changes: Changes) -> None:
    """Deactivate an image, or end what an earlier run began; what its owner has deactivated is left alone."""
    begun, done = DEACTIVATING in image.tags, DEACTIVATED in image.tags
    if not begun and (done or image.status != "active"):
        return
    if not begun:
        changes.add_tag(image.id, DEACTIVATING)
    if not done:
        changes.set_active(image.id, active=False)
        changes.add_tag(image.id, DEACTIVATED)
    changes.remove_tag(image.id, DEACTIVATING)
