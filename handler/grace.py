"""Marks on images that wait for their deletion: set, and taken off again.

Each step can be repeated after a run that died in the middle, and the mark itself is set first and taken off last. So
an image is never found without its mark although it is still deactivated by us.
"""

from datetime import date, datetime

from handler.cloud import Cloud
from handler.model import Image, SweepRequest
from handler.selection import DEACTIVATED, MARK, SWEEP, identity, marks_of, stays_until


def last_day(sweep: SweepRequest, now: datetime) -> date:
    """The last day on which an image stays that is marked now."""
    return (now + sweep.grace).date()


def is_marked(image: Image) -> bool:
    """Whether an image bears a mark of ours that is to be taken off when the image stays."""
    return bool(marks_of(image)) or DEACTIVATED in image.tags


def mark(image: Image, sweep: SweepRequest, now: datetime, cloud: Cloud) -> date:
    """Mark an image, unless it is marked, and deactivate it if the sweep says so; the last day on which it stays."""
    last = stays_until(image)
    if last is None:
        last = last_day(sweep, now)
        cloud.add_tag(image.id, f"{MARK}={last.isoformat()}")
        cloud.add_tag(image.id, f"{SWEEP}={identity(sweep)}")
    if sweep.deactivate and image.status == "active":
        cloud.add_tag(image.id, DEACTIVATED)
        cloud.set_active(image.id, active=False)
    return last


def unmark(image: Image, cloud: Cloud) -> None:
    """Take the marks off an image, and activate it again if it was deactivated when it was marked.

    What says that somebody took a mark off stays: that is a veto, and shall be remembered.
    """
    if DEACTIVATED in image.tags:
        if image.status == "deactivated":
            cloud.set_active(image.id, active=True)
        cloud.remove_tag(image.id, DEACTIVATED)
    marks = marks_of(image)
    signatures = [tag for tag in sorted(image.tags) if tag.startswith(f"{SWEEP}=")] if marks else []
    for tag in (*signatures, *marks):
        cloud.remove_tag(image.id, tag)
