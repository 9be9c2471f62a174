"""All that is asked about the uses of images, region by region."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from handler.clock import Deadline
from handler.cloud.calls import Cloud
from handler.cloud.lists.first import Listing
from handler.cloud.paging import read_anew
from handler.cloud.places.regions import Region
from handler.errors import CloudError
from handler.model.image import Also
from handler.work.uses.lists import (
    Expiry,
    ListedUses,
    Use,
    bootable,
    uses_by_images,
    uses_by_scaling,
    uses_by_volumes,
)
from handler.work.uses.servers import Server, Servers


class RegionPart:
    """What uses images in one region. Raises Unexpected if it has no servers that could be asked for, and should."""

    def __init__(self, cloud: Cloud, region: Region, deadline: Deadline, also: frozenset[Also]) -> None:
        self._region = region
        self._every_volume = "volumes" in also
        self._servers = [
            Servers(cloud, url, deadline, snapshots="snapshots" in also) for url in region.servers.offered()
        ]
        self._volumes = ListedUses("volumes", self._read_volumes, deadline)
        self._scaling = ListedUses("scaling configurations", self._read_scaling, deadline)
        self._asks_scaling = "scaling" in also
        self._bootable = frozenset[str]()
        """The volumes that a server could boot from, when they were last read."""
        self._cloud = cloud

    def refresh(self) -> None:
        """Ask the cloud for what is due. Raises CloudError."""
        for servers in self._servers:
            servers.refresh()
        for kept, since in self._lists():
            kept.refresh(since)

    def is_due(self) -> bool:
        """Whether the cloud must be asked again."""
        return any(servers.is_due() for servers in self._servers) or any(
            kept.is_due(since) for kept, since in self._lists()
        )

    def servers(self) -> Iterator[Server]:
        """The servers, as they were last seen."""
        return (server for servers in self._servers for server in servers.all)

    def unknown(self) -> Iterator[Server]:
        """The servers of which nobody can say what they are made of."""
        return (server for server in self.servers() if server.is_unknown(self._bootable))

    def uses(self) -> Iterator[Use]:
        """The uses of images by servers, and by what the lists hold."""
        for server in self.servers():
            for image_id in server.images:
                yield Use(image_id, f"server {server.label}")
            for key in filter(None, (*server.boots, server.own_id)):
                yield Use(key, f"server {server.label}", is_made_of_it=False)
        for kept, _ in self._lists():
            yield from kept.uses

    @property
    def expiry(self) -> Expiry:
        """When the first of them is too old."""
        parts = [servers.expiry for servers in self._servers] + [kept.expiry for kept, _ in self._lists()]
        return min(parts, default=Expiry(math.inf, ""))

    def _lists(self) -> Iterator[tuple[ListedUses, float]]:
        """The lists that are needed, and the moment that each must be younger than."""
        # The image of a volume is known to the volume only, and to none that was listed before its server was seen.
        if self._asks_volumes():
            yield self._volumes, max(servers.volumes_since for servers in self._servers)
        elif self._every_volume:
            yield self._volumes, -math.inf
        if self._asks_scaling:
            yield self._scaling, -math.inf

    def _asks_volumes(self) -> bool:
        return any(servers.asks_volumes for servers in self._servers)

    def _read_volumes(self) -> tuple[float, tuple[Use, ...]]:
        volumes = self._region.volumes
        urls = volumes.required() if self._asks_volumes() else volumes.offered()
        held = frozenset(volume for server in self.servers() for volume in server.volumes)
        self._bootable = frozenset[str]()

        def uses(listing: Listing) -> Iterable[Use]:
            self._bootable |= bootable(listing)
            return uses_by_volumes(listing, held, every=self._every_volume)

        return _read(self._cloud.volumes, urls, uses)

    def _read_scaling(self) -> tuple[float, tuple[Use, ...]]:
        return _read(self._cloud.scaling_configurations, self._region.scaling.offered(), uses_by_scaling)


class Parts:
    """All parts of the answer: those of each region, and what belongs to none. Not safe for threads."""

    def __init__(self, cloud: Cloud, deadline: Deadline, also: frozenset[Also]) -> None:
        self._regions: list[tuple[str, RegionPart]] = []
        for region in cloud.regions:
            # Where there is but one, its name would say nothing.
            name = region.name if len(cloud.regions) > 1 else ""
            with _naming(name):
                self._regions.append((name, RegionPart(cloud, region, deadline, also)))
        images = ListedUses(
            "images", lambda: read_anew(lambda: (deadline.now(), tuple(uses_by_images(cloud)))), deadline
        )
        self._images = [images] if "images" in also else []

    def refresh(self) -> None:
        """Ask the cloud for what is due. Raises CloudError, which names the region where there are several."""
        for name, region in self._regions:
            with _naming(name):
                region.refresh()
        for images in self._images:
            images.refresh()

    def is_due(self) -> bool:
        """Whether the cloud must be asked again."""
        return any(part.is_due() for part in self._all())

    def unknown(self) -> Iterator[Server]:
        """The servers of all regions of which nobody can say what they are made of."""
        return (server for _, region in self._regions for server in region.unknown())

    def uses(self) -> Iterator[Use]:
        """All uses of images."""
        for _, region in self._regions:
            yield from region.uses()
        for images in self._images:
            yield from images.uses

    @property
    def expiry(self) -> Expiry:
        """When the first part is too old."""
        return min(part.expiry for part in self._all())

    def _all(self) -> Iterator[RegionPart | ListedUses]:
        yield from (region for _, region in self._regions)
        yield from self._images


def _read(
    read: Callable[[str], Listing], urls: Iterable[str], uses: Callable[[Listing], Iterable[Use]]
) -> tuple[float, tuple[Use, ...]]:
    """Read lists; returns when the first of them was asked for, and the uses in them."""
    listings = [read(url) for url in urls]
    asked_at = min((listing.asked_at for listing in listings), default=math.inf)
    return asked_at, tuple(use for listing in listings for use in uses(listing))


@contextmanager
def _naming(region: str) -> Iterator[None]:
    """Say in an error which region it comes from."""
    try:
        yield
    except CloudError as error:
        if not region:
            raise
        message = f"region {region}: {error}"
        raise type(error)(message, retry_after=error.retry_after, ends_run=error.ends_run) from error
