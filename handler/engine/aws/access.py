"""How AWS is reached, and how it names its tables and queues. Values, without HTTP."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from handler.engine.aws.partitions import suffix_of

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]+:")
ENDPOINTS = {
    "": "AWS_ENDPOINT_URL",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "autoscaling": "AWS_ENDPOINT_URL_AUTO_SCALING",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "sqs": "AWS_ENDPOINT_URL_SQS",
    "s3": "AWS_ENDPOINT_URL_S3",
    "sns": "AWS_ENDPOINT_URL_SNS",
}
"""The variables that name an address of a service, or of all others."""
TABLE_NAME = r"^(arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]+:table/)?[A-Za-z0-9_.-]{3,255}$"
"""A name or an ARN that DynamoDB takes for a table. Source: DynamoDB developer guide, "Naming rules"."""
BUCKET_NAME = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
"""A name of a bucket, for S3 and for OBS. Source: Amazon S3 user guide, "General purpose bucket naming rules"."""


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
        return self.given_endpoint(service) or f"https://{service}.{self.region}.{suffix_of(self.region)}"

    def given_endpoint(self, service: str) -> str:
        """The address of a service that wins over AWS's own, empty if there is none."""
        given = dict(self.endpoints)
        return given.get(service) or given.get("", "")


def access_from(given: Mapping[str, str]) -> AwsAccess:
    """AWS's own variables, as its SDKs understand them."""
    return AwsAccess(
        region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION", ""),
        access_key_id=given.get("AWS_ACCESS_KEY_ID", ""),
        secret_access_key=given.get("AWS_SECRET_ACCESS_KEY", ""),
        session_token=given.get("AWS_SESSION_TOKEN", ""),
        container_credentials_uri=given.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""),
        container_token=given.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""),
        endpoints=tuple((service, given[name]) for service, name in ENDPOINTS.items() if name in given),
    )


def check_queue(url: str) -> str:
    """Return the address of a queue as it is; raises ValueError for any other address, and for a FIFO queue."""
    parts = urlsplit(url)
    if not parts.path.strip("/") or parts.query or parts.fragment:
        message = "must be the address of a queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/name"
        raise ValueError(message)
    if parts.path.rstrip("/").endswith(".fifo"):
        message = "must not be a FIFO queue: one message that fails would hold back all that come after it"
        raise ValueError(message)
    return url
