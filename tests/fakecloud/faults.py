"""Scripted faults: the n-th request that fits gets another answer, a late one, or none."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.fakecloud.api import Reply, Request

Body = bytes | str | Mapping[str, object]


@dataclass
class Fault:
    """What happens to which requests.

    `status` None keeps the real answer (and its effect); `apply` keeps the effect and sends this answer, `then` runs
    once the answer is decided. The first `skip` requests that fit pass; `times` None means for ever. `query` is a regex
    as `path` is; `edit` makes another JSON body of the one that would be sent.
    """

    method: str | None = None
    path: str | None = None
    query: str | None = None
    status: int | None = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""
    content_type: str = "application/json"
    delay: float = 0.0
    cut: bool | Literal["half"] = False
    length: int | None = None
    times: int | None = 1
    skip: int = 0
    edit: Callable[[Any], object] | None = None
    then: Callable[[], object] | None = None
    apply: bool = False
    used: int = 0

    def fits(self, request: Request) -> bool:
        """Whether the fault is meant for such a request."""
        return (
            (self.method is None or self.method == request.method)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.query is None or re.search(self.query, request.query) is not None)
        )

    @property
    def has_effect(self) -> bool:
        """Whether the request is carried out."""
        return self.apply or self.status is None

    def change(self, reply: Reply) -> Reply:
        """The answer that is sent in the place of the real one."""
        if self.status is not None:
            headers = {"Content-Type": self.content_type, **self.headers}
            reply = Reply(self.status, headers, _bytes(self.body))
        else:
            reply = replace(reply, headers={**reply.headers, **self.headers})
        if self.edit is not None:
            reply = replace(reply, body=json.dumps(self.edit(json.loads(reply.body))).encode())
        return replace(reply, delay=self.delay, cut=self.cut, length=self.length)


class Faults:
    """The faults that were asked for, in order; the first one that fits is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Wait for requests that fit."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault that this request runs into."""
        if not self._waiting:
            return None
        with self._lock:
            return next((fault for fault in self._waiting if fault.fits(request) and _use(fault)), None)


def _use(fault: Fault) -> bool:
    if fault.skip > 0:
        fault.skip -= 1
        return False
    if fault.times is not None and fault.used >= fault.times:
        return False
    fault.used += 1
    return True


def _bytes(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
