"""Who asks the fake cloud in its tests: over a real port and through `responses` alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import requests

from tests.fakecloud import DEMO, OTHER, FakeCloud, Server, mocked

TRANSPORTS = ("server", "responses")
MISSING = "11111111-2222-4333-8444-555555555555"


@dataclass
class Client:
    """A cloud with a person before it."""

    cloud: FakeCloud
    url: str
    session: requests.Session

    def call(self, method: str, path: str, user: str = "reaper", **options: Any) -> requests.Response:  # noqa: ANN401 (those of requests)
        project = OTHER if user == "neighbour" else DEMO
        token = self.cloud.env(self.url, "v3token", user=user, project=project)["OS_TOKEN"]
        headers = {"X-Auth-Token": token, "Accept": "application/json", **options.pop("headers", {})}
        return self.session.request(method, self.url + path, headers=headers, timeout=5, **options)

    def delete(self, image_id: str, **options: Any) -> requests.Response:  # noqa: ANN401 (those of requests)
        home = "/ims" if self.cloud.flavour == "otc" else "/image"
        return self.call("DELETE", f"{home}/v2/images/{image_id}", **options)

    def names(self, query: str) -> list[str]:
        return [image["name"] for image in self.call("GET", f"/image/v2/images?{query}").json()["images"]]


def clients(transport: str, flavour: Literal["openstack", "otc"]) -> Iterator[Client]:
    cloud = FakeCloud(flavour, page_size=3)
    with requests.Session() as session:
        if transport == "responses":
            with mocked(cloud):
                yield Client(cloud, "http://cloud.test", session)
        else:
            with Server(cloud) as server:
                yield Client(cloud, server.url, session)


def message_of(answer: requests.Response) -> str:
    return str(answer.json()["message"]).removesuffix("<br /><br />\n\n\n")


def code_of(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("error_code") or body["error"]["code"]
