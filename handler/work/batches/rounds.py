"""The images of several messages, in rounds: turns are given, carried out, and given again from what is left then."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from handler.model.outcome import Outcome
from handler.model.request import Job
from handler.work.batches.turns import Room, Turn, Waiter, next_turns
from handler.work.parallel import TELLING, TELLING_LINE, carry_out, untouched
from handler.work.run import Run


class Order(NamedTuple):
    """The jobs of a message, and how often that was received."""

    jobs: Sequence[Job]
    receives: int


def carry_out_in_turns(
    orders: Sequence[Order], run: Run, claim: Callable[[int], Outcome | None]
) -> list[list[Outcome]]:
    """Carry out what messages ask for; returns the outcomes of each message, in the order of its jobs.

    `claim` is asked of the message at a place before its first turn. If it returns an outcome, that is the only one of
    the message. What gets no turn is left alone, and fails.
    """
    # Also for those that will get no turn: a line for each message, and an outcome for each image.
    run.deadline.keep_back(TELLING * sum(len(order.jobs) for order in orders) + TELLING_LINE * len(orders))
    batch = _Batch(orders, run)
    while turns := next_turns(batch.waiters(), _room(run)):
        for turn in turns:
            batch.ask(turn.place, claim)
        batch.carry_out(turns)
    batch.leave()
    return batch.done


def _room(run: Run) -> Room:
    return Room(most=run.progress.most, left=run.progress.left, width=run.concurrency)


class _Batch:
    """Messages with their jobs, and the outcomes that there are so far."""

    def __init__(self, orders: Sequence[Order], run: Run) -> None:
        self.done: list[list[Outcome]] = [[] for _ in orders]
        self._orders = list(orders)
        self._run = run

    def waiters(self) -> list[Waiter]:
        pairs = zip(self._orders, self.done, strict=True)
        return [Waiter(images=len(order.jobs), done=len(done), receives=order.receives) for order, done in pairs]

    def ask(self, place: int, claim: Callable[[int], Outcome | None]) -> None:
        """Before its first turn, ask what keeps a message back; if anything does, nothing is left to do for it."""
        if not self.done[place] and (outcome := claim(place)):
            self.done[place] = [outcome]
            self._orders[place] = self._orders[place]._replace(jobs=self._orders[place].jobs[:1])

    def carry_out(self, turns: Sequence[Turn]) -> None:
        """Carry out turns: in one call, which knows all jobs for one image, so that it is not deleted twice."""
        # In the order of the turns: what is whole by the deadline need not come again.
        shares = [(place, self._waiting(place)[:images]) for place, images in turns]
        outcomes = iter(carry_out([job for _, jobs in shares for job in jobs], self._run))
        for place, jobs in shares:
            self.done[place] += islice(outcomes, len(jobs))

    def leave(self) -> None:
        """Leave alone all that got no turn."""
        rest = [self._waiting(place) for place in range(len(self._orders))]
        outcomes = iter(untouched([job for jobs in rest for job in jobs], self._run.progress.over_limit(), self._run))
        for place, jobs in enumerate(rest):
            self.done[place] += islice(outcomes, len(jobs))

    def _waiting(self, place: int) -> Sequence[Job]:
        return self._orders[place].jobs[len(self.done[place]) :]
