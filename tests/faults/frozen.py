"""A function in a process of its own, which is frozen between two invocations as Lambda does it.

`python -m tests.faults.frozen PLACE` reads two events, one a line, and writes an answer to each. In the first, a thread
is held at the place until the second begins.
"""

import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, cast

from handler import app
from handler.cloud.calls import Cloud
from handler.cloud.identity.keystone import KeystoneIdentity
from handler.report.reporter import Reporter
from tests.conftest import Context

if TYPE_CHECKING:
    from handler.connections.fenced import FencedAdapter

PLACES: dict[str, tuple[object, str]] = {
    "name": (socket, "getaddrinfo"),
    "connection": (socket.socket, "connect"),
    "token": (KeystoneIdentity, "auth"),
    "journal": (Reporter, "deleting"),
    "request": (http.client.HTTPConnection, "putrequest"),
}
"""Before what a thread is held."""


class Hold:
    """Holds whoever comes to a place once the deletion of an image has begun, until it is over."""

    def __init__(self, place: str) -> None:
        self.over = threading.Event()
        self._begun = threading.Event()
        if place == "journal":
            self._begun.set()  # it is written before the deletion begins
        self._wrap(Cloud, "delete", self._begin)
        self._wrap(*PLACES[place], self._wait)

    def _wrap(self, owner: object, name: str, first: Callable[..., None]) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **options: Any) -> object:  # noqa: ANN401 (those of the real one)
            first(*args)
            return real(*args, **options)

        setattr(owner, name, wrapped)

    def _begin(self, cloud: Cloud, *_: object) -> None:
        # So that the DELETE needs a new connection.
        cast("FencedAdapter", cloud._transport._session.get_adapter("http://")).poolmanager.clear()
        self._begun.set()

    def _wait(self, *_: object) -> None:
        if self._begun.is_set():
            self.over.wait(30)


def main(place: str) -> None:
    """Carry out two events."""
    hold = Hold(place)
    for seconds in (3.0, 60.0):
        event = json.loads(sys.stdin.readline())
        if seconds == 60.0:
            hold.over.set()
        with redirect_stdout(sys.stderr):
            answer = app.lambda_handler(event, Context(seconds))
        print(json.dumps(answer), flush=True)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(30)
    print(json.dumps("all threads have ended"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
