"""The seam between the cloud and whatever proves who we are to it."""

import html
import json
import re
from threading import Lock
from typing import NoReturn, Protocol

from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.places.catalogue import Catalogue
from handler.errors import CloudError, CredentialsRefused

USER_AGENT = "image-reaper"

SHORT = 8
"""A secret of fewer characters is taken out of a text only where it stands alone, and not as a part of a word."""


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

    def confirm(self, listing: str, deadline: Deadline) -> bool:
        """Make sure that the images we may delete are our project's; raises CredentialsRefused if not.

        Returns False if that can't be told, since the list is empty.

        `listing` is the address of a list of one private image, for an identity that has no other proof.
        """

    def scrub(self, text: str) -> str:
        """The text without secrets, even if it is JSON or HTML."""


class Home:
    """The one project, in one region, that credentials are for: the first one, or the pinned one.

    It outlives every identity: to a token of another project, or in another region, the images of this one look already
    gone. Safe for threads.
    """

    def __init__(self, pin: str = "") -> None:
        self._pin = pin
        self._first: tuple[str, str | None] | None = None
        self._lock = Lock()

    def admit(self, project_id: str, region: str | None) -> None:
        """Make sure that credentials are for the same project and region as the first ones; else CredentialsRefused."""
        if self._pin not in {"", project_id}:
            whose = f"the credentials are for project {project_id}, and must be for {self._pin}"
            message = f"{whose}: so says REAPER_PROJECT_ID, or the name of the secret that they come from"
            raise CredentialsRefused(message)
        with self._lock:
            first = self._first = self._first or (project_id, region)
        if project_id != first[0]:
            self._refuse(f"the credentials are for project {project_id}, the first ones were for {first[0]}")
        if region != first[1]:
            self._refuse(f"OS_REGION_NAME is {region or 'empty'}, at first it was {first[1] or 'empty'}")

    def _refuse(self, problem: str) -> NoReturn:
        cure = "give it the credentials that it had, or deploy it anew; REAPER_PROJECT_ID says which project is meant"
        message = f"{problem}, and this function works for one project in one region: {cure}"
        raise CredentialsRefused(message)


class Nobody:
    """In place of an identity where there are no credentials: `error` says why, and whoever needs one gets it."""

    def __init__(self, error: CloudError) -> None:
        self._error = error

    def project_id(self, _deadline: Deadline) -> str:
        """Raise the error."""
        raise self._error.anew()

    def catalogue(self, _deadline: Deadline) -> Catalogue:
        """Raise the error."""
        raise self._error.anew()

    def auth(self, _deadline: Deadline) -> AuthBase:
        """Raise the error."""
        raise self._error.anew()

    def confirm(self, _listing: str, _deadline: Deadline) -> bool:
        """Raise the error."""
        raise self._error.anew()

    def scrub(self, text: str) -> str:
        """The text as it is: there are no secrets."""
        return text


REMEMBERED = 32
"""Tokens that must not be shown: more than a run of a quarter of an hour gets through."""


class Secrets:
    """Secrets, which must not appear in any message."""

    def __init__(self, *secrets: str) -> None:
        self._forms: set[str] = set()
        self._passing: tuple[set[str], ...] = ()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Add secrets; an empty one is ignored."""
        forms = {form for secret in filter(None, secrets) for form in _forms(secret)}
        # A new set: another thread may be going through the old one.
        self._forms = self._forms | forms

    def follow(self, secret: str) -> None:
        """Add a secret that takes the place of another one, as tokens do: only the last ones are remembered."""
        self._passing = (*self._passing[1 - REMEMBERED :], _forms(secret))

    def scrub(self, text: str) -> str:
        """The text with three asterisks in place of each secret."""
        # The longest first: a secret may be a part of another, whose rest would be left.
        for form in sorted(self._forms.union(*self._passing), key=len, reverse=True):
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
