"""The catalogue of a cloud: which service is where. Pure; it says in words why a service can't be found."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self


class Endpoint(NamedTuple):
    """One address of a service; `service` is its type in the catalogue."""

    service: str
    region: str
    interface: str
    url: str


class Catalogue(NamedTuple):
    """Every service that a cloud offers us, and which of its regions and interfaces the operator has chosen.

    An empty `region` is no choice.
    """

    endpoints: tuple[Endpoint, ...]
    region: str = ""
    interface: str = "public"

    @classmethod
    def of(cls, services: Iterable[Mapping[str, Any]], region: str, interface: str) -> Self:
        """Read the services of a token as keystoneauth1 normalizes them."""
        found = (
            Endpoint(
                service=str(service["type"]),
                region=str(endpoint["region_name"] or ""),
                interface=str(endpoint.get("interface")),
                url=str(endpoint["url"]),
            )
            for service in services
            for endpoint in service["endpoints"]
            if endpoint["url"]
        )
        return cls(tuple(found), region=region, interface=interface)

    def regions(self, services: Sequence[str]) -> list[str]:
        """The regions that have one of these services, at whatever interface."""
        return sorted({endpoint.region for endpoint in self.endpoints if endpoint.service in services})

    def addresses(self, services: Sequence[str], region: str) -> list[Endpoint]:
        """The endpoints in a region, at the chosen interface, of the first of these services that it has there.

        An empty `region` stands for all of them.
        """
        for service in services:
            # A catalogue may name one address twice, with and without a slash at its end.
            found = {
                endpoint.url.rstrip("/"): endpoint
                for endpoint in self.endpoints
                if (endpoint.service, endpoint.interface) == (service, self.interface)
                and region in {"", endpoint.region}
            }
            if found:
                return [endpoint._replace(url=url) for url, endpoint in found.items()]
        return []

    def why_missing(self, services: Sequence[str], region: str, setting: str = "") -> str:
        """Say why there is no address: what the catalogue offers, and what was asked of it.

        `setting` is the one that may name an address that no catalogue has.
        """
        offered = [endpoint for endpoint in self.endpoints if endpoint.service in services]
        if not offered:
            return f"the catalogue offers no {' or '.join(services)}" + (f": set {setting}" if setting else "")
        here = [endpoint for endpoint in offered if endpoint.region == region]
        nearest = here or [endpoint for endpoint in offered if endpoint.interface == self.interface] or offered
        regions, interfaces = {end.region for end in nearest}, {end.interface for end in nearest}
        asked = f"OS_REGION_NAME={region}" if region == self.region else f"not in region {region}"
        in_region = _joined(regions) + (f" ({asked})" if region and region not in regions else "")
        at = _joined(interfaces) + (f" (OS_INTERFACE={self.interface})" if self.interface not in interfaces else "")
        services_there = _joined({endpoint.service for endpoint in nearest})
        return f"the catalogue offers {services_there} only in region {in_region}, interface {at}"

    def sharing(self, services: Sequence[str], urls: Iterable[str]) -> list[str]:
        """The regions whose catalogue names the same service as one of these addresses does.

        Whatever the interface: of two regions that share a service, one may have an inner address of its own for it.
        """
        known, size = {_place(url) for url in urls if url}, 0
        places = {(end.region, _place(end.url)) for end in self.endpoints if end.service in services}
        regions: set[str] = set()
        # All addresses of a region lead to one service: who shares any of them shares that service, and so on.
        while size != len(known):
            size = len(known)
            regions = {region for region, place in places if place in known}
            known |= {place for region, place in places if region in regions}
        return sorted(regions)


def _place(url: str) -> str:
    """What all spellings of one address have in common: scheme, user, version and a usual port say nothing."""
    bare = re.sub(r"/+", "/", re.sub(r"^https?://|/+$", "", url.strip().lower()))
    host, slash, path = re.sub(r"/v\d+(\.\d+)?$", "", bare).rstrip("/").partition("/")
    # A name may end in a dot, which says that it is whole.
    return re.sub(r"\.(?=:|$)|:(80|443)$", "", host.rpartition("@")[2]) + slash + path


def _joined(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))
