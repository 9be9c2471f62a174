"""An image, and what may use it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

EXPECTABLE = ("name", "owner", "checksum", "status", "updated_at", "size", "tags", "protected", "visibility")
"""The attributes of an image that a request may expect to be unchanged."""

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
"""The pattern of an id, in any case: clouds let whoever makes an image choose it, and compare ids as text."""

Also = Literal["snapshots", "volumes", "scaling", "images"]
"""What may use an image besides a server made from it.

In this order: the server that it is a snapshot of, a volume made from it, a scaling configuration that names it, an
image derived from it.
"""


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, in any case."""
    return re.fullmatch(UUID, text) is not None


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the cloud describes it; `record` is the whole description. `size` is in bytes, None if unknown.

    `unread` names the fields that can't be read. They hold what keeps an image, and such an image is never deleted.
    `person` is who is told of the image, as it says itself under the operator's key; empty if it names nobody.
    """

    id: str
    name: str | None
    owner: str | None
    status: str
    visibility: str
    protected: bool
    tags: frozenset[str]
    properties: frozenset[str]
    created_at: datetime | None
    updated_at: str | None
    size: int | None
    checksum: str | None
    record: Mapping[str, Any] = field(repr=False, hash=False)
    unread: tuple[str, ...] = ()
    person: str = ""

    def expectation(self) -> dict[str, Any]:
        """The image as a request names it, with all that a plan expects to be unchanged."""
        expect = {key: getattr(self, key) for key in EXPECTABLE} | {"tags": sorted(self.tags)}
        return {"id": self.id, "expect": expect}

    @property
    def has_uuid(self) -> bool:
        """Whether the id is a UUID, as nearly every id is. No other can be named in a request."""
        return is_uuid(self.id)

    @property
    def can_be_named(self) -> bool:
        """Whether a request can name the image together with its expectation."""
        # A name or a tag may hold half a character (a lone surrogate). Whoever reads the request refuses all of it.
        try:
            json.dumps(self.expectation(), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return False
        return self.has_uuid

    def without_record(self) -> "Image":
        """The image without its record, which takes nearly all of its memory."""
        return replace(self, properties=frozenset(), record={})

    @property
    def may_be_shared(self) -> bool:
        """Whether other projects may have been invited to use the image, so that its members must be read."""
        # In IMS, an image may be private by its visibility, and still be shared by its type.
        return self.visibility != "private" or self.record.get("__imagetype") == "shared"

    @property
    def server_ids(self) -> frozenset[str]:
        """The server that the image is a snapshot of, as Nova or IMS names it; empty if it is none."""
        return self.origins("instance") | frozenset(filter(None, [str(self.record.get("instance_uuid") or "").strip()]))

    @property
    def known_as(self) -> tuple[str, ...]:
        """The ids by which something may use the image, in small letters: its own, and those of its servers."""
        # Without regard to case: some databases find an image by its id in any case.
        return tuple(key.casefold() for key in (self.id, *sorted(self.server_ids)))

    def origins(self, kind: str) -> frozenset[str]:
        """The ids of what an image was made from, if that is of this kind, such as `instance`. Source: IMS."""
        # `instance,<id>`, but also `image,<region>,<id>`.
        found, *ids = (part.strip() for part in str(self.record.get("__data_origin") or "").split(","))
        return frozenset(filter(None, ids)) if found.casefold() == kind else frozenset()

    @property
    def has_backup(self) -> bool:
        """Whether this is a full-ECS image, whose backup is left behind unless it is deleted as well."""
        # Lists and details name the backup; only some answers say that the image is a whole server.
        return bool(self.record.get("__backup_id")) or str(self.record.get("__whole_image", "")).lower() == "true"

    @property
    def volume_snapshots(self) -> tuple[str, ...]:
        """The snapshots of volumes that the image is made of; the cloud never deletes them with it."""
        mapping = self.record.get("block_device_mapping")
        # Nova writes JSON into a text.
        try:
            devices = json.loads(mapping) if isinstance(mapping, str) else mapping
        except (ValueError, RecursionError):
            return ()
        named = [device for device in devices if isinstance(device, dict)] if isinstance(devices, list) else []
        return tuple(dict.fromkeys(str(device["snapshot_id"]) for device in named if device.get("snapshot_id")))

    def left_behind(self, *, without_backup: bool) -> str:
        """What the deletion of the image leaves in the cloud, for a person; empty if it leaves nothing."""
        backup = "its backup is left" if self.has_backup and without_backup else ""
        ids = ", ".join(self.volume_snapshots)
        return "; ".join(filter(None, (backup, f"its volume snapshots are left: {ids}" if ids else "")))
