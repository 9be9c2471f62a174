"""A connection to a host, within the time for connecting.

Resolving a name and connecting to each of its addresses are bounded together: urllib3 would grant each address the
whole time anew, and the resolution has no bound at all.
"""

import socket
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from urllib3.util.connection import allowed_gai_family

Address = tuple[Any, ...]
"""What `socket.getaddrinfo` returns for one address."""


class Attempt:
    """An attempt to connect to a host, and the moment by which it must have ended."""

    def __init__(self, host: str, port: int, seconds: float | None) -> None:
        self.host, self.port = host.strip("[]"), port
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds left, None if there is no limit; raises TimeoutError if there are none."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def connected(attempt: Attempt, options: Sequence[Any]) -> socket.socket:
    """A connection to the first address of a host that answers; raises OSError."""
    error = OSError("the name has no address")
    for address in _addresses(attempt):
        try:
            return _connected_to(address, attempt, options)
        except OSError as exc:
            error = exc
    raise error


def _connected_to(address: Address, attempt: Attempt, options: Sequence[Any]) -> socket.socket:
    family, kind, protocol, _, place = address
    connection = socket.socket(family, kind, protocol)
    try:
        for option in options:
            connection.setsockopt(*option)
        connection.settimeout(attempt.left())
        connection.connect(place)
        # TLS gets what is left of the same time.
        connection.settimeout(attempt.left())
    except OSError:
        connection.close()
        raise
    return connection


def _addresses(attempt: Attempt) -> list[Address]:
    """The addresses of a host; raises OSError."""
    # In a thread of its own, which nobody waits for at the end: a name server that is silent holds up getaddrinfo for
    # as long as it likes.
    answer = SimpleQueue[list[Address] | OSError]()
    Thread(target=_resolve, args=(attempt, answer), name="resolve", daemon=True).start()
    try:
        found = answer.get(timeout=attempt.left())
    except Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found


def _resolve(attempt: Attempt, answer: "SimpleQueue[list[Address] | OSError]") -> None:
    try:
        answer.put(list(socket.getaddrinfo(attempt.host, attempt.port, allowed_gai_family(), socket.SOCK_STREAM)))
    except UnicodeError:
        answer.put(socket.gaierror(socket.EAI_NONAME, "the name is not valid"))
    except OSError as exc:
        answer.put(exc)
