"""What truly happened in a world, written down as it happens: by whom, when, and what the cloud held at every moment.

It is the whole knowledge of the observer. Nothing in it comes from the handler but what that printed and answered.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(2031, 5, 17, 12, tzinfo=UTC)
"""When each world begins, by the clock of the function."""


class Moment(NamedTuple):
    """A point in the history: seconds of the world's clock, and a number that orders what has the same second."""

    at: float
    order: int

    @property
    def time(self) -> datetime:
        """The same on the clock of the function."""
        return EPOCH + timedelta(seconds=self.at)


class Image(NamedTuple):
    """What the cloud held of an image from a moment on. `alive` is false once it was deleted, by whomever."""

    id: str
    name: str | None
    owner: str
    visibility: str
    status: str
    protected: bool
    tags: tuple[str, ...]
    size: int | None
    created_at: str
    updated_at: str
    checksum: str | None
    properties: Mapping[str, Any]
    members: Mapping[str, str]
    alive: bool = True


class Use(NamedTuple):
    """Something that uses an image, from a moment on: what a server or a volume was made of at that time.

    `kind` is `server` or `volume`, `id` that of the server or volume; `image` None from the moment on which it uses
    none. `taken_up` is false for a server that is being built and that no host has taken up yet.
    """

    kind: str
    id: str
    project: str
    image: str | None
    taken_up: bool = True


class Request(NamedTuple):
    """A request that reached the cloud, and what became of it.

    `status` is what the service itself answered, 0 if it was never asked; `told` what the client was told, 0 if
    nothing whole. `whole` says whether the client was told just what the service answered. `invocation` is the one
    under way in the environment that sent it, None between two of them. `begun` is when it came in, `answered` when
    the client had the answer. `on_its_way` are the seconds that it took to come in. `printed` is how much the
    invocation had printed when the request came in, in characters. `signed_by` is the access key that it is signed
    with, empty if it has a token.
    """

    number: int
    begun: Moment
    answered: Moment
    invocation: int | None
    environment: int
    method: str
    path: str
    query: str
    body: bytes
    status: int
    told: int
    whole: bool
    printed: int
    reply: bytes = b""
    signed_by: str = ""
    on_its_way: float = 0.0

    @property
    def sent_at(self) -> float:
        """When it was sent, by the world's clock."""
        return self.begun.at - self.on_its_way


@dataclass
class Invocation:
    """One invocation: what it was given, and how it ended.

    `answer` is None if it raised (`error`: class and text) or died. `settings` are the variables of its environment.
    `messages` are the ids of the queue's messages in the event. `first` is the first invocation with the same event, of
    which this one is a repetition, or this one itself. `skew` is how many seconds the clock of the function is
    ahead of the world's.
    """

    number: int
    environment: int
    begun: Moment
    event: Any
    settings: Mapping[str, str]
    messages: tuple[str, ...] = ()
    ended: Moment | None = None
    answer: Any = None
    error: str = ""
    died: bool = False
    printed: str = ""
    seconds: float = 60.0
    frozen: float = 0.0
    """Seconds for which it was frozen on its way."""
    access_key: str = ""
    """The one of the agency's keys that it was given, where it has an agency."""
    skew: float = 0.0
    first: int | None = None


class HandedOver(NamedTuple):
    """What a queue of failures took in: in which invocation, and the message."""

    invocation: int | None
    body: str


@dataclass
class Message:
    """A message of a queue. `deliveries` names the invocations that had it, and what became: done, returned or died."""

    id: str
    body: str
    sent: Moment
    group: str = ""
    deliveries: list[tuple[int, str]] = field(default_factory=list)
    dead: bool = False
    done: bool = False
    kept_body: str = ""
    """What lies in the dead-letter queue."""


class Act(NamedTuple):
    """Something that somebody else than the handler did: `who` is owner, operator, cleaner, neighbour, engine."""

    moment: Moment
    who: str
    what: str
    image: str = ""
    detail: str = ""


@dataclass
class History:
    """Everything, in its order."""

    project: str
    flavour: str = "openstack"
    images: dict[str, list[tuple[Moment, Image]]] = field(default_factory=dict)
    uses: dict[tuple[str, str], list[tuple[Moment, Use]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    read_late: dict[int, Moment] = field(default_factory=dict)
    """When a client had an answer, by the number of its request, if it was frozen just before."""
    acts: list[Act] = field(default_factory=list)
    handed_over: list[HandedOver] = field(default_factory=list)
    objects: dict[str, list[tuple[Moment, bytes | None]]] = field(default_factory=dict)
    """Every version of each object of the bucket, by its key; None from when on it is gone."""
    secrets: set[str] = field(default_factory=set)
    dialect: str = "glance"
    _orders: Any = field(default_factory=itertools.count)

    def moment(self, at: float) -> Moment:
        """A moment after every other one."""
        return Moment(at, next(self._orders))

    def image_at(self, image_id: str, moment: Moment) -> Image | None:
        """What the cloud held of an image, None if it did not exist yet."""
        found = None
        for since, image in self.images.get(image_id, ()):
            if since > moment:
                break
            found = image
        return found
