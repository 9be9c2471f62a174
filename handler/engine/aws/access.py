"""How AWS is reached, and how it names its tables and queues. Values, without HTTP."""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]+:")
TABLE_NAME = r"^(arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]+:table/)?[A-Za-z0-9_.-]{3,255}$"
"""A name or an ARN that DynamoDB takes for a table. Source: DynamoDB developer guide, "Naming rules"."""


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where AWS is, and the keys for it: those given here, or those that the runtime hands out at an address.

    `endpoints` are pairs of a service and an address that wins over AWS's own; the service `""` stands for all others.
    """

    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    container_credentials_uri: str = ""
    container_token: str = field(default="", repr=False)
    endpoints: tuple[tuple[str, str], ...] = ()

    def in_region_of(self, name: str) -> "AwsAccess":
        """The same access in the region that an ARN names; a plain name leaves the region as it is."""
        return replace(self, region=name.split(":")[3]) if _ARN.match(name) else self

    def endpoint(self, service: str) -> str:
        """The address of a service, such as `secretsmanager`."""
        own = f"https://{service}.{self.region}.amazonaws.com{'.cn' if self.region.startswith('cn-') else ''}"
        given = dict(self.endpoints)
        return given.get(service) or given.get("") or own


def check_queue(url: str) -> str:
    """Return the address of a queue as it is; raises ValueError for any other address, and for a FIFO queue."""
    parts = urlsplit(url)
    if not parts.path.strip("/") or parts.query or parts.fragment:
        message = "must be the address of a queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/name"
        raise ValueError(message)
    if parts.path.rstrip("/").endswith(".fifo"):
        message = "must not be a FIFO queue: one image that fails would hold back its whole message group"
        raise ValueError(message)
    return url
