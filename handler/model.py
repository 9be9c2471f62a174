"""The values that everything here is about: frozen, and knowing nothing of events, clouds or reports."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Source = Literal["queue", "topic", "schedule", "lifecycle", "stack", "direct"]
OutcomeName = Literal["deleted", "already_gone", "marked", "would_delete", "refused", "failed"]

EXPECTABLE = ("name", "owner", "checksum", "status", "updated_at", "size")
"""The attributes of an image that a request may expect to be unchanged."""

_AGE = re.compile(r"(\d{1,5})([hdw])")
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]+:")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(text: str) -> timedelta:
    """Read an age such as `12h`, `30d` or `2w`; anything else raises ValueError."""
    match = _AGE.fullmatch(text)
    if match is None:
        message = "must be a whole number of hours, days or weeks, such as 12h, 30d or 2w"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Target:
    """One image that a request names, and what the requester believes about it: pairs of attribute and value."""

    image_id: str
    expect: tuple[tuple[str, str | int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """An order to delete images. `dry_run` rehearses it; `project_id` is empty if the request names none."""

    targets: tuple[Target, ...]
    project_id: str = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One image of one request, and the queue's id of the message that asked for it."""

    target: Target
    request: DeletionRequest
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the cloud describes it; `record` is the whole description. `size` is in bytes, None if unknown."""

    id: str
    name: str | None
    owner: str | None
    status: str
    visibility: str
    protected: bool
    tags: frozenset[str]
    properties: frozenset[str]
    created_at: datetime | None
    updated_at: str | None
    size: int | None
    checksum: str | None
    record: Mapping[str, Any] = field(repr=False, hash=False)

    @property
    def may_be_shared(self) -> bool:
        """Whether other projects may have accepted the image, so that its members must be read."""
        return self.visibility != "private" or self.record.get("__imagetype") == "shared"

    @property
    def server_id(self) -> str:
        """The server that the image is a snapshot of, empty if it is none."""
        return str(self.record.get("instance_uuid") or "")

    @property
    def has_backup(self) -> bool:
        """Whether the image is a full-ECS image, whose backup outlives it unless it is deleted as well."""
        return str(self.record.get("__whole_image", "")).lower() == "true"


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules. An empty tag, or an empty tuple of name patterns, is no rule."""

    min_age: timedelta = timedelta(0)
    keep_tag: str = "keep"
    require_tag: str = ""
    allow_names: tuple[str, ...] = ()
    allow_shared: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image is not deleted: a reason of the contract, and a sentence for a person."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image of one request. `latency` is that of the DELETE, in milliseconds."""

    image_id: str
    outcome: OutcomeName
    reason: str = ""
    detail: str = ""
    name: str | None = None
    size: int | None = None
    latency: float | None = None
    backup_left: bool = False
    image: Image | None = field(default=None, repr=False)

    @property
    def failed(self) -> bool:
        """Whether the request must be looked at again."""
        return self.outcome == "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message: the outcomes of its request, or the problem that kept it from being carried out.

    A message is `held` back untouched after another of its group failed.
    """

    message_id: str
    request: DeletionRequest | None
    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""
    held: bool = False

    @property
    def failed(self) -> bool:
        """Whether the message must come again."""
        return self.held or bool(self.problem) or any(outcome.failed for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class StackCall:
    """What CloudFormation must be told about when its request is done."""

    response_url: str
    stack_id: str
    request_id: str
    logical_resource_id: str
    physical_resource_id: str


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """What Auto Scaling waits for before it goes on with an instance."""

    group: str
    hook: str
    token: str


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
