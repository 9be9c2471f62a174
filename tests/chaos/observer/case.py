"""One invocation, with all that is known of it and of the world meanwhile."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple
from urllib.parse import unquote

from tests.chaos.history import History, Image, Invocation, Message, Moment, Request
from tests.chaos.observer.asked import Asked, Event, read_event
from tests.chaos.observer.index import Index, Span, index_of
from tests.chaos.observer.on_functiongraph import is_batch, published_by, read_event_there
from tests.chaos.observer.policy import Survey, survey_of
from tests.chaos.observer.reading import Json
from tests.chaos.observer.settings import Settings, settings_of

OUTCOMES = ("deleted", "already_gone", "marked", "would_delete", "refused", "failed")
IMAGE = re.compile(r".*/images/([^/]+)", re.DOTALL)
LIST = re.compile(r".*/v2/(images|cloudimages)", re.DOTALL)
TAG = re.compile(r".*/images/([^/]+)/tags/([^/]+)", re.DOTALL)
TELLING = 6.0
"""Seconds that are kept back to leave files in the bucket, and to send a notice."""
UNSEEN = ("/aws", "/sink")
"""Where requests go that do not concern the cloud."""


class Violation(NamedTuple):
    """A promise that was broken: its short name, by which invocation, with which image, and how."""

    promise: str
    invocation: int | None
    image: str
    text: str


class Line(NamedTuple):
    """A line of the log, and where it ends in what was printed."""

    end: int
    said: dict[str, Json]


def came_before(first: Moment, second: Moment) -> bool:
    """Whether somebody at the second moment could know of the first."""
    return first.order < second.order and first.at <= second.at


def image_in(request: Request) -> str:
    """The image that a request is about; empty if it is about something else than one image itself."""
    found = IMAGE.fullmatch(request.path)
    return unquote(found[1]) if found else ""


def changes_cloud(request: Request) -> bool:
    """Whether a request asks the cloud to change anything."""
    is_elsewhere = request.path.startswith(UNSEEN) or request.path.endswith(("/auth/tokens", "/publish"))
    return request.method not in {"GET", "HEAD"} and not is_elsewhere


def was_done(request: Request) -> bool:
    """Whether the service has carried a request out."""
    return 200 <= request.status < 300


@dataclass
class Case:
    """An invocation before the observer."""

    index: Index
    invocation: Invocation
    settings: Settings
    event: Event
    requests: list[Request]
    lines: list[Line]
    violations: list[Violation] = field(default_factory=list)
    _surveys: dict[int, Survey | None] = field(default_factory=dict)

    def say(self, promise: str, text: str, image: str = "") -> None:
        """Note a violation."""
        self.violations.append(Violation(promise, self.invocation.number, image, text))

    @property
    def project(self) -> str:
        """The project of the function."""
        return self.settings.project

    @property
    def begun(self) -> Moment:
        """When it began."""
        return self.invocation.begun

    @cached_property
    def ended(self) -> Moment:
        """When it ended, or was last heard of."""
        heard = [request.answered for request in self.requests]
        return self.invocation.ended or max([self.begun, *heard], key=lambda moment: moment.order)

    @property
    def end(self) -> float:
        """When it had to end, without the time that is kept back for files and notices."""
        return self.begun.at + self.invocation.seconds - (TELLING if self.settings.bucket or self.settings.topic else 0)

    @property
    def was_answered(self) -> bool:
        """Whether it ended by itself."""
        return not self.invocation.died and (self.invocation.answer is not None or bool(self.invocation.error))

    def clock(self, moment: Moment) -> datetime:
        """The time by the function's own clock."""
        return moment.time + timedelta(seconds=self.invocation.skew)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """The earliest and the latest time that it may be."""
        return self.clock(self.begun), self.clock(self.ended)

    def versions(self, image_id: str) -> list[Image | None]:
        """What the cloud held of an image while it ran."""
        return self.index.versions(image_id, self.begun, self.ended)

    def rehearses(self, asked: Asked) -> bool:
        """Whether nothing may be changed for a request."""
        return asked.dry_run or self.settings.mode != "delete"

    @cached_property
    def readings(self) -> dict[str, list[Request]]:
        """The GETs that were answered whole, by image: of the images themselves."""
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.requests:
            if request.method == "GET" and "/v2/images/" in request.path and request.whole and request.status == 200:
                found[image_in(request)].append(request)
        return found

    @cached_property
    def deletes(self) -> dict[str, list[Request]]:
        """The DELETEs that reached the cloud, by image."""
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.requests:
            if request.method == "DELETE" and image_in(request):
                found[image_in(request)].append(request)
        return found

    def lists(self, path: str) -> list[Request]:
        """The requests for a list, by how its path ends."""
        return [request for request in self.requests if request.method == "GET" and re.search(path, request.path)]

    def survey(self, asked: Asked) -> Survey | None:
        """What a right sweep may have seen; None if it has read no list."""
        if id(asked) not in self._surveys:
            self._surveys[id(asked)] = self._survey(asked)
        return self._surveys[id(asked)]

    def _survey(self, asked: Asked) -> Survey | None:
        pages = [request for request in self.requests if request.method == "GET" and LIST.fullmatch(request.path)]
        if not pages or not asked.sweep:
            return None
        images = self.index.project(pages[0].begun, pages[-1].answered)
        return survey_of(asked.sweep, images, self.project, self.times)

    def was_sent(self, image_id: str) -> bool:
        """Whether a message that names an image went into a queue while it ran."""
        messages = takewhile(lambda one: one.sent.order > self.begun.order, reversed(self._messages))
        return any(image_id in one.body for one in messages)

    @cached_property
    def _messages(self) -> list[Message]:
        return list(self.index.history.messages.values())

    def is_known_use(self, span: Span, image_id: str, moment: Moment) -> bool:
        """Whether we can know that something uses an image: a kernel only from what boots with it, if that is ours."""
        if span.image == image_id.lower():
            return True
        used = self.index.image_at(span.image, moment)
        return span.kind == "server" and used is not None and used.alive and used.owner == self.project

    @cached_property
    def outcomes(self) -> list[dict[str, Json]]:
        """What the log tells of each image; of those that were not touched, one line tells at once."""
        names = {f"image.{name}" for name in OUTCOMES}
        told: list[dict[str, Json]] = []
        for said in (line.said for line in self.lines):
            if said.get("message") in names:
                told.append(said)
            elif said.get("message") == "images.untouched":
                told += [{**said, "message": "image.failed", "image_id": image_id} for image_id in said["image_ids"]]
        return told

    @cached_property
    def returned(self) -> frozenset[str] | None:
        """The messages that it has returned; None if it was not a queue that was answered."""
        answer = self.invocation.answer
        # A broker takes nothing back: what failed was published, if the function says that it is done.
        if is_batch(self.invocation.event) and isinstance(answer, dict):
            return published_by(self.index.history, self.invocation)
        if self.event.source != "queue" or not isinstance(answer, dict) or "batchItemFailures" not in answer:
            return None
        return frozenset(str(one.get("itemIdentifier")) for one in answer["batchItemFailures"])


def case_of(history: History, invocation: Invocation) -> Case:
    """Gather what is known of an invocation."""
    index = index_of(history)
    settings = settings_of(invocation.settings, history.project)
    return Case(
        index=index,
        invocation=invocation,
        settings=settings,
        event=(read_event_there if settings.on_functiongraph else read_event)(invocation.event, settings),
        requests=sorted(index.requests[invocation.number], key=lambda request: request.begun.order),
        lines=_lines(invocation.printed),
    )


def _lines(printed: str) -> list[Line]:
    found, end = [], 0
    for text in printed.splitlines(keepends=True):
        end += len(text)
        if text.startswith("{"):
            try:
                said = json.loads(text)
            except ValueError:
                continue
            found.append(Line(end, said))
    return found
