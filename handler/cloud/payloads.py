"""What the cloud's bodies hold: images, members, servers, volumes. Pure; raises Unexpected for what can't be read."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from handler.cloud.fields import (
    Record,
    object_or_none,
    objects,
    one_of,
    read_time,
    text,
    text_or_none,
    texts,
    truth,
    unreadable,
)
from handler.errors import Unexpected
from handler.model.image import Image

CORE = frozenset(
    {"id", "name", "owner", "status", "visibility", "protected", "tags", "created_at", "updated_at", "size", "checksum"}
    | {"virtual_size", "min_ram", "min_disk", "disk_format", "container_format", "os_hidden", "os_hash_algo"}
    | {"os_hash_value", "file", "self", "schema", "stores", "locations", "direct_url"}
)
"""The attributes that every image has (Glance API v2); anything else in a record is a property."""
VISIBILITIES = frozenset({"private", "shared", "public", "community"})
SHELVED = ("SHELVED", "SHELVED_OFFLOADED")
_NONE = frozenset[str]()
GONE_STATUSES = frozenset({"deleted", "pending_delete"})


def read_image(record: Record, image_id: str) -> Image | None:
    """Read an image of Glance or IMS; None if the record says that it is deleted.

    Raises Unexpected for the record of another image, and if its owner, status, visibility or protection can't be read.
    """
    if record.get("id") != image_id:
        message = f"the cloud answered with image {record.get('id')!r}"
        raise Unexpected(message)
    if text(record, "status") in GONE_STATUSES:
        return None
    for field, read in READERS.items():
        read(record, field)
    return image_of(record, image_id)


def image_of(record: Record, image_id: str) -> Image:
    """The image that a record describes; everything in the record must be readable."""
    properties = _NONE if CORE.issuperset(record) else frozenset(record.keys() - CORE)
    return Image(
        id=image_id,
        name=record.get("name"),
        owner=record.get("owner"),
        status=record["status"],
        visibility=record["visibility"],
        protected=record["protected"],
        tags=frozenset(record["tags"]),
        properties=properties,
        created_at=read_time(record.get("created_at")),
        updated_at=record.get("updated_at"),
        size=_size(record, properties),
        checksum=record.get("checksum"),
        record=record,
    )


READERS: Mapping[str, Callable[[Record, str], object]] = {
    "owner": text_or_none,
    "name": text_or_none,
    "status": text,
    "visibility": partial(one_of, allowed=VISIBILITIES),
    "protected": truth,
    "tags": texts,
    "updated_at": text_or_none,
    "checksum": text_or_none,
}
"""What can be unreadable in the record of an image, and how it is read."""


def read_members(payload: Record) -> tuple[str, ...]:
    """The projects that may use the image: every member that has not turned it down."""
    # Also one that has not answered: its own lists leave the image out, but it can boot a server from it all the same.
    members = objects(payload, "members")
    return tuple(text(member, "member_id") for member in members if text_or_none(member, "status") != "rejected")


def read_page(payload: Record, key: str) -> tuple[list[Record], bool]:
    """The items of a page, and whether the cloud names a next one."""
    links = f"{key}_links"
    named = objects(payload, links) if links in payload else []
    more = any(link.get("rel") == "next" for link in named) or bool(payload.get("next"))
    return objects(payload, key), more


def read_numbered_page(payload: Record, key: str) -> tuple[list[Record], int]:
    """The items of a page in a list that counts them, and how many there are in all."""
    total = payload.get("total_number")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise unreadable("total_number", total)  # noqa: EM101 (the name of a field)
    return objects(payload, key), total


def images_of_server(server: Record) -> Iterator[str]:
    """The images that a server is known to come from: none if it was booted from a volume, unless its metadata say so.

    Open Telekom Cloud names the image in the metadata. Raises Unexpected if Nova can't ask the cell of the server: it
    then leaves `image` out, and gives UNKNOWN as the status.
    """
    if "image" not in server or server.get("status") == "UNKNOWN":
        message = f"the cloud does not say from which image server {label(server)} comes"
        raise Unexpected(message)
    if image := object_or_none(server, "image"):
        yield text(image, "id")
    if (metadata := object_or_none(server, "metadata")) and metadata.get("metering.image_id"):
        yield text(metadata, "metering.image_id")


def own_images_of_server(server: Record, *, every: bool) -> Iterator[str]:
    """The id of a server if it needs the images made of it: a shelved server does, and if asked for, every other."""
    # A shelved server is started again from the image of its disk, which is there before the status says so.
    is_at_it = str(server.get("OS-EXT-STS:task_state")).startswith(("shelving", "unshelving"))
    if every or is_at_it or str(server.get("status")).upper() in SHELVED:
        yield text(server, "id")


def volumes_of_server(server: Record) -> Iterator[str]:
    """The volumes that are attached to a server."""
    key = "os-extended-volumes:volumes_attached"
    for volume in objects(server, key) if server.get(key) else ():
        yield text(volume, "id")


def image_of_volume(volume: Record) -> str | None:
    """The image that a volume was made from, if it was made from one."""
    origin = object_or_none(volume, "volume_image_metadata")
    if not origin or not origin.get("image_id"):
        return None
    return text(origin, "image_id")


def images_of_scaling_configuration(configuration: Record) -> Iterator[str]:
    """The images that Auto Scaling makes servers and their data disks from.

    It makes servers of no image if it copies a server, which counts as a server itself.
    """
    template = object_or_none(configuration, "instance_config") or {}
    if template.get("imageRef"):
        yield text(template, "imageRef")
    elif not template.get("instance_id"):
        raise unreadable("imageRef", template.get("imageRef"))  # noqa: EM101 (the same)
    for disk in objects(template, "disk") if template.get("disk") else ():
        if disk.get("data_disk_image_id"):
            yield text(disk, "data_disk_image_id")


def boot_images(record: Record, prefix: str = "") -> Iterator[str]:
    """The images that hold the kernel and the ramdisk of an image or a server, without which it can't be booted."""
    for key in (f"{prefix}kernel_id", f"{prefix}ramdisk_id"):
        if record.get(key):
            yield text(record, key)


def boot_images_of_volume(volume: Record) -> Iterator[str]:
    """The images that hold the kernel and the ramdisk of a volume."""
    return boot_images(object_or_none(volume, "volume_image_metadata") or {})


def parents_of_image(image: Image) -> Iterator[str]:
    """The images that an image was derived from, as IMS and Nova note them, and those that it needs to boot."""
    yield from boot_images(image.record)
    yield from image.origins("image")
    for key in ("__originalimagename", "base_image_ref"):
        if image.record.get(key):
            yield text(image.record, key)


def label(thing: Record, prefix: str = "") -> str:
    """A server or volume as a person knows it: name and id, from fields whose names may have a prefix."""
    return f"{thing.get(f'{prefix}name') or 'unnamed'} ({thing.get(f'{prefix}id')})"


def _size(record: Record, properties: frozenset[str]) -> int | None:
    """The size in bytes; None if it is not known."""
    # A record with such keys is one of IMS, whose `size` is 0, or a small number in some other unit than bytes.
    if any(key.startswith("__") for key in properties):
        told = record.get("__image_size")
        return int(told) if isinstance(told, str) and re.fullmatch(r"[0-9]{1,18}", told) else None
    size = record.get("size")
    return size if type(size) is int else None
