"""The identity that signs requests: with the keys of an agency, which the runtime replaces, or of the settings."""

import re
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import NoReturn

import requests
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.identity.identity import Home, Secrets
from handler.cloud.identity.signing.access import Keys, Signing
from handler.cloud.identity.signing.auth import SignedAuth, Signer
from handler.cloud.identity.signing.ownership import owner_in
from handler.cloud.identity.signing.places import places_of
from handler.cloud.identity.signing.refusals import Refusals
from handler.cloud.identity.signing.skew import clock_problem
from handler.cloud.meanings import read_answer
from handler.cloud.places.catalogue import Catalogue
from handler.cloud.places.plaintext import allow, check_confidential
from handler.errors import CloudError, CredentialsRefused
from handler.model.masking import masked

_SENDABLE = re.compile(r"[\x21-\x7e]+")
"""What a header may hold. If it held anything else, Python would quote it in an error."""
_SIGNATURE = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
NO_KEYS = (
    "the runtime hands out no keys: give the function an agency (app_agency) that may use the image service; a new one "
    "takes about ten minutes to take effect"
)


class SignedIdentity:
    """Requests that are signed with the keys of `signing`, over `session`. Safe for threads.

    It outlives an invocation. The keys are asked for at each request. When they are refused and there are no others,
    `rotate` returns another signing, or None; it must be for the project and region of `home`. Without `plaintext`,
    what is signed goes only to https addresses and to this machine.
    """

    def __init__(
        self,
        signing: Signing,
        session: requests.Session,
        *,
        home: Home,
        rotate: Callable[[], Signing | None] = lambda: None,
        plaintext: bool = False,
    ) -> None:
        self._signing = signing
        self._session = session
        self._home = home
        self._rotate = rotate
        self._plaintext = plaintext
        self._secrets = Secrets()
        self._known: Keys | None = None
        self._refusals = Refusals()
        self._lock, self._learning = Lock(), Lock()
        self._listing = ""
        self._confirmed: Keys | None = None

    def project_id(self, deadline: Deadline) -> str:
        """The project that requests are signed for."""
        signing = self._signing
        if not signing.project_id:
            self._end(
                CredentialsRefused("HUAWEICLOUD_SDK_PROJECT_ID: set the project that requests are signed for"), deadline
            )
        self._home.admit(signing.project_id, signing.region)
        return signing.project_id

    def catalogue(self, _deadline: Deadline) -> Catalogue:
        """The services of the region; this needs no request."""
        return places_of(self._signing)

    def auth(self, deadline: Deadline) -> AuthBase:
        """The signature on a request."""
        keys = self._keys(deadline)
        return SignedAuth(keys, self._signing.project_id, self._check(), partial(self._others, deadline), deadline)

    def confirm(self, listing: str, deadline: Deadline) -> bool:
        """Make sure that the keys are for our project: the first private image of `listing` must be ours.

        Returns False if there is none, which proves nothing. Raises CredentialsRefused if it is not ours. Lasting keys
        that were confirmed are not asked about again; temporary ones are asked about in each run.
        """
        self._listing = listing
        keys = self._keys(deadline)
        if keys.security_token or keys != self._confirmed:
            self._confirmed = None
            self._check_owner(keys, self.auth(deadline), deadline)
        return self._confirmed is not None

    def scrub(self, text: str) -> str:
        """The text without keys and signatures, those in addresses included."""
        return masked(_SIGNATURE.sub("***", self._secrets.scrub(text)))

    def _keys(self, deadline: Deadline) -> Keys:
        """The keys that are valid now, or others if those were refused before."""
        try:
            keys = self._signing.keys()
        except CloudError as error:
            self._end(error, deadline)
        if keys != self._known:
            self._learn(keys, deadline)
        return self._others(deadline, keys) if self._refusals.of(keys) else keys

    def _learn(self, keys: Keys, deadline: Deadline) -> None:
        """Remember keys before they are used, so that no text shows them; raises CredentialsRefused if unusable."""
        with self._learning:
            for secret in filter(None, keys):
                self._secrets.follow(secret)
        if not keys.access_key or not keys.secret_key:
            self._end(CredentialsRefused(NO_KEYS), deadline)
        if not all(_SENDABLE.fullmatch(part) for part in keys if part):
            self._end(CredentialsRefused("the keys hold characters that can't be sent: replace them"), deadline)
        self._known = keys

    def _others(self, deadline: Deadline, keys: Keys, response: requests.Response | None = None) -> Keys:
        """The keys that take the place of refused ones; `response` is the refusal, None if it was an earlier one."""
        # One thread at a time: if sixteen are refused together, the first finds other keys for all of them.
        with self._lock:
            # If the run was halted because of its keys, this is no new refusal: it ends here.
            deadline.check()
            try:
                with deadline.fence.around():
                    return self._replaced(keys, response, deadline)
            except CloudError as error:
                self._end(error, deadline)

    def _replaced(self, keys: Keys, response: requests.Response | None, deadline: Deadline) -> Keys:
        if response is not None:
            self._note(keys, response)
        found = self._signing.keys()
        if not self._refusals.of(found):
            self._learn(found, deadline)
            return found
        rotated = self._rotate()
        found = rotated.keys() if rotated else found
        why = self._refusals.of(found)
        if rotated is None or why:
            # Temporary keys can't be corrected, only replaced.
            cure = "" if found.security_token else "; check HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"
            refused = f"the keys were refused, and there are no others ({why})"
            message = f"{refused}; to try the same again would lock them{cure}"
            raise CredentialsRefused(message)
        self._home.admit(rotated.project_id, rotated.region)
        self._learn(found, deadline)
        if self._listing:
            self._try_new(found, deadline)
        # Only now: keys whose project can't be confirmed are not used.
        self._signing = rotated
        return found

    def _try_new(self, keys: Keys, deadline: Deadline) -> None:
        """Check whose images new keys list, before the refused request is sent again with them."""
        try:
            self._check_owner(keys, Signer(keys, self._signing.project_id, self._check()), deadline)
        except CredentialsRefused as error:
            self._refusals.note(keys, str(error))
            raise

    def _note(self, keys: Keys, response: requests.Response) -> None:
        """Remember that an answer refuses keys; raises CredentialsRefused if a wrong clock is to blame for it."""
        body = response.content.decode(errors="replace")
        answer = read_answer(response.status_code, body, response.headers, self.scrub)
        if problem := clock_problem(response, answer):
            raise CredentialsRefused(problem)
        self._refusals.note(keys, str(answer))

    def _check_owner(self, keys: Keys, auth: AuthBase, deadline: Deadline) -> None:
        project_id = self._signing.project_id
        owner = owner_in(self._session, self._listing, auth, deadline, self.scrub)
        if owner not in {None, project_id}:
            problem = f"the keys list images of project {owner}, but requests are signed for project {project_id}"
            cure = "HUAWEICLOUD_SDK_PROJECT_ID must name the project of the keys"
            self._end(CredentialsRefused(f"{problem}: {cure}"), deadline)
        self._confirmed = None if owner is None else keys

    def _check(self) -> Callable[[str], None]:
        return allow if self._plaintext else partial(check_confidential, lambda: places_of(self._signing))

    def _end(self, error: CloudError, deadline: Deadline) -> NoReturn:
        """End the run, for all its threads: without keys, nothing else in it would succeed."""
        fatal = error.anew(ends_run=True)
        if not error.may_retry:
            deadline.halt(fatal)
        raise fatal from error
