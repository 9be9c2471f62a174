"""Setting marks on images that wait for their deletion, and taking them off again.

A run may die after any step. The next one goes on where it stopped, and what is left in between never permits a
deletion that the owner of the image could not have seen coming. The mark itself is set first: a signature alone would
be a veto. A deactivation is noted as begun before it, and as done after it: an image that is active, but noted as
deactivated, would look as if its owner had activated it.
"""

from collections.abc import Iterable
from datetime import date, datetime

from handler.cloud.changes import Changes
from handler.errors import Denied, Throttled, Unexpected
from handler.model.image import Image
from handler.model.request import SweepRequest
from handler.rules.mark_state import Mark, MarkState
from handler.rules.marks import DEACTIVATED, DEACTIVATING, MARK, MarkTags, Step, signature_of


def last_day(sweep: SweepRequest, now: datetime) -> date:
    """The last day on which an image stays if it is marked now."""
    return (now + sweep.grace).date()


def mark(image: Image, found: Mark, sweep: SweepRequest, now: datetime, changes: Changes) -> date:
    """Mark an image that is not marked yet, and deactivate it if the sweep says so; returns its last day.

    A mark of another sweep is left alone, unless that sweep has forgotten it: then it is replaced.
    """
    is_forgotten = found.state is MarkState.FORGOTTEN
    last = None if is_forgotten else found.last_day
    if last is not None and (found.state is MarkState.FOREIGN or not sweep.grace):
        return last
    if last is None:
        last = last_day(sweep, now)
        changes.add_tag(image.id, f"{MARK}={last.isoformat()}")
    # A mark that is there may lack its signature: the run that set it may have died in between.
    if is_forgotten or not found.tags.signatures:
        _sign(image, f"{MARK}={last.isoformat()}", sweep, changes)
    # The old tags go last: before the new mark stands, an old signature that is left alone would be a veto.
    if is_forgotten and not changes.tag_replaces:
        take([Step("untag", tag) for tag in (*found.tags.marks, *found.tags.signatures)], image, changes)
    if sweep.deactivate:
        _deactivate(image, found.tags, changes)
    return last


def take(steps: Iterable[Step], image: Image, changes: Changes) -> None:
    """Make changes to an image one after the other, in the order in which they are safe."""
    for step in steps:
        if step.verb == "activate":
            changes.set_active(image.id, active=True)
        elif step.verb == "tag":
            changes.add_tag(image.id, step.tag)
        else:
            changes.remove_tag(image.id, step.tag)


def _sign(image: Image, mark_: str, sweep: SweepRequest, changes: Changes) -> None:
    """Sign a mark; if the cloud does not take the signature, take the mark off again."""
    # Without a signature, nothing would remember that an owner took the mark off: the next run would mark the image
    # again. An image may have no room for one more tag.
    try:
        changes.add_tag(image.id, signature_of(sweep))
    # After these errors, the signature was not set. After any other it may have been, and would be a veto if it stood
    # alone.
    except (Denied, Throttled, Unexpected):
        if mark_ not in image.tags:
            changes.remove_tag(image.id, mark_)
        raise


def _deactivate(image: Image, tags: MarkTags, changes: Changes) -> None:
    """Deactivate an image, or complete what an earlier run began; one that its owner has deactivated is left alone."""
    begun, done = tags.is_deactivating, tags.is_deactivated
    if not begun and (done or image.status != "active"):
        return
    if not begun:
        changes.add_tag(image.id, DEACTIVATING)
    if not done:
        changes.set_active(image.id, active=False)
        changes.add_tag(image.id, DEACTIVATED)
    changes.remove_tag(image.id, DEACTIVATING)
