"""What an execution environment keeps from one invocation to the next, and when it is made anew."""

import random
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import Home, Identity
from handler.cloud.identity.keystone import KeystoneIdentity, Login, login_with
from handler.cloud.places.session import Session, new_session
from handler.config.settings import Settings
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.secret import read_secret
from handler.errors import CredentialsRefused, InvalidSettings
from handler.report.reporter import Reporter


class Access(NamedTuple):
    """The connections to the cloud, and who we are on them."""

    session: Session
    identity: Identity


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, with the credentials that the secret held when it was last read."""
    return Settings.from_env(environment, read=_secret)


@lru_cache(maxsize=1)
def reporter(service: str, namespace: str) -> Reporter:
    """The writer of the log and the metrics of a service."""
    return Reporter(service, namespace)


def access_to_cloud(settings: Settings) -> Access:
    """The connections and the token of the last invocation, or new ones if the settings have changed."""
    secret = settings.credentials_secret
    return _access(
        settings.credentials,
        settings.concurrency,
        bool(secret),
        _home(secret or settings.credentials, settings.project_pin),
        settings.allow_plaintext == "on",
    )


def drop_access() -> None:
    """Leave the connections and the token to threads that still use them; the next invocation gets new ones."""
    # A thread that hangs may hold the lock of the token. A later run would wait for it, and fail for nothing.
    _access.cache_clear()


def forget() -> None:
    """Begin anew after a snapshot was restored: what was made before it may be out of date."""
    _secret.cache_clear()
    _access.cache_clear()
    # No project is lost by this: a snapshot is taken before the first invocation, and so before any token.
    _home.cache_clear()
    # From the same snapshot, every environment would draw the same random pauses.
    random.seed()


@lru_cache(maxsize=1)
def _secret(name: str, access: AwsAccess) -> dict[str, Any]:
    """The secret, which is read once in the life of the environment, and again whenever it is refused."""
    return read_secret(name, access)


@cache
def _home(_source: str | Credentials, pin: str) -> Home:
    """The project of all credentials of one source: the name of a secret, or what the environment holds."""
    return Home(pin)


@lru_cache(maxsize=1)
def _access(
    credentials: Credentials,
    connections: int,
    rotates: bool,  # noqa: FBT001 (a fact)
    home: Home,
    plaintext: bool,  # noqa: FBT001 (a fact)
) -> Access:
    session = new_session(connections, credentials.cacert or True)
    identity = KeystoneIdentity(
        login_with(credentials),
        session,
        home=home,
        interface=credentials.interface,
        region=credentials.region_name,
        rotate=partial(_rotated, credentials) if rotates else lambda: None,
        plaintext=plaintext,
    )
    return Access(session, identity)


def _rotated(refused: Credentials) -> Login | None:
    """Read the secret again; None if it still holds what was refused."""
    # Credentials that were refused are not tried again: too many failures would lock the account.
    _secret.cache_clear()
    try:
        credentials = load_settings().credentials
    except InvalidSettings as exc:
        message = f"the credentials were refused, and there are no others: {exc}"
        raise CredentialsRefused(message) from exc
    return None if credentials == refused else login_with(credentials)
