"""A queue and its event source mapping: visibility, redelivery, groups, duplicates, a dead-letter queue."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.chaos.history import History, Message

Json = dict[str, object]
BATCH = 10
LONGEST = 43_200.0
"""Seconds after its receive for which a message may be hidden at most."""


@dataclass
class Waiting:
    """A message in the queue. It is not seen again before `visible`.

    `taken` is when it was last received, `put_off` whether it has been put off since.
    """

    message: Message
    visible: float = 0.0
    received: int = 0
    taken: float = 0.0
    put_off: bool = False

    @property
    def handle(self) -> str:
        """The handle of its last receive."""
        return f"receipt-{self.message.id}-{self.received}"


@dataclass
class Queue:
    """One queue. With `fifo`, its messages have groups, of each of which one batch at a time is under way.

    `visibility` is in seconds; after `most` receives, a message goes to the dead letters.
    """

    history: History
    name: str
    fifo: bool = False
    visibility: float = 120.0
    most: int = 4
    waiting: list[Waiting] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)

    def send(self, body: str, now: float, group: str = "") -> Message:
        """Take in a message."""
        number = len(self.history.messages)
        message = Message(f"m{number}", body, self.history.moment(now), group if self.fifo else "")
        self.history.messages[message.id] = message
        self.waiting.append(Waiting(message))
        return message

    def receive(self, now: float, most: int = BATCH) -> list[Message]:
        """The messages that are seen, in their order; none of a group whose messages are under way."""
        taken: list[Message] = []
        blocked: set[str] = set()
        for waiting in list(self.waiting):
            group = waiting.message.group
            if len(taken) == most or waiting.visible > now or (group and group in blocked):
                blocked.add(group)
                continue
            if waiting.received == self.most:
                self._bury(waiting)
                continue
            waiting.received += 1
            waiting.taken, waiting.put_off = now, False
            waiting.visible = now + self.visibility
            taken.append(waiting.message)
        return taken

    def again(self, messages: Iterable[Message]) -> None:
        """Let messages be delivered again while they are under way, as a standard queue may."""
        for waiting in self._those({message.id for message in messages}):
            waiting.visible = 0.0

    def hide(self, handle: str, seconds: int, now: float) -> str:
        """Hide a message from now on; returns SQS's name for what is wrong, if anything is."""
        found = [waiting for waiting in self.waiting if waiting.handle == handle]
        for waiting in found:
            if not 0 <= seconds <= LONGEST - (now - waiting.taken):
                return "InvalidParameterValue"
            waiting.visible, waiting.put_off = now + seconds, True
        return "" if found else "ReceiptHandleIsInvalid"

    def settle(
        self, invocation: int, messages: Iterable[Message], returned: Collection[str] | None, now: float
    ) -> None:
        """Carry out what the function answered; None stands for an invocation that raised or died."""
        for message in messages:
            came_back = returned is None or message.id in returned
            what = "died" if returned is None else "returned" if came_back else "done"
            message.deliveries.append((invocation, what))
            for waiting in self._those({message.id}):
                if came_back:
                    waiting.visible = now if returned is not None and not waiting.put_off else waiting.visible
                else:
                    self.waiting.remove(waiting)
                    message.done = True

    def event(self, messages: Iterable[Message]) -> Json:
        """The event in which messages are delivered."""
        return {"Records": [self._record(message) for message in messages]}

    def next_visible(self) -> float | None:
        """When a message will next be seen."""
        return min((waiting.visible for waiting in self.waiting), default=None)

    def _record(self, message: Message) -> Json:
        found = self._those({message.id})
        attributes = {
            "ApproximateReceiveCount": str(found[0].received if found else 1),
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        }
        suffix = ".fifo" if self.fifo else ""
        return {
            "messageId": message.id,
            "receiptHandle": found[0].handle if found else f"receipt-{message.id}",
            "body": message.body,
            "attributes": attributes | ({"MessageGroupId": message.group} if self.fifo else {}),
            "messageAttributes": {},
            "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{self.name}{suffix}",
            "awsRegion": "eu-central-1",
        }

    def _bury(self, waiting: Waiting) -> None:
        self.waiting.remove(waiting)
        waiting.message.dead, waiting.message.kept_body = True, waiting.message.body
        self.dead.append(waiting.message)

    def _those(self, ids: Collection[str]) -> list[Waiting]:
        return [waiting for waiting in self.waiting if waiting.message.id in ids]
