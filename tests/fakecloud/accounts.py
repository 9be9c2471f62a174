"""Who may come in: users, application credentials, tokens. No HTTP."""

import random
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.fakecloud.errors import NotFound, Unauthorized
from tests.fakecloud.records import (
    APP_CREDENTIAL_ID,
    APP_CREDENTIAL_SECRET,
    DEMO,
    OTHER,
    PROJECTS,
    AppCredential,
    Token,
    User,
)

MEMBER = ("member", "reader")
READER = ("reader",)
PASSWORDS = {"reaper": "s3cret-passw0rd", "reader": "r3ader-passw0rd", "neighbour": "n3ighbour-passw0rd"}
TOKEN_CACHE_TIME = timedelta(seconds=300)
"""How long a service trusts a token unasked."""


def wall_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Accounts:
    """Keystone without HTTP. One lock guards everything that the cloud remembers."""

    def __init__(self, *, seed: int = 1) -> None:
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.token_ttl = 3600
        self.tokens: dict[str, Token] = {}
        self.tokens_issued = 0
        self.projects = dict(PROJECTS)
        self.users = {user.name: user for user in self._people()}
        reaper = self.users["reaper"]
        credential = AppCredential(APP_CREDENTIAL_ID, "image-reaper", APP_CREDENTIAL_SECRET, reaper, DEMO)
        self.app_credentials = {credential.id: credential}

    def new_id(self) -> str:
        """A UUID, the same one in every run."""
        with self.lock:
            return str(UUID(int=self.random.getrandbits(128), version=4))

    def user_by_password(self, name: str, password: str) -> User:
        """The user, if the password is right."""
        user = self.users.get(name)
        if user is None or user.password != password:
            raise Unauthorized
        return user

    def credential_by_secret(self, credential_id: str, secret: str) -> AppCredential:
        """The application credential, if the secret is right."""
        credential = self.app_credentials.get(credential_id)
        if credential is None:
            message = f"Could not find Application Credential: {credential_id}."
            raise NotFound(message)
        if credential.secret != secret:
            raise Unauthorized
        return credential

    def issue_token(
        self, user: User, project_id: str | None, methods: tuple[str, ...], credential: AppCredential | None = None
    ) -> Token:
        """Make a token for a project in which the user has a role, or for none."""
        if project_id is not None and project_id not in user.roles:
            raise Unauthorized
        with self.lock:
            issued = wall_clock()
            token_id = f"gAAAAAB{self.random.getrandbits(1056):0264x}"[:183]
            lives = timedelta(seconds=self.token_ttl)
            token = Token(token_id, user, project_id, methods, issued, issued + lives, credential)
            token.project_name = self.projects.get(project_id or "", "")
            self.tokens[token_id] = token
        return token

    def validate_token(self, token_id: str | None, service: str = "identity") -> Token:
        """The token, if it is good. A service that has seen it asks no more for a while, even if it is revoked."""
        token, now = self.tokens.get(token_id or ""), wall_clock()
        if token is None or token.expires_at <= now or (token.revoked and token.trusted.get(service, now) <= now):
            raise Unauthorized
        if service != "identity":
            token.trusted.setdefault(service, now + TOKEN_CACHE_TIME)
        return token

    def revoke_tokens(self) -> None:
        """Take back every token made so far, and let every service know."""
        with self.lock:
            for token in self.tokens.values():
                token.revoke_everywhere()

    def expire_tokens(self) -> None:
        """Let every token made so far run out."""
        with self.lock:
            for token in self.tokens.values():
                token.expires_at = wall_clock()

    def rotate_password(self, new: str, user: str = "reaper") -> None:
        """Give a user another password, which ends the tokens made with the old one."""
        with self.lock:
            self.users[user].password = new
            for token in self.tokens.values():
                if token.user.name == user:
                    token.revoke_everywhere()

    def add_project(self, name: str) -> str:
        """Make a project, and a user of the same name who may do everything in it; its id."""
        with self.lock:
            project_id = UUID(self.new_id()).hex
            self.projects[project_id] = name
            password = f"passw0rd-of-{name}"
            self.users[name] = User(UUID(self.new_id()).hex, name, password, {project_id: MEMBER})
        return project_id

    def find_project(self, *, project_id: str | None = None, name: str | None = None) -> str:
        """The id of a project named by its id or its name."""
        found = (
            key for key, known in self.projects.items() if key == project_id or (name is not None and known == name)
        )
        project = next(found, None)
        if project is None:
            raise Unauthorized
        return project

    def _people(self) -> tuple[User, ...]:
        roles = {"reaper": (DEMO, MEMBER), "reader": (DEMO, READER), "neighbour": (OTHER, MEMBER)}
        return tuple(
            User(UUID(self.new_id()).hex, name, PASSWORDS[name], {project: granted})
            for name, (project, granted) in roles.items()
        )
