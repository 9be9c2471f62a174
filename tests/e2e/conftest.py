"""What the end-to-end tests share: an environment of the function, and a cloud in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.aws import client, queue_time
from tests.e2e.poller import Function, Poller
from tests.e2e.runtime import BOUND, Runtime
from tests.fakecloud import FakeCloud, Server

Start = Callable[..., Runtime]
Feed = Callable[[str, Function], Poller]


@pytest.fixture
def start(tmp_path: Path, cloud: FakeCloud, server: Server) -> Iterator[Start]:
    """Start an environment of the function for the cloud; settings are REAPER_* or OS_* variables."""
    with ExitStack() as stack:

        def start_one(*, timeout: int = 30, **settings: str) -> Runtime:
            environment = cloud.env(server.url) | {"REAPER_MODE": "delete"} | settings
            return stack.enter_context(Runtime(environment, tmp_path / "runtime.log", timeout=timeout))

        yield start_one


@pytest.fixture
def poller(moto: str) -> Iterator[Feed]:
    """Feed a function from a queue, whose time passes while nothing can be seen in it."""
    with queue_time() as time:
        yield lambda url, function: Poller(client("sqs", moto), url, function, time)


@contextmanager
def demo_cloud() -> Iterator[dict[str, str]]:
    """The demo's cloud in a process of its own, and the variables for it."""
    command = [*BOUND, sys.executable, "-m", "tests.fakecloud", "--seed", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        assert process.stdout
        try:
            environment: dict[str, str] = json.loads(process.stdout.readline())["env"]
            yield environment
        finally:
            process.terminate()
