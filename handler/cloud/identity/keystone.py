"""A Keystone token as our identity: made by keystoneauth1's plugins. The only module that knows their types."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from threading import Lock
from typing import NamedTuple

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.identity.v3.application_credential import ApplicationCredential
from keystoneauth1.identity.v3.base import Auth
from keystoneauth1.identity.v3.password import Password
from keystoneauth1.identity.v3.token import Token
from keystoneauth1.session import Session as KeystoneSession
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import USER_AGENT, Home, Secrets
from handler.cloud.identity.life import Life, clocks
from handler.cloud.identity.token import TokenAuth
from handler.cloud.places.catalogue import Catalogue
from handler.cloud.places.plaintext import allow, check_confidential
from handler.errors import CloudError, CredentialsRefused, Throttled, Unavailable, Unexpected, Unreachable
from handler.model.masking import masked

PLUGINS: Mapping[str, Callable[..., Auth]] = {
    "password": Password,
    "v3applicationcredential": ApplicationCredential,
    "v3token": Token,
}
"""The plugin of each way to log in. A list of our own: looking up entry points reads the metadata of all packages."""

KEYSTONE_ERRORS: tuple[tuple[type[Exception], type[CloudError]], ...] = (
    (keystone.TooManyRequests, Throttled),
    (keystone.RequestEntityTooLarge, Throttled),
    (keystone.RequestTimeout, Unavailable),
    (keystone.HttpServerError, Unavailable),
    # A 404, too: that is what Keystone answers for an application credential that is gone.
    (keystone.HTTPClientError, CredentialsRefused),
    (keystone.ConnectionError, Unreachable),
    (keystone.ClientException, Unexpected),
)
"""Our error for each error of keystoneauth1; the first class that fits decides."""


class Login(NamedTuple):
    """How a token is made, and of which variables; `secrets` must not appear in any message."""

    plugin: Auth
    secrets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Nothing of the secrets."""
        return f"Login({type(self.plugin).__name__})"


def login_with(credentials: Credentials) -> Login:
    """How a token is made with these credentials."""
    plugin = PLUGINS[credentials.auth_type](**credentials.plugin_arguments())
    return Login(plugin=plugin, secrets=credentials.secrets(), variables=credentials.variables())


class KeystoneIdentity:
    """One set of credentials, and the token made from it over `session`. Safe for threads.

    It outlives an invocation. When the login is refused, also because it is not for the project of `home`, `rotate`
    returns another one, or None. Endpoints are those of one `interface` and `region` in the token's catalogue. Without
    `plaintext`, the token goes only to https addresses and to this machine.
    """

    def __init__(  # noqa: PLR0913 (what outlives a run is made of all this)
        self,
        login: Login,
        session: requests.Session,
        *,
        home: Home | None = None,
        interface: str = "public",
        region: str | None = None,
        rotate: Callable[[], Login | None] = lambda: None,
        plaintext: bool = False,
    ) -> None:
        self._session = session
        self._login = login
        self._home = home or Home()
        self._interface = interface
        self._region = region
        self._rotate = rotate
        self._plaintext = plaintext
        self._secrets = Secrets(*login.secrets)
        self._lock = Lock()
        self._access: AccessInfoV3 | None = None
        self._life = Life((0.0, 0.0), 0.0)

    def project_id(self, deadline: Deadline) -> str:
        """The project of the token."""
        return str(self.access(deadline).project_id)

    def catalogue(self, deadline: Deadline) -> Catalogue:
        """The catalogue of the token."""
        # That of a token that is about to expire is as good: no new token for it.
        services = (self._access or self.access(deadline)).service_catalog.normalize_catalog()
        return Catalogue.of(services, self._region or "", self._interface)

    def auth(self, deadline: Deadline) -> AuthBase:
        """The token, put on a request."""
        token = str(self.access(deadline).auth_token)
        check = allow if self._plaintext else partial(check_confidential, lambda: self.catalogue(deadline))
        return TokenAuth(token, lambda refused: str(self.renew(refused, deadline).auth_token), deadline, check)

    def confirm(self, _listing: str, _deadline: Deadline) -> bool:
        """Return True: a token names its project."""
        return True

    def scrub(self, text: str) -> str:
        """The text without passwords, secrets and tokens, those in addresses included."""
        return masked(self._secrets.scrub(text))

    def access(self, deadline: Deadline) -> AccessInfoV3:
        """Return a token that lives long enough, a new one if necessary."""
        # Read without the lock: a thread whose token is good must not wait for one that is asking Keystone.
        access = self._access
        if access is None or self._life.is_over():
            access = self.renew(access.auth_token if access else None, deadline)
        return access

    def renew(self, stale: str | None, deadline: Deadline) -> AccessInfoV3:
        """Return a token other than `stale`: one that another thread has made in the meantime, or a new one."""
        # One thread at a time: if sixteen meet a revoked token together, the first makes a new one for all of them.
        with self._lock:
            # A run that was halted because of its credentials must not be taken for one that has just met a refusal.
            deadline.check()
            if self._access is None or self._access.auth_token == stale:
                # Forgotten before it is replaced: if that fails, nobody must send the refused token again.
                self._access = None
                try:
                    # Whatever fence the thread has: what permits the request that was refused is no permit for this
                    # one, and a thread that was begun by another one has none.
                    with deadline.fence.around():
                        self._access = self._log_in(deadline)
                except CloudError as error:
                    # Without a token, nothing else in this run will succeed.
                    fatal = error.anew(ends_run=True)
                    # Halted while the lock is held: each thread that waits for it would try the same credentials, and
                    # so many failures would lock the account.
                    if not error.may_retry:
                        deadline.halt(fatal)
                    raise fatal from error
            return self._access

    def _log_in(self, deadline: Deadline) -> AccessInfoV3:
        """Make a token; if the credentials are refused, try once more with those that replace them, if any do."""
        try:
            return self._authenticate(deadline)
        except CredentialsRefused:
            if (rotated := self._rotate()) is None:
                raise
            self._login = rotated
            # Before they are used: what is said about them must not show them.
            self._secrets.add(*rotated.secrets)
            return self._authenticate(deadline)

    def _authenticate(self, deadline: Deadline) -> AccessInfoV3:
        session = KeystoneSession(
            session=self._session,
            verify=self._session.verify,
            # keystoneauth1 takes one number, and spends it twice: on connecting and on waiting.
            timeout=sum(deadline.timeout()) / 2,
            # A redirect would carry the password elsewhere.
            redirect=False,
            user_agent=USER_AGENT,
        )
        # Before the request: the life of a token begins while its answer is still on its way.
        begun = clocks()
        try:
            access = self._login.plugin.get_auth_ref(session)
            self._life = Life.of(_issued(access), _read_whole(access), begun)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as exc:
            from handler.cloud.asking.logins import why_unreadable  # noqa: PLC0415 (a good run needs none of it)

            raise Unexpected(self.scrub(why_unreadable(exc))) from exc
        except keystone.ClientException as exc:
            raise self._translated(exc) from exc
        self._secrets.follow(str(access.auth_token))
        self._home.admit(str(access.project_id), self._region)
        return access

    def _translated(self, error: keystone.ClientException) -> CloudError:
        ours = next(ours for theirs, ours in KEYSTONE_ERRORS if isinstance(error, theirs))
        from handler.cloud.asking.logins import why_no_token  # noqa: PLC0415 (a good run needs none of it)

        message = why_no_token(error, self._session, self._login, self.scrub)
        # A number of 400 digits is too long for a float.
        seconds = min(getattr(error, "retry_after", 0), 1e9)
        return ours(message, retry_after=seconds or None)


def _read_whole(access: AccessInfoV3) -> datetime:
    """Read all that will be needed of a token, so that what is unreadable is found here; returns when it expires."""
    access.service_catalog.get_endpoints_data()
    expires = access.expires
    if not access.auth_token or not isinstance(access.project_id, str) or not access.project_id or expires is None:
        message = "it names no project, or no time at which it expires"
        raise ValueError(message)
    return expires


def _issued(access: AccessInfoV3) -> datetime | None:
    """When a token was made, by Keystone's clock; None if it does not say so in a way that can be read."""
    try:
        return access.issued
    except (KeyError, TypeError, ValueError):
        return None
