"""The settings with the credentials of an AWS secret: read once and kept, and read again when they are of no use."""

import random
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from handler.compose import warm
from handler.config.settings import Settings
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session
from handler.engine.aws.secret import read_secret
from handler.errors import CredentialsRefused, InvalidSettings


def load_settings(environment: Mapping[str, str] | None = None, project_id: str = "") -> Settings:
    """Read the settings, with the credentials that the secret held when it was last read.

    Where each project has a secret of its own, they are those of `project_id`, or else those that are the same for all.
    """
    used = list[_Secret]()

    def read(name: str, access: AwsAccess) -> Mapping[str, Any]:
        used.append(_secret(name, access))
        return used[-1].read()

    try:
        return Settings.from_env(environment, read=read, project_id=project_id)
    except InvalidSettings:
        # It may be the secret that is wrong, and it may be cured before the next invocation.
        for secret in used:
            secret.forget()
        raise


def own_settings(project_id: str) -> Settings:
    """The settings of a project that has a secret of its own."""
    return load_settings(project_id=project_id)


def rotated(settings: Settings, refused: warm.Proof) -> warm.Proof | None:
    """Read the secret of these settings again; None if it still holds what was refused."""
    # Credentials that were refused are not tried again: too many failures would lock the account.
    forget_secret(settings)
    try:
        proof = load_settings(project_id=settings.project_pin).proof
    except InvalidSettings as exc:
        message = f"the credentials were refused, and there are no others: {exc}"
        raise CredentialsRefused(message) from exc
    return None if proof == refused else proof


def forget_secret(settings: Settings) -> None:
    """Have the next invocation read the secret of these settings anew; this one goes on with what it has read."""
    _secret(settings.credentials_secret, settings.aws).forget()


def forget() -> None:
    """Begin anew after a snapshot was restored: what was made before it may be out of date."""
    _secret.cache_clear()
    _connections.cache_clear()
    warm.forget()
    # From the same snapshot, every environment would draw the same random pauses.
    random.seed()


class _Secret:
    """A secret, which is read when it is first needed, and again once it was of no use."""

    def __init__(self, name: str, access: AwsAccess) -> None:
        self._name = name
        self._access = access
        self._held: Mapping[str, Any] | None = None

    def read(self) -> Mapping[str, Any]:
        """What the secret held when it was last read; raises AwsFault."""
        if self._held is None:
            self._held = read_secret(self._name, self._access, _connections())
        return self._held

    def forget(self) -> None:
        """Have it read anew."""
        self._held = None


@cache
def _connections() -> Session:
    """The connections to the vault."""
    return aws_session()


@lru_cache(maxsize=warm.MOST_IDENTITIES)
def _secret(name: str, access: AwsAccess) -> _Secret:
    """The secret of one name."""
    return _Secret(name, access)
