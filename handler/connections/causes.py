"""Why a request has no answer, in words for a person.

Each of urllib3, requests and keystoneauth1 wraps the error of the one before it: such a chain says it in the names of
their classes. Loaded when something has failed: a good run needs none of it.
"""

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

from requests import exceptions as wire
from urllib3 import exceptions as below


class Cause(NamedTuple):
    """Why a request has no answer: what to say, and whether a connection stood, or a certificate was refused."""

    words: str
    was_connected: bool = False
    of_certificate: bool = False


_MOST_ERRORS = 40
_SECONDS = re.compile(r"timeout=(\d+(?:\.\d+)?)")
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
_CUT = (
    *(ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ConnectionResetError, ConnectionAbortedError),
    *(BrokenPipeError, http.client.IncompleteRead, http.client.BadStatusLine),
)


def cause_of(error: BaseException) -> Cause:
    """Why a request has no answer. The innermost errors say it best; those of requests, in general terms only."""
    errors = _within(error)
    found = next(
        (cause for row in _TABLE for one in errors if isinstance(one, row.kinds) if (cause := row.say(one))), None
    )
    cause = found or Cause("the request can't be sent as it is")
    if seconds := next((told for one in errors if (told := _SECONDS.search(str(one)))), None):
        cause = cause._replace(words=cause.words.replace("in time", f"within {float(seconds[1]):.3g} seconds"))
    if any(isinstance(one, wire.ProxyError | below.ProxyError) for one in errors):
        return cause._replace(words=f"through the proxy: {cause.words}")
    return cause


def why_unanswered(error: BaseException, whom: str) -> str:
    """Say that somebody can't be reached, or has not answered, and why; `whom` is a name, an address, or both."""
    cause = cause_of(error)
    return f"no answer from {whom}: {cause.words}" if cause.was_connected else f"cannot reach {whom}: {cause.words}"


def _within(error: BaseException) -> list[BaseException]:
    """An error with all that it wraps, or that it came from."""
    found: list[BaseException] = [error]
    for one in found:
        told = (one.__cause__, one.__context__, getattr(one, "reason", None), getattr(one, "original_error", None))
        new = [inner for inner in (*told, *one.args) if isinstance(inner, BaseException) and inner not in found]
        found += new[: _MOST_ERRORS - len(found)]
    return found


class _Row(NamedTuple):
    """The errors of some kinds, and what is said of one; None leaves it to a later row."""

    kinds: type[BaseException] | tuple[type[BaseException], ...]
    say: Callable[[BaseException], Cause | None]


def _always(words: str, *, was_connected: bool = False) -> Callable[[BaseException], Cause]:
    return lambda _: Cause(words, was_connected)


def _certificate(error: BaseException) -> Cause:
    why = str(getattr(error, "verify_message", "") or "it can't be checked").rstrip(".")
    return Cause(f"its certificate is refused: {why}", of_certificate=True)


def _tls(error: BaseException) -> Cause:
    why = str(getattr(error, "reason", "") or "")
    return Cause(f"it does not agree on TLS ({why.lower().replace('_', ' ') or 'no reason is told'})")


def _of_system(error: BaseException) -> Cause | None:
    """What the operating system says, in its own words."""
    number = getattr(error, "errno", None)
    if isinstance(error, wire.RequestException) or not isinstance(number, int):
        return None
    said = str(getattr(error, "strerror", "") or "").lower()
    return Cause("no route to it" if number in _NO_ROUTE else said) if said else None


_TABLE = (
    _Row(ssl.SSLCertVerificationError, _certificate),
    _Row(_CUT, _always("the connection was cut", was_connected=True)),
    _Row(socket.gaierror, _always("its name can't be resolved")),
    _Row(ConnectionRefusedError, _always("connection refused")),
    _Row((wire.ConnectTimeout, below.ConnectTimeoutError), _always("no connection in time")),
    _Row((TimeoutError, wire.Timeout, below.ReadTimeoutError), _always("nothing came in time", was_connected=True)),
    _Row(ssl.SSLError, _tls),
    # In words already: too many answers with an error.
    _Row(below.ResponseError, lambda error: Cause(str(error), was_connected=True)),
    _Row(OSError, _of_system),
    _Row((wire.SSLError, below.SSLError), _certificate),
    _Row(wire.ContentDecodingError, _always("what it sent can't be decoded", was_connected=True)),
    _Row((wire.ChunkedEncodingError, below.ProtocolError), _always("the connection was cut", was_connected=True)),
    _Row((wire.ConnectionError, below.HTTPError), _always("no connection")),
)
"""From the top; the first row that fits any of the errors decides."""
