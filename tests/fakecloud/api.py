"""HTTP in and out, apart from any transport: `Request` comes in, `Reply` goes out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Headers(Mapping[str, str]):
    """Headers, looked up in any case."""

    def __init__(self, pairs: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): value for name, value in (pairs or {}).items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True)
class Request:
    """A request as it was sent: `path` and `query` are still encoded, `base` is the address of the cloud.

    An empty `region` is the first one, whose addresses do not name it. `sent_path` is the path as it was signed, where
    `path` is no longer that. `by_host` says that the name of the host chose the service, and not the path.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=Headers)
    body: bytes = b""
    base: str = "http://cloud.test"
    region: str = ""
    sent_path: str = ""
    by_host: bool = False

    @cached_property
    def decoded_path(self) -> str:
        """The path as WSGI programs see it: decoded, one character a byte."""
        return unquote(self.path, encoding="latin-1")

    @cached_property
    def params(self) -> list[tuple[str, str]]:
        """The query's parameters, in order."""
        return parse_qsl(self.query, keep_blank_values=True)

    def address(self, path: str) -> str:
        """The address of a path that begins with the name of its service."""
        service, _, rest = path.removeprefix("/").partition("/")
        return f"{self.service(service)}/{rest}" if rest else self.service(service)

    def service(self, name: str, region: str = "") -> str:
        """The address of a service, in another region if one is named: a host of its own, or a path."""
        if not self.by_host:
            return "/".join(filter(None, (self.base, region, name)))
        domain = self.base.partition(".")[2]
        return f"https://{name}.{domain if not region else region + '.' + domain.partition('.')[2]}"

    def json(self) -> Any:  # noqa: ANN401 (JSON may be anything)
        """The body as JSON; ValueError if it is not."""
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        """The caller's request id, or a new one."""
        own = self.headers.get("X-OpenStack-Request-ID", "")
        return own if own.startswith("req-") else f"req-{uuid4()}"


@dataclass(frozen=True)
class Reply:
    """What is sent back.

    `cut` closes the connection with nothing, or half of the body, sent; `length` is a false Content-Length;
    `delay` is in seconds; an empty `reason` means the usual phrase of the status.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    cut: bool | Literal["half"] = False
    length: int | None = None
    reason: str = ""

    @property
    def phrase(self) -> str:
        """The reason phrase of the status line."""
        return self.reason or PHRASES.get(self.status, "Unknown")

    @property
    def may_have_body(self) -> bool:
        """Whether a body, and its length, may stand in such an answer at all."""
        return self.status not in {204, 304}


class Answers(Protocol):
    """What a transport stands before: a cloud."""

    def handle(self, request: Request) -> Reply:
        """Answer a request."""


def json_reply(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    body = json.dumps(payload).encode()
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, body)
