"""What is said of a login that failed: whether Keystone can't be reached, is elsewhere, or refuses, and the cure."""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

import requests

from handler.cloud.meanings import Answer, read_answer
from handler.cloud.places.authorities import checked_with
from handler.connections.causes import cause_of, why_unanswered
from handler.connections.fenced import answer_of_proxy

_NOWHERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
"""The statuses of a server that has nothing at an address."""
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND})


class Plugin(Protocol):
    """What makes a token, and where."""

    auth_url: str


class Login(Protocol):
    """How a token is made, and the names of the variables that it is made of."""

    @property
    def plugin(self) -> Plugin:
        """What makes the token."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables."""


def why_no_token(error: Exception, session: requests.Session, login: Login, scrub: Callable[[str], str]) -> str:
    """Say why Keystone gave no token. `scrub` takes secrets out of a text."""
    url = login.plugin.auth_url
    response = getattr(error, "response", None)
    if response is not None:
        # Read by us: keystoneauth1 does not know the flat errors of IAM, and loses what they say.
        body = response.content.decode(errors="replace")
        answer = read_answer(response.status_code, body, response.headers, scrub)
        return scrub(_answered(answer, url, login.variables))
    checked = checked_with(session, url) if cause_of(error).of_certificate else ""
    return scrub(answer_of_proxy(error) or f"{why_unanswered(error, f'Keystone at {url}')}{checked}")


def why_unreadable(error: Exception) -> str:
    """Say why no token could be asked for, or could be read in Keystone's answer."""
    # Not its text, which shows what can't be encoded: that may be the password of a proxy.
    if isinstance(error, UnicodeError):
        return "Keystone can't be asked: a character of the credentials, or of the proxy's, can't be sent"
    told = "it is not made as a token is"
    if isinstance(error, KeyError | ValueError):
        told = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return f"Keystone's answer can't be read as a token for a project: {told}"


def _answered(answer: Answer, url: str, variables: Sequence[str]) -> str:
    if _is_elsewhere(answer):
        return f"OS_AUTH_URL is no address of Keystone, or not all of one: {url} answered {answer}"
    names = " and ".join(filter(None, (", ".join(variables[:-1]), *variables[-1:])))
    cure = f"; check {names}" if names and answer.status in _REFUSED else ""
    return f"Keystone answered {answer}{cure}"


def _is_elsewhere(answer: Answer) -> bool:
    """Whether an answer comes from another server than Keystone, or from none of its addresses."""
    # Of an application credential that is gone, Keystone says so with a 404; and a gateway has a code for what it says.
    is_told = answer.code or re.search("could not find", answer.message, re.IGNORECASE)
    return answer.status < HTTPStatus.BAD_REQUEST or (answer.status in _NOWHERE and not is_told)
