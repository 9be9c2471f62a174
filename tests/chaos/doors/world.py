"""The world behind the doors: one fake cloud, a warm function, and all that it says, kept for the oracle."""

import io
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from handler import app, functiongraph
from handler.compose import secret
from handler.shell import command as shell
from tests.aws import KEYS
from tests.chaos.doors.failures import Failures
from tests.conftest import Context
from tests.contexts import RuntimeContext
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server

SIGNATURE = "5ec4e7516e4747e0"
"""What may be printed nowhere: whoever knows it can answer CloudFormation in our place."""
ANSWERS = f"http://127.0.0.1:1/sink/stack?X-Amz-Expires=7200&X-Amz-Signature={SIGNATURE}"
"""Where CloudFormation wants its answer in an event; the port of the fake takes the place of the 1."""
_PORT = "127.0.0.1:1/"
UNKNOWN = "00c0ffee-0000-4000-8000-000000000000"
LONG_NAME = "a" * 255
_ID = "6cad483b-e281-4985-a345-7afef1f3c5{}"
IMAGES: Mapping[str, Mapping[str, Any]] = {
    _ID.format("01"): {"name": "ci-build-101", "tags": ("ci",), "created_at": "2020-01-01T00:00:00Z"},
    _ID.format("02"): {"name": "ci-build-102", "tags": ("ci",), "created_at": "2020-01-02T00:00:00Z"},
    _ID.format("03"): {"name": "ci-build-103", "os_type": "linux", "created_at": "2020-01-03T00:00:00Z"},
    _ID.format("04"): {"name": "scratch", "tags": ("temporary",), "created_at": "2020-01-04T00:00:00Z"},
    _ID.format("13"): {"name": LONG_NAME, "tags": ("temporary",), "created_at": "2020-01-05T00:00:00Z"},
    _ID.format("19"): {"name": "nightly-5", "created_at": "2020-01-06T00:00:00Z"},
    _ID.format("18"): {"name": "nightly-4", "created_at": "2020-01-05T00:00:00Z"},
    _ID.format("05"): {"name": "ci-build-used"},
    _ID.format("06"): {"name": "ci-build-kept", "tags": ("keep", "ci")},
    _ID.format("07"): {"name": "ci-build-protected", "protected": True},
    _ID.format("08"): {"name": "ci-build-shared", "visibility": "shared", "members": {OTHER: "pending"}},
    _ID.format("09"): {"name": "ci-build-of-others", "owner": OTHER, "visibility": "community"},
}
UNTOUCHABLE = {_ID.format(number) for number in ("05", "06", "07", "08", "09")}
"""Used, kept, protected, shared, of others: no request in the world may delete one of these."""
SCHEDULED = json.dumps({"sweep": {"select": {"tags": ["temporary"]}}, "reason": "nightly"})
LIFECYCLE = json.dumps({"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 1}}, "reason": "{name}"})


FUNCTIONGRAPH = "functiongraph"
"""How the names of the doors begin that lead to the function there."""
THERE = {"REAPER_COMPLETE_LIFECYCLE_ACTION": "off"}
"""What its settings must be."""


class Knock(NamedTuple):
    """One event at one door: its text as it travels, and the settings that are other than usual."""

    door: str
    text: str
    settings: Mapping[str, str] = {}

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 600 else f"{self.text[:400]}... ({len(self.text)} characters)"
        return f"{self.door}: {shown!a}{f' with {dict(self.settings)!a}' if self.settings else ''}"


@dataclass
class Seen:
    """What came of one event. `event` is None where the runtime could not read it, so that nobody was asked."""

    event: Any
    answer: Any = None
    error: BaseException | None = None
    printed: str = ""
    answers: list[bytes] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    deletes: int = 0
    changes: int = 0
    seconds: float = 0.0


class World:
    """A cloud that is as it was before each event, and the doors of the function before it."""

    def __init__(self, server: Server, cloud: FakeCloud, failures: Failures, folder: Path) -> None:
        self.server, self.cloud, self._failures = server, cloud, failures
        self._file = folder / "event.json"
        self.address = f"{server.url.removeprefix('http://')}/"
        cloud.add_server(image=_ID.format("05"))
        self._refill()
        self.ours = {image.id: replace(image) for image in cloud.images.values() if image.owner == DEMO}

    @property
    def secrets(self) -> list[str]:
        """What the world keeps secret."""
        password = self.cloud.users["reaper"].password
        return [password, SIGNATURE, KEYS["AWS_SECRET_ACCESS_KEY"], *self.cloud.tokens]

    def deliver(self, knock: Knock) -> Seen:
        """Let an event come in, and look at what it does."""
        text = knock.text.replace(_PORT, self.address)
        if knock.door.startswith("shell"):
            with _room():
                return self._watched(None, knock, lambda: self._in_shell(text, table=knock.door.endswith("table")))
        # As Lambda's runtime reads it, which takes what is no JSON as well: NaN, and a key that is given twice.
        with _room():
            try:
                event = json.loads(text)
            except (RecursionError, ValueError):
                return Seen(None)
            if knock.door.startswith(FUNCTIONGRAPH):
                return self._watched(event, knock, lambda: functiongraph.handler(event, RuntimeContext(project=DEMO)))
            return self._watched(event, knock, lambda: app.lambda_handler(event, Context()))

    def cpu_time(self, knock: Knock) -> float:
        """The seconds of CPU time that an event takes, the cloud's included."""
        begun = time.process_time()
        self.deliver(knock)
        return time.process_time() - begun

    def _in_shell(self, text: str, *, table: bool) -> int:
        self._file.write_bytes(text.encode("utf-8", "surrogatepass"))
        return shell.main([str(self._file), *([] if table else ["--json"])])

    def _watched(self, event: Any, knock: Knock, act: Callable[[], Any]) -> Seen:  # noqa: ANN401 (any JSON)
        self._refill()
        seen, printed = Seen(event), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
        there = THERE if knock.door.startswith(FUNCTIONGRAPH) else {}
        with _environment({**knock.settings, **there}), redirect_stdout(printed), redirect_stderr(printed):
            begun = time.monotonic()
            try:
                seen.answer = act()
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # noqa: BLE001 (the oracle looks at it)
                seen.error = exc
            seen.seconds = time.monotonic() - begun
        printed.seek(0)
        seen.printed = printed.read()
        seen.answers = self.cloud.sink.pop("stack", [])
        seen.failures, self._failures.bodies = self._failures.bodies, []
        seen.deleted = set(self.cloud.dead)
        # A DELETE of a tag takes a mark off, and no image.
        seen.deletes = sum("/tags/" not in call.path for call in self.cloud.calls_of("DELETE"))
        seen.changes = sum(call.method != "GET" and call.path.startswith("/image/") for call in self.cloud.calls)
        return seen

    def _refill(self) -> None:
        """Let everything be as it was."""
        calls, self.cloud.calls = self.cloud.calls, []
        self.cloud.sink.clear()
        if self.cloud.images and all(call.method == "GET" for call in calls):
            return
        self.cloud.images.clear()
        self.cloud.dead.clear()
        for image_id, fields in IMAGES.items():
            self.cloud.add_image(id=image_id, **fields)


@contextmanager
def opened() -> Iterator[World]:
    """A world with one cloud and one warm function; the environment is given back at the end."""
    before, level = dict(os.environ), logging.getLogger("urllib3").level
    for name in before:
        if name.startswith(("OS_", "REAPER_", "POWERTOOLS_", "AWS_")) or name == "LOG_LEVEL":
            del os.environ[name]
    cloud, failures = FakeCloud(), Failures()
    try:
        with Server(cloud) as server, Server(failures) as queue, tempfile.TemporaryDirectory() as folder:
            aws = {"AWS_ENDPOINT_URL_AUTO_SCALING": f"{server.url}/sink/scaling", "AWS_ENDPOINT_URL_SQS": queue.url}
            own = {
                "REAPER_COMPLETE_LIFECYCLE_ACTION": "on",
                "REAPER_MODE": "delete",
                "LOG_LEVEL": "DEBUG",
                "REAPER_FAILED_TO": "",
                # Who we are is the same at every door, so that one cloud can stand behind them.
                "REAPER_AUTH": "keystone",
            }
            standing = {"REAPER_SCHEDULED_REQUEST": SCHEDULED, "REAPER_LIFECYCLE_REQUEST": LIFECYCLE}
            # Nothing may leave this machine, whatever address an event names.
            walls = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
            os.environ.update(cloud.env(server.url) | KEYS | aws | own | standing | walls)
            secret.forget()
            yield World(server, cloud, failures, Path(folder))
    finally:
        logging.getLogger("urllib3").setLevel(level)
        os.environ.clear()
        os.environ.update(before)
        secret.forget()


@contextmanager
def _room() -> Iterator[None]:
    """As much room on the stack as Lambda's runtime leaves: how deep an event may be hangs on it."""
    depth, frame = 0, sys._getframe()
    while (above := frame.f_back) is not None:
        depth, frame = depth + 1, above
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ[name] for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.update(before)
