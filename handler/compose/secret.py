"""The settings with the credentials of an AWS secret: read once and kept, and read again when they are of no use."""

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from handler.compose import warm
from handler.config.settings import Settings
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.secret import read_secret
from handler.errors import CredentialsRefused, InvalidSettings


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, with the credentials that the secret held when it was last read."""
    try:
        return Settings.from_env(environment, read=_secret)
    except InvalidSettings:
        # It may be the secret that is wrong, and it may be cured before the next invocation.
        forget_secret()
        raise


def rotated(refused: warm.Proof) -> warm.Proof | None:
    """Read the secret again; None if it still holds what was refused."""
    # Credentials that were refused are not tried again: too many failures would lock the account.
    forget_secret()
    try:
        proof = load_settings().proof
    except InvalidSettings as exc:
        message = f"the credentials were refused, and there are no others: {exc}"
        raise CredentialsRefused(message) from exc
    return None if proof == refused else proof


def forget_secret() -> None:
    """Have the next invocation read the secret anew; this one goes on with what it has read."""
    _secret.cache_clear()


def forget() -> None:
    """Begin anew after a snapshot was restored: what was made before it may be out of date."""
    forget_secret()
    warm.forget()
    # From the same snapshot, every environment would draw the same random pauses.
    random.seed()


@lru_cache(maxsize=1)
def _secret(name: str, access: AwsAccess) -> dict[str, Any]:
    """The secret, which is read once in the life of the environment, and again once it was of no use."""
    return read_secret(name, access)
