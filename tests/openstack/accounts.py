"""The projects, users, roles and addresses that Keystone is given, through its API."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.openstack.config import REGION

USERS = {
    "reaper": ("demo", ("member",)),
    "reader": ("demo", ("reader",)),
    "neighbour": ("other", ("member",)),
    "glance": ("service", ("admin", "service")),
    "nova": ("service", ("admin", "service")),
}
"""Each user, its project and its roles there. The first three are those of the fake cloud."""
SECONDS = 60


@dataclass(frozen=True)
class Accounts:
    """The ids of the projects, and what the users show at the door."""

    projects: dict[str, str]
    passwords: dict[str, str] = field(repr=False)
    credential_id: str
    credential_secret: str = field(repr=False)
    service_password: str = field(repr=False)


def create_accounts(url: str, password: str, services: Sequence[str]) -> Accounts:
    """Fill a Keystone that has its administrator and the roles; `password` is also that of the services' users."""
    keystone = Keystone(url, "admin", "admin", password)
    roles = {role["name"]: role["id"] for role in keystone.get("roles")}
    projects = {
        name: keystone.create("project", name=name, domain_id="default") for name in ("demo", "other", "service")
    }
    passwords = {name: password if name in {"glance", "nova"} else secrets.token_urlsafe() for name in USERS}
    for name, (project, granted) in USERS.items():
        user = keystone.create("user", name=name, password=passwords[name], domain_id="default")
        for role in granted:
            keystone.put(f"projects/{projects[project]}/users/{user}/roles/{roles[role]}")
    for kind in services:
        service = keystone.create(
            "service", type=kind, name={"identity": "keystone", "image": "glance"}.get(kind, "nova")
        )
        for interface in ("public", "internal", "admin"):
            keystone.create("endpoint", service_id=service, interface=interface, region_id=REGION, url="http://unset")
    reaper = Keystone(url, "reaper", "demo", passwords["reaper"])
    secret = secrets.token_urlsafe()
    credential = reaper.create(f"users/{reaper.user}/application_credential", name="image-reaper", secret=secret)
    return Accounts(projects, {**passwords, "admin": password}, credential, secret, password)


class Keystone:
    """Keystone, asked by one of its users."""

    def __init__(self, url: str, user: str, project: str, password: str) -> None:
        self._url = f"{url}/v3"
        domain = {"domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": {"name": user, "password": password, **domain}}}
        auth = {"auth": {"identity": identity, "scope": {"project": {"name": project, **domain}}}}
        self._headers: dict[str, str] = {}
        answer = self._send("POST", "auth/tokens", auth)
        self._headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
        self.user: str = answer.json()["token"]["user"]["id"]

    def create(self, path: str, **fields: str) -> str:
        """Make something whose kind is the last part of the path; its id."""
        kind = path.rpartition("/")[2]
        return str(self._send("POST", f"{path}s", {kind: fields}).json()[kind]["id"])

    def get(self, kinds: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("GET", kinds).json()[kinds]
        return found

    def put(self, path: str) -> None:
        self._send("PUT", path)

    def _send(self, method: str, path: str, payload: object = None) -> requests.Response:
        answer = requests.request(method, f"{self._url}/{path}", json=payload, headers=self._headers, timeout=SECONDS)
        answer.raise_for_status()
        return answer
