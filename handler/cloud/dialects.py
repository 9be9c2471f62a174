"""Where everything in the cloud is, and one table of what differs between the four image APIs.

Nothing else asks which of them it is.

Sources: Glance API v2; IMS API reference, "Deleting an Image (Native OpenStack API)", "Querying images", "Adding a tag
to an image"; ECS API reference, "Deleting an Image (Discarded)".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from handler.cloud.places.catalogue import Catalogue
from handler.cloud.places.regions import Region, compute_root
from handler.errors import Unexpected

ImageApi = Literal["glance", "ims", "ecs-v2.1", "ecs-v2"]

_GLANCE = "{image}/v2/images"
# Two lists: Glance leaves hidden images out of a list, unless it is asked for these.
_GLANCE_LISTS: tuple[tuple[str, Mapping[str, str]], ...] = ((_GLANCE, {}), (_GLANCE, {"os_hidden": "true"}))


class TagLimits(NamedTuple):
    """The limits of an image's tags: how many, how long key and value, and which characters, as in a regex set."""

    most: int
    longest_key: int
    longest_value: int
    letters: str


class Dialect(NamedTuple):
    """What one image API is like. `{image}` and `{compute}` in its addresses are services, without version and project.

    `deletion` is the address for a DELETE. `lists` are addresses with their parameters, which together list every image
    of the project; `private` asks the first of them for private images. `keyed_images` is the address of images whose
    tags have a key and a value, if the API has such tags, and `tags` holds their limits. `to_list_members`
    names the permission that a list of members needs. `deletes_later` says that a 204 means "task delivered", and not
    that the image is gone. `tells_of_gone` says that a GET of `deletion` shows whether an image is gone, even without
    an image service. `is_discarded` says that the cloud's documentation calls the API discarded.
    """

    deletion: str
    lists: tuple[tuple[str, Mapping[str, str]], ...] = _GLANCE_LISTS
    private: str = "visibility=private"
    keyed_images: str = ""
    tags: TagLimits | None = None
    to_list_members: str = "ims:images:share (IMS), or get_members in Glance's policy"
    deletes_later: bool = True
    deletes_backups: bool = False
    deactivates: bool = False
    tells_of_gone: bool = False
    is_discarded: bool = False


DIALECTS: Mapping[ImageApi, Dialect] = {
    "glance": Dialect(
        deletion=_GLANCE + "/{image_id}",
        to_list_members="get_members in Glance's policy",
        deletes_later=False,
        deactivates=True,
    ),
    "ims": Dialect(
        deletion=_GLANCE + "/{image_id}",
        lists=(("{image}/v2/cloudimages", {}),),
        private="__imagetype=private",
        keyed_images="{image}/v2/{project_id}/images",
        tags=TagLimits(most=10, longest_key=36, longest_value=43, letters="A-Za-z0-9_-"),
        to_list_members="the permission ims:images:share",
        deletes_backups=True,
    ),
    # No request names a microversion: from 2.36 on, Nova has no calls for images, and answers 404.
    "ecs-v2.1": Dialect(
        deletion="{compute}/v2.1/{project_id}/images/{image_id}", tells_of_gone=True, is_discarded=True
    ),
    "ecs-v2": Dialect(deletion="{compute}/v2/{project_id}/images/{image_id}", tells_of_gone=True, is_discarded=True),
}


class Place(NamedTuple):
    """Where a service is; without a `url`, why that is not known."""

    url: str
    problem: str = ""

    def required(self) -> str:
        """The address; raises Unexpected if there is none."""
        if not self.url:
            raise Unexpected(self.problem)
        return self.url


def place_of(catalogue: Catalogue, services: tuple[str, ...], own: str, setting: str) -> Place:
    """Find the one address of a service: the operator's own, which `setting` names, or that of the catalogue."""
    if own:
        return Place(own)
    found = catalogue.addresses(services, catalogue.region)
    if not found:
        return Place("", catalogue.why_missing(services, catalogue.region, setting))
    if len(found) == 1:
        return Place(found[0].url)
    # At the wrong one, every image would look already gone.
    regions = {endpoint.region for endpoint in found}
    cure = "OS_REGION_NAME" if len(regions) > 1 else setting
    return Place("", f"the catalogue has several {services[0]} endpoints in {', '.join(sorted(regions))}: set {cure}")


class Addresses(NamedTuple):
    """Where one project finds its services."""

    project_id: str
    dialect: Dialect
    image: Place
    compute: Place
    regions: tuple[Region, ...]

    @property
    def images(self) -> str:
        """The images of the image service. Raises Unexpected without one."""
        return self._filled(_GLANCE)

    @property
    def keyed_images(self) -> str:
        """The images whose tags have a key and a value; empty if tags are plain strings."""
        return self._filled(self.dialect.keyed_images)

    def lists(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The lists that together hold every image, each as an address and its parameters."""
        return ((self._filled(address), wanted) for address, wanted in self.dialect.lists)

    @property
    def one_private(self) -> str:
        """The address of a list of one private image, to see its owner. Raises Unexpected without an image service."""
        return f"{self._filled(self.dialect.lists[0][0])}?{self.dialect.private}&limit=1"

    def deletion(self, image_id: str) -> str:
        """The address that deletes an image. Raises Unexpected without the service that does it."""
        return self._filled(self.dialect.deletion, image_id)

    def _filled(self, address: str, image_id: str = "") -> str:
        compute = compute_root(self.compute.required()) if "{compute}" in address else ""
        image = _without_version(self.image.required()) if "{image}" in address else ""
        return address.format(image=image, compute=compute, project_id=self.project_id, image_id=image_id)


def _without_version(endpoint: str) -> str:
    """The image service without its version, which a catalogue may or may not name."""
    return re.sub(r"/v2(\.\d+)?/?$", "", endpoint).rstrip("/")
