"""The few calls that we make to the cloud."""

from collections.abc import Iterator
from typing import NamedTuple

from handler.cloud import payloads
from handler.cloud.changes import Changes
from handler.cloud.dialects import DIALECTS, Addresses, ImageApi
from handler.cloud.fields import Record
from handler.cloud.meanings import Meaning, meaning_of
from handler.cloud.paging import numbered_pages, pages
from handler.cloud.transport import Transport
from handler.errors import CredentialsRefused, Unavailable, Unexpected
from handler.model.image import Image

LOOKS = (0.5, 1.0, 2.0, *[5.0] * 12)
"""Seconds between the looks for an image whose deletion was taken on."""


class Options(NamedTuple):
    """Which cloud, and how: `image_api` is the API that deletes; an endpoint given here wins over the catalogue."""

    image_api: ImageApi = "glance"
    project_pin: str = ""
    image_endpoint: str = ""
    compute_endpoint: str = ""


class Reply(NamedTuple):
    """What the cloud said to a DELETE, and how long it took to say it, in milliseconds, if that is known."""

    meaning: Meaning
    detail: str
    latency: float | None


class Cloud:
    """The cloud as one run sees it. Every method may raise CloudError; None always means that there is no image."""

    def __init__(self, transport: Transport, options: Options) -> None:
        self._transport = transport
        self._options = options
        self._found: Addresses | None = None

    @property
    def project_id(self) -> str:
        """The project that the credentials are for; it equals the pin."""
        return self._addresses.project_id

    @property
    def changes(self) -> Changes:
        """What can be changed about images, and taken back."""
        return Changes(self._transport, self._addresses.images, self._addresses.keyed_images)

    def image(self, image_id: str) -> Image | None:
        """Read an image through the image service."""
        if self._addresses.image is None:
            self._require_gone(image_id)
            return None
        payload = self._transport.read(f"{self._addresses.images}/{image_id}")
        return None if payload is None else payloads.read_image(payload, image_id)

    def accepted_members(self, image_id: str) -> tuple[str, ...] | None:
        """The projects that use the image by invitation."""
        payload = self._transport.read(f"{self._addresses.images}/{image_id}/members")
        return None if payload is None else payloads.read_accepted_members(payload)

    def images(self) -> Iterator[Image]:
        """Every image that the project owns, hidden ones as well, page by page."""
        known: set[str] = set()
        for url, wanted in self._addresses.lists():
            listed: set[str] = set()
            for record in pages(self._transport, url, "images", {"owner": self.project_id, **wanted}, shortest=1):
                image_id = str(record.get("id"))
                if image_id in listed:
                    message = f"the list of images names {image_id} twice"
                    raise Unexpected(message)
                listed.add(image_id)
                ours = image_id not in known and payloads.owner_of_image(record) == self.project_id
                if ours and (image := payloads.read_image(record, image_id)):
                    yield image
            known |= listed  # a cloud that knows of no hidden images may list all of them again

    def servers(self) -> Iterator[Record]:
        """Every server of the project."""
        return pages(self._transport, self._addresses.servers, "servers")

    def volumes(self) -> Iterator[Record]:
        """Every volume of the project."""
        return pages(self._transport, self._addresses.volumes, "volumes")

    def scaling_configurations(self) -> Iterator[Record]:
        """Every scaling configuration of the project."""
        url = self._addresses.scaling_configurations
        return numbered_pages(self._transport, url, "scaling_configurations", "scaling_configuration_id")

    def delete(self, image_id: str, *, delete_backup: bool) -> Reply:
        """Ask once for an image to be deleted. Only DONE and UNCONFIRMED may have done it.

        A body is sent only where its backup is to go as well: Glance turns down any.
        """
        body = {"delete_backup": True} if delete_backup else None
        answer, latency = self._transport.delete(self._addresses.deletion(image_id), body)
        return Reply(meaning=meaning_of(answer), detail=str(answer), latency=latency)

    def confirm_gone(self, image_id: str) -> None:
        """Return once a GET says that the image is gone; raises Unavailable if it stays."""
        error = Unavailable("the cloud took the DELETE on, but the image is still there")
        for pause in LOOKS:
            if self.image(image_id) is None:
                return
            self._transport.deadline.pause(pause, error)
        raise error

    @property
    def _addresses(self) -> Addresses:
        # Not a cached_property: that of Python 3.11 lets one run that is stuck hold up every other.
        self._found = self._found or self._find_addresses()
        return self._found

    def _find_addresses(self) -> Addresses:
        options, project_id, find = self._options, self._transport.project_id(), self._transport.endpoint
        if options.project_pin and project_id != options.project_pin:
            message = f"the token is for project {project_id}, REAPER_PROJECT_ID says {options.project_pin}"
            raise CredentialsRefused(message)
        return Addresses(
            project_id=project_id,
            dialect=DIALECTS[options.image_api],
            image=options.image_endpoint or find("image"),
            compute=options.compute_endpoint or find("compute"),
            volume=find("volumev3"),  # or block-storage: keystoneauth1 knows that as the same
            scaling=find("as", "autoscaling"),
        )

    def _require_gone(self, image_id: str) -> None:
        """Without an image service, all that can be found out is that an image is gone; else raises Unexpected."""
        addresses = self._addresses
        if addresses.dialect.tells_of_gone and self._transport.read(addresses.deletion(image_id)) is None:
            return
        message = "owner, sharing and protection can't be read without an image service: set REAPER_IMAGE_ENDPOINT"
        raise Unexpected(message)
