"""AWS for the unit tests: moto's server, and what may stand between it and us."""

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.fakecloud import Server
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.faults import Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class OneAtATime:
    """moto behind a lock: DynamoDB keeps a condition for all writers at once, and moto alone does not."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._app(environ, start_response))]


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").disabled = True
    server = make_server("127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


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
