"""The request as JSON: what it may say, and what is wrong with it if it says something else."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from aws_lambda_powertools.utilities.parser import ValidationError, parse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from handler.errors import InvalidRequest
from handler.model import DeletionRequest, Target

MOST_IMAGES = 1000
_MOST_PROBLEMS = 10
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

ImageId = Annotated[str, Field(pattern=_UUID)]
M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    """No unknown field, and no value of another type that merely looks like the right one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Expect(_Strict):
    """What the requester believes about an image; only what is given is compared."""

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
        """The image as the rest of the program knows it."""
        return Target(
            self.id, tuple((field, getattr(self.expect, field)) for field in sorted(self.expect.model_fields_set))
        )


class Deletion(_Strict):
    """The deletion request. Source: the project's contract with whoever sends requests."""

    image_ids: Annotated[list[ImageId], Field(min_length=1, max_length=MOST_IMAGES)] | None = None
    images: Annotated[list[NamedImage], Field(min_length=1, max_length=MOST_IMAGES)] | None = None
    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = ""
    delete_backup: bool = False
    dry_run: bool = False
    reason: Annotated[str, Field(max_length=256)] = ""

    @model_validator(mode="after")
    def _names_images_once(self) -> Self:
        if (self.image_ids is None) == (self.images is None):
            message = "exactly one of image_ids and images must be given"
            raise ValueError(message)
        targets = self.targets()
        if len({target.image_id for target in targets}) < len(targets):
            message = "images: one image is named twice, with different expectations"
            raise ValueError(message)
        return self

    def targets(self) -> tuple[Target, ...]:
        """The images, each once, in the order in which they were first named."""
        plain = (Target(image_id) for image_id in self.image_ids or ())
        named = (image.target() for image in self.images or ())
        return tuple(dict.fromkeys((*plain, *named)))


REQUEST_FIELDS = frozenset(Deletion.model_fields) | {"sweep"}
"""An object with any of these fields is meant as a request."""


def read_json(text: object, what: str) -> dict[str, Any]:
    """Read a JSON object, strictly: a key given twice, or a number that is none, is an error.

    Raises InvalidRequest, which calls the text `what`.
    """
    if not isinstance(text, str):
        message = f"{what}: must be a string that holds JSON"
        raise InvalidRequest(message)
    try:
        payload = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        message = f"{what}: {exc if type(exc) is ValueError else 'not JSON'}"
        raise InvalidRequest(message) from exc
    if not isinstance(payload, dict):
        message = f"{what}: must be a JSON object"
        raise InvalidRequest(message)
    return payload


def read_request(payload: Mapping[str, Any]) -> DeletionRequest:
    """Read a request; raises InvalidRequest, naming each field that is wrong."""
    if "sweep" in payload:
        message = "sweep: not supported yet"
        raise InvalidRequest(message)
    given = valid(Deletion, payload)
    return DeletionRequest(given.targets(), given.project_id, given.delete_backup, given.dry_run, given.reason)


def valid(model: type[M], payload: Mapping[str, Any]) -> M:
    """Parse with Powertools' parser; raises InvalidRequest, naming each field that is wrong."""
    try:
        return parse(event=dict(payload), model=model)
    except ValidationError as exc:
        problems = [_problem(error) for error in exc.errors(include_url=False, include_input=False)]
        more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        raise InvalidRequest("; ".join(problems[:_MOST_PROBLEMS] + more)) from None


def _problem(error: Mapping[str, Any]) -> str:
    """One line about one field: `image_ids[3]: must be ...`."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{ascii(part)[1:-1][:60]}" for part in error["loc"])
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = "unknown field"
    elif error["type"] == "string_pattern_mismatch" and "{8}" in error["ctx"]["pattern"]:
        what = "must be a UUID in lower case, with hyphens"
    return f"{where.lstrip('.')}: {what}" if where else what


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a key is given twice in one object"
        raise ValueError(message)
    return found


def _no_number(constant: str) -> float:
    message = f"{constant} is not JSON"
    raise ValueError(message)
