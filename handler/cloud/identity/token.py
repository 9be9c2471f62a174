"""A token on a request, as a `requests.auth.AuthBase`."""

from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.meanings import Meaning, read_answer
from handler.errors import Outdated


class TokenAuth(AuthBase):
    """Puts a token on a request; if the answer refuses it, gets a new one and sends the request once more.

    `renew` takes the refused token and returns another one, or raises CloudError. What is permitted only once, as the
    DELETE of an image, is not sent again: it stays refused, and the next request has the new token.
    `check` raises CloudError for an address that the token must not go to.
    """

    def __init__(
        self, token: str, renew: Callable[[str], str], deadline: Deadline, check: Callable[[str], None]
    ) -> None:
        self._check = check
        self._token = token
        self._renew = renew
        self._deadline = deadline

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request."""
        self._check(str(request.url))
        request.headers["X-Auth-Token"] = self._token
        request.register_hook("response", self._once_more)  # type: ignore[no-untyped-call]  # the stubs lack it
        return request

    def _once_more(self, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401
        if not _refuses_the_token(response):
            return response
        request = response.request.copy()
        # Without the hook: a new token that is refused as well must end here, and not begin a loop.
        request.hooks = {"response": []}
        request.headers["X-Auth-Token"] = self._renew(self._token)
        # A time-out of its own: the new token has taken some of the time that was left.
        options["timeout"] = self._deadline.timeout()
        try:
            again: requests.Response = response.connection.send(request, **options)
        except Outdated:
            return response
        again.history.append(response)
        return again


def _refuses_the_token(response: requests.Response) -> bool:
    if response.status_code < requests.codes.bad_request:
        return False
    answer = read_answer(response.status_code, response.content.decode(errors="replace"))
    return answer.meaning is Meaning.UNAUTHENTICATED
