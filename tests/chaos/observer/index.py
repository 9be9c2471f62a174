"""What happened, found quickly: nothing here is scanned twice, however long a world lasts."""

import re
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

from tests.chaos.history import Act, History, Image, Moment, Request

END = Moment(float("inf"), 1 << 62)
Version = tuple[Moment, Image]
PLAN = re.compile(rb'"plan/([0-9a-f]{64})"')
"""What a request to the state table names that is about a plan."""


@dataclass
class Span:
    """Something used an image without a break from `since` to `until`."""

    kind: str
    id: str
    project: str
    image: str
    since: Moment
    until: Moment = END

    def holds(self, moment: Moment) -> bool:
        """Whether it used the image at a moment."""
        return self.since.order <= moment.order < self.until.order


class Index:
    """What was seen so far of a history, sorted. It is kept with the history that it is about."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.requests: dict[int | None, list[Request]] = defaultdict(list)
        self.acts: dict[str, list[Act]] = defaultdict(list)
        self.judged: dict[int, int] = {}
        """How many requests of an invocation there were when it was judged."""
        self.signers: dict[str, set[str]] = {}
        """Which policies, as text, may have made a signature: learned from the requests that set it."""
        self.claims: dict[str, dict[int, int]] = defaultdict(dict)
        """Which invocations have asked the state table for a plan, by its digest: each with the order of its first."""
        self.applied: dict[str, tuple[str, int]] = {}
        """Which event has had a plan carried out, by its digest, and the order of its end."""
        self._seen_requests = self._seen_acts = self._seen_images = 0
        self._spans: dict[str, list[Span]] = defaultdict(list)
        self._boots: dict[str, set[str]] = defaultdict(set)
        self._open: dict[tuple[str, str], Span] = {}
        self._seen_uses: dict[tuple[str, str], int] = {}
        self._living: dict[str, int] = {}
        self._dead: list[tuple[int, str]] = []

    def refresh(self) -> None:
        """Take in what has happened since the last time."""
        history = self.history
        for request in islice(history.requests, self._seen_requests, None):
            self.requests[request.invocation].append(request)
            if request.invocation is not None and (found := PLAN.search(request.body)):
                self.claims[found[1].decode()].setdefault(request.invocation, request.begun.order)
        for act in islice(history.acts, self._seen_acts, None):
            self.acts[act.image].append(act)
        self._seen_requests, self._seen_acts = len(history.requests), len(history.acts)
        self._refresh_images()
        self._refresh_uses()

    def _refresh_images(self) -> None:
        images = self.history.images
        self._living |= dict.fromkeys(islice(images, self._seen_images, None), 0)
        self._seen_images = len(images)
        for image_id, seen in list(self._living.items()):
            versions = images[image_id]
            self._living[image_id] = len(versions)
            if len(versions) != seen and not versions[-1][1].alive:
                del self._living[image_id]
                insort(self._dead, (versions[-1][0].order, image_id))

    def _refresh_uses(self) -> None:
        for key, versions in self.history.uses.items():
            seen = self._seen_uses.get(key, 0)
            if len(versions) == seen:
                continue
            self._seen_uses[key] = len(versions)
            for since, use in islice(versions, seen, None):
                self._note_use(key, Span(use.kind, use.id, use.project, (use.image or "").lower(), since))

    def _note_use(self, key: tuple[str, str], span: Span) -> None:
        before = self._open.pop(key, None)
        if before and before.image == span.image:
            self._open[key] = before
            return
        if before:
            before.until = span.since
        if span.image:
            self._open[key] = span
            if span.image not in self._spans:
                self._note_boots(span.image)
            self._spans[span.image].append(span)

    def _note_boots(self, used: str) -> None:
        for _, image in self.history.images.get(used, [])[-1:]:
            for key in ("kernel_id", "ramdisk_id"):
                if image.properties.get(key):
                    self._boots[str(image.properties[key]).lower()].add(used)

    def image_at(self, image_id: str, moment: Moment) -> Image | None:
        """What the cloud held of an image; None if it did not exist yet."""
        versions = self.history.images.get(image_id, [])
        place = bisect_right(versions, moment.order, key=_order)
        return versions[place - 1][1] if place else None

    def versions(self, image_id: str, since: Moment, until: Moment) -> list[Image | None]:
        """Everything that the cloud held of an image from one moment to another; None where it did not exist yet."""
        versions = self.history.images.get(image_id, [])
        first = bisect_right(versions, since.order, key=_order)
        last = bisect_right(versions, until.order, key=_order)
        before: list[Image | None] = [versions[first - 1][1]] if first else [None]
        return before + [image for _, image in versions[first:last]]

    def project(self, since: Moment, until: Moment) -> Iterator[tuple[str, list[Image | None]]]:
        """Every image that was there at some time between two moments, with all its versions."""
        later = bisect_right(self._dead, (since.order, ""))
        for image_id in (*self._living, *(image_id for _, image_id in self._dead[later:])):
            yield image_id, self.versions(image_id, since, until)

    def spans(self, image_id: str) -> Iterator[Span]:
        """All uses of an image that ever were; what boots with it as a kernel or a ramdisk uses it as well."""
        wanted = image_id.lower()
        for used in (wanted, *self._boots.get(wanted, ())):
            yield from self._spans.get(used, ())


def _order(version: Version) -> int:
    return version[0].order


def index_of(history: History) -> Index:
    """The index of a history, up to date."""
    index = cast("Index", vars(history).setdefault("_observed", None) or Index(history))
    vars(history)["_observed"] = index
    index.refresh()
    return index
