"""The few calls that we make to the cloud."""

from collections.abc import Iterator
from typing import NamedTuple

from handler.cloud import payloads
from handler.cloud.changes import Changes
from handler.cloud.dialects import DIALECTS, Addresses, ImageApi
from handler.cloud.fields import Record
from handler.cloud.meanings import Meaning
from handler.cloud.paging import numbered_pages, pages
from handler.cloud.transport import Transport
from handler.errors import CredentialsRefused, ListChanged, Unavailable, Unexpected
from handler.model.image import Image

LOOKS = (0.5, 1.0, 2.0, *[5.0] * 12)
"""Seconds between the GETs that check whether an accepted deletion is done: a minute in all."""


class Options(NamedTuple):
    """Which cloud, and how: `image_api` is the API that deletes; an endpoint given here wins over the catalogue."""

    image_api: ImageApi = "glance"
    project_pin: str = ""
    image_endpoint: str = ""
    compute_endpoint: str = ""


class Reply(NamedTuple):
    """The cloud's answer to a DELETE; `latency` is in milliseconds, None if it is unknown."""

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
        """The project that the credentials are for; it equals the pin, if there is one."""
        return self._addresses.project_id

    @property
    def changes(self) -> Changes:
        """The changes to images that can be taken back."""
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
            # shortest=1: IMS names no next page, and may cut its pages to any length. Only an empty one is the end.
            for record in pages(self._transport, url, "images", {"owner": self.project_id, **wanted}, shortest=1):
                image_id = str(record.get("id"))
                # Where one image comes twice, another may be missing: the pages have moved under us.
                if image_id in listed:
                    message = f"the list of images names {image_id} twice"
                    raise ListChanged(message)
                listed.add(image_id)
                image = None if image_id in known else payloads.read_listed_image(record, image_id)
                # `owner` was asked for, but the record decides: an image of others is not even looked at.
                if image and (image.owner == self.project_id or "owner" in image.unread):
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
        """Ask once for an image to be deleted. Any meaning but DONE and UNCONFIRMED says that this did not do it."""
        # No body unless the backup is to go as well: Glance answers 400 to a DELETE with any body.
        body = {"delete_backup": True} if delete_backup else None
        answer, latency = self._transport.delete(self._addresses.deletion(image_id), body)
        return Reply(meaning=answer.meaning, detail=str(answer), latency=latency)

    def confirm_gone(self, image_id: str) -> None:
        """Return once a GET says that the image is gone; raises Unavailable if it stays."""
        error = Unavailable("the cloud accepted the DELETE, but the image is still there")
        for pause in LOOKS:
            if self.image(image_id) is None:
                return
            self._transport.deadline.pause(pause, error)
        raise error

    @property
    def _addresses(self) -> Addresses:
        # Not a cached_property: in Python 3.11 all instances share its lock, so that a run that is stuck would hold up
        # every later one.
        self._found = self._found or self._find_addresses()
        return self._found

    def _find_addresses(self) -> Addresses:
        options, project_id, find = self._options, self._transport.project_id(), self._transport.endpoint
        # Glance answers 404 for an image of another project: with the wrong credentials, all would look already gone.
        if options.project_pin and project_id != options.project_pin:
            message = f"the token is for project {project_id}, REAPER_PROJECT_ID says {options.project_pin}"
            raise CredentialsRefused(message)
        return Addresses(
            project_id=project_id,
            dialect=DIALECTS[options.image_api],
            image=options.image_endpoint or find("image"),
            compute=options.compute_endpoint or find("compute"),
            volume=find("volumev3"),  # block-storage, too: keystoneauth1 takes both names for the same service
            scaling=find("as", "autoscaling"),
        )

    def _require_gone(self, image_id: str) -> None:
        """Return if the image is gone. Nothing else can be found out without an image service: raise Unexpected."""
        addresses = self._addresses
        if addresses.dialect.tells_of_gone and self._transport.read(addresses.deletion(image_id)) is None:
            return
        message = "owner, sharing and protection can't be read without an image service: set REAPER_IMAGE_ENDPOINT"
        raise Unexpected(message)
