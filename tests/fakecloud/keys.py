"""The keys that requests are signed with, and the gateway that checks them: owner, end and rights.

Sources: "Common Errors Related to IAM Authentication Information" and "What Should I Do If the App Authentication
Information Is Incorrect?" of the API Request Signing Guide; huaweicloud-sdk-java-v3 issue 44 for the expired signature.
What the gateway says to an expired security token, to a missing header and to another project is a guess.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NoReturn

from tests.fakecloud import signing
from tests.fakecloud.accounts import wall_clock
from tests.fakecloud.api import Request
from tests.fakecloud.errors import NoPermission, NotSigned
from tests.fakecloud.records import DEMO, OTHER, Token, User
from tests.fakecloud.signing import Signed

IAM, APP = "Incorrect IAM authentication information: ", "Incorrect app authentication information: "
LONGEST_SKEW = timedelta(minutes=15)
FAILURES, LOCKED_FOR = 5, timedelta(minutes=5)


@dataclass
class Key:
    """An access key. With a `token` it is a temporary one, which is valid until `expires`.

    `may` holds the actions that it is allowed, None stands for all. The first of `projects` is meant where the request
    names none.
    """

    access: str
    secret: str
    projects: tuple[str, ...]
    token: str = ""
    expires: datetime | None = None
    may: Collection[str] | None = None
    failures: int = 0
    locked_until: datetime | None = None
    heeds_project: bool = True
    """Whether the key acts in the project that a request names; if not, it always acts in its own."""


KEY_ID, KEY_SECRET = "EXAMPLEAK0000000000A", "exampleSecretKey0000000000000000000000AB"
NEIGHBOUR_ID, NEIGHBOUR_SECRET = "EXAMPLEAK0000000000B", "neighbourSecretKey00000000000000000000CD"


@dataclass
class Keys:
    """All keys, and the gateway's clock, which may be `ahead` of ours.

    `skew_code` is the code with which a signature of another time is refused: both have been seen.
    """

    ahead: timedelta = timedelta()
    clock: Callable[[], datetime] = wall_clock
    skew_code: Literal["APIGW.0301", "APIGW.0303"] = "APIGW.0301"
    known: dict[str, Key] = field(default_factory=dict)
    refused: int = 0

    def __post_init__(self) -> None:
        """Two projects have a key each from the beginning."""
        self.add(Key(KEY_ID, KEY_SECRET, (DEMO,)))
        self.add(Key(NEIGHBOUR_ID, NEIGHBOUR_SECRET, (OTHER,)))

    def add(self, key: Key) -> Key:
        """Make a key known."""
        self.known[key.access] = key
        return key

    def temporary(self, number: int = 1, *, lives: float = 3600, may: Iterable[str] | None = None) -> Key:
        """Make the temporary keys of an agency, valid for so many seconds."""
        access, secret, token = (
            f"{word}{number:04}" for word in ("TEMPORARYAK00000", "temporarySecret0", "gQpjbi1ub3J0aC00")
        )
        expires = self.now + timedelta(seconds=lives)
        allowed = None if may is None else frozenset(may)
        return self.add(Key(access, secret, (DEMO,), token=token * 8 + "==", expires=expires, may=allowed))

    @property
    def now(self) -> datetime:
        """The time by the gateway's clock."""
        return self.clock() + self.ahead

    def admit(self, request: Request) -> Token:
        """The caller of a signed request; raises NotSigned."""
        try:
            key = self._checked(request)
        except NotSigned:
            self.refused += 1
            raise
        wanted = request.headers.get(signing.PROJECT) if key.heeds_project else None
        project = wanted or key.projects[0]
        if project not in key.projects:
            message = "The project is unavailable."
            raise NotSigned(message, "APIGW.0310", 403)
        return _caller(key, project, self.now)

    def permit(self, request: Request, action: str) -> None:
        """Raise NoPermission if the keys of a request may not do this."""
        signed = Signed.of(request)
        key = self.known.get(signed.access) if signed else None
        if key is not None and key.may is not None and action not in key.may:
            raise NoPermission(action)

    def _checked(self, request: Request) -> Key:
        signed = Signed.of(request)
        if signed is None:
            _refuse("the Authorization header can't be read")
        key = self.known.get(signed.access)
        if key is None:
            _refuse(f"Get secretKey failed,ak:{signed.access},err:ak not exist")
        self._check_date(request)
        if key.locked_until and self.now < key.locked_until:
            _refuse("AK access failed to reach the limit,forbidden.")
        if not signed.covers(request) or not signed.is_by(key.secret, request):
            self._count(key)
            spelled = signing.canonical(request, signed.names).replace("\n", "|")
            _refuse(f"verify aksk signature fail, canonicalRequest:{spelled}")
        _check_token(key, request, self.now)
        key.failures = 0
        return key

    def _check_date(self, request: Request) -> None:
        at = signing.signed_at(request)
        if at is None:
            _refuse("x-sdk-date is missing or invalid")
        if abs(self.now - at) > LONGEST_SKEW:
            times = f"signature time:{at:%Y%m%dT%H%M%SZ},server time:{self.now:%Y%m%dT%H%M%SZ}"
            if self.skew_code == "APIGW.0303":
                message = f"{APP}signature expired, {times}"
                raise NotSigned(message, self.skew_code)
            _refuse(f"calc aksk signature fail:signature expired, {times}")

    def _count(self, key: Key) -> None:
        """Count a failure; more than five in a row lock the key."""
        key.failures += 1
        if key.failures > FAILURES:
            key.failures, key.locked_until = 0, self.now + LOCKED_FOR


def _check_token(key: Key, request: Request, now: datetime) -> None:
    if request.headers.get(signing.TOKEN, "") != key.token:
        _refuse("the security token is missing or wrong" if key.token else "the access key is not temporary")
    if key.expires is not None and key.expires <= now:
        _refuse("the security token has expired")


def _refuse(problem: str) -> NoReturn:
    raise NotSigned(IAM + problem)


def _caller(key: Key, project: str, now: datetime) -> Token:
    """The holder of a key, as the services know it."""
    user = User(key.access, key.access, "", {project: ("member", "reader")})
    return Token("", user, project, ("aksk",), now, now + timedelta(hours=1))
