"""What may stand between AWS and us, and who asks the fake cloud."""

from collections.abc import Iterator

import pytest
import requests

from tests.fakecloud import Server
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.faults import Faults
from tests.unit.fakeclient import TRANSPORTS, Client, clients


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
        return fault.change(reply) if fault else reply

    def _forward(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
        answer = requests.request(
            request.method, self._target + request.path, headers=headers, data=request.body, timeout=30
        )
        return Reply(answer.status_code, {"Content-Type": answer.headers["Content-Type"]}, answer.content)


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
