"""Plans that are stored and approved: a bucket and a table of plans in memory, and runs that die at any step."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from handler.clock import uptime
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.engine.ports import ClaimPlan, Enqueue, HeedStop
from handler.errors import Busy, InvalidRequest
from tests.aws import KEYS, state_table
from tests.conftest import Invoke
from tests.fakecloud import DEMO, FakeCloud

Json = dict[str, Any]
T = TypeVar("T")

REQUEST_ID = "5f8b3a5e-0000-4000-8000-000000000001"
LIFE = timedelta(days=7)


class Killed(BaseException):
    """The run was killed: nothing catches this."""


class Steps:
    """The steps of runs outside of the cloud, in their order. At the step `kill_at`, a run dies, before it or after."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.kill_at = -1
        self.after = False
        self._is_dead = False

    def begin(self) -> None:
        """Begin another run, which lives."""
        self._is_dead = False

    def do(self, name: str, work: Callable[[], T]) -> T:
        number = len(self.taken)
        self.taken.append(name)
        self._is_dead = self._is_dead or (number == self.kill_at and not self.after)
        if self._is_dead:
            raise Killed(name)
        done = work()
        if number == self.kill_at:
            self._is_dead = True
            raise Killed(name)
        return done


class Shelf:
    """A bucket in memory."""

    name = "reports"

    def __init__(self, steps: Steps) -> None:
        self.files: dict[str, bytes] = {}
        self._steps = steps

    def put(self, key: str, content: bytes, content_type: str) -> None:
        raise NotImplementedError(key, content, content_type)

    def get(self, key: str) -> bytes | None:
        return self._steps.do("get", lambda: self.files.get(key))

    def page_of(self, key: str) -> str:
        raise NotImplementedError(key)

    def command_for(self, key: str) -> str:
        raise NotImplementedError(key)


class Entry:
    """What a table knows of a plan."""

    def __init__(self) -> None:
        self.holder: object = None
        self.position = 0
        self.applied_by = ""


class Book:
    """The plans in a table, in memory: a claim lasts until it is ended, or until everybody is forgotten."""

    def __init__(self, steps: Steps) -> None:
        self.entries: dict[str, Entry] = {}
        self.steps = steps
        self.lock = Lock()

    def claim(self, digest: str, event: str) -> "Held":
        return self.steps.do("claim", lambda: self._claim(digest, event))

    def _claim(self, digest: str, event: str) -> "Held":
        with self.lock:
            entry = self.entries.setdefault(digest, Entry())
            if entry.applied_by not in {"", event}:
                message = f"approve: carried out already, by event {entry.applied_by}"
                raise InvalidRequest(message)
            if entry.holder is not None:
                message = "another run carries out the plan"
                raise Busy(message)
            held = Held(self, entry, event)
            entry.holder = held
            return held

    def let_expire(self) -> None:
        """Let so much time pass that nobody holds a plan any more."""
        for entry in self.entries.values():
            entry.holder = None


class Held:
    """A claim of one run."""

    def __init__(self, book: Book, entry: Entry, event: str) -> None:
        self._book = book
        self._entry = entry
        self._event = event
        self.position = entry.position

    def hold(self) -> float:
        self._check()
        return uptime() + 60.0

    def reach(self, position: int) -> None:
        self._book.steps.do("reach", lambda: self._reach(position))

    def _reach(self, position: int) -> None:
        self._check()
        self._entry.position = self.position = position

    def end(self, *, applied: bool) -> str:
        return self._book.steps.do("end", lambda: self._end(applied=applied))

    def _end(self, *, applied: bool) -> str:
        if self._entry.holder is not self:
            return "another run has the plan"
        self._entry.applied_by = self._event if applied else ""
        self._entry.holder = None
        return ""

    def _check(self) -> None:
        if self._entry.holder is not self:
            message = "another run has taken the plan"
            raise Busy(message)


class Desk:
    """Where plans are stored and approved: the bucket, the table of plans, and the steps of the runs."""

    def __init__(self) -> None:
        self.steps = Steps()
        self.shelf = Shelf(self.steps)
        self.book = Book(self.steps)

    @contextmanager
    def in_place(self) -> Iterator["Desk"]:
        """Stand in for what AWS gives a run."""
        heed_stop, enqueue = aws.heed_stop, aws.enqueue

        def heeding(*given: Any) -> HeedStop:  # noqa: ANN401 (what the engine takes)
            heed = heed_stop(*given)
            return lambda: self.steps.do("stop", heed)

        def sending(*given: Any) -> Enqueue | None:  # noqa: ANN401 (the same)
            send = enqueue(*given)
            return send and (lambda images, shared: self.steps.do("send", lambda: send(images, shared)))

        def claiming(settings: Settings, *_: object) -> ClaimPlan | None:
            return self.book.claim if settings.state_table else None

        with (
            patch.object(aws, "heed_stop", heeding),
            patch.object(aws, "enqueue", sending),
            patch.object(aws, "bucket", lambda settings, _: self.shelf if settings.report_bucket else None),
            patch.object(aws, "claim_plan", claiming),
        ):
            yield self

    def store(self, *plans: Mapping[str, Any], project: str = DEMO) -> Json:
        """Store plans in one file; gives the request that approves them."""
        return self.store_text(json.dumps({"plans": plans}), project)

    def store_text(self, text: str, project: str = DEMO) -> Json:
        digest = hashlib.sha256(text.encode()).hexdigest()
        key = f"runs/2026-06-15/{project}/{REQUEST_ID}/plan-{digest}.json"
        self.shelf.files[key] = text.encode()
        return {"approve": {"plan": key, "sha256": digest}}


def plan_for(cloud: FakeCloud, images: Sequence[str], **changed: object) -> Json:
    """A plan as a rehearsal makes it; a field that is changed to None is left out."""
    fields = {"project_id": DEMO, "not_after": (datetime.now(UTC) + LIFE).isoformat(timespec="seconds")}
    named = [{"id": image, "expect": expected(cloud, image)} for image in images]
    plan = {"images": named, **fields, **changed}
    return {name: value for name, value in plan.items() if value is not None}


def expected(cloud: FakeCloud, image_id: str) -> Json:
    image = cloud.images[image_id]
    known = ("name", "owner", "status", "updated_at", "size", "protected", "visibility", "checksum")
    return {name: getattr(image, name) for name in known} | {"tags": sorted(image.tags)}


def digest_of(approval: Mapping[str, Any]) -> str:
    return str(approval["approve"]["sha256"])


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk().in_place() as desk:
        yield desk


@pytest.fixture
def approve(invoke: Invoke, moto: str) -> Iterator[Invoke]:
    """A function with a bucket and a table."""
    settings = {"REAPER_REPORT_BUCKET": "reports", "REAPER_STATE_TABLE": "state", "AWS_ENDPOINT_URL": moto, **KEYS}
    with state_table("state", moto):
        yield lambda event, **changed: invoke(event, **{**settings, **changed})
