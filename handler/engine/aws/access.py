"""What AWS must be told, and how it is reached: values without a wish of their own."""

import re
from dataclasses import dataclass, field, replace

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]+:")


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where AWS is, and with which keys: those given, or those that the runtime gives out at an address.

    `endpoints` are pairs of a service and an address that wins over AWS's own; the service `""` stands for all.
    """

    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    container_credentials_uri: str = ""
    container_token: str = field(default="", repr=False)
    endpoints: tuple[tuple[str, str], ...] = ()

    def in_region_of(self, name: str) -> "AwsAccess":
        """The same in the region that an ARN names; a plain name leaves the region as it is."""
        return replace(self, region=name.split(":")[3]) if _ARN.match(name) else self

    def endpoint(self, service: str) -> str:
        """The address of a service, such as `secretsmanager`."""
        own = f"https://{service}.{self.region}.amazonaws.com{'.cn' if self.region.startswith('cn-') else ''}"
        given = dict(self.endpoints)
        return given.get(service) or given.get("") or own
