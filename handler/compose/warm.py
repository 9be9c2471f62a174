"""What an execution environment keeps from one invocation to the next, and when it is made anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import Home, Identity
from handler.cloud.identity.keystone import KeystoneIdentity, Login, login_with
from handler.cloud.identity.signing.access import Signing
from handler.cloud.identity.signing.signed import SignedIdentity
from handler.cloud.places.session import Session, new_session
from handler.compose.projects.kept import Access, Kept
from handler.config.settings import Settings
from handler.report.reporter import Reporter

Proof = Credentials | Signing
Rotate = Callable[[Settings, Proof], Proof | None]
"""Returns what takes the place of a proof that was refused, None if nothing does. May raise CloudError."""
Distrust = Callable[[Settings], object]
"""Is called when a certificate of the cloud is refused, where there is a secret that may hold other authorities."""

MOST_IDENTITIES = 32
"""Projects whose connections and tokens are kept."""
IDLE = 600.0
"""Seconds after which those of a project are given up if nobody uses them. Clouds and gateways close idle connections
sooner."""
_KEPT = Kept(MOST_IDENTITIES, IDLE)


@lru_cache(maxsize=1)
def reporter(service: str, namespace: str) -> Reporter:
    """The writer of the log and the metrics of a service."""
    return Reporter(service, namespace)


@contextmanager
def access_to_cloud(settings: Settings, rotate: Rotate, distrust: Distrust) -> Iterator[Access]:
    """The connections and the identity that an earlier run has left, or new ones if the settings have changed.

    Raises TypeError for settings that are for no project.
    """
    proof, secret = settings.proof, settings.credentials_secret
    if proof is None:
        message = "these settings are for no project: there is nothing to prove who we are"
        raise TypeError(message)
    made_of = proof, settings.concurrency, settings.ca_bundle, settings.allow_plaintext
    whose = secret, settings.project_pin
    with _KEPT.use(whose, made_of, lambda: _new_access(settings, proof, rotate, distrust)) as access:
        yield access


def drop_access(access: Access) -> None:
    """Leave connections and a token to threads that still use them; the next run of the project gets new ones."""
    # A thread that hangs may hold the lock of the token. A later run would wait for it, and fail for nothing.
    _KEPT.leave(access)


def forget() -> None:
    """Begin anew: nothing of earlier invocations is used any more."""
    _KEPT.clear()
    # No project is lost by this: a snapshot is taken before the first invocation, and so before any token.
    _home.cache_clear()


# Without a limit: there are no more than there are secrets, and to forget one would be to take any region for it.
@cache
def _home(_source: str | Proof, pin: str) -> Home:
    """The project of all credentials of one source: the name of a secret, or what the environment holds."""
    return Home(pin)


def _new_access(settings: Settings, proof: Proof, rotate: Rotate, distrust: Distrust) -> Access:
    secret, plaintext = settings.credentials_secret, settings.allow_plaintext == "on"
    distrusted = partial(distrust, settings) if secret else lambda: None
    session = new_session(settings.concurrency, proof.cacert or True, settings.ca_bundle, distrusted)
    another = partial(rotate, settings, proof) if secret else lambda: None
    home = _home(secret or proof, settings.project_pin)
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
