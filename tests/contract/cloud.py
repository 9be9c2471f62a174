"""A cloud with people before it: what they ask of it goes through its APIs, on the fake and on the real one alike."""

from collections.abc import Mapping
from typing import Any

from tests.contract.asking import Answer, send, sign_in
from tests.contract.backends import Backend

MISSING = "11111111-2222-4333-8444-555555555555"
HOME = {"reaper": "demo", "reader": "demo", "neighbour": "other"}
"""The people, and where each is at home."""


class Cloud:
    """One of the two clouds. Everything that is made here goes when the test ends."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.demo = backend.projects["demo"]
        self.other = backend.projects["other"]
        self.compute = backend.compute
        self._made: list[tuple[str, str]] = []

    def new_token(self, user: str = "reaper") -> str:
        """A token that nobody has seen yet."""
        return sign_in(self.backend.env(user=user, project=HOME[user])).headers["X-Subject-Token"]

    def token(self, user: str) -> str:
        """The token that a person uses for everything."""
        tokens = self.backend.tokens
        if user not in tokens:
            tokens[user] = self.new_token(user)
        return tokens[user]

    def keystone(self, method: str, path: str, token: str, about: str | None = None) -> Answer:
        """Ask Keystone, perhaps about another token."""
        return send(method, f"{self.backend.identity}/v3{path}", token, {"X-Subject-Token": about or ""})

    def glance(self, method: str, path: str = "", user: str = "reaper", **options: Any) -> Answer:  # noqa: ANN401
        """Ask Glance about its images. Options are those of `send`, and `token`."""
        token = options.pop("token", None) or self.token(user)
        return send(method, f"{self.backend.image}/v2/images{path}", token, **options)

    def nova(self, method: str, path: str, user: str = "reaper", **options: Any) -> Answer:  # noqa: ANN401
        """Ask Nova, at a path that begins with its version."""
        token = options.pop("token", None) or self.token(user)
        return send(method, self.compute + path, token, **options)

    def queue(self, name: str = "ci-1", user: str = "reaper", **fields: object) -> str:
        """Make the record of an image that gets no data."""
        wanted = {"name": name, "disk_format": "raw", "container_format": "bare", **fields}
        answer = self.glance("POST", user=user, payload=wanted)
        assert answer.status == 201, answer
        image_id = str(answer.body["id"])
        self._made.append((image_id, user))
        return image_id

    def add_image(self, name: str = "ci-1", user: str = "reaper", **fields: object) -> str:
        """Make an image with 16 bytes in it."""
        image_id = self.queue(name, user, **fields)
        assert self.glance("PUT", f"/{image_id}/file", user, data=b"x" * 16).status == 204
        return image_id

    def share(self, image_id: str, *, accept: bool, owner: str = "neighbour") -> None:
        """Let its owner share an image, ours with the neighbour; the other accepts it or leaves that open."""
        path, guest = f"/{image_id}/members", "reaper" if owner == "neighbour" else "neighbour"
        project = self.backend.projects[HOME[guest]]
        assert self.glance("POST", path, owner, payload={"member": project}).status == 200
        if accept:
            assert self.glance("PUT", f"{path}/{project}", guest, payload={"status": "accepted"}).status == 200

    def deactivate(self, image_id: str) -> None:
        """Make the data of an image unavailable."""
        assert self.glance("POST", f"/{image_id}/actions/deactivate", user="reaper").status == 204

    def add_server(
        self, name: str = "web-1", *, image: str | None = None, project: str = "demo", taken_up: bool = True
    ) -> str:
        """Start a server; without an image it was booted from a volume."""
        return self.backend.add_server(name, image=image, project=project, taken_up=taken_up)

    def stands(self, image_id: str, user: str = "reaper") -> bool:
        """Whether an image is still there."""
        return self.glance("GET", f"/{image_id}", user).status == 200

    def names(self, query: str, user: str = "reaper") -> list[str]:
        """The names on one page of images."""
        return [image["name"] for image in self.glance("GET", f"?{query}", user).body["images"]]

    def follow(self, link: str) -> Mapping[str, Any]:
        """The page that a link of Glance's names."""
        page: Mapping[str, Any] = self.glance("GET", link.removeprefix("/v2/images")).body
        return page

    def clear(self) -> None:
        """Take away all that was made."""
        for image_id, user in self._made:
            self.glance("PATCH", f"/{image_id}", user, patch=[{"op": "replace", "path": "/protected", "value": False}])
            self.glance("DELETE", f"/{image_id}", user)
        self.backend.clear()
