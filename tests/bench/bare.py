"""Bare `requests`: the partner of the benchmarks, which sends what we send and looks at nothing."""

from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

SECONDS = 60


class Bare:
    """A session that has logged in with the `OS_*` variables; `images` and `servers` are addresses of lists."""

    def __init__(self, environment: Mapping[str, str], connections: int = 1) -> None:
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(pool_maxsize=connections))
        self.session.headers.update({"Accept": "application/json"})
        token, self.project, places = log_in(environment, self.session)
        self.session.headers["X-Auth-Token"] = token
        self.images = f"{places['image']}/v2/images"
        self.servers = f"{places['compute']}/servers/detail"

    def get(self, url: str, **params: str) -> Any:  # noqa: ANN401 (any JSON)
        return self.session.get(url, params=params, timeout=SECONDS).json()

    def delete(self, image_id: str) -> None:
        """Read an image and delete it; its members are read where we would have to."""
        image = self.get(f"{self.images}/{image_id}")
        if image["visibility"] == "shared":
            self.get(f"{self.images}/{image_id}/members")
        answer = self.session.delete(f"{self.images}/{image_id}", timeout=SECONDS)
        assert answer.status_code == requests.codes.no_content


def log_in(environment: Mapping[str, str], session: requests.Session) -> tuple[str, str, dict[str, str]]:
    """A token, its project, and where the services are."""
    user = {
        "name": environment["OS_USERNAME"],
        "password": environment["OS_PASSWORD"],
        "domain": {"name": environment["OS_USER_DOMAIN_NAME"]},
    }
    project = {"name": environment["OS_PROJECT_NAME"], "domain": {"name": environment["OS_PROJECT_DOMAIN_NAME"]}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": project}}}
    answer = session.post(f"{environment['OS_AUTH_URL']}/auth/tokens", json=body, timeout=SECONDS)
    token = answer.json()["token"]
    places = {
        service["type"]: endpoint["url"].rstrip("/")
        for service in token["catalog"]
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public"
    }
    return answer.headers["X-Subject-Token"], token["project"]["id"], places
