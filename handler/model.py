"""The values that everything here is about: frozen, and knowing nothing of events, clouds or reports.

A value is a NamedTuple, which a cold start loads in an eighth of the time of a frozen dataclass; it is a dataclass only
where its description must not show all of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

Source = Literal["queue", "topic", "schedule", "lifecycle", "stack", "direct"]
Also = Literal["snapshots", "volumes", "scaling", "images"]
"""What may use an image besides a server made from it.

The server that it is a snapshot of, a volume made from it, a scaling configuration that names it, an image derived
from it.
"""

OutcomeName = Literal["deleted", "already_gone", "marked", "would_delete", "refused", "failed"]

EXPECTABLE = ("name", "owner", "checksum", "status", "updated_at", "size")
"""The attributes of an image that a request may expect to be unchanged."""

MOST_IMAGES = 1000
"""Images that one request may name."""

_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(text: object) -> timedelta:
    """Read an age such as `12h`, `30d` or `2w`; anything else raises ValueError."""
    match = _AGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        message = "must be a whole number of hours, days or weeks, such as 12h, 30d or 2w"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


class Target(NamedTuple):
    """One image that a request names, and what the requester believes about it: pairs of attribute and value."""

    image_id: str
    expect: tuple[tuple[str, str | int | None], ...] = ()


class DeletionRequest(NamedTuple):
    """An order to delete images. `dry_run` rehearses it; `project_id` is empty if the request names none."""

    targets: tuple[Target, ...]
    project_id: str = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: str = ""


class Select(NamedTuple):
    """Which images a sweep is about: all that is given must hold. `name` is a glob, `size_over` is in bytes."""

    name: str = ""
    tags: frozenset[str] = frozenset()
    properties: tuple[tuple[str, str], ...] = ()
    status: str = ""
    older_than: timedelta | None = None
    created_before: datetime | None = None
    size_over: int | None = None


class Keep(NamedTuple):
    """Which of the images stay although they are selected: the newest of each group."""

    newest: int
    group_by: str = "name"


class SweepRequest(NamedTuple):
    """An order to delete what a policy selects; where there is `grace`, to mark it first.

    `limit` and `limit_percent` bound what one run may delete or mark; if more is due, it does nothing.
    """

    select: Select
    keep: Keep | None = None
    limit: int = 25
    limit_percent: float = 50
    grace: timedelta = timedelta(0)
    deactivate: bool = False
    project_id: str = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: str = ""


Request = DeletionRequest | SweepRequest


class Job(NamedTuple):
    """One image of one request, and the queue's id of the message that asked for it.

    A `lapsed` image is one that an earlier sweep marked and that is not selected any more.
    """

    target: Target
    request: Request
    message_id: str = ""
    lapsed: bool = False

    @property
    def sweep(self) -> SweepRequest | None:
        """The sweep that chose the image, if one did."""
        return self.request if isinstance(self.request, SweepRequest) else None


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

    def expectation(self) -> dict[str, Any]:
        """The image as a request names it that shall delete it only as it is now."""
        return {"id": self.id, "expect": {key: getattr(self, key) for key in EXPECTABLE}}

    def without_record(self) -> "Image":
        """The image in as little memory as it can be remembered in."""
        return replace(self, properties=frozenset(), record={})

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


class Policy(NamedTuple):
    """The operator's rules. An empty tag, or an empty tuple of name patterns, is no rule."""

    min_age: timedelta = timedelta(0)
    keep_tag: str = "keep"
    require_tag: str = ""
    allow_names: tuple[str, ...] = ()
    allow_shared: bool = False


class Refusal(NamedTuple):
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


class Decision(NamedTuple):
    """What a policy makes of one image: why it stays, or None if it is selected; its record is gone then.

    `groups` are those of which the policy keeps the newest, if it keeps any.
    """

    image: Image
    objection: Refusal | None
    groups: tuple[str, ...] = ()


class Survey(NamedTuple):
    """What a sweep found: how many images there are, which are selected, and how many stay for which reason.

    `lapsed` are images that bear this sweep's mark and are not selected any more.
    """

    looked_at: int = 0
    selected: tuple[Image, ...] = ()
    lapsed: tuple[Image, ...] = ()
    stay: tuple[tuple[str, int], ...] = ()


class Result(NamedTuple):
    """What became of one message: the outcomes of its request, or the problem that kept it from being carried out.

    A message is `held` back untouched after another of its group failed.
    """

    message_id: str
    request: Request | None
    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""
    held: bool = False
    survey: Survey | None = None

    @property
    def failed(self) -> bool:
        """Whether the message must come again."""
        return self.held or bool(self.problem) or any(outcome.failed for outcome in self.outcomes)
