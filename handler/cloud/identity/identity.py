"""The seam between the cloud and whatever proves who we are to it."""

import html
import json
from collections.abc import Sequence
from typing import Protocol

from requests.auth import AuthBase

from handler.clock import Deadline

USER_AGENT = "image-reaper"


class Identity(Protocol):
    """Who we are to the cloud. Safe for threads.

    It outlives a run, so whatever may ask the cloud is given the run's deadline, and may raise CloudError.
    """

    def project_id(self, deadline: Deadline) -> str:
        """The project that we act for."""

    def endpoint(self, service_types: Sequence[str], deadline: Deadline) -> str | None:
        """The address of the first of these services that there is, without a slash at its end; None if there is none.

        Raises Unexpected if several addresses come into question: the wrong one would call every image already gone.
        """

    def auth(self, deadline: Deadline) -> AuthBase:
        """What proves who we are, put on one request."""

    def scrub(self, text: str) -> str:
        """The text without what may stand in no message, also where the text is JSON or HTML."""


class Secrets:
    """What may stand in no message."""

    def __init__(self, *secrets: str) -> None:
        self._forms: set[str] = set()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Take further secrets in; an empty one is none."""
        forms = {form for secret in filter(None, secrets) for form in _forms(secret)}
        self._forms = self._forms | forms  # a new set: another thread may be looking through the old one

    def scrub(self, text: str) -> str:
        """The text with three stars in the place of each secret."""
        for form in sorted(self._forms, key=len, reverse=True):  # one may be a part of another
            text = text.replace(form, "***")
        return text


def _forms(secret: str) -> set[str]:
    """A secret as it may stand in an answer or in a message."""
    quoted = {json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)}
    return {secret, html.escape(secret), html.escape(secret, quote=False), *(form[1:-1] for form in quoted)}
