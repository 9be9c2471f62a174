"""The schema of a sweep's policy: what it selects, what it keeps, and how much one run may change."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from handler.model.history import LONGEST_MEMORY, Unused
from handler.model.request import Select, parse_age
from handler.rules.safety import ABANDONED_AFTER, UNFINISHED
from handler.sources.parsing import Strict


def read_moment(text: object) -> datetime:
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


def _within_memory(age: timedelta) -> timedelta:
    if age > LONGEST_MEMORY:
        message = f"must be at most {LONGEST_MEMORY.days}d: what was in use is not remembered for longer"
        raise ValueError(message)
    return age


Age = Annotated[timedelta, BeforeValidator(parse_age)]
Text = Annotated[str, Field(min_length=1, max_length=255)]


class Selection(Strict):
    """The conditions that an image must meet to be swept; at least one must be given."""

    name: Text | None = None
    tags: Annotated[list[Text], Field(min_length=1)] | None = None
    properties: Annotated[dict[Text, str], Field(min_length=1)] | None = None
    status: Literal["active", "deactivated", "killed", "queued", "saving", "uploading", "importing"] | None = None
    older_than: Annotated[Age, AfterValidator(_some_time)] | None = None
    created_before: Annotated[datetime, BeforeValidator(read_moment)] | None = None
    size_over: Annotated[int, Field(ge=0)] | None = None
    family: Text | None = None
    unused_for: Annotated[Age, AfterValidator(_some_time), AfterValidator(_within_memory)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        # No conditions would mean every image of the project.
        if all(getattr(self, field) is None for field in type(self).model_fields):
            message = "at least one condition must be given"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _can_be_deleted(self) -> Self:
        if self.status in UNFINISHED and (self.older_than is None or self.older_than < ABANDONED_AFTER):
            message = f"status: {self.status} needs older_than of at least 1d: a younger upload may still be going on"
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
            family=self.family or "",
            unused_for=Unused(self.unused_for) if self.unused_for else None,
        )


class Kept(Strict):
    """Which of the selected images stay: the newest of each group."""

    newest: Annotated[int, Field(ge=1)]
    group_by: Annotated[str, Field(pattern=r"^(name|property:.{1,255}|tag-prefix:.{1,255})$")] = "name"


class Sweep(Strict):
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
