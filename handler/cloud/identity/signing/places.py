"""Where the services of Open Telekom Cloud and Huawei Cloud are: without a token, there is no catalogue that says it.

Sources: "Regions and Endpoints" of Open Telekom Cloud; the regions in Huawei Cloud's Python SDK.
"""

from collections.abc import Mapping

from handler.cloud.identity.signing.access import CloudName, Signing
from handler.cloud.places.catalogue import Catalogue, Endpoint

_SERVICES: Mapping[str, str] = {
    "image": "https://ims.{domain}",
    "compute": "https://ecs.{domain}/v2.1/{project_id}",
    "volumev3": "https://evs.{domain}/v3/{project_id}",
    "as": "https://as.{domain}/autoscaling-api/v1/{project_id}",
    "smn": "https://smn.{domain}",
}
"""The addresses of the services, by their type in a catalogue."""
_SWISS = ("eu-ch2",)
"""The regions of Swiss OTC, whose hosts stand under a domain of their own."""


def places_of(signing: Signing) -> Catalogue:
    """The services of one project in one region."""
    domain = domain_of(signing.cloud, signing.region)
    endpoints = (
        Endpoint(
            service=service,
            region=signing.region,
            interface="public",
            url=url.format(domain=domain, project_id=signing.project_id),
        )
        for service, url in _SERVICES.items()
    )
    return Catalogue(tuple(endpoints), region=signing.region)


def domain_of(cloud: CloudName, region: str) -> str:
    """The domain of a region's hosts."""
    if cloud == "huawei":
        return f"{region}.myhuaweicloud.com"
    return f"{region}.{'sc.' if region in _SWISS else ''}otc.t-systems.com"
