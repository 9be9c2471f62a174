"""The way to the real services: kept connections, one for each thread and service."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.fakecloud.api import Reply

SECONDS = 60
OF_THE_CONNECTION = frozenset({"connection", "content-length", "host", "transfer-encoding"})


class Wires:
    """Sends requests to services by their names; nothing stands in the way."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._hosts = {service: urlsplit(url).netloc for service, url in urls.items()}
        self._kept = threading.local()
        self._all: list[HTTPConnection] = []

    def close(self) -> None:
        """Close all connections."""
        for wire in self._all:
            wire.close()

    def send(self, service: str, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Ask a service."""
        sent = {name: value for name, value in headers.items() if name.lower() not in OF_THE_CONNECTION}
        kept: dict[str, HTTPConnection] = vars(self._kept)
        if service in kept:
            # A connection that was closed for being idle has carried nothing out.
            with suppress(HTTPException, ConnectionError):
                return _asked(kept[service], method, target, sent, body)
            kept.pop(service).close()
        kept[service] = HTTPConnection(self._hosts[service], timeout=SECONDS)
        self._all.append(kept[service])
        return _asked(kept[service], method, target, sent, body)


def _asked(wire: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
    wire.request(method, target, body or None, dict(headers))
    answer = wire.getresponse()
    told = {name: value for name, value in answer.getheaders() if name.lower() not in OF_THE_CONNECTION}
    return Reply(answer.status, told, answer.read(), reason=answer.reason)
