"""What is asked for, and by which source: the images of a request, the policy of a sweep, or a plan that is stored."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from handler.model.history import Unused

Source = Literal["queue", "topic", "schedule", "lifecycle", "stack", "direct"]

MOST_IMAGES = 1000
"""Images that one request may name."""
LONGEST_REASON = 256
"""Characters in which a request may say who or what asks."""
MOST_PROJECTS = 1000
"""Projects that one sweep may be sent to."""

_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
# No part of it may be empty, or `.` or `..`: the bucket would be asked for another file than the one that is named.
_PLAN_KEY = re.compile(
    r"runs/[0-9]{4}-[0-9]{2}-[0-9]{2}/([A-Za-z0-9_-]{1,64})/(?!\.{1,2}/)[A-Za-z0-9._-]{1,128}/plan-([0-9a-f]{64})\.json"
)


def parse_age(text: object) -> timedelta:
    """Read an age such as `12h`, `30d` or `2w`; anything else raises ValueError."""
    match = _AGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        message = "must be a whole number of hours, days or weeks, such as 12h, 30d or 2w"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


class PlanKey(NamedTuple):
    """What the key of a stored plan says: whose images it names, and the SHA-256 of its file in hexadecimal digits."""

    project_id: str
    sha256: str


def parse_plan_key(text: object) -> PlanKey:
    """Read the key under which a plan lies in the bucket; anything else raises ValueError."""
    match = _PLAN_KEY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        message = "must be the key of a plan: runs/<YYYY-MM-DD>/<project>/<request id>/plan-<64 hex digits>.json"
        raise ValueError(message)
    return PlanKey(*match.groups())


Expected = str | int | frozenset[str] | None
"""The value that a requester expects of an attribute; the tags of an image are a set."""


class Target(NamedTuple):
    """One image that a request names, and what the requester believes about it: pairs of attribute and value."""

    image_id: str
    expect: tuple[tuple[str, Expected], ...] = ()


class DeletionRequest(NamedTuple):
    """An order to delete images. `dry_run` rehearses it; `project_id` is empty if the request names none.

    After the moment `not_after`, if there is one, it deletes nothing any more. `activated` is the image that the
    request was made for: an event says that the image is active, or will be. Unless it is, nothing is done.
    """

    targets: tuple[Target, ...]
    project_id: str = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: str = ""
    not_after: datetime | None = None
    activated: Target | None = None


class Select(NamedTuple):
    """Which images a sweep is about: all that is given must hold.

    `name` is a glob, `size_over` is in bytes, and `family` is all of a name but its last part.
    """

    name: str = ""
    tags: frozenset[str] = frozenset()
    properties: tuple[tuple[str, str], ...] = ()
    status: str = ""
    older_than: timedelta | None = None
    created_before: datetime | None = None
    size_over: int | None = None
    family: str = ""
    unused_for: Unused | None = None


class Keep(NamedTuple):
    """Which of the selected images stay: the newest of each group."""

    newest: int
    group_by: str = "name"


class SweepRequest(NamedTuple):
    """An order to delete what a policy selects; with `grace`, to mark it first.

    `limit` and `limit_percent` are caps on what one run may delete or mark; if more is due, it does neither. With
    `projects`, it is not carried out here: each of them gets the sweep as it is `written`, as JSON. The other fields
    are those of a deletion request.
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
    not_after: datetime | None = None
    activated: Target | None = None
    projects: tuple[str, ...] = ()
    written: str = ""


class ApprovalRequest(NamedTuple):
    """An order to carry out the plan that lies in the bucket under a key, if its file has the digest `sha256`.

    The last fields are those of a deletion request. The project is that of the key; `delete_backup` is known, and
    `not_after` also that of the plan, once it was read.
    """

    plan: str
    sha256: str
    project_id: str
    delete_backup: bool = False
    dry_run: bool = False
    reason: str = ""
    not_after: datetime | None = None
    activated: Target | None = None


Request = DeletionRequest | SweepRequest | ApprovalRequest


def names_images(request: Request) -> bool:
    """Whether there may be an image with an outcome of its own."""
    return not isinstance(request, DeletionRequest) or bool(request.targets)


def earliest(moment: datetime, requests: Iterable[Request]) -> datetime:
    """The moment, or the one after which one of the requests deletes nothing any more, if that is earlier."""
    return min([moment, *(request.not_after for request in requests if request.not_after)])


class Job(NamedTuple):
    """One image of one request, and the queue's id of the message that asked for it.

    A `deselected` image is one that an earlier sweep marked and that is no longer selected.
    """

    target: Target
    request: Request
    message_id: str = ""
    deselected: bool = False

    @property
    def sweep(self) -> SweepRequest | None:
        """The sweep that chose the image, if one did."""
        return self.request if isinstance(self.request, SweepRequest) else None
