"""The plans of a rehearsal: requests that delete exactly what was rehearsed, each small enough to be sent. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from handler.model.image import Image
from handler.model.masking import masked_all
from handler.model.outcome import Result
from handler.model.request import MOST_IMAGES, earliest

LARGEST_PLAN = 190_000
"""Bytes of a plan as JSON in ASCII: it fits into a line of the log, and with room to spare into a message of SQS."""


def plans_of(results: Sequence[Result], project_id: str, not_after: datetime) -> list[dict[str, Any]]:
    """The plans of what was rehearsed, in its order, good until `not_after`; none if nothing would go."""
    goes = (outcome for result in results for outcome in result.outcomes if outcome.outcome == "would_delete")
    rehearsed = [outcome.image for outcome in goes if outcome.image and not outcome.waits]
    # Each once, even if several requests have named it, and none that no request can name: a plan must be accepted as a
    # request.
    images = {image.id: image for image in rehearsed if image.can_be_named}.values()
    fields = _fields(results, project_id, not_after)
    room = LARGEST_PLAN - _length({"images": [], **fields})
    return [{"images": named, **fields} for named in _packed([_expectation(image) for image in images], room)]


def _fields(results: Sequence[Result], project_id: str, not_after: datetime) -> dict[str, Any]:
    """What all plans say beside their images."""
    requests = [result.request for result in results if result.request]
    fields: dict[str, Any] = {
        "project_id": project_id,
        "not_after": earliest(not_after, requests).isoformat(timespec="seconds"),
    }
    # One request that leaves backups is enough for the plan to leave them all: it must not delete more than asked.
    if requests and all(request.delete_backup for request in requests):
        fields["delete_backup"] = True
    if requests and requests[0].reason:
        fields["reason"] = requests[0].reason
    return fields


def _packed(named: Sequence[Mapping[str, Any]], room: int) -> Iterator[list[Mapping[str, Any]]]:
    """Groups of images, as few as their order allows; an image that is too large for any is left out."""
    group: list[Mapping[str, Any]] = []
    taken = 0
    for each in named:
        size = _length(each) + len(", ")
        if size > room:
            continue
        if group and (len(group) == MOST_IMAGES or taken + size > room):
            yield group
            group, taken = [], 0
        group.append(each)
        taken += size
    if group:
        yield group


def _length(value: object) -> int:
    return len(json.dumps(value))


def _expectation(image: Image) -> dict[str, Any]:
    """The image as a plan names it, without an attribute that holds a secret: masked, it could only be a difference."""
    named = image.expectation()
    return named | {"expect": {key: value for key, value in named["expect"].items() if masked_all(value) == value}}
