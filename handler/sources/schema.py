"""The schema of a request: which fields there are, and what they may hold. A sweep's policy has its own."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from handler.model.image import UUID
from handler.model.request import (
    LONGEST_REASON,
    MOST_IMAGES,
    MOST_PROJECTS,
    ApprovalRequest,
    DeletionRequest,
    Expected,
    Keep,
    Request,
    SweepRequest,
    Target,
    parse_plan_key,
)
from handler.sources.parsing import Strict, valid
from handler.sources.policies import Sweep, read_moment

ImageId = Annotated[str, Field(pattern=f"^{UUID}$")]
ProjectId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Expect(Strict):
    """What the requester believes about an image; only the fields that are given are compared."""

    name: str | None = None
    owner: str | None = None
    checksum: str | None = None
    status: str | None = None
    updated_at: str | None = None
    size: int | None = None
    tags: list[str] | None = None
    protected: bool | None = None
    visibility: str | None = None

    def pairs(self) -> Iterator[tuple[str, Expected]]:
        """Each expectation that is given, in the order of its name."""
        # Fields that were set, not fields that have a value: null is an expectation, too.
        for field in sorted(self.model_fields_set):
            value = getattr(self, field)
            yield field, frozenset(value) if isinstance(value, list) else value


class NamedImage(Strict):
    """An image with preconditions."""

    id: ImageId
    expect: Expect = Field(default_factory=Expect)  # made when it is needed, as its model is

    def target(self) -> Target:
        """The image as a value of the model."""
        return Target(self.id, tuple(self.expect.pairs()))


class _AnyOrder(Strict):
    """The fields that every kind of request may have."""

    project_id: ProjectId = ""
    dry_run: bool = False
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    # Null is refused like anything else that is no time: what was to have an end must not lose it.
    not_after: Annotated[datetime | None, BeforeValidator(read_moment)] = None


class _Order(_AnyOrder):
    """The fields of every kind of request that says how images are deleted."""

    delete_backup: bool = False


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


class SweepOrder(_Order):
    """The sweep request. Source: this project's contract with those who send requests."""

    sweep: Sweep
    # Null is refused: a sweep of many projects must not become one of whichever the credentials are for.
    projects: Annotated[list[ProjectId], Field(min_length=1, max_length=MOST_PROJECTS)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_projects_once(self) -> Self:
        if self.projects and self.project_id:
            message = "at most one of projects and project_id may be given"
            raise ValueError(message)
        # A project that is swept twice at once may be deleted from twice: each sweep has caps of its own.
        if self.projects and len(set(self.projects)) < len(self.projects):
            message = "projects: one project is named twice"
            raise ValueError(message)
        return self


def _key(text: str) -> str:
    parse_plan_key(text)
    return text


class Approved(Strict):
    """A plan that was reviewed: where it lies, and the digest of its file."""

    plan: Annotated[str, AfterValidator(_key)]
    sha256: str

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        # Named twice, so that neither a key that was cut short nor a digest of something else passes.
        if self.sha256 != parse_plan_key(self.plan).sha256:
            message = (
                "sha256: must be the digest in the name of the plan's file, 64 hexadecimal digits in small letters"
            )
            raise ValueError(message)
        return self


class ApprovalOrder(_AnyOrder):
    """The approval request. Source: this project's contract with those who send requests."""

    approve: Approved

    @model_validator(mode="after")
    def _is_of_the_project(self) -> Self:
        if self.project_id not in {"", of_plan := parse_plan_key(self.approve.plan).project_id}:
            message = f"project_id: the plan is one of project {of_plan}, not of {self.project_id}"
            raise ValueError(message)
        return self


SUBJECTS = frozenset({"image_ids", "images", "sweep", "approve"})
"""The fields that say what a request is about; each request has one of them."""
REQUEST_FIELDS = frozenset().union(*(order.model_fields for order in (Deletion, SweepOrder, ApprovalOrder)))
"""An object with any of these fields is taken for a request."""


def read_request(payload: Mapping[str, Any]) -> Request:
    """Read a request; raises InvalidRequest, naming each field that is wrong."""
    if "sweep" in payload:
        request = _sweep_request(valid(SweepOrder, payload))
        # As it was written: a condition that was lost on the way to the workers would select more.
        return request._replace(written=json.dumps(payload["sweep"])) if request.projects else request
    if "approve" in payload:
        return _approval_request(valid(ApprovalOrder, payload))
    return read_deletion(payload)


def read_deletion(payload: Mapping[str, Any]) -> DeletionRequest:
    """Read a request that names images; raises InvalidRequest like `read_request`."""
    given = valid(Deletion, payload)
    return DeletionRequest(
        targets=given.targets(),
        project_id=given.project_id,
        delete_backup=given.delete_backup,
        dry_run=given.dry_run,
        reason=given.reason,
        not_after=given.not_after,
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
        not_after=given.not_after,
        projects=tuple(given.projects),
    )


def _approval_request(given: ApprovalOrder) -> ApprovalRequest:
    return ApprovalRequest(
        plan=given.approve.plan,
        sha256=given.approve.sha256,
        project_id=parse_plan_key(given.approve.plan).project_id,
        dry_run=given.dry_run,
        reason=given.reason,
        not_after=given.not_after,
    )
