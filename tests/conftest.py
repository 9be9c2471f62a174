"""What the tests share: a fake cloud behind a real HTTP server, and a way to invoke the function against it."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import settings

from handler import app, functiongraph
from handler.compose import secret
from tests.aws import moto_server
from tests.contexts import RuntimeContext
from tests.fakecloud import FakeCloud, Server

EVENTS = Path(__file__).parent.parent / "events"
OURS = ("OS_", "REAPER_", "POWERTOOLS_", "AWS_", "HUAWEICLOUD_", "RUNTIME_")
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"

# The profiles of Hypothesis: `full`, unless `--hypothesis-profile=quick` is given. Without deadlines, since a machine
# that is busy with something else is no fault of ours.
settings.register_profile("full", max_examples=100, deadline=None, database=None)
settings.register_profile("quick", settings.get_profile("full"), max_examples=10)
settings.load_profile("full")


class Context:
    """Lambda's context, with as many seconds left as a test wants."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, seconds: float = 60.0) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds that the runtime still grants."""
        return max(0, int(self.seconds_left() * 1000))

    def seconds_left(self) -> float:
        """Less than nothing once the runtime would have ended the invocation."""
        return self._end - time.monotonic()


@dataclass
class Invocation:
    """What one invocation gave and printed. `error` is what it raised, if anything."""

    answer: dict[str, Any]
    error: Exception | None
    printed: str
    logs: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for line in self.printed.splitlines():
            entry = json.loads(line)
            (self.metrics if "_aws" in entry else self.logs).append(entry)

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Outcome and reason of each image of the report."""
        return {o["image_id"]: (o["outcome"], o["reason"]) for o in self.answer["outcomes"]}

    @property
    def returned(self) -> list[str]:
        """The messages that the queue gets back."""
        return [failure["itemIdentifier"] for failure in self.answer["batchItemFailures"]]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.logs if line["message"] == event]

    def metric(self, name: str) -> float:
        """The sum of a metric's values, 0 if it was not written."""
        return float(sum(sum(blob.get(name, [])) for blob in self.metrics))


Invoke = Callable[..., Invocation]
Auth = Literal["password", "v3applicationcredential", "v3token"]


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud of its own for each test."""
    return FakeCloud()


@pytest.fixture
def server(cloud: FakeCloud) -> Iterator[Server]:
    """The cloud behind a real HTTP server."""
    with Server(cloud) as running:
        yield running


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting of ours, and a function that has not been invoked yet."""
    for name in list(os.environ):
        if name.startswith(OURS) or name == "LOG_LEVEL":
            monkeypatch.delenv(name)
    secret.forget()
    return monkeypatch


@pytest.fixture
def invoke_with(clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Invoke the function on Lambda with an event and these variables."""

    def invoke_once(event: object, environment: Mapping[str, str], seconds: float = 60.0) -> Invocation:
        for name, value in environment.items():
            clean_environment.setenv(name, value)
        return _invoked(lambda: app.lambda_handler(event, Context(seconds)), capsys)

    return invoke_once


@pytest.fixture
def invoke_there_with(clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Invoke the function on FunctionGraph with an event and these variables."""

    def invoke_once(
        event: object, environment: Mapping[str, str], seconds: float = 60.0, context: object = None
    ) -> Invocation:
        for name, value in {"RUNTIME_TIMEOUT": f"{seconds:g}", **environment}.items():
            clean_environment.setenv(name, value)
        return _invoked(lambda: functiongraph.handler(event, context or RuntimeContext(seconds)), capsys)

    return invoke_once


def _invoked(call: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> Invocation:
    capsys.readouterr()
    answer: dict[str, Any] = {}
    error: Exception | None = None
    try:
        answer = call()
    except Exception as exc:  # noqa: BLE001 (a test looks at it)
        error = exc
    return Invocation(answer, error, capsys.readouterr().out)


@pytest.fixture
def invoke(invoke_with: Invoke, server: Server, cloud: FakeCloud) -> Invoke:
    """Invoke the function in mode `delete` unless a setting says otherwise; settings are REAPER_* or OS_* variables."""

    def invoke_once(event: object, *, seconds: float = 60.0, auth: Auth = "password", **changed: str) -> Invocation:
        return invoke_with(event, cloud.env(server.url, auth=auth) | {"REAPER_MODE": "delete"} | changed, seconds)

    return invoke_once


def queue(*bodies: object, fifo_groups: list[str] | None = None) -> dict[str, Any]:
    """An SQS event: each body an object (written as JSON) or a string; the message ids are m0, m1, ..."""
    arn = "arn:aws:sqs:eu-central-1:123456789012:image-reaper" + (".fifo" if fifo_groups else "")
    records = []
    for number, body in enumerate(bodies):
        attributes = {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        }
        if fifo_groups:
            attributes["MessageGroupId"] = fifo_groups[number]
        records.append(
            {
                "messageId": f"m{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": attributes,
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": "eu-central-1",
            }
        )
    return {"Records": records}


def load_event(name: str) -> dict[str, Any]:
    """One of the files in `events/`."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event
