"""What an execution environment keeps from one invocation to the next, and when it is made anew."""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import NamedTuple

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import Home, Identity
from handler.cloud.identity.keystone import KeystoneIdentity, Login, login_with
from handler.cloud.identity.signing.access import Signing
from handler.cloud.identity.signing.signed import SignedIdentity
from handler.cloud.places.session import Session, new_session
from handler.config.settings import Settings
from handler.report.reporter import Reporter

Proof = Credentials | Signing
Rotate = Callable[[Proof], Proof | None]
"""Returns what takes the place of a proof that was refused, None if nothing does. May raise CloudError."""


class Access(NamedTuple):
    """The connections to the cloud, and who we are on them."""

    session: Session
    identity: Identity


@lru_cache(maxsize=1)
def reporter(service: str, namespace: str) -> Reporter:
    """The writer of the log and the metrics of a service."""
    return Reporter(service, namespace)


def access_to_cloud(settings: Settings, rotate: Rotate, distrust: Callable[[], object]) -> Access:
    """The connections and the identity of the last invocation, or new ones if the settings have changed.

    Where there is a secret, `distrust` is called when a certificate of the cloud is refused.
    """
    secret = settings.credentials_secret
    return _access(
        settings.proof,
        _Wires(connections=settings.concurrency, bundle=settings.ca_bundle, distrust=distrust if secret else None),
        rotate if secret else None,
        _home(secret or settings.proof, settings.project_pin),
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
def _home(_source: str | Proof, pin: str) -> Home:
    """The project of all credentials of one source: the name of a secret, or what the environment holds."""
    return Home(pin)


class _Wires(NamedTuple):
    """How connections are made."""

    connections: int
    bundle: str
    distrust: Callable[[], object] | None


@lru_cache(maxsize=1)
def _access(
    proof: Proof,
    wires: _Wires,
    rotate: Rotate | None,
    home: Home,
    plaintext: bool,  # noqa: FBT001 (a fact)
) -> Access:
    session = new_session(wires.connections, proof.cacert or True, wires.bundle, wires.distrust or (lambda: None))
    another = partial(rotate, proof) if rotate else lambda: None
    if isinstance(proof, Signing):
        return Access(session, _signed(proof, session, home, another, plaintext=plaintext))
    return Access(session, _with_token(proof, session, home, another, plaintext=plaintext))


def _with_token(
    credentials: Credentials, session: Session, home: Home, rotate: Callable[[], Proof | None], *, plaintext: bool
) -> Identity:
    def another() -> Login | None:
        found = rotate()
        return login_with(found) if isinstance(found, Credentials) else None

    return KeystoneIdentity(
        login_with(credentials),
        session,
        home=home,
        interface=credentials.interface,
        region=credentials.region_name,
        rotate=another,
        plaintext=plaintext,
    )


def _signed(
    signing: Signing, session: Session, home: Home, rotate: Callable[[], Proof | None], *, plaintext: bool
) -> Identity:
    def another() -> Signing | None:
        found = rotate()
        return found if isinstance(found, Signing) else None

    return SignedIdentity(signing, session, home=home, rotate=another, plaintext=plaintext)
