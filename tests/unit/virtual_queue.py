"""A queue on a virtual clock, and workers that share out turns and put messages off as the function does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from handler.model.message import Message, Receipt, Rejected
from handler.model.outcome import Outcome, Result
from handler.work.batches.postponements import postponements
from handler.work.batches.turns import Room, Waiter, next_turns

BATCH, MOST_RECEIVES = 10, 5


@dataclass
class Waiting:
    """A message of a queue: how many images are left of how many, and when it is seen again."""

    id: str
    images: int
    left: int
    visible: float = 0.0
    receives: int = 0


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
            # It is not the first worker that was free who gets them, but one that is free now.
            self._free[worker] = self.now + self._invoke(self._receive())

    def _receive(self) -> list[Waiting]:
        seen = [one for one in self._waiting if one.visible <= self.now]
        worn_out = [one for one in seen if one.receives == MOST_RECEIVES]
        self.dead += worn_out
        self._waiting = [one for one in self._waiting if one not in worn_out]
        batch = [one for one in seen if one not in worn_out]
        self._random.shuffle(batch)
        for one in batch[:BATCH]:
            one.receives += 1
            one.visible = self.now + 720.0
        return batch[:BATCH]

    def _invoke(self, batch: Sequence[Waiting]) -> float:
        """Deal with messages; the seconds that it takes."""
        done = [0] * len(batch)
        left = self.most
        # An image that went in an earlier delivery costs nothing.
        while turns := next_turns(
            [Waiter(one.images, n, one.receives) for one, n in zip(batch, done, strict=True)], Room(self.most, left, 16)
        ):
            for place, images in turns:
                gone = batch[place].images - batch[place].left
                first = done[place]
                done[place] += images
                deletable = max(0, done[place] - max(first, gone))
                taken = min(deletable, left)
                left -= taken
                batch[place].left -= taken
        ran = self.overhead + self.per_image * (self.most - left)
        return self._answer(batch, ran)

    def _answer(self, batch: Sequence[Waiting], ran: float) -> float:
        over = Outcome("i", "failed", "over_limit", retry_after=0.0)
        messages = [Message(Rejected(""), one.id, receipt=Receipt("q", "h", one.receives)) for one in batch]
        results = [Result(one.id, None, outcomes=(over,) if one.left else ()) for one in batch]
        put_off = {one.message_id: one for one in postponements(messages, results, ran, self._random.random)}
        for one in batch:
            if one.left:
                one.visible = self.now + ran + put_off[one.id].seconds
            else:
                self._waiting.remove(one)
        return ran
