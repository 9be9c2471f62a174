"""The owners of images on a real cloud: what they do goes through Glance's own API, past the door."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from tests.chaos.land import MARK
from tests.chaos.wires import Wires
from tests.contract.asking import PATCH_TYPE
from tests.fakecloud.api import Reply

Image = Mapping[str, Any]
FINE = frozenset({200, 201, 204, 404, 409})
"""What an owner takes for done: a tag that is not there, a member that is there, an image that somebody deleted."""


class Owner:
    """Somebody with a token, who may look after images."""

    def __init__(self, wires: Wires, token: str) -> None:
        self._wires = wires
        self._headers = {"X-Auth-Token": token, "Content-Type": "application/json"}

    def ask(self, method: str, path: str, payload: object = None, service: str = "image", **headers: str) -> Reply:
        """Ask a service for something that it must not turn down."""
        body = b"" if payload is None else json.dumps(payload).encode()
        reply = self._wires.send(service, method, path, self._headers | headers, body)
        if reply.status not in FINE:
            message = f"{method} {path} of an owner: {reply.status} {reply.body!r}"
            raise RuntimeError(message)
        return reply

    def set(self, image_id: str, field: str, value: object, operation: str = "replace") -> None:
        """Change one field of an image."""
        patch = [{"op": operation, "path": f"/{field}", "value": value}]
        self.ask("PATCH", f"/v2/images/{image_id}", patch, **{"Content-Type": PATCH_TYPE})

    def tag(self, image_id: str, tag: str, method: str = "PUT") -> None:
        """Set a tag, or take it off."""
        self.ask(method, f"/v2/images/{image_id}/tags/{quote(tag, safe='')}")

    def act(self, image_id: str, action: str) -> None:
        """Deactivate an image, or take that back."""
        self.ask("POST", f"/v2/images/{image_id}/actions/{action}")


class Owners:
    """The owners of one project's images, its neighbour, who is invited, and who may publish."""

    def __init__(self, owner: Owner, guest: Owner, guest_project: str, admin: Owner) -> None:
        self._owner, self._guest, self._project, self._admin = owner, guest, guest_project, admin

    def change(self, image: Image, what: str, detail: str) -> None:
        """Do something with an image of theirs."""
        CHANGES[what](self, image, detail)

    def _set(self, image: Image, field: str, value: object, operation: str = "replace") -> None:
        self._owner.set(image["id"], field, value, operation)

    def _publish(self, image: Image, _: str) -> None:
        self._admin.set(image["id"], "visibility", "public")

    def _hide(self, image: Image, _: str) -> None:
        # Only a shared image lets its members be taken away.
        if image["visibility"] == "shared":
            for member in image["members"]:
                self._owner.ask("DELETE", f"/v2/images/{image['id']}/members/{member}")
        self._set(image, "visibility", "private")

    def _share(self, image: Image, status: str) -> None:
        self._set(image, "visibility", "shared")
        members = f"/v2/images/{image['id']}/members"
        self._owner.ask("POST", members, {"member": self._project})
        self._guest.ask("PUT", f"{members}/{self._project}", {"status": status})

    def _unmark(self, image: Image, _: str) -> None:
        for tag in image["tags"]:
            if tag.startswith(MARK):
                self._owner.tag(image["id"], tag, "DELETE")

    def _later(self, image: Image, day: str) -> None:
        self._unmark(image, "")
        self._owner.tag(image["id"], f"{MARK}={day}")

    def _delete(self, image: Image, _: str) -> None:
        self._set(image, "protected", value=False)
        self._owner.ask("DELETE", f"/v2/images/{image['id']}")

    def _property(self, image: Image, detail: str) -> None:
        key, _, value = detail.partition("=")
        self._set(image, key, value, "add")


CHANGES: Mapping[str, Callable[[Owners, Image, str], None]] = {
    "protect": lambda us, image, _: us._set(image, "protected", value=True),
    "unprotect": lambda us, image, _: us._set(image, "protected", value=False),
    "rename": lambda us, image, name: us._set(image, "name", name),
    "publish": Owners._publish,
    "hide": Owners._hide,
    "deactivate": lambda us, image, _: us._owner.act(image["id"], "deactivate"),
    "activate": lambda us, image, _: us._owner.act(image["id"], "reactivate"),
    "tag": lambda us, image, tag: us._owner.tag(image["id"], tag),
    "untag": lambda us, image, tag: us._owner.tag(image["id"], tag, "DELETE"),
    "share": Owners._share,
    "unmark": Owners._unmark,
    "later": Owners._later,
    "delete": Owners._delete,
    "property": Owners._property,
}
