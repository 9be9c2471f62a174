"""The few calls that we make to the cloud, paged to the end."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from handler.cloud import payloads
from handler.cloud.changes import Changes
from handler.cloud.meanings import Meaning, meaning_of
from handler.cloud.transport import Transport
from handler.errors import CredentialsRefused, Unavailable, Unexpected
from handler.model.image import Image

ImageApi = Literal["glance", "ims", "ecs-v2.1", "ecs-v2"]

PAGE = 1000
"""Images, servers or volumes asked for at once; the cloud may give fewer."""
NUMBERED_PAGE = 100  # scaling configurations
SMALLEST_CAP = 20
"""A page as long as this may have been cut without a word: only an empty one after it is the end of the list."""
LOOKS = (0.5, 1.0, 2.0, *[5.0] * 12)
"""Seconds between the looks for an image whose deletion was taken on."""


class Options(NamedTuple):
    """Which cloud, and how: `image_api` is the API that deletes; an endpoint given here wins over the catalogue."""

    image_api: ImageApi = "glance"
    project_pin: str = ""
    image_endpoint: str = ""
    compute_endpoint: str = ""


class Deletion(NamedTuple):
    """What the cloud said to a DELETE, and how long it took to say it, in milliseconds, if that is known."""

    meaning: Meaning
    detail: str
    latency: float | None


class _Endpoints(NamedTuple):
    project_id: str
    image: str | None
    compute: str | None
    volume: str | None
    scaling: str | None


class Cloud:
    """The cloud as one run sees it. Every method may raise CloudError; None always means that there is no image."""

    def __init__(self, transport: Transport, options: Options) -> None:
        self._transport = transport
        self._options = options
        self._found: _Endpoints | None = None

    @property
    def project_id(self) -> str:
        """The project that the credentials are for; it equals the pin."""
        return self._endpoints.project_id

    @property
    def changes(self) -> Changes:
        """What can be changed about images, and taken back."""
        keyed = (
            self._images.replace("/v2/images", f"/v2/{self.project_id}/images")
            if self._options.image_api == "ims"
            else ""
        )
        return Changes(self._transport, self._images, keyed)

    def image(self, image_id: str) -> Image | None:
        """Read an image through the image service."""
        if self._endpoints.image is None:
            self._require_gone(image_id)
            return None
        payload = self._transport.read(f"{self._images}/{image_id}")
        return None if payload is None else payloads.read_image(payload, image_id)

    def accepted_members(self, image_id: str) -> tuple[str, ...] | None:
        """The projects that use the image by invitation."""
        payload = self._transport.read(f"{self._images}/{image_id}/members")
        return None if payload is None else payloads.read_accepted_members(payload)

    def images(self) -> Iterator[Image]:
        """Every image that the project owns, hidden ones as well, page by page."""
        known: set[str] = set()
        for url, wanted in self._lists_of_images():
            listed: set[str] = set()
            for record in self._pages(url, "images", {"owner": self.project_id} | wanted, shortest=1):
                image_id = str(record.get("id"))
                if image_id in listed:
                    message = f"the list of images names {image_id} twice"
                    raise Unexpected(message)
                listed.add(image_id)
                ours = image_id not in known and payloads.owner_of_image(record) == self.project_id
                if ours and (image := payloads.read_image(record, image_id)):
                    yield image
            known |= listed  # a cloud that knows of no hidden images may list all of them again

    def servers(self) -> Iterator[payloads.Record]:
        """Every server of the project."""
        return self._pages(f"{self._compute}/servers/detail", "servers")

    def volumes(self) -> Iterator[payloads.Record]:
        """Every volume of the project."""
        if self._endpoints.volume is None:
            message = "the catalogue has no volumes to ask about: set REAPER_IN_USE_CHECK=off"
            raise Unexpected(message)
        return self._pages(f"{self._endpoints.volume}/volumes/detail", "volumes")

    def scaling_configurations(self) -> Iterator[payloads.Record]:
        """Every scaling configuration of the project. Source: Auto Scaling of Open Telekom Cloud, API reference."""
        if self._endpoints.scaling is None:
            message = "the catalogue has no auto scaling to ask about: take scaling out of REAPER_IN_USE_ALSO"
            raise Unexpected(message)
        known, total = list[str](), 1
        while len(known) < total:
            # Pages overlap by one: where something before was removed meanwhile, the place of the last is another's.
            wanted = {"start_number": str(max(len(known) - 1, 0)), "limit": str(NUMBERED_PAGE)}
            payload = self._transport.read(f"{self._endpoints.scaling}/scaling_configuration", wanted) or {}
            page, total = payloads.read_numbered_page(payload, "scaling_configurations")
            ids = [str(configuration.get("scaling_configuration_id")) for configuration in page]
            fresh = len(known[-1:])
            if ids[:fresh] != known[-1:] or set(ids[fresh:]) & set(known) or not (ids[fresh:] or len(known) >= total):
                message = "the list of scaling configurations changed while it was read, or can't be read to its end"
                raise Unexpected(message)
            yield from page[fresh:]
            known += ids[fresh:]

    def delete(self, image_id: str, *, delete_backup: bool) -> Deletion:
        """Ask once for an image to be deleted. Only DONE and UNCONFIRMED may have done it.

        A body is sent only where its backup is to go as well: Glance turns down any.
        """
        body = {"delete_backup": True} if delete_backup else None
        answer, latency = self._transport.delete(self._deletion_url(image_id), body)
        return Deletion(meaning_of(answer), str(answer), latency)

    def confirm_gone(self, image_id: str) -> None:
        """Return once a GET says that the image is gone; raises Unavailable if it stays."""
        error = Unavailable("the cloud took the DELETE on, but the image is still there")
        for pause in LOOKS:
            if self.image(image_id) is None:
                return
            self._transport.deadline.pause(pause, error)
        raise error

    @property
    def _endpoints(self) -> _Endpoints:
        # Not a cached_property: that of Python 3.11 lets one run that is stuck hold up every other.
        self._found = self._found or self._find_endpoints()
        return self._found

    def _find_endpoints(self) -> _Endpoints:
        pin, project_id = self._options.project_pin, self._transport.project_id()
        if pin and project_id != pin:
            message = f"the token is for project {project_id}, REAPER_PROJECT_ID says {pin}"
            raise CredentialsRefused(message)
        find = self._transport.endpoint
        return _Endpoints(
            project_id=project_id,
            image=self._options.image_endpoint or find("image"),
            compute=self._options.compute_endpoint or find("compute"),
            volume=find("volumev3"),  # or block-storage: keystoneauth1 knows that as the same
            scaling=find("as", "autoscaling"),
        )

    @property
    def _images(self) -> str:
        """The images of the image service; a catalogue may or may not name its version."""
        return re.sub(r"/v2(\.\d+)?/?$", "", self._endpoints.image or "").rstrip("/") + "/v2/images"

    @property
    def _compute_root(self) -> str:
        """The compute service without version and project."""
        if self._endpoints.compute is None:
            message = "the catalogue has no compute service: set REAPER_COMPUTE_ENDPOINT, or REAPER_IN_USE_CHECK=off"
            raise Unexpected(message)
        return re.sub(r"/v2(\.\d+)?(/[^/]+)?/?$", "", self._endpoints.compute).rstrip("/")

    @property
    def _compute(self) -> str:
        return f"{self._compute_root}/v2.1/{self.project_id}"

    def _lists_of_images(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """The lists that name every image together, each as an address and what to ask for."""
        if self._options.image_api == "ims":
            return ((f"{self._images.removesuffix('images')}cloudimages", {}),)
        return ((self._images, {}), (self._images, {"os_hidden": "true"}))

    def _deletion_url(self, image_id: str) -> str:
        if self._options.image_api in {"glance", "ims"}:
            return f"{self._images}/{image_id}"
        version = self._options.image_api.removeprefix("ecs-")
        return f"{self._compute_root}/{version}/{self.project_id}/images/{image_id}"

    def _require_gone(self, image_id: str) -> None:
        """Without an image service, all that can be found out is that an image is gone; else raises Unexpected."""
        if (
            self._options.image_api in {"ecs-v2.1", "ecs-v2"}
            and self._transport.read(self._deletion_url(image_id)) is None
        ):
            return
        message = "owner, sharing and protection can't be read without an image service: set REAPER_IMAGE_ENDPOINT"
        raise Unexpected(message)

    def _pages(
        self, url: str, key: str, wanted: Mapping[str, str] | None = None, shortest: int = SMALLEST_CAP
    ) -> Iterator[payloads.Record]:
        """Everything that a paged list holds, to its end; a list that can't be read to its end is Unexpected."""
        seen: set[str] = set()
        marker: str | None = None
        while True:
            asked = {**(wanted or {}), "limit": str(PAGE)} | ({"marker": marker} if marker else {})
            payload = self._transport.read(url, asked)
            if payload is None:
                message = f"no list of {key}"
                raise Unexpected(message)
            page, more = payloads.read_page(payload, key)
            if more and not page:
                message = f"the list of {key} promises more than it holds"
                raise Unexpected(message)
            yield from page
            if not page or not (more or len(page) >= shortest):
                return
            marker = str(page[-1].get("id"))
            if marker in seen:
                message = f"the list of {key} repeats itself"
                raise Unexpected(message)
            seen.add(marker)
