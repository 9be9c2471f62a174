"""The images of several messages, in rounds: turns are given and carried out, then given anew from what is left."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from handler.model.outcome import Outcome
from handler.model.request import Job
from handler.work.batches.turns import Room, Turn, Waiter, next_turns
from handler.work.parallel import carry_out, untouched
from handler.work.run import Run


class Bundle(NamedTuple):
    """The jobs of one message, how often the message was received, and whether it can't come again."""

    jobs: Sequence[Job]
    receives: int
    comes_once: bool


def carry_out_in_turns(
    bundles: Sequence[Bundle], run: Run, false_claim: Callable[[int], Outcome | None]
) -> list[list[Outcome]]:
    """Carry out what messages ask for; returns the outcomes of each message, in the order of its jobs.

    `false_claim` is called with the place of a message before its first turn. If it returns an outcome, that is the
    only one of the message. What gets no turn is left alone, and fails.
    """
    batch = _Batch(bundles, run)
    while turns := next_turns(batch.waiters(), _room(run)):
        for turn in turns:
            batch.check(turn.place, false_claim)
        batch.carry_out(turns)
    batch.leave()
    return batch.done


def _room(run: Run) -> Room:
    return Room(most=run.progress.most, left=run.progress.left, width=run.concurrency)


class _Batch:
    """Messages with their jobs, and the outcomes that there are so far."""

    def __init__(self, bundles: Sequence[Bundle], run: Run) -> None:
        self.done: list[list[Outcome]] = [[] for _ in bundles]
        self._bundles = list(bundles)
        self._run = run

    def waiters(self) -> list[Waiter]:
        pairs = zip(self._bundles, self.done, strict=True)
        return [
            Waiter(images=len(jobs), done=len(done), receives=receives, comes_once=comes_once)
            for (jobs, receives, comes_once), done in pairs
        ]

    def check(self, place: int, false_claim: Callable[[int], Outcome | None]) -> None:
        """Check the claim of a message before its first turn; if it is false, nothing is left to do for the message."""
        if not self.done[place] and (outcome := false_claim(place)):
            self.done[place] = [outcome]
            self._bundles[place] = self._bundles[place]._replace(jobs=self._bundles[place].jobs[:1])

    def carry_out(self, turns: Sequence[Turn]) -> None:
        """Carry out turns, in one call: it sees all jobs for one image, so that none is deleted twice."""
        # In the order of the turns: a message that is done by the deadline need not come again.
        shares = [(place, self._waiting(place)[:images]) for place, images in turns]
        outcomes = iter(carry_out([job for _, jobs in shares for job in jobs], self._run))
        for place, jobs in shares:
            self.done[place] += islice(outcomes, len(jobs))

    def leave(self) -> None:
        """Leave alone all that got no turn."""
        rest = [self._waiting(place) for place in range(len(self._bundles))]
        outcomes = iter(untouched([job for jobs in rest for job in jobs], self._run.progress.over_limit(), self._run))
        for place, jobs in enumerate(rest):
            self.done[place] += islice(outcomes, len(jobs))

    def _waiting(self, place: int) -> Sequence[Job]:
        return self._bundles[place].jobs[len(self.done[place]) :]
