"""The cloud in this process, through `responses`: one callback per host and method, the rest is routed inside."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import responses

from tests.fakecloud.api import Answers, Headers, Reply, Request

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def mocked(
    cloud: Answers, base: str = "http://cloud.test", mock: responses.RequestsMock | None = None
) -> Iterator[responses.RequestsMock]:
    """Answer all requests to `base` by the cloud; another host is a connection error, unless `mock` knows it."""
    if mock is not None:
        _register(mock, cloud, base)
        yield mock
        return
    with responses.RequestsMock(assert_all_requests_are_fired=False) as own:
        _register(own, cloud, base)
        yield own


def _register(mock: responses.RequestsMock, cloud: Answers, base: str) -> None:
    def callback(request: requests.PreparedRequest) -> Answer:
        return _send(cloud.handle(_read(request, base)), request)

    for method in METHODS:
        mock.add_callback(method, re.compile(re.escape(base) + r"(?:[/?].*)?"), callback, content_type=None)


def _read(request: requests.PreparedRequest, base: str) -> Request:
    parts = urlsplit(str(request.url))
    headers = Headers({name: _text(value) for name, value in request.headers.items()})
    return Request(str(request.method), parts.path or "/", parts.query, headers, _bytes(request.body), base)


def _send(reply: Reply, request: requests.PreparedRequest) -> Answer:
    _wait(reply.delay, request)
    if reply.cut is True:
        message = "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"
        raise requests.ConnectionError(message, request=request)
    if reply.cut == "half" or (reply.length is not None and reply.length > len(reply.body)):
        message = "('Connection broken: IncompleteRead', IncompleteRead)"
        raise requests.exceptions.ChunkedEncodingError(message, request=request)
    body = reply.body if reply.may_have_body and request.method != "HEAD" else b""
    return reply.status, dict(reply.headers), body[: reply.length]


def _wait(delay: float, request: requests.PreparedRequest) -> None:
    """Be slow, but no longer than the caller waits."""
    patience = _patience(getattr(request, "req_kwargs", {}))
    if patience is not None and delay > patience:
        time.sleep(patience)
        message = f"Read timed out. (read timeout={patience})"
        raise requests.ReadTimeout(message, request=request)
    if delay:
        time.sleep(delay)


def _patience(options: Mapping[str, Any]) -> float | None:
    timeout = options.get("timeout")
    read = timeout[1] if isinstance(timeout, tuple) else timeout
    return None if read is None else float(read)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else b"".join(body) if isinstance(body, Iterator) else b""
