"""One request to the cloud: sent with a token, its answer understood, and sent again where that may help."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from requests import exceptions as wire
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError
from urllib3.util import Retry

from handler.clock import Backoff, Deadline
from handler.cloud.fields import Record, read_body
from handler.cloud.identity.identity import USER_AGENT, Identity
from handler.cloud.meanings import Answer, Meaning, meaning_of, read_answer
from handler.errors import (
    BackupLeft,
    CloudError,
    CredentialsRefused,
    Denied,
    Throttled,
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
"""The meanings that are no answer to our question; the others are values."""

WIRE_ERRORS: tuple[tuple[type[Exception], type[CloudError]], ...] = (
    (wire.ProxyError, Unreachable),
    (wire.SSLError, Unreachable),
    (wire.ConnectTimeout, Unreachable),
    (wire.Timeout, Unanswered),
    (wire.ConnectionError, Unavailable),
    (wire.ChunkedEncodingError, Unavailable),
    (wire.ContentDecodingError, Unavailable),
    (Exception, Unexpected),
)
"""requests' errors in ours; the first class that fits decides. A refused connection is told apart below."""

T = TypeVar("T")


Session = requests.Session


class _Session(requests.Session):
    """A session that spends no time on what is the same for every request; it sends no cookies.

    At every request, looking for proxies in the environment is a fifth of all our time, and merging the request with
    the session's parameters, cookies, hooks and credentials, of which we have none, another tenth.
    """

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[tuple[str, object, object], Any] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401 (the signature of requests)
        host = "/".join(str(url).split("/", 3)[:3])
        key = (host, stream, verify)
        if key not in self._settings:
            self._settings[key] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return dict(self._settings[key])

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        request.headers = {**self.headers, **request.headers}
        return request.prepare()


def new_session(connections: int, verify: str | bool) -> requests.Session:  # noqa: FBT001 (requests' own parameter)
    """A session that keeps this many connections to each service open, and follows no redirect."""
    session = _Session()
    session.verify = verify
    # Glance answers in JSON only if that is all we accept.
    session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT})
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    return session


class Transport:
    """Sends requests to the cloud for one run: authenticated, repeated, and inside its deadline."""

    def __init__(self, session: requests.Session, identity: Identity, deadline: Deadline) -> None:
        self.deadline = deadline
        self._session = session
        self._identity = identity

    def project_id(self) -> str:
        """The project that we act for."""
        return self.persist(lambda: self._identity.project_id(self.deadline))

    def endpoint(self, *service_types: str) -> str | None:
        """The address of the first of these services that there is, None if there is none."""
        return self.persist(lambda: self._identity.endpoint(service_types, self.deadline))

    def read(self, url: str, params: Mapping[str, str] | None = None) -> Record | None:
        """GET a JSON object; None if the cloud says that the image does not exist."""
        response, answer = self.persist(lambda: self._ask("GET", url, params=params))
        if response.status_code == requests.codes.ok:
            return read_body(response.content)
        if meaning_of(answer) is Meaning.GONE:
            return None
        message = f"GET answered {answer}"
        raise Unexpected(message)

    def change(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> None:
        """Ask for a change that may be asked for again, until the cloud has made it.

        Raises Unexpected if the image, or what is to be taken off it, does not exist.
        """
        _, answer = self.persist(lambda: self._ask(method, url, json=body))
        if meaning_of(answer) is not Meaning.DONE:
            message = f"{method} answered {answer}"
            raise Unexpected(message)

    def delete(self, url: str, body: Mapping[str, bool] | None) -> tuple[Answer, float | None]:
        """DELETE, once; gives the answer, and the milliseconds that it took, None if they include a second token."""
        response, answer = self._ask("DELETE", url, json=body)
        return answer, None if response.history else response.elapsed.total_seconds() * 1000

    def persist(self, attempt: Callable[[], T]) -> T:
        """Repeat an attempt while its error allows it and there is time. Not to be used inside another."""
        backoff = Backoff(self.deadline)
        while True:
            try:
                return attempt()
            except CloudError as error:
                backoff.wait(error)

    def _ask(self, method: str, url: str, **options: Any) -> tuple[requests.Response, Answer]:  # noqa: ANN401
        """Send one request; raises what its answer means, unless that is an answer to our question."""
        auth = self._identity.auth(self.deadline)  # first: a new token takes of the time that is left
        try:
            response = self._session.request(
                method, url, auth=auth, timeout=self.deadline.timeout(), allow_redirects=False, **options
            )
        except (wire.RequestException, HTTPError) as exc:  # urllib3's own where an address can't be parsed
            raise self._translated(exc) from exc
        if method == "GET" and response.status_code == requests.codes.ok:
            return response, Answer(response.status_code)
        body = self._identity.scrub(response.content.decode(errors="replace"))
        answer = read_answer(response.status_code, body)
        error = ERRORS.get(meaning_of(answer))
        if error is not None:
            message = f"{method} answered {answer}"
            raise error(message, retry_after=_retry_after(response))
        return response, answer

    def _translated(self, error: wire.RequestException | HTTPError) -> CloudError:
        ours = next(ours for theirs, ours in WIRE_ERRORS if isinstance(error, theirs))
        cause = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(cause, NewConnectionError):
            ours = Unreachable
        return ours(self._identity.scrub(f"{type(error).__name__}: {error}"))


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that the cloud asks us to wait, said as a number or as a date."""
    header = response.headers.get("Retry-After")
    try:
        return Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):  # a number of 5000 digits, a date in the year 99999
        return None
