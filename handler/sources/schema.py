"""The schema of a request: which fields there are, and what they may hold."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from handler.model.request import MOST_IMAGES, DeletionRequest, Keep, Request, Select, SweepRequest, Target, parse_age
from handler.sources.parsing import valid

# Strictly as Glance writes it: to an id in upper case or without hyphens it answers 404, which would read as already
# gone although the image is there.
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

ImageId = Annotated[str, Field(pattern=_UUID)]


class _Strict(BaseModel):
    """A model that refuses unknown fields, and a value of the wrong type even if it could be converted."""

    # A precondition whose name is mistyped would otherwise protect nothing.
    # Built when first used: a cold start handles one kind of request, and the other models take five milliseconds.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Expect(_Strict):
    """What the requester believes about an image; only the fields that are given are compared."""

    name: str | None = None
    owner: str | None = None
    checksum: str | None = None
    status: str | None = None
    updated_at: str | None = None
    size: int | None = None


class NamedImage(_Strict):
    """An image with preconditions."""

    id: ImageId
    expect: Expect = Expect()

    def target(self) -> Target:
        """The image as a value of the model."""
        # Fields that were set, not fields that have a value: null is an expectation, too.
        return Target(
            self.id, tuple((field, getattr(self.expect, field)) for field in sorted(self.expect.model_fields_set))
        )


class _Order(_Strict):
    """The fields that every kind of request may have."""

    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: Annotated[str, Field(max_length=256)] = ""


class Deletion(_Order):
    """The deletion request. Source: this project's contract with those who send requests."""

    image_ids: Annotated[list[ImageId], Field(min_length=1, max_length=MOST_IMAGES)] | None = None
    images: Annotated[list[NamedImage], Field(min_length=1, max_length=MOST_IMAGES)] | None = None

    @model_validator(mode="after")
    def _names_images_once(self) -> Self:
        if (self.image_ids is None) == (self.images is None):
            message = "exactly one of image_ids and images must be given"
            raise ValueError(message)
        targets = self.targets()
        # Named twice alike, an image counts once. Which of two different expectations is meant can't be guessed.
        if len({target.image_id for target in targets}) < len(targets):
            message = "images: one image is named twice, with different expectations"
            raise ValueError(message)
        return self

    def targets(self) -> tuple[Target, ...]:
        """The images, each once, in the order in which they were first named."""
        plain = (Target(image_id) for image_id in self.image_ids or ())
        named = (image.target() for image in self.images or ())
        return tuple(dict.fromkeys((*plain, *named)))


def _moment(text: object) -> datetime:
    """Read a point in time in ISO 8601; without a zone it is in UTC."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None:
        message = "must be a time such as 2026-01-31T12:00:00Z (ISO 8601)"
        raise ValueError(message)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _some_time(age: timedelta) -> timedelta:
    if not age:
        message = "must be more than zero: every image is older than that"
        raise ValueError(message)
    return age


Age = Annotated[timedelta, BeforeValidator(parse_age)]
Text = Annotated[str, Field(min_length=1, max_length=255)]


class Selection(_Strict):
    """The conditions that an image must meet to be swept; at least one must be given."""

    name: Text | None = None
    tags: Annotated[list[Text], Field(min_length=1)] | None = None
    properties: Annotated[dict[Text, str], Field(min_length=1)] | None = None
    status: Literal["active", "deactivated", "killed", "queued", "saving", "uploading", "importing"] | None = None
    older_than: Annotated[Age, AfterValidator(_some_time)] | None = None
    created_before: Annotated[datetime, BeforeValidator(_moment)] | None = None
    size_over: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        # No conditions would mean every image of the project.
        if all(getattr(self, field) is None for field in type(self).model_fields):
            message = "at least one condition must be given"
            raise ValueError(message)
        return self

    def select(self) -> Select:
        """The conditions as a value of the model."""
        return Select(
            name=self.name or "",
            tags=frozenset(self.tags or ()),
            properties=tuple((self.properties or {}).items()),
            status=self.status or "",
            older_than=self.older_than,
            created_before=self.created_before,
            size_over=self.size_over,
        )


class Kept(_Strict):
    """Which of the selected images stay: the newest of each group."""

    newest: Annotated[int, Field(ge=1)]
    group_by: Annotated[str, Field(pattern=r"^(name|property:.{1,255}|tag-prefix:.{1,255})$")] = "name"


class Sweep(_Strict):
    """A policy: what it selects, what it keeps, and how many images one run may change."""

    select: Selection
    keep: Kept | None = None
    limit: Annotated[int, Field(ge=0)] = 25
    limit_percent: Annotated[float, Field(ge=0, le=100)] = 50
    grace: Age = timedelta(0)
    deactivate: bool = False

    @model_validator(mode="after")
    def _can_deactivate(self) -> Self:
        # Once deactivated, an image no longer has the status that it was selected by: the next run would unmark it.
        if self.deactivate and (not self.grace or self.select.status):
            message = "deactivate: needs grace, and can't be combined with select.status: it changes the status"
            raise ValueError(message)
        return self


class SweepOrder(_Order):
    """The sweep request. Source: this project's contract with those who send requests."""

    sweep: Sweep


SUBJECTS = frozenset({"image_ids", "images", "sweep"})
"""The fields that say what a request is about; each request has one of them."""
REQUEST_FIELDS = frozenset(Deletion.model_fields) | frozenset(SweepOrder.model_fields)
"""An object with any of these fields is taken for a request."""


def read_request(payload: Mapping[str, Any]) -> Request:
    """Read a request; raises InvalidRequest, naming each field that is wrong."""
    if "sweep" in payload:
        return _sweep_request(valid(SweepOrder, payload))
    given = valid(Deletion, payload)
    return DeletionRequest(
        targets=given.targets(),
        project_id=given.project_id,
        delete_backup=given.delete_backup,
        dry_run=given.dry_run,
        reason=given.reason,
    )


def _sweep_request(given: SweepOrder) -> SweepRequest:
    sweep = given.sweep
    return SweepRequest(
        select=sweep.select.select(),
        keep=Keep(sweep.keep.newest, sweep.keep.group_by) if sweep.keep else None,
        limit=sweep.limit,
        limit_percent=sweep.limit_percent,
        grace=sweep.grace,
        deactivate=sweep.deactivate,
        project_id=given.project_id,
        delete_backup=given.delete_backup,
        dry_run=given.dry_run,
        reason=given.reason,
    )
