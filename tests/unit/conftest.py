"""What may stand between AWS and us, and who asks the fake cloud."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import aws, commands
from tests.commands import Command, Ended
from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.faults import Faults
from tests.terminal import Terminal
from tests.unit.fakeclient import TRANSPORTS, Client, clients

SECRET_NAME = "image-reaper/otc"

Store = Callable[[object], str]
Reap = Callable[..., Invocation]
AtTerminal = Callable[..., Terminal]


class Relay:
    """Stands before moto: keeps what it was sent, and may fail in its place or lose its answer."""

    def __init__(self, target: str) -> None:
        self.calls: list[Request] = []
        self.faults = Faults()
        self.url = ""
        self._target = target

    def handle(self, request: Request) -> Reply:
        self.calls.append(request)
        fault = self.faults.take(request)
        if fault and not fault.has_effect:
            return fault.change(Reply(200))
        reply = self._forward(request)
        if fault and fault.then:
            fault.then()
        return fault.change(reply) if fault else reply

    def _forward(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
        answer = requests.request(
            request.method, self._target + request.path, headers=headers, data=request.body, timeout=30
        )
        # Those by which an answer of S3 is known as one, and no others: the body is no longer compressed, say.
        kept = {"content-type", "etag", "x-amz-request-id"}
        told = {name: value for name, value in answer.headers.items() if name.lower() in kept}
        return Reply(answer.status_code, told, answer.content)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave whatever asks for AWS to `make test`: moto takes its time, and the inner loop is about our code."""
    for item in items:
        if "moto" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow("AWS is asked, which is moto here"))


@pytest.fixture
def relay(moto: str) -> Iterator[Relay]:
    relay = Relay(moto)
    with Server(relay) as server:
        relay.url = server.url
        yield relay


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    yield from clients(request.param, "openstack")


@pytest.fixture(params=TRANSPORTS)
def otc(request: pytest.FixtureRequest) -> Iterator[Client]:
    yield from clients(request.param, "otc")


@pytest.fixture
def vault(moto: str) -> Iterator[aws.Client]:
    vault = aws.client("secretsmanager", moto)
    yield vault
    for secret in vault.list_secrets()["SecretList"]:
        vault.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


@pytest.fixture
def store(vault: aws.Client) -> Store:
    """Store a secret: an object as JSON, or a text as it is. Gives its ARN."""

    def store_once(secret: object) -> str:
        text = secret if isinstance(secret, str) else json.dumps(secret)
        if vault.list_secrets()["SecretList"]:
            return str(vault.put_secret_value(SecretId=SECRET_NAME, SecretString=text)["ARN"])
        return str(vault.create_secret(Name=SECRET_NAME, SecretString=text)["ARN"])

    return store_once


@pytest.fixture
def reap(invoke: Invoke, cloud: FakeCloud, moto: str) -> Reap:
    """Let an image be deleted by a function that knows no password but the secret's."""

    def reap_once(**settings: str) -> Invocation:
        secret = {"REAPER_CREDENTIALS_SECRET": SECRET_NAME, "OS_PASSWORD": "", "AWS_ENDPOINT_URL": moto}
        return invoke({"image_ids": [cloud.add_image()]}, **aws.KEYS | secret | settings)

    return reap_once


@pytest.fixture
def command(
    cloud: FakeCloud,
    server: Server,
    tmp_path: Path,
    clean_environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run the command in a folder of its own, with the cloud's credentials and no other setting but those given."""
    clean_environment.chdir(tmp_path)

    def run_once(*arguments: object, **settings: str) -> Ended:
        words = tuple(map(str, arguments))
        return commands.here(words, clean_environment, capsys, **{**cloud.env(server.url), **settings})

    return run_once


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Command:
    """Run the command on an event: an object, or what the file is to hold."""

    def run_once(event: object, *options: str, **settings: str) -> Ended:
        path = tmp_path / "event.json"
        if isinstance(event, bytes):
            path.write_bytes(event)
        else:
            path.write_text(event if isinstance(event, str) else json.dumps(event))
        return command(path, *options, **settings)

    return run_once


@pytest.fixture
def at_terminal(cloud: FakeCloud, server: Server, tmp_path: Path) -> AtTerminal:
    """Start the command at a terminal; settings are REAPER_* and other variables, the rest is for `Terminal`."""

    def start(*arguments: str, **options: Any) -> Terminal:  # noqa: ANN401 (of Terminal, or text)
        settings = {name: options.pop(name) for name in list(options) if name.isupper()}
        return Terminal(*arguments, env=cloud.env(server.url) | settings, cwd=tmp_path, **options)

    return start
