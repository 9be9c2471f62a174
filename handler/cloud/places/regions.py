"""The regions whose servers, volumes and scaling configurations may use our images, and where these are listed."""

import re
from collections.abc import Callable
from typing import NamedTuple

from handler.cloud.places.catalogue import Catalogue, Endpoint
from handler.errors import Unexpected

IMAGE, COMPUTE, SCALING = ("image",), ("compute",), ("as", "autoscaling")
VOLUME = ("volumev3", "block-storage", "block-store", "volumev2")
"""The names of services in a catalogue; of several that it has, the first is used."""


class Lists(NamedTuple):
    """The addresses of the lists of one kind in a region, and why there are none.

    They must be asked where the region is the one that the operator has chosen, where it is known to have such a
    service, and where no region has it: what nobody can be asked about is not unused.
    """

    urls: tuple[str, ...]
    problem: str
    must_be_asked: bool = True

    def required(self) -> tuple[str, ...]:
        """The addresses; raises Unexpected if there are none."""
        if not self.urls:
            raise Unexpected(self.problem)
        return self.urls

    def offered(self) -> tuple[str, ...]:
        """The addresses, which may be none where another region has no such service; raises Unexpected."""
        return self.required() if self.must_be_asked else self.urls


class Region(NamedTuple):
    """A region whose catalogue names the image service that we use."""

    name: str
    servers: Lists
    volumes: Lists
    scaling: Lists


def regions_sharing(
    catalogue: Catalogue, project_id: str, image_endpoint: str = "", compute_endpoint: str = ""
) -> tuple[Region, ...]:
    """The regions that must be asked what they use: the chosen one, and all that share its image service.

    `image_endpoint` and `compute_endpoint` take the place of the chosen region's addresses.
    """
    # The catalogue's own address as well: another address for the same service must not hide who shares it.
    images = [endpoint.url for endpoint in catalogue.addresses(IMAGE, catalogue.region)]
    sharing = catalogue.sharing(IMAGE, [*images, image_endpoint])
    names = list(dict.fromkeys([catalogue.region, *sharing])) if catalogue.region else sharing
    names = names or catalogue.regions(COMPUTE) or [""]
    found: dict[Region, Region] = {}
    for name in names:
        is_chosen = name == catalogue.region or len(names) == 1
        region = _region(catalogue, name, project_id, [] if is_chosen else names)
        if compute_endpoint and (is_chosen or not catalogue.region):
            region = region._replace(servers=_own_servers(compute_endpoint, project_id, is_chosen=is_chosen))
        # Where a catalogue spells one region in two ways, its services are asked once.
        found.setdefault(region._replace(name=""), region)
    return tuple(found.values())


def compute_root(endpoint: str) -> str:
    """The compute service without version and project."""
    return re.sub(r"/v2(\.\d+)?(/[^/]+)?/?$", "", endpoint).rstrip("/")


def _region(catalogue: Catalogue, name: str, project_id: str, others: list[str]) -> Region:
    """A region; without `others` that share the image service, it must have all services itself."""

    def lists(services: tuple[str, ...], address: Callable[[Endpoint], str], setting: str = "") -> Lists:
        urls = tuple(dict.fromkeys(address(endpoint) for endpoint in catalogue.addresses(services, name)))
        offering = set(catalogue.regions(services))
        must_be_asked = name in offering or offering.isdisjoint(others)
        problem = "" if urls else catalogue.why_missing(services, name, setting)
        return Lists(urls=urls, problem=problem, must_be_asked=must_be_asked)

    return Region(
        name=name,
        servers=lists(COMPUTE, lambda end: _servers(end.url, project_id), "REAPER_COMPUTE_ENDPOINT"),
        volumes=lists(VOLUME, lambda end: _volumes(end, project_id)),
        scaling=lists(SCALING, lambda end: f"{end.url}/scaling_configuration"),
    )


def _own_servers(endpoint: str, project_id: str, *, is_chosen: bool) -> Lists:
    """The servers at the operator's own address, which stands for the chosen region."""
    problem = "REAPER_COMPUTE_ENDPOINT stands for one region, and the catalogue has several: set OS_REGION_NAME"
    return Lists((_servers(endpoint, project_id),) if is_chosen else (), problem)


def _servers(endpoint: str, project_id: str) -> str:
    return f"{compute_root(endpoint)}/v2.1/{project_id}/servers/detail"


def _volumes(endpoint: Endpoint, project_id: str) -> str:
    """The list of volumes; an address may lack its version, and its project."""
    path = endpoint.url
    if not re.search(r"/v\d(\.\d+)?(/[^/]+)?$", path):
        path += "/v2" if endpoint.service == "volumev2" else "/v3"
    if re.search(r"/v\d(\.\d+)?$", path):
        path += f"/{project_id}"
    return f"{path}/volumes/detail"
