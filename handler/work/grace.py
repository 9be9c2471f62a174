"""Setting marks on images that wait for their deletion, and taking them off again.

What is to be done is planned by the rules, from an image that was just read; here it is done. A run may die after any
step. The next one goes on where it stopped, and what is left in between permits no deletion.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from handler.cloud.changes import Changes
from handler.errors import Denied, Throttled, Unexpected
from handler.model.image import Image
from handler.model.request import SweepRequest
from handler.rules.mark_state import Mark, state_of
from handler.rules.marking import Plan, to_mark, to_release, to_undo
from handler.rules.marks import Step
from handler.work.run import Run

Planner = Callable[[Image, Mark, SweepRequest, datetime, Plan | None], Plan]

MOST_PLANS = 12
"""Plans that are made for one image: more than any needs, unless it is changed by somebody else all the time."""


def mark(image: Image, found: Mark, sweep: SweepRequest, run: Run) -> Mark | None:
    """Mark an image that is not marked yet, and deactivate it if the sweep says so; None if it is gone.

    Returns what its marks say when it was last read: somebody may have objected. A mark of another sweep is left alone,
    unless that sweep has forgotten it.
    """
    try:
        return _carried_out(to_mark, image, found, sweep, run)
    # The cloud refuses it: an image may have no room for one more tag. What was set until then is not left behind.
    except (Denied, Throttled, Unexpected):
        if again := run.cloud.image(image.id):
            undo = to_undo(again, state_of(again, sweep, run.now), sweep, run.now)
            take(undo.steps, again, _changes(run))
        raise


def release(image: Image, found: Mark, sweep: SweepRequest, run: Run) -> None:
    """Take off what a sweep has left on an image that stays."""
    _carried_out(to_release, image, found, sweep, run)


def _carried_out(planned: Planner, image: Image, found: Mark, sweep: SweepRequest, run: Run) -> Mark | None:
    """Carry out plan after plan, each for the image as it was read after the one before; None if it is gone."""
    plan = None
    for _ in range(MOST_PLANS):
        plan = planned(image, found, sweep, run.now, plan)
        if plan.begins:
            _changes(run).check_room(image.tags, ROOM[planned])
        take(plan.steps, image, _changes(run))
        if not plan.goes_on:
            return found
        again = run.cloud.image(image.id)
        if again is None:
            return None
        image, found = again, state_of(again, sweep, run.now)
    message = "somebody else changes its tags all the time"
    raise Unexpected(message)


ROOM: Mapping[Planner, int] = {to_mark: 3, to_release: 2}
"""The tags that an image gets beside those that it has: a draft, a mark and a signature, or a draft and a recall."""


def _changes(run: Run) -> Changes:
    """The changes that this run may make: none once another sweep may have begun."""
    return run.cloud.changes.while_held(run.lease.hold) if run.lease else run.cloud.changes


def take(steps: Iterable[Step], image: Image, changes: Changes) -> None:
    """Make changes to an image one after the other, in the order in which they are safe."""
    for step in steps:
        if step.verb == "tag":
            changes.add_tag(image.id, step.tag)
        elif step.verb == "untag":
            changes.remove_tag(image.id, step.tag)
        else:
            changes.set_active(image.id, active=step.verb == "activate")
