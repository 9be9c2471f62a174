"""The seam between the cloud and whatever proves who we are to it."""

import html
import json
from typing import Protocol

from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.places.catalogue import Catalogue

USER_AGENT = "image-reaper"


class Identity(Protocol):
    """Who we are to the cloud. Safe for threads.

    It outlives a run. So a method that may ask the cloud takes the deadline of the run, and may raise CloudError.
    """

    def project_id(self, deadline: Deadline) -> str:
        """The project that we act for."""

    def catalogue(self, deadline: Deadline) -> Catalogue:
        """Every service that we may use, with the region and the interface that were chosen."""

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
            text = text.replace(form, "***")
        return text


def _forms(secret: str) -> set[str]:
    """A secret in each way in which it may be written in an answer or in a message."""
    quoted = {json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)}
    return {secret, html.escape(secret), html.escape(secret, quote=False), *(form[1:-1] for form in quoted)}
