"""Marks on images that wait for their deletion: set, and taken off again.

Each step can be repeated after a run that died in the middle: the mark itself is set first, and that an image is about
to be deactivated is noted before, that it was, after.
"""

from collections.abc import Iterable
from datetime import date, datetime

from handler.cloud.changes import Changes
from handler.errors import Denied, Throttled, Unexpected
from handler.model.image import Image
from handler.model.request import SweepRequest
from handler.rules.marks import (
    DEACTIVATED,
    DEACTIVATING,
    MARK,
    SWEEP,
    Step,
    identity,
    is_foreign,
    is_to_be_taken_over,
    marks_of,
    signatures_of,
    stays_until,
)


def last_day(sweep: SweepRequest, now: datetime) -> date:
    """The last day on which an image stays that is marked now."""
    return (now + sweep.grace).date()


def mark(image: Image, sweep: SweepRequest, now: datetime, changes: Changes) -> date:
    """Mark an image, unless it is marked, and deactivate it if the sweep says so; the last day on which it stays.

    A mark of another sweep is left alone, unless that sweep forgot it: then it is replaced.
    """
    taken_over = is_to_be_taken_over(image, sweep, now)
    last = None if taken_over else stays_until(image)
    if last is not None and (is_foreign(image, sweep) or not sweep.grace):
        return last
    if last is None:
        last = last_day(sweep, now)
        changes.add_tag(image.id, f"{MARK}={last.isoformat()}")
    if taken_over or not signatures_of(image):
        _sign(image, f"{MARK}={last.isoformat()}", sweep, changes)
    if taken_over and not changes.tag_replaces:
        take([Step("untag", tag) for tag in (*marks_of(image), *signatures_of(image))], image, changes)
    if sweep.deactivate:
        _deactivate(image, changes)
    return last


def take(steps: Iterable[Step], image: Image, changes: Changes) -> None:
    """Make changes to an image, one after the other."""
    for step in steps:
        if step.verb == "activate":
            changes.set_active(image.id, active=True)
        elif step.verb == "tag":
            changes.add_tag(image.id, step.tag)
        else:
            changes.remove_tag(image.id, step.tag)


def _sign(image: Image, mark_: str, sweep: SweepRequest, changes: Changes) -> None:
    """Sign a mark; where there is no room for that, take the mark off: nobody could veto it for good."""
    try:
        changes.add_tag(image.id, f"{SWEEP}={identity(sweep)}")
    except (Denied, Throttled, Unexpected):  # it was not done; of others nobody knows
        if mark_ not in image.tags:
            changes.remove_tag(image.id, mark_)
        raise


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
