"""An approved plan: its images are dealt with in their order, in steps, and after each it is noted how far that came.

A run that is killed between two steps has done more than it has noted. The next one does that part again, and finds
its images gone.
"""

from collections.abc import Sequence
from itertools import takewhile

from handler.engine.ports import Claim
from handler.errors import CloudError, EngineFault
from handler.model.outcome import Outcome
from handler.model.request import Expected, Job, Target, earliest
from handler.work.parallel import TELLING, carry_out, in_time, untouched
from handler.work.run import Run
from handler.work.sweeps import left_to_workers

MOST_HERE = 500
"""Images of a step that this run deals with itself."""
MOST_SENT = 100
"""Images of a step that is left to workers: as many as one batch of a queue holds."""


def carried_out(jobs: Sequence[Job], claim: Claim | None, run: Run) -> list[Outcome]:
    """Carry out the jobs of a plan, from where earlier runs have stopped; returns an outcome for each of the rest.

    Without a claim it is a rehearsal. What is left when something ends the plan early is told in one line.
    """
    start = claim.position if claim else 0
    rest, done = jobs[start:], list[Outcome]()
    run.deadline.keep_back(TELLING * len(rest))
    step = _sent if claim and run.enqueue else _done_here
    if claim:
        run = run.while_held(claim.hold)
    try:
        while len(done) < len(rest):
            run.deadline.check()
            done += step(rest[len(done) :], done, run)
            if claim:
                _note(start + _dealt_with(done), claim, run)
    except CloudError as error:
        run.note(error)
        done += untouched(rest[len(done) :], error, run)
    return done


def _dealt_with(done: Sequence[Outcome]) -> int:
    """How many images are dealt with before the first that failed."""
    return next((place for place, outcome in enumerate(done) if outcome.failed), len(done))


def _note(position: int, claim: Claim, run: Run) -> None:
    if position > claim.position:
        in_time(lambda: claim.reach(position), run.deadline, run.progress)


def _done_here(rest: Sequence[Job], _done: Sequence[Outcome], run: Run) -> list[Outcome]:
    """Deal with the next images, no more of them than may still be deleted; raises OverLimit if none may."""
    room = run.progress.left
    if room <= 0:
        raise run.progress.over_limit()
    # Never fewer than can be dealt with at once: an image that stays, or is gone already, costs nothing.
    return carry_out(rest[: min(max(room, run.concurrency), MOST_HERE)], run)


def _sent(rest: Sequence[Job], done: Sequence[Outcome], run: Run) -> list[Outcome]:
    """Leave the next images to the workers; raises EngineFault if the queue has not taken all that comes before."""
    if any(outcome.failed for outcome in done[-MOST_SENT:]):
        message = "not tried: the queue did not take what comes before it in the plan"
        raise EngineFault(message)
    order = rest[0].request
    jobs = list(takewhile(lambda job: job.request is order, rest[:MOST_SENT]))
    until = earliest(run.now + run.plan_life, [order])
    return left_to_workers(jobs, [_named(job.target) for job in jobs], until, run)


def _named(target: Target) -> dict[str, object]:
    """An image as a request names it."""
    return {"id": target.image_id, "expect": {name: _listed(value) for name, value in target.expect}}


def _listed(value: Expected) -> object:
    return sorted(value) if isinstance(value, frozenset) else value
