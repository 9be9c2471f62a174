"""What an execution environment keeps from one invocation to the next, and when it is made anew."""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import NamedTuple

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import Home, Identity
from handler.cloud.identity.keystone import KeystoneIdentity, Login, login_with
from handler.cloud.places.session import Session, new_session
from handler.config.settings import Settings
from handler.report.reporter import Reporter

Rotate = Callable[[Credentials], Login | None]
"""Returns what takes the place of credentials that were refused, None if nothing does. May raise CloudError."""


class Access(NamedTuple):
    """The connections to the cloud, and who we are on them."""

    session: Session
    identity: Identity


@lru_cache(maxsize=1)
def reporter(service: str, namespace: str) -> Reporter:
    """The writer of the log and the metrics of a service."""
    return Reporter(service, namespace)


def access_to_cloud(settings: Settings, rotate: Rotate) -> Access:
    """The connections and the token of the last invocation, or new ones if the settings have changed."""
    secret = settings.credentials_secret
    return _access(
        settings.credentials,
        settings.concurrency,
        rotate if secret else None,
        _home(secret or settings.credentials, settings.project_pin),
        settings.allow_plaintext == "on",
    )


def drop_access() -> None:
    """Leave the connections and the token to threads that still use them; the next invocation gets new ones."""
    # A thread that hangs may hold the lock of the token. A later run would wait for it, and fail for nothing.
    _access.cache_clear()


def forget() -> None:
    """Begin anew: nothing of earlier invocations is used any more."""
    _access.cache_clear()
    # No project is lost by this: a snapshot is taken before the first invocation, and so before any token.
    _home.cache_clear()


@cache
def _home(_source: str | Credentials, pin: str) -> Home:
    """The project of all credentials of one source: the name of a secret, or what the environment holds."""
    return Home(pin)


@lru_cache(maxsize=1)
def _access(
    credentials: Credentials,
    connections: int,
    rotate: Rotate | None,
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
        rotate=partial(rotate, credentials) if rotate else lambda: None,
        plaintext=plaintext,
    )
    return Access(session, identity)
