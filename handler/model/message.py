"""What came in: the messages of an event, and who waits for an answer to it."""

from collections.abc import Iterator
from enum import Enum, auto
from itertools import zip_longest
from typing import NamedTuple

from handler.model.request import Request, Source


class Waiting(Enum):
    """Who waits for an answer, if nothing more need be known to give it."""

    CALLER = auto()
    """A caller, who reads the report in any case."""
    QUEUE = auto()
    """A queue, which takes back the messages that must come again, and reads nothing else."""
    BROKER = auto()
    """A broker, which takes no message back, and never asks how it went: a batch counts as read once it is delivered
    to the engine, and comes again as a whole, if at all."""
    STACK = auto()
    """CloudFormation, which is told at an address of its own whether it went well."""
    NOBODY = auto()
    """Nobody: the event is sent again if the function raises, and only then."""


class StackCall(NamedTuple):
    """A call of CloudFormation, with what the answer to it must name."""

    # Not shown: anyone who has the address can answer.
    response_url: str
    stack_id: str
    request_id: str
    logical_resource_id: str
    physical_resource_id: str
    is_delete: bool = False

    def __repr__(self) -> str:
        """Nothing of the address."""
        return f"StackCall({self.stack_id}, {self.logical_resource_id}, {self.request_id})"


class LifecycleAction(NamedTuple):
    """What Auto Scaling waits for before it goes on with an instance. If the function raises, the event comes again."""

    group: str
    hook: str
    token: str


class Rejected(NamedTuple):
    """In place of a request that can't be read, or may not be carried out: `problem` names each field that is wrong."""

    problem: str


class Receipt(NamedTuple):
    """What it takes to put a message off: the ARN of its queue, and the handle of this very receive.

    `receives` counts how often the message was received, this time included.
    """

    queue: str
    handle: str
    receives: int


class Message(NamedTuple):
    """One request as it arrived, or why it was turned down.

    `id` is the queue's id of the message. In a FIFO queue, `group` is its message group; else it is None. `call` is the
    call of CloudFormation that it holds, if it holds one. Without a `receipt`, it can't be put off. `sent_at` is when
    its queue got it, in seconds since 1970, if that is known.
    """

    request: Request | Rejected
    id: str = ""
    group: str | None = None
    call: StackCall | None = None
    receipt: Receipt | None = None
    sent_at: float | None = None


class Received(NamedTuple):
    """An event, read: where it came from, the requests in it, and who waits for an answer."""

    source: Source
    messages: tuple[Message, ...]
    waiting: Waiting | LifecycleAction

    @property
    def may_come_again(self) -> bool:
        """Whether nobody reads the answer, and the engine sends the whole event again if the function raises."""
        return self.waiting is Waiting.NOBODY or isinstance(self.waiting, LifecycleAction)

    @property
    def fails_one_by_one(self) -> bool:
        """Whether one message may fail, or be turned down, without the others."""
        return self.waiting in {Waiting.QUEUE, Waiting.BROKER}

    @property
    def requests(self) -> list[Request]:
        """The requests that were not turned down."""
        return [message.request for message in self.messages if not isinstance(message.request, Rejected)]

    def waves(self) -> Iterator[list[Message]]:
        """The messages in the order in which they may be dealt with.

        Those of one wave may be dealt with side by side. Only a FIFO queue has more than one wave: the first message
        of every group, then the second of every group, and so on.
        """
        queues: dict[str, list[Message]] = {}
        for number, message in enumerate(self.messages):
            # With a word before it, since a group may be named like a number.
            key = f"group {message.group}" if message.group is not None else str(number)
            queues.setdefault(key, []).append(message)
        for wave in zip_longest(*queues.values()):
            yield [message for message in wave if message is not None]
