"""Lists that are read now and then: volumes, scaling configurations, images. Each is as old as its first page."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud import payloads
from handler.cloud.calls import Cloud
from handler.cloud.fields import text
from handler.cloud.lists.first import Listing
from handler.errors import Unavailable

LIFE = 60.0
"""Seconds for which a list that tells no changes may be relied on, from when its first page was asked for."""
SLACK = 5.0
"""Seconds before its end at which a list is read again, so that there is time to read an image and to delete it."""


class Expiry(NamedTuple):
    """The moment after which something that was read must not be relied on, and what that is, with its seconds."""

    at: float
    of: str


class Use(NamedTuple):
    """Something that uses an image, in words for a person; if it was made of the image, it needs the kernel as well."""

    image_id: str
    user: str
    is_made_of_it: bool = True


class ListedUses:
    """The uses of one list, read again when they are due. Not safe for threads."""

    def __init__(self, service: str, read: Callable[[], tuple[float, tuple[Use, ...]]], deadline: Deadline) -> None:
        self._service = service
        self._read = read
        self._deadline = deadline
        self._asked_at: float | None = None
        self._took = 0.0
        self.uses: tuple[Use, ...] = ()

    @property
    def expiry(self) -> Expiry:
        """When they are too old."""
        asked_at = -math.inf if self._asked_at is None else self._asked_at
        return Expiry(asked_at + LIFE, f"{self._service} ({LIFE:g} seconds)")

    def is_due(self, since: float = -math.inf) -> bool:
        """Whether the list must be read again: it is old, or from before the moment `since`."""
        asked_at = self._asked_at
        return asked_at is None or asked_at < since or is_due(asked_at, self._took, self._deadline.now())

    def refresh(self, since: float = -math.inf) -> None:
        """Read the list, if that is due. Raises CloudError."""
        if self.is_due(since):
            asked_at, uses = self._read()
            now = self._deadline.now()
            young(self._service, asked_at, now)
            self._asked_at, self._took, self.uses = asked_at, now - asked_at, uses


def is_due(asked_at: float, took: float, now: float) -> bool:
    """Whether a list must be read again. One that takes long is not read again before it is really too old."""
    return now - asked_at > (LIFE if took > LIFE - SLACK else LIFE - SLACK)


def young(service: str, asked_at: float, now: float, life: float = LIFE) -> None:
    """Raise Unavailable if a list is already older than its life, in seconds, once it was read."""
    if now - asked_at > life:
        message = f"the list of {service} took {now - asked_at:.0f} seconds, and must not be older than {life:.0f}"
        raise Unavailable(message)


def uses_by_volumes(listing: Listing, held: frozenset[str], *, every: bool) -> Iterator[Use]:
    """The uses by volumes that are attached to a server or `held` by one, or by every volume."""
    for volume in listing.items:
        user = f"volume {payloads.label(volume)}"
        # Of a server that is shelved and offloaded, only the server knows: for Cinder, its volumes are reserved.
        if volume.get("attachments") or text(volume, "id").casefold() in held:
            user = f"the server of {user}"
        elif not every:
            continue
        if image_id := payloads.image_of_volume(volume):
            yield Use(image_id, user)
        # A volume names them itself, so that it can be booted even if its image is gone.
        for image_id in payloads.boot_images_of_volume(volume):
            yield Use(image_id, user, is_made_of_it=False)


def bootable(listing: Listing) -> frozenset[str]:
    """The volumes that a server could boot from: one that is still being made of an image is none yet."""
    ready = (volume for volume in listing.items if str(volume.get("bootable")).lower() == "true")
    return frozenset(str(volume.get("id")).casefold() for volume in ready)


def uses_by_scaling(listing: Listing) -> Iterator[Use]:
    """The uses by what Auto Scaling would make."""
    for configuration in listing.items:
        user = f"scaling configuration {payloads.label(configuration, 'scaling_configuration_')}"
        for image_id in payloads.images_of_scaling_configuration(configuration):
            yield Use(image_id, user)


def uses_by_images(cloud: Cloud) -> Iterator[Use]:
    """The uses by images that were derived from others, or need them to boot; none is a user of itself."""
    for image in cloud.images():
        for parent in payloads.parents_of_image(image):
            if parent.casefold() != image.id.casefold():
                yield Use(parent, f"image {image.name or 'unnamed'} ({image.id})", is_made_of_it=False)
