"""A server that stands before a service and passes everything on, unless a test wants otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Self

import requests

from tests.openstack.process import Service

OF_THE_CONNECTION = frozenset({"connection", "content-length", "host", "transfer-encoding"})
SECONDS = 60


@dataclass(frozen=True)
class Passage:
    """A request that came by, and the answer that it was given."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Forward = Callable[[], Passage | None]
"""Asks the service; None if it gave no answer."""
Way = Callable[[str, Forward], Passage | None]
"""What becomes of a request with this method; on None, the connection is closed without an answer."""


class Gate(ThreadingHTTPServer):
    """Stands before the service at an address. `way` decides what becomes of a request, `passed` remembers them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str, way: Way = lambda _, forward: forward()) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.behind = behind
        self.way = way
        self.passed: list[Passage] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def tokens(self) -> list[str]:
        """The tokens that Keystone gave out through here."""
        return [one.headers["X-Subject-Token"] for one in self.passed if one.method == "POST" and one.status == 201]

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: Gate

    def do_GET(self) -> None:
        answer = self.server.way(self.command, self._forward)
        if answer is None:
            return
        self.server.passed.append(answer)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _forward(self) -> Passage | None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
        url = self.server.behind + self.path
        try:
            answer = requests.request(self.command, url, headers=headers, data=body or None, timeout=SECONDS)
        except requests.ConnectionError:
            return None
        return Passage(self.command, self.path, answer.status_code, answer.headers, answer.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class DeathAtDelete:
    """A way on which a service dies at one DELETE, and comes back when it was asked in vain twice.

    That is before the last try of whoever tries four times. The DELETE may have been `done`: then its answer is lost.
    """

    def __init__(self, service: Service, number: int, *, done: bool) -> None:
        self._service = service
        self._deletes_left = number
        self._done = done
        self._asked_in_vain: int | None = None
        self._lock = Lock()

    def __call__(self, method: str, forward: Forward) -> Passage | None:
        with self._lock:
            if self._asked_in_vain is None:
                self._deletes_left -= method == "DELETE"
                if self._deletes_left == 0:
                    self._die(forward)
                    return None
            elif self._asked_in_vain == 2:
                self._service.start()
                self._asked_in_vain += 1
            elif self._asked_in_vain < 2:
                self._asked_in_vain += 1
                return None
        return forward()

    def _die(self, forward: Forward) -> None:
        if self._done:
            forward()
        self._service.stop(crash=True)
        self._asked_in_vain = 0
