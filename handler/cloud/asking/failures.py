"""The errors of requests that had no answer, or whose answer is an error."""

import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import requests
from requests import exceptions as wire
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError, ProxyError
from urllib3.util import Retry

from handler.cloud.meanings import Answer, Meaning
from handler.cloud.places.authorities import checked_with
from handler.connections.fenced import answer_of_proxy
from handler.errors import (
    AnswerLost,
    BackupLeft,
    CloudError,
    CredentialsRefused,
    Denied,
    Throttled,
    TurnedDown,
    Unanswered,
    Unavailable,
    Unexpected,
    Unreachable,
)

ERRORS: Mapping[Meaning, type[CloudError]] = {
    Meaning.UNAUTHENTICATED: CredentialsRefused,
    Meaning.DENIED: Denied,
    Meaning.THROTTLED: Throttled,
    Meaning.UNAVAILABLE: Unavailable,
    Meaning.BACKUP_LEFT: BackupLeft,
    Meaning.UNEXPECTED: Unexpected,
}
"""The meanings that become an error. The others are answers to our question, and are returned as values."""

# The order matters: in requests, a ConnectTimeout is a Timeout and a ConnectionError as well, and the errors of proxies
# and of TLS are ConnectionErrors.
WIRE_ERRORS: tuple[tuple[type[Exception], type[CloudError]], ...] = (
    (wire.ProxyError, Unreachable),
    (wire.SSLError, Unreachable),
    (wire.ConnectTimeout, Unreachable),
    (wire.Timeout, Unanswered),
    (wire.ConnectionError, AnswerLost),
    (wire.ChunkedEncodingError, AnswerLost),
    (wire.ContentDecodingError, AnswerLost),
    (Exception, Unexpected),
)
"""Our error for each error of requests; the first class that fits decides, but see `error_of_wire`."""

CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ConnectionResetError, BrokenPipeError)
"""The errors of a cut connection. Over TLS or through a proxy, requests reports it like one that was never made."""
SILENT = frozenset({requests.codes.bad_gateway, requests.codes.gateway_timeout})
"""The statuses of a gateway that has had no answer itself."""
TURNED_DOWN = frozenset({400, 404})
"""The statuses of a request that is wrong, or names something that the cloud does not know."""


def error_of(method: str, response: requests.Response, answer: Answer) -> CloudError | None:
    """The error that an answer means, None if it is a value."""
    kind, retry_after = ERRORS.get(answer.meaning), _retry_after(response)
    if kind is None:
        return None
    if kind is Unavailable and answer.status in SILENT:
        kind = AnswerLost
    if kind is Unexpected and answer.status in TURNED_DOWN:
        kind = TurnedDown
    # A service that is not there, and says when it will be, asks for fewer requests as well.
    is_away = answer.status == requests.codes.service_unavailable and retry_after is not None
    is_paced = kind is Throttled or (kind is Unavailable and is_away)
    # A right is given for a call: whoever gives it must know which one it was.
    call = f"{method} {urlsplit(response.url).path}" if issubclass(kind, Denied) else method
    return kind(f"{call} answered {answer}", retry_after=retry_after, is_paced=is_paced)


def error_of_wire(
    error: wire.RequestException | HTTPError, scrub: Callable[[str], str], session: requests.Session
) -> CloudError:
    """The error of a request that has had no answer. `scrub` takes secrets out of a text."""
    ours = next(ours for theirs, ours in WIRE_ERRORS if isinstance(error, theirs))
    # To requests, a connection that was refused and one that was cut are the same. Only the first says that there
    # is nobody to ask, which ends the run.
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NewConnectionError):
        ours = Unreachable
    # The cut may have come before anything was sent, while the connection was being made: nothing here tells which.
    if isinstance(error, wire.SSLError | wire.ProxyError) and isinstance(_innermost(cause), CUT):
        ours = AnswerLost
    return ours(scrub(_words(error, session, is_sent=ours is not Unexpected)))


def _words(error: wire.RequestException | HTTPError, session: requests.Session, *, is_sent: bool) -> str:
    """Why a request has had no answer, in words for a person."""
    from handler.connections.causes import cause_of, why_unanswered  # noqa: PLC0415 (a good run needs none of it)

    if told := answer_of_proxy(error):
        return told
    request = error.request if isinstance(error, wire.RequestException) else None
    url = request.url if request is not None else None
    place = "/".join(str(url).split("/", 3)[:3]) if url else "the cloud"
    # About an address or a header that can't be: here the words of requests say most.
    if not is_sent:
        return f"{place} can't be asked: {error}"
    checked = checked_with(session, url) if cause_of(error).of_certificate else ""
    return f"{why_unanswered(error, place)}{checked}"


def _innermost(error: object) -> object:
    """The error inside all wrappers of urllib3; anything else comes back as it is."""
    while isinstance(error, HTTPError) and error.args:
        error = error.original_error if isinstance(error, ProxyError) else error.args[-1]
    return error


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that the cloud asks us to wait, whether it gives a number or a date."""
    header = response.headers.get("Retry-After")
    try:
        return Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):  # a number of 5000 digits, a date in the year 99999
        return None
