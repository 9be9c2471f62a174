"""The few calls that we make to the cloud."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

from handler.cloud import payloads
from handler.cloud.changes import Changes
from handler.cloud.dialects import DIALECTS, Addresses, ImageApi, place_of
from handler.cloud.fields import Record
from handler.cloud.lists.first import FirstPage, Listing
from handler.cloud.lists.ids import Ids
from handler.cloud.lists.images import read_listed_image
from handler.cloud.meanings import Meaning
from handler.cloud.paging import OF_IMAGES, Reader, numbered_pages, pages, read_anew
from handler.cloud.places.regions import COMPUTE, IMAGE, Region, regions_sharing
from handler.cloud.transport import Dated, Transport
from handler.errors import CredentialsRefused, Denied, ListChanged, Unavailable
from handler.model.image import Image
from handler.rules.tags import person_of

LOOKS = (0.5, 1.0, 2.0, *[5.0] * 12)
"""Seconds between the GETs that check whether an accepted deletion is done: a minute in all."""


class Options(NamedTuple):
    """Which cloud, and how: `image_api` is the API that deletes; an endpoint given here wins over the catalogue.

    Under `owner_key`, an image names who is told of it; if it is empty, nobody is.
    """

    image_api: ImageApi = "glance"
    project_pin: str = ""
    image_endpoint: str = ""
    compute_endpoint: str = ""
    owner_key: str = ""


class Reply(NamedTuple):
    """The cloud's answer to a DELETE; `latency` is in milliseconds."""

    meaning: Meaning
    detail: str
    latency: float


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
        addresses = self._addresses
        return Changes(self._transport, addresses.images, addresses.keyed_images, addresses.dialect.tags)

    def image(self, image_id: str) -> Image | None:
        """Read an image through the image service."""
        return self._image(image_id, self._transport.read_dated)

    def image_to_judge(self, image_id: str, first: Callable[[], object]) -> Image | None:
        """Read an image that may be deleted at once.

        `first` is called when our slot has come, before each request, and may raise CloudError: the record is newer.
        """
        place = self._addresses.deletion(image_id)
        return self._image(image_id, lambda url: self._transport.read_to_delete(url, place, first))

    def _image(self, image_id: str, read: Callable[[str], Dated]) -> Image | None:
        if not self._addresses.image.url and self._knows_gone(image_id):
            return None
        dated = read(f"{self._addresses.images}/{image_id}")
        image = self._transport.understood(dated, lambda record: payloads.read_image(record, image_id))
        return image and self._with_person(image)

    def _with_person(self, image: Image) -> Image:
        # Here, since nobody else has the record of every image: what is kept of thousands is kept without it.
        key = self._options.owner_key
        return replace(image, person=person) if key and (person := person_of(image, key)) else image

    def record(self, image_id: str) -> Record | None:
        """Read the record of an image that need not be ours; None if there is none that we may see."""
        return self._transport.read(f"{self._addresses.images}/{quote(image_id, safe='')}")

    def members(self, image_id: str) -> tuple[str, ...] | None:
        """The projects that may use the image by invitation."""
        try:
            return self._transport.read_as(payloads.read_members, f"{self._addresses.images}/{image_id}/members")
        except CredentialsRefused:
            raise
        except Denied as error:
            message = f"{error}; listing the members of an image needs {self._addresses.dialect.to_list_members}"
            raise Denied(message) from error

    def images(self) -> Generator[Image, None, None]:
        """Every image that the project owns, hidden ones as well, page by page; to be closed if not read to its end."""
        known, project_id = list[Ids](), self.project_id
        for url, wanted in self._addresses.lists():
            listed = Ids()
            for record in pages(self._transport, url, "images", {"owner": project_id, **wanted}, OF_IMAGES):
                image_id = str(record.get("id"))
                listed.note(image_id)
                # A cloud that knows of no hidden images may list all of them again.
                is_known = known and any(image_id in ids for ids in known)
                image = None if is_known else read_listed_image(record, image_id)
                # `owner` was asked for, but the record decides: an image of others is not even looked at.
                if image and (image.owner == project_id or "owner" in image.unread):
                    yield self._with_person(image)
            # Where one image comes twice, another may be missing: the pages have moved under us.
            if listed.repeat():
                message = "the list of images names one of them twice"
                raise ListChanged(message)
            known.append(listed)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions that share the image service, with the addresses of all that may use an image."""
        return self._addresses.regions

    def servers(self, url: str, wanted: Mapping[str, str] | None = None) -> Listing:
        """The servers of a region, or those of them that are wanted."""
        return self._listing(lambda reader: pages(reader, url, "servers", wanted))

    def volumes(self, url: str) -> Listing:
        """Every volume of a region."""
        return self._listing(lambda reader: pages(reader, url, "volumes"))

    def scaling_configurations(self, url: str) -> Listing:
        """Every scaling configuration of a region."""
        kind = "scaling_configuration"
        return self._listing(lambda reader: numbered_pages(reader, url, f"{kind}s", f"{kind}_id"))

    def _listing(self, listed: Callable[[Reader], Iterable[Record]]) -> Listing:
        def reading() -> Listing:
            first = FirstPage(self._transport)
            return first.listing(tuple(listed(first)))

        return read_anew(reading)

    def wait_to_delete(self, by: float) -> None:
        """Wait for the slot of a DELETE, but no longer than until the moment `by`."""
        self._transport.wait_to_delete(self._addresses.images, by)

    def delete(self, image_id: str, permit: Callable[[], object], *, delete_backup: bool) -> Reply:
        """Ask once for an image to be deleted. Any meaning but DONE and UNCONFIRMED says that this did not do it.

        `permit` is called right before the request is sent, and may raise CloudError.
        """
        # No body unless the backup is to go as well: Glance answers 400 to a DELETE with any body.
        body = {"delete_backup": True} if delete_backup else None
        answer, latency = self._transport.delete(self._addresses.deletion(image_id), body, permit)
        meaning = answer.meaning
        if meaning is Meaning.DONE and self._addresses.dialect.deletes_later:
            meaning = Meaning.UNCONFIRMED
        return Reply(meaning=meaning, detail=str(answer), latency=latency)

    def confirm_gone(self, image_id: str, answer: str) -> None:
        """Return once a GET says that the image is gone; raises Unavailable if it stays, whatever a DELETE answered."""
        error = Unavailable(f"the DELETE was answered with {answer}, but the image is still there")
        for pause in LOOKS:
            if self.image(image_id) is None:
                return
            self._transport.deadline.pause(pause, error)
        if self.image(image_id) is not None:
            raise error

    def was_throttled_since(self, moment: float) -> bool:
        """Whether the cloud has asked for fewer requests since a moment."""
        return self._transport.throttled_at >= moment

    @property
    def _addresses(self) -> Addresses:
        # Not a cached_property: in Python 3.11 all instances share its lock, and a stuck run would hold up later ones.
        self._found = self._found or self._find_addresses()
        return self._found

    def _find_addresses(self) -> Addresses:
        options, project_id = self._options, self._transport.project_id()
        # Glance answers 404 for an image of another project: with the wrong credentials, all would look already gone.
        if options.project_pin and project_id != options.project_pin:
            message = f"the credentials are for project {project_id}, REAPER_PROJECT_ID says {options.project_pin}"
            raise CredentialsRefused(message)
        catalogue, own = self._transport.catalogue(), (options.image_endpoint, options.compute_endpoint)
        found = Addresses(
            project_id=project_id,
            dialect=DIALECTS[options.image_api],
            image=place_of(catalogue, IMAGE, own[0], "REAPER_IMAGE_ENDPOINT"),
            compute=place_of(catalogue, COMPUTE, own[1], "REAPER_COMPUTE_ENDPOINT"),
            regions=regions_sharing(catalogue, project_id, *own),
        )
        if found.image.url:
            self._confirm(found)
        return found

    def _confirm(self, found: Addresses) -> None:
        """Make sure that the credentials are for our project."""
        if self._transport.confirm(found.one_private):
            return
        # To keys of another project, every image of ours looks already gone. The address of the servers names the
        # project: a cloud turns down whoever is of another one.
        for region in found.regions:
            for url in region.servers.urls:
                self._transport.read(url, {"limit": "1"})

    def _knows_gone(self, image_id: str) -> bool:
        """Whether the image is gone, as far as the address that deletes it tells where there is no image service."""
        addresses = self._addresses
        return addresses.dialect.tells_of_gone and self._transport.read(addresses.deletion(image_id)) is None
