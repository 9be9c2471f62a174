"""What goes wrong. Shared here: time that stands still, runs, a stage, every source's envelope, odd servers."""

import json
import logging
import math
import os
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from handler import app
from handler.clock import Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.identity.keystone import KeystoneIdentity, login_with
from handler.cloud.places.session import new_session
from handler.cloud.transport import Transport
from handler.compose import ending
from handler.config.settings import Settings
from handler.model.outcome import Outcome
from handler.model.request import DeletionRequest, Job, Target
from handler.work.parallel import carry_out
from handler.work.run import Progress, Run
from handler.work.uses.in_use import InUse
from tests.conftest import queue
from tests.fakecloud import FakeCloud, Server

Kind = Literal["password", "v3applicationcredential", "v3token"]

KINDS: tuple[Kind, ...] = ("password", "v3applicationcredential", "v3token")
SOURCES = ("queue", "topic", "schedule", "lifecycle", "stack", "direct")
IMAGE_PATH = r"/v2/images/[^/]+$"
TOKENS_PATH = r"/v3/auth/tokens$"


class Clock:
    """The time that a run has left: it passes only when someone pauses, or when a test says so."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.pauses: list[float] = []
        self._left = seconds
        self._lock = threading.Lock()

    def remaining(self) -> float:
        return self._left

    def pass_by(self, seconds: float) -> None:
        with self._lock:
            self._left -= seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.pass_by(seconds)

    def deadline(self) -> Deadline:
        return Deadline(self.remaining, self.sleep, now=lambda: -self._left)


class Hurry:
    """Lambda's context, with just too little time for a second try: what may be retried fails without a pause."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 2200


@dataclass
class Stage:
    """The function before a cloud: it is set up, and invoked in a hurry unless a test says otherwise."""

    cloud: FakeCloud
    server: Server
    environment: pytest.MonkeyPatch

    def set_up(self, kind: Kind = "password", /, **settings: str) -> None:
        """Set the variables for an armed function, and no others of the cloud's."""
        for name in list(os.environ):
            if name.startswith("OS_"):
                self.environment.delenv(name)
        for name, value in {**self.cloud.env(self.server.url, kind), "REAPER_MODE": "delete", **settings}.items():
            self.environment.setenv(name, value)

    def outcomes(self, image_ids: list[str], context: ending.Context | None = None) -> dict[str, tuple[str, str]]:
        """Outcome and reason of each image."""
        report = app.lambda_handler({"image_ids": image_ids}, context or Hurry())
        return {told["image_id"]: (told["outcome"], told["reason"]) for told in report["outcomes"]}


def new_transport(cloud: FakeCloud, server: Server, clock: Clock) -> Transport:
    """A transport of the default settings, on the clock's time."""
    return _transport(_settings(cloud, server), clock)


def new_run(cloud: FakeCloud, server: Server, clock: Clock, **settings: str) -> Run:
    """A run as the function makes it, on the clock's time; it writes no log."""
    chosen = _settings(cloud, server, **settings)
    transport = _transport(chosen, clock)
    options = Options(image_endpoint=chosen.image_endpoint, compute_endpoint=chosen.compute_endpoint)
    cloud_seen = Cloud(transport, options)
    return Run(
        cloud=cloud_seen,
        deadline=transport.deadline,
        policy=chosen.policy,
        now=datetime.now(UTC),
        armed=True,
        in_use=InUse(cloud_seen, transport.deadline, chosen.concurrency) if chosen.in_use_check == "on" else None,
        concurrency=chosen.concurrency,
        progress=Progress(chosen.max_images),
        journal=lambda *_: None,
        report=lambda *_: None,
        report_untouched=lambda *_: None,
        report_bug=lambda _: None,
        heed_stop=lambda: math.inf,
        spend=lambda _: None,
        observe=None,
        enqueue=None,
        plan_life=chosen.plan_life,
    )


def reap(run: Run, image_ids: Iterable[str]) -> dict[str, Outcome]:
    """Delete images; the outcome of each."""
    request = DeletionRequest(tuple(map(Target, image_ids)))
    return {outcome.image_id: outcome for outcome in carry_out([Job(t, request) for t in request.targets], run)}


def envelope(source: str, request: Mapping[str, Any], url: str = "") -> dict[str, Any]:
    """The event by which a source sends a request; CloudFormation's wants its answer at `url`/sink/stack."""
    if source == "queue":
        return queue(request)
    if source == "topic":
        sns = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(request)}
        return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns}]}
    if source == "stack":
        created = {"LogicalResourceId": "Images", "PhysicalResourceId": "image-reaper/Images/1"}
        called = {"RequestType": "Delete", "ResponseURL": f"{url}/sink/stack"}
        return called | created | {"ResourceProperties": _as_text(request)}
    if source == "direct":
        return dict(request)
    kind = "Scheduled Event" if source == "schedule" else "Image Deletion Requested"
    return {"detail-type": kind, "source": "test", "detail": dict(request)}


def new_connections(caplog: pytest.LogCaptureFixture, port: int | str = "") -> int:
    """How many connections were begun, at the level DEBUG of urllib3."""
    return sum("Starting new HTTP" in record.msg and str(port) in record.getMessage() for record in caplog.records)


def debug_urllib3(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections: bound, so that nobody else gets it, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        yield listening.getsockname()[1]
    join_workers()


def join_workers() -> None:
    """Wait for what an invocation that ran out of time left behind."""
    for thread in threading.enumerate():
        if thread.name.startswith("image"):
            thread.join(10)


class Dripping(socketserver.ThreadingTCPServer):
    """Answers every request with white space, byte by byte, and with `body` once it is `over` (after 3 s at last)."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, body: bytes = b"{}") -> None:
        super().__init__(("127.0.0.1", 0), _Drip)
        self.body = body
        self.over = threading.Event()
        self.methods: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Whoever hangs up may."""


class _Drip(socketserver.StreamRequestHandler):
    server: Dripping

    def handle(self) -> None:
        self.server.methods.append(self.rfile.readline().decode().split()[0])
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        for _ in range(30):
            if self.server.over.wait(0.1):
                break
            self.wfile.write(b" ")
        self.wfile.write(self.server.body)


@contextmanager
def dripping(body: bytes = b"{}") -> Iterator[Dripping]:
    """A server that keeps its callers waiting without ever being silent."""
    with Dripping(body) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.over.set()
        join_workers()
        server.shutdown()


def _settings(cloud: FakeCloud, server: Server, **settings: str) -> Settings:
    return Settings.from_env({**cloud.env(server.url), "REAPER_MODE": "delete", **settings})


def _transport(settings: Settings, clock: Clock) -> Transport:
    session = new_session(settings.concurrency, verify=True)
    return Transport(session, KeystoneIdentity(login_with(settings.credentials), session), clock.deadline())


def _as_text(value: object) -> Any:  # noqa: ANN401 (JSON may be anything)
    """Make a string of every value, as CloudFormation does."""
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
