"""Calls of CloudFormation for a custom resource, whose properties are a request."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handler.model.message import Message, Rejected, StackCall
from handler.model.request import DeletionRequest, Request
from handler.sources.bus import StandingRequests
from handler.sources.parsing import message_of, valid
from handler.sources.schema import read_request

NEVER_CREATED = "image-reaper/never-created"
"""The physical id of a resource whose creation failed. CloudFormation then deletes it, which must delete no image."""
_NUMBER = re.compile(r"[0-9]{1,18}")


class StackEvent(BaseModel):
    """A call of CloudFormation for a custom resource."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    resource_properties: dict[str, Any] = Field(default_factory=dict, alias="ResourceProperties")


def is_stack_event(event: object) -> bool:
    """Whether CloudFormation waits for an answer to this event."""
    return isinstance(event, dict) and "RequestType" in event and isinstance(event.get("ResponseURL"), str)


def read_stack_call(event: Mapping[str, Any]) -> StackCall:
    """Read what an answer to CloudFormation needs, even from an event that is otherwise wrong."""
    return StackCall(
        response_url=str(event.get("ResponseURL") or ""),
        stack_id=str(event.get("StackId") or ""),
        request_id=str(event.get("RequestId") or ""),
        logical_resource_id=str(event.get("LogicalResourceId") or ""),
        physical_resource_id=str(event.get("PhysicalResourceId") or ""),
    )


def physical_id(call: StackCall, *, failed: bool) -> str:
    """The id of a resource, which stays the same from its creation on."""
    # If it changed, CloudFormation would take it for a replacement, and delete the old resource: its images.
    created = NEVER_CREATED if failed else f"image-reaper/{call.logical_resource_id}/{call.request_id}"
    return call.physical_resource_id or created


def read_stack(event: Mapping[str, Any], _standing: StandingRequests) -> tuple[Message, ...]:
    """Read the request of a Delete. A Create or Update becomes the same request, less its images."""
    if event.get("PhysicalResourceId") == NEVER_CREATED:
        return ()
    message = message_of(lambda: _request(event))
    if event.get("RequestType") == "Delete" or isinstance(message.request, Rejected):
        return (message,)
    # Everything else is checked already: what only failed at the Delete would leave a stack that can't be deleted.
    return (message._replace(request=_without_images(message.request)),)


def _without_images(request: Request) -> DeletionRequest:
    return DeletionRequest(
        targets=(),
        project_id=request.project_id,
        delete_backup=request.delete_backup,
        dry_run=request.dry_run,
        reason=request.reason,
    )


def _request(event: Mapping[str, Any]) -> Request:
    properties = valid(StackEvent, event).resource_properties
    # CloudFormation passes its own two properties on together with ours.
    given = {key: value for key, value in properties.items() if key not in {"ServiceToken", "ServiceTimeout"}}
    return read_request({key: _typed(key, value) for key, value in given.items()})


def _typed(key: str, value: object, depth: int = 4) -> object:
    """Give a property its type back: CloudFormation turns every value into a string.

    No request is nested deeper than `depth`; what is, stays as it is, and the schema turns it down.
    """
    if key in {"delete_backup", "dry_run", "deactivate", "protected"} and value in ("true", "false"):
        return value == "true"
    if key in {"size", "size_over", "limit", "newest"} and isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if key == "limit_percent" and isinstance(value, str) and _NUMBER.fullmatch(value.replace(".", "", 1)):
        return float(value)
    # The properties of images are strings in the cloud as well, even where they are named `limit`.
    if isinstance(value, dict) and depth and key != "properties":
        return {k: _typed(k, v, depth - 1) for k, v in value.items()}
    if isinstance(value, list) and depth:
        return [_typed("", item, depth - 1) for item in value]
    return value
