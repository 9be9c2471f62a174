"""The seam between the cloud and whatever proves who we are to it."""

import html
import json
import re
from collections.abc import Sequence
from typing import Protocol

from requests.auth import AuthBase

from handler.clock import Deadline

USER_AGENT = "image-reaper"

SHORT = 8
"""A secret of fewer characters is taken out of a text only where it stands alone, and not as a part of a word."""


class Identity(Protocol):
    """Who we are to the cloud. Safe for threads.

    It outlives a run. So a method that may ask the cloud takes the deadline of the run, and may raise CloudError.
    """

    def project_id(self, deadline: Deadline) -> str:
        """The project that we act for."""

    def endpoint(self, service_types: Sequence[str], deadline: Deadline) -> str | None:
        """The address of the first of these services that exists, without a trailing slash; None if none does.

        Raises Unexpected if there are several addresses to choose from: at the wrong one, every image would look
        already gone.
        """

    def auth(self, deadline: Deadline) -> AuthBase:
        """The proof of who we are, for one request."""

    def scrub(self, text: str) -> str:
        """The text without secrets, even if it is JSON or HTML."""


class Secrets:
    """Secrets, which must not appear in any message."""

    def __init__(self, *secrets: str) -> None:
        self._forms: set[str] = set()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Add secrets; an empty one is ignored."""
        forms = {form for secret in filter(None, secrets) for form in _forms(secret)}
        # A new set: another thread may be going through the old one.
        self._forms = self._forms | forms

    def scrub(self, text: str) -> str:
        """The text with three asterisks in place of each secret."""
        # The longest first: a secret may be a part of another, whose rest would be left.
        for form in sorted(self._forms, key=len, reverse=True):
            # With the password `p`, `https` would be unreadable, and would tell everybody that the password is `p`.
            text = text.replace(form, "***") if len(form) >= SHORT else re.sub(_alone(form), "***", text)
        return text


def _forms(secret: str) -> set[str]:
    """A secret in each way in which it may be written in an answer or in a message."""
    quoted = {json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)}
    return {secret, html.escape(secret), html.escape(secret, quote=False), *(form[1:-1] for form in quoted)}


def _alone(form: str) -> str:
    """A pattern for a text that is no part of a longer word or number."""
    before = r"(?<![^\W_])" if form[0].isalnum() else ""
    after = r"(?![^\W_])" if form[-1].isalnum() else ""
    return before + re.escape(form) + after
