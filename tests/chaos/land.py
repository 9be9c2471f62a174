"""The cloud of a world: what its people do there, and what it truly holds."""

import threading
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Protocol

from tests.chaos import functiongraph
from tests.chaos.history import Image, Use
from tests.fakecloud import DEMO, OTHER, FakeCloud
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.records import ImageRecord

MARK, SIGNATURE = "reaper-delete-after", "reaper-sweep"


class Land(Protocol):
    """A cloud, fake or real. Whoever acts here is not the handler, and nothing stands in the way."""

    turn: threading.RLock
    """Held while something happens and is written down, so that nobody sees what is not written down yet."""
    project: str
    other: str
    images: list[str]
    """The ids of all images that were made, in their order."""

    def variables(self, url: str) -> dict[str, str]:
        """The `OS_*` variables of a function that finds the cloud at an address."""

    def answer(self, request: Request) -> Reply:
        """What the cloud answers, and does."""

    def set_time(self, now: datetime) -> None:
        """Let it be that late."""

    def image(self, image_id: str) -> Image | None:
        """An image as it is; None if it is gone."""

    def add_image(self, image_id: str, fields: Mapping[str, Any]) -> str:
        """Make an image; its id, which is the one proposed where the cloud takes one."""

    def change(self, image_id: str, what: str, detail: str) -> None:
        """Do something with an image as its owner does; see `CHANGES`."""

    def uses(self) -> dict[tuple[str, str], Use]:
        """What uses images."""

    def add_server(self, server_id: str, image: str, *, taken_up: bool) -> None:
        """Start a server."""

    def add_volume(self, volume_id: str, image: str) -> None:
        """Make a volume."""

    def remove(self, kind: str, thing_id: str) -> None:
        """Remove a server or a volume."""

    def rebuild(self, server_id: str, image: str) -> None:
        """Let a server be made of another image; one that was not taken up yet is taken up."""

    def revoke(self) -> None:
        """Let all tokens end."""

    def agency(self) -> tuple[str, ...]:
        """New keys of the function's agency: access key, secret key and security token; none if there is no agency."""

    def rotate(self, password: str) -> None:
        """Give the function's user another password."""

    def secrets(self) -> set[str]:
        """All passwords, tokens and keys that there ever were."""


class FakeLand:
    """The fake cloud."""

    def __init__(self, flavour: str = "openstack", page_size: int = 1000) -> None:
        self.cloud = FakeCloud("otc" if flavour == "otc" else "openstack", page_size=page_size)
        self.turn = threading.RLock()
        self.project, self.other = DEMO, OTHER
        self.images: list[str] = []
        self._passwords = {user.password for user in self.cloud.users.values()}
        self.cloud.keys.clock = lambda: self.cloud.now
        self.cloud.add_topic(functiongraph.TOPIC.rpartition(":")[2])

    def variables(self, url: str) -> dict[str, str]:
        return self.cloud.env(url)

    def answer(self, request: Request) -> Reply:
        return self.cloud.handle(request)

    def set_time(self, now: datetime) -> None:
        self.cloud.now = now

    def image(self, image_id: str) -> Image | None:
        record = self.cloud.images.get(image_id)
        return None if record is None else _seen(record)

    def add_image(self, image_id: str, fields: Mapping[str, Any]) -> str:
        given = dict(fields)
        age = timedelta(hours=given.pop("age", 0))
        created = f"{self.cloud.now - age:%Y-%m-%dT%H:%M:%SZ}"
        properties = given.pop("properties", {})
        self.cloud.add_image(**given, **properties, id=image_id, created_at=created)
        self.images.append(image_id)
        return image_id

    def change(self, image_id: str, what: str, detail: str) -> None:
        image = self.cloud.images[image_id]
        if what == "delete":
            self.cloud.kill(image_id)
        else:
            before = _kept_in_one(image)
            _CHANGES[what](image, detail)
            # Glance does not write down when nothing was changed, and keeps whom an image is shared with apart.
            if _kept_in_one(image) != before:
                image.updated_at = f"{self.cloud.now:%Y-%m-%dT%H:%M:%SZ}"

    def uses(self) -> dict[tuple[str, str], Use]:
        changes = self.cloud.server_changes.updated_at
        found = {
            ("server", one.id): Use(
                "server", one.id, one.project, one.image, one.id not in changes or one.status != "BUILD"
            )
            for one in self.cloud.servers.values()
        }
        return found | {
            ("volume", one.id): Use("volume", one.id, one.project, one.image) for one in self.cloud.volumes.values()
        }

    def add_server(self, server_id: str, image: str, *, taken_up: bool) -> None:
        status = "ACTIVE" if taken_up else "BUILD"
        self.cloud.add_server(f"web-{server_id[:4]}", image=image, status=status, taken_up=taken_up, id=server_id)

    def add_volume(self, volume_id: str, image: str) -> None:
        self.cloud.add_volume(image=image, id=volume_id)

    def remove(self, kind: str, thing_id: str) -> None:
        things: dict[str, Any] = self.cloud.servers if kind == "server" else self.cloud.volumes
        del things[thing_id]

    def rebuild(self, server_id: str, image: str) -> None:
        server = self.cloud.servers[server_id]
        server.image, server.status = image, "ACTIVE"
        if "metering.image_id" in server.metadata:
            server.metadata["metering.image_id"] = image

    def agency(self) -> tuple[str, ...]:
        key = self.cloud.keys.temporary(len(self.cloud.keys.known), lives=24 * 3600)
        return key.access, key.secret, key.token

    def revoke(self) -> None:
        self.cloud.revoke_tokens()
        for key in self.cloud.keys.known.values():
            key.expires = self.cloud.now

    def rotate(self, password: str) -> None:
        self.cloud.rotate_password(password)
        self._passwords.add(password)

    def secrets(self) -> set[str]:
        keys = self.cloud.keys.known.values()
        return (
            self._passwords
            | self.cloud.tokens.keys()
            | {text for key in keys for text in (key.secret, key.token)} - {""}
        )


def _kept_in_one(image: ImageRecord) -> Mapping[str, Any]:
    """What Glance keeps of an image in its own row."""
    return deepcopy({key: value for key, value in image.described().items() if key != "members"})


def _seen(image: ImageRecord) -> Image:
    return Image(
        id=image.id,
        name=image.name,
        owner=image.owner,
        visibility=image.visibility,
        status=image.status,
        protected=image.protected,
        tags=tuple(image.tags),
        size=image.size,
        created_at=image.created_at,
        updated_at=image.updated_at,
        checksum=image.checksum,
        properties=dict(image.properties),
        members=dict(image.members),
    )


def _tag(image: ImageRecord, tag: str) -> None:
    if tag not in image.tags:
        image.tags.append(tag)


def _untag(image: ImageRecord, tag: str) -> None:
    image.tags[:] = [known for known in image.tags if known != tag]


def _share(image: ImageRecord, status: str) -> None:
    image.visibility, image.members = "shared", {OTHER if image.owner == DEMO else DEMO: status}


def _unmark(image: ImageRecord, _: str) -> None:
    image.tags[:] = [tag for tag in image.tags if not tag.startswith(MARK)]


def _later(image: ImageRecord, day: str) -> None:
    _unmark(image, "")
    image.tags.append(f"{MARK}={day}")


def _to(field: str, value: object = None) -> Any:  # noqa: ANN401 (a change)
    return lambda image, detail: setattr(image, field, detail if value is None else value)


_CHANGES: dict[str, Any] = {
    "protect": _to("protected", value=True),
    "unprotect": _to("protected", value=False),
    "rename": _to("name"),
    "publish": _to("visibility", "public"),
    "hide": lambda image, _: (_to("visibility", "private")(image, ""), image.members.clear()),
    "deactivate": _to("status", "deactivated"),
    "activate": _to("status", "active"),
    "tag": _tag,
    "untag": _untag,
    "share": _share,
    "unmark": _unmark,
    "later": _later,
    "property": lambda image, detail: image.properties.update([detail.split("=", 1)]),
}
