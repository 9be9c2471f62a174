"""One request to the cloud: sent with a token, its answer understood, and sent again where that may help."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import requests
from requests import exceptions as wire
from urllib3.exceptions import HTTPError

from handler.clock import Backoff, Deadline
from handler.cloud.asking.failures import error_of, error_of_wire
from handler.cloud.asking.pace import Pace, Paces
from handler.cloud.fields import Record, read_body, read_date
from handler.cloud.identity.identity import Identity
from handler.cloud.meanings import Answer, Meaning, read_answer, request_id_of
from handler.cloud.places.catalogue import Catalogue
from handler.errors import (
    CloudError,
    Throttled,
    TurnedDown,
    Unexpected,
)
from handler.model.image import UUID

T = TypeVar("T")


class Dated(NamedTuple):
    """What was read, None if there is no such image.

    `asked_at` is the moment at which the request that was answered began; `date` is the cloud's own time of its answer,
    None if the cloud does not tell it. `headers` are those of the answer.
    """

    payload: Record | None
    asked_at: float
    date: datetime | None
    headers: Mapping[str, str]


class Transport:
    """Sends the requests of one run to the cloud: authenticated, repeated where that helps, inside the deadline."""

    def __init__(self, session: requests.Session, identity: Identity, deadline: Deadline) -> None:
        self.deadline = deadline
        self.throttled_at = float("-inf")
        """The last moment at which the cloud asked for fewer requests."""
        self._session = session
        self._identity = identity
        self._paces = Paces(deadline)

    def project_id(self) -> str:
        """The project that we act for."""
        return self.persist(lambda: self._identity.project_id(self.deadline))

    def catalogue(self) -> Catalogue:
        """Every service that we may use."""
        return self.persist(lambda: self._identity.catalogue(self.deadline))

    def confirm(self, listing: str) -> bool:
        """Make sure that the images we may delete are our project's; False if a list of one private image is empty."""
        return self.persist(lambda: self._identity.confirm(listing, self.deadline))

    def read(self, url: str, params: Mapping[str, str] | None = None) -> Record | None:
        """GET a JSON object; None if the cloud says that the image does not exist."""
        return self.read_dated(url, params).payload

    def read_as(self, understand: Callable[[Record], T], url: str, params: Mapping[str, str] | None = None) -> T | None:
        """GET what `understand` makes of a JSON object; None if the cloud says that the image does not exist."""
        return self.understood(self.read_dated(url, params), understand)

    def understood(self, dated: Dated, understand: Callable[[Record], T]) -> T | None:
        """What `understand` makes of an answer; None if the image does not exist.

        If `understand` raises Unexpected, the message gets the cloud's id of the request.
        """
        if dated.payload is None:
            return None
        try:
            return understand(dated.payload)
        except Unexpected as error:
            request_id = request_id_of(dated.headers, self._identity.scrub)
            message = f"{error} (request {request_id})" if request_id else str(error)
            raise Unexpected(message) from error

    def read_to_delete(self, url: str, deletion: str, first: Callable[[], object]) -> Dated:
        """GET a JSON object, whose image may be deleted right afterwards, at the address `deletion`.

        Where that is another service, it waits for both slots now. `first` is called when they have come, before each
        request, and may raise CloudError: what it finds out does not grow old while we wait.
        """

        def begin() -> None:
            if (pace := self._paces.of(deletion)) is not self._paces.of(url):
                pace.wait()
            first()

        return self.read_dated(url, first=begin)

    def read_dated(
        self, url: str, params: Mapping[str, str] | None = None, first: Callable[[], object] = lambda: None
    ) -> Dated:
        """GET a JSON object, and tell how old it is; `first` is called when our slot has come, before each request."""

        def attempt() -> tuple[float, requests.Response, Answer]:
            self._paces.of(url).wait()
            first()
            asked_at = self.deadline.now()
            return asked_at, *self._ask("GET", url, params=params)

        asked_at, response, answer = self.persist(attempt)
        if response.status_code == requests.codes.ok:
            date = read_date(response.headers.get("Date", ""))
            payload = self._body(response, answer)
            return Dated(payload=payload, asked_at=asked_at, date=date, headers=response.headers)
        if answer.meaning is Meaning.GONE:
            return Dated(payload=None, asked_at=asked_at, date=None, headers=response.headers)
        message = f"GET answered {answer}"
        raise Unexpected(message)

    def _body(self, response: requests.Response, answer: Answer) -> Record:
        try:
            return read_body(response.content)
        except Unexpected as error:
            request_id = request_id_of(response.headers, self._identity.scrub)
            message = f"{error}: {answer._replace(request_id=request_id)}"
            raise Unexpected(message) from error

    def change(self, method: str, url: str, body: Mapping[str, Any] | None, hold: Callable[[], float]) -> None:
        """Ask for a change until the cloud has made it; it must be one that may be made twice.

        `hold` is called when our slot has come, before each request, and returns the moment after which it must not be
        sent; it may raise CloudError. Raises TurnedDown if the image, or the tag to be taken off it, does not exist.
        """

        def attempt() -> tuple[requests.Response, Answer]:
            self._paces.of(url).wait()
            return self._ask(method, url, self.deadline.until(hold()), json=body)

        _, answer = self.persist(attempt)
        # Nothing but DONE: a proxy's page that comes with a 200 must not count as a tag that was set.
        if answer.meaning is not Meaning.DONE:
            message = f"{method} answered {answer}"
            raise (TurnedDown if answer.meaning is Meaning.GONE else Unexpected)(message)

    def wait_to_delete(self, url: str, by: float) -> None:
        """Wait for the slot of the DELETE that follows a GET at `url`, but no longer than until the moment `by`."""
        # Also where the DELETE goes to another service: one gateway may count both.
        self._paces.of(url).wait_first(by)

    def delete(self, url: str, body: Mapping[str, bool] | None, permit: Callable[[], object]) -> tuple[Answer, float]:
        """DELETE once. Returns the answer, and its latency in milliseconds.

        `permit` is called when the connection stands, right before the request is sent, and may raise CloudError.
        """
        # Not repeated here, not even with a new token: the image must be judged again before another DELETE is sent.
        response, answer = self._ask("DELETE", url, permit, json=body)
        return answer, response.elapsed.total_seconds() * 1000

    def persist(self, attempt: Callable[[], T]) -> T:
        """Repeat an attempt while its error allows it and there is time. Not to be nested: repetitions multiply."""
        backoff = Backoff(self.deadline)
        while True:
            try:
                return attempt()
            except CloudError as error:
                backoff.wait(error)

    def _ask(
        self,
        method: str,
        url: str,
        permit: Callable[[], object] = lambda: None,
        **options: Any,  # noqa: ANN401 (those of requests)
    ) -> tuple[requests.Response, Answer]:
        """Send one request; raises the error that its answer means, if it means one."""
        # First, since a new token takes some of the time from which the time-outs below are made.
        auth = self._identity.auth(self.deadline)
        pace, sent_at = self._paces.of(url), self.deadline.now()
        try:
            # Redirects are not followed: they would carry the token to another host.
            with self.deadline.fence.around(permit):
                response = self._session.request(
                    method, url, auth=auth, timeout=self.deadline.timeout(), allow_redirects=False, **options
                )
        # urllib3's own error comes through requests where an address can't be parsed.
        except (wire.RequestException, HTTPError) as exc:
            raise error_of_wire(exc, self._identity.scrub, self._session) from exc
        # The caller reads the body as JSON. It may be a long list, and need not be decoded here as well.
        if method == "GET" and response.status_code == requests.codes.ok:
            pace.accepted()
            return response, Answer(Meaning.DONE, response.status_code)
        body = response.content.decode(errors="replace")
        answer = read_answer(response.status_code, body, response.headers, self._identity.scrub)
        if _is_of_another(answer, url):
            answer = answer._replace(meaning=Meaning.UNEXPECTED)
        error = error_of(method, response, answer)
        self._keep_pace(pace, sent_at, error)
        if error is not None:
            raise error
        return response, answer

    def _keep_pace(self, pace: Pace, sent_at: float, error: CloudError | None) -> None:
        if error is None or not error.is_paced:
            pace.accepted()
            return
        if isinstance(error, Throttled):
            self.throttled_at = self.deadline.now()
        pace.throttled(sent_at, error)


def _is_of_another(answer: Answer, url: str) -> bool:
    """Whether an answer says of another image than the one that was asked for that it does not exist."""
    named = re.findall(UUID, answer.message) if answer.meaning is Meaning.GONE else []
    return bool(named) and not any(image_id.casefold() in url.casefold() for image_id in named)
