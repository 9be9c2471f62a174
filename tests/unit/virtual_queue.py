"""A queue on a virtual clock, and workers that share out turns and put messages off as the function does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from handler.model.message import Message, Receipt, Rejected
from handler.model.outcome import Outcome, Result
from handler.work.batches.postponements import postponements
from handler.work.batches.turns import Room, Waiter, next_turns

BATCH, MOST_RECEIVES = 10, 5
"""As template.yaml has them."""
CONCURRENCY = 16
OVER = Outcome("i", "failed", "over_limit", retry_after=0.0)


@dataclass
class Waiting:
    """A message of a queue: how many images are left of how many, and when it is seen again."""

    id: str
    images: int
    left: int
    visible: float = 0.0
    receives: int = 0

    def delete(self, first: int, count: int, most: int) -> int:
        """Delete so many images from the first on, and at most so many; how many there were. Some may be gone."""
        gone = self.images - self.left
        deleted = min(max(0, first + count - max(first, gone)), most)
        self.left -= deleted
        return deleted


@dataclass
class VirtualQueue:
    """A queue and its workers. An invocation takes `overhead` and `per_image` seconds."""

    sizes: Sequence[int]
    most: int
    workers: int = 2
    overhead: float = 1.0
    per_image: float = 0.05
    seed: int = 0
    dead: list[Waiting] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._waiting = [Waiting(f"m{n}", size, size) for n, size in enumerate(self.sizes)]
        self._free = [0.0] * self.workers

    def drain(self) -> None:
        """Deliver until nothing is left."""
        while self._waiting:
            worker = min(range(self.workers), key=lambda number: self._free[number])
            self.now = max(self._free[worker], min(one.visible for one in self._waiting))
            self._free[worker] = self.now + self._invoke(self._receive())

    def _receive(self) -> list[Waiting]:
        """A batch of what is seen by now: what became visible while all workers were busy comes together."""
        seen = [one for one in self._waiting if one.visible <= self.now]
        worn_out = [one for one in seen if one.receives == MOST_RECEIVES]
        self.dead += worn_out
        self._waiting = [one for one in self._waiting if one not in worn_out]
        batch = [one for one in seen if one not in worn_out]
        self._random.shuffle(batch)
        for one in batch[:BATCH]:
            one.receives += 1
        return batch[:BATCH]

    def _invoke(self, batch: Sequence[Waiting]) -> float:
        """Give turns and carry them out; the seconds that it takes."""
        waiters = [Waiter(images=one.images, receives=one.receives) for one in batch]
        left = self.most
        while turns := next_turns(waiters, Room(most=self.most, left=left, width=CONCURRENCY)):
            for place, images in turns:
                left -= batch[place].delete(waiters[place].done, images, left)
                waiters[place] = waiters[place]._replace(done=waiters[place].done + images)
        ran = self.overhead + self.per_image * (self.most - left)
        self._answer(batch, ran)
        return ran

    def _answer(self, batch: Sequence[Waiting], ran: float) -> None:
        messages = [
            Message(Rejected(""), one.id, receipt=Receipt(queue="q", handle="h", receives=one.receives))
            for one in batch
        ]
        results = [Result(one.id, None, outcomes=(OVER,) if one.left else ()) for one in batch]
        put_off = {one.message_id: one.seconds for one in postponements(messages, results, ran, self._random.random)}
        self._waiting = [one for one in self._waiting if one.left]
        for one in batch:
            one.visible = self.now + ran + put_off.get(one.id, 0)
