"""The two clouds that must not differ, and what only they themselves can do: what no API offers to a user."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, Protocol

from tests.contract.asking import Answer, send, sign_in
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.openstack import Lab

Auth = Literal["password", "v3applicationcredential"]


class Backend(Protocol):
    """A cloud behind ports: the addresses carry no version."""

    identity: str
    image: str
    compute: str
    projects: dict[str, str]
    tokens: dict[str, str]
    """The token that each person uses for everything, made when it is first needed."""

    def env(self, auth: Auth = "password", *, user: str = "reaper", project: str = "demo") -> dict[str, str]:
        """The `OS_*` variables with which a client comes in."""

    def add_server(self, name: str, *, image: str | None, project: str, taken_up: bool = True) -> str:
        """Start a server; without an image it was booted from a volume. No machine may have taken it up yet."""

    def rebuild_server(self, server_id: str, image: str) -> None:
        """Let a server be made of another image."""

    def delete_server(self, server_id: str) -> None:
        """Let a server be deleted."""

    def publish(self, image_id: str) -> None:
        """Make an image public, as an administrator."""

    def let_tokens_expire(self, make: Callable[[], str]) -> str:
        """Make a token, and let it expire."""

    def let_time_pass(self) -> None:
        """Let the second end in which images are made and changed."""

    def clear(self) -> None:
        """Let there be no servers."""


class Fake:
    """The fake cloud behind its HTTP server."""

    def __init__(self, cloud: FakeCloud, server: Server) -> None:
        self._cloud = cloud
        self._url = server.url
        self.identity = f"{server.url}/identity"
        self.image = f"{server.url}/image"
        self.compute = f"{server.url}/compute"
        self.projects = {"demo": DEMO, "other": OTHER}
        self.tokens: dict[str, str] = {}

    def env(self, auth: Auth = "password", *, user: str = "reaper", project: str = "demo") -> dict[str, str]:
        return self._cloud.env(self._url, auth, user=user, project=self.projects[project])

    def add_server(self, name: str, *, image: str | None, project: str, taken_up: bool = True) -> str:
        status = "ACTIVE" if taken_up else "BUILD"
        whose = self.projects[project]
        return self._cloud.add_server(name, image=image, project=whose, status=status, taken_up=taken_up)

    def rebuild_server(self, server_id: str, image: str) -> None:
        self._cloud.servers[server_id].image = image

    def delete_server(self, server_id: str) -> None:
        del self._cloud.servers[server_id]

    def publish(self, image_id: str) -> None:
        self._cloud.images[image_id].visibility = "public"

    def let_tokens_expire(self, make: Callable[[], str]) -> str:
        token = make()
        self._cloud.expire_tokens()
        return token

    def let_time_pass(self) -> None:
        self._cloud.advance(timedelta(seconds=1))

    def clear(self) -> None:
        self._cloud.servers.clear()


class Real:
    """Keystone, Glance and Nova."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.identity = lab.identity.url
        self.image = lab.image.url
        self.compute = lab.compute.url
        self.projects = lab.projects
        self.tokens: dict[str, str] = {}

    def env(self, auth: Auth = "password", *, user: str = "reaper", project: str = "demo") -> dict[str, str]:
        return self._lab.env(auth, user=user, project=project)

    def add_server(self, name: str, *, image: str | None, project: str, taken_up: bool = True) -> str:
        return self._lab.add_server(name, image=image, project=project, taken_up=taken_up)

    def rebuild_server(self, server_id: str, image: str) -> None:
        self._lab.rebuild_server(server_id, image)

    def delete_server(self, server_id: str) -> None:
        self._lab.delete_server(server_id)

    def publish(self, image_id: str) -> None:
        change = [{"op": "replace", "path": "/visibility", "value": "public"}]
        self._as_admin("PATCH", f"{self.image}/v2/images/{image_id}", patch=change)

    def let_tokens_expire(self, make: Callable[[], str]) -> str:
        """A Keystone whose tokens live a second makes it; the usual one is back before it is used."""
        self._lab.configure(token_seconds=1)
        self._lab.identity.restart()
        try:
            token = make()
        finally:
            self._lab.configure()
            self._lab.identity.restart()
        while send("GET", f"{self.identity}/v3/auth/tokens", token, {"X-Subject-Token": token}).status == 200:
            pass  # a second at the most
        return token

    def let_time_pass(self) -> None:
        start = int(time.time())
        while int(time.time()) == start:
            send("GET", f"{self.image}/versions", None)  # a second at the most

    def clear(self) -> None:
        self._lab.remove_servers()

    def _as_admin(self, method: str, url: str, patch: object) -> None:
        token = sign_in(self.env(user="admin", project="admin")).headers["X-Subject-Token"]
        answer: Answer = send(method, url, token, patch=patch)
        assert answer.status == 200, answer
