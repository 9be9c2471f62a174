"""A signature on a request, as a `requests.auth.AuthBase`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.identity.signing.access import Keys
from handler.cloud.identity.signing.signature import (
    authorization,
    canonical_query,
    canonical_request,
    content_hash,
    signature,
)
from handler.cloud.meanings import Meaning, read_answer
from handler.errors import Outdated

DATE, TOKEN, PROJECT = "X-Sdk-Date", "X-Security-Token", "X-Project-Id"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_USUAL_PORTS = {"http": ":80", "https": ":443"}

Refused = Callable[[Keys, requests.Response], Keys]
"""Takes the keys that an answer refuses, and the answer. Returns other keys, or raises CloudError."""


class Signer(AuthBase):
    """Signs a request with keys, for a project; `check` raises CloudError for an address that must not get one."""

    def __init__(self, keys: Keys, project_id: str, check: Callable[[str], None]) -> None:
        self.keys = keys
        self._project_id = project_id
        self._check = check

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request; its query is sent in the spelling that is signed."""
        self._check(str(request.url))
        parts = urlsplit(str(request.url))
        query = canonical_query(parts.query)
        request.url = parts._replace(query=query, fragment="").geturl()
        date = datetime.now(UTC).strftime(DATE_FORMAT)
        # The content type is not signed: proxies on the way may spell it differently.
        signed = {
            "host": parts.netloc.removesuffix(_USUAL_PORTS.get(parts.scheme, "")),
            "x-project-id": self._project_id,
            "x-sdk-date": date,
        }
        if self.keys.security_token:
            signed["x-security-token"] = self.keys.security_token
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        canonical = canonical_request(str(request.method), parts.path or "/", query, signed, content_hash(body))
        names = ";".join(sorted(signed))
        made = signature(self.keys.secret_key, date, canonical)
        headers = {"Host": signed["host"], PROJECT: self._project_id, DATE: date, TOKEN: signed.get("x-security-token")}
        request.headers.update({name: value for name, value in headers.items() if value})
        request.headers["Authorization"] = authorization(self.keys.access_key, names, made)
        return request


class SignedAuth(Signer):
    """Signs a request; if the answer refuses the keys, gets others and sends the request once more.

    A request that is permitted only once, such as the DELETE of an image, is not sent again: it stays refused, and the
    next request is signed with the other keys. Keys that were refused are not tried again: too many failures would lock
    them.
    """

    def __init__(
        self, keys: Keys, project_id: str, check: Callable[[str], None], refused: Refused, deadline: Deadline
    ) -> None:
        super().__init__(keys, project_id, check)
        self._refused = refused
        self._deadline = deadline

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request, and look at its answer."""
        signed = super().__call__(request)
        signed.register_hook("response", self._once_more)  # type: ignore[no-untyped-call]  # the stubs lack it
        return signed

    def _once_more(self, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401
        if not refuses_the_keys(response):
            return response
        other = Signer(self._refused(self.keys, response), self._project_id, self._check)
        request = response.request.copy()
        # Without the hook: if the other keys are refused as well, it must end here, and not begin a loop.
        request.hooks = {"response": []}
        request.headers.pop(TOKEN, None)
        # A time-out of its own: finding other keys has taken some of the time that was left.
        options["timeout"] = self._deadline.timeout()
        try:
            again: requests.Response = response.connection.send(other(request), **options)
        except Outdated:
            return response
        again.history.append(response)
        if refuses_the_keys(again):
            self._refused(other.keys, again)
        return again


def refuses_the_keys(response: requests.Response) -> bool:
    """Whether an answer says that the keys, or the signature made with them, are not accepted."""
    if response.status_code < requests.codes.bad_request:
        return False
    answer = read_answer(response.status_code, response.content.decode(errors="replace"))
    return answer.meaning is Meaning.UNAUTHENTICATED
