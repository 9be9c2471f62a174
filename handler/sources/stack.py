"""The calls of CloudFormation for a custom resource, whose properties are a request."""

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
"""The physical id of a resource whose creation failed: deleting it, as CloudFormation will, deletes no image."""
_NUMBER = re.compile(r"[0-9]{1,18}")


class StackEvent(BaseModel):
    """A call of CloudFormation's for a custom resource."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    resource_properties: dict[str, Any] = Field(default_factory=dict, alias="ResourceProperties")


def is_stack_event(event: object) -> bool:
    """Whether CloudFormation waits for an answer to this event."""
    return isinstance(event, dict) and "RequestType" in event and isinstance(event.get("ResponseURL"), str)


def read_stack_call(event: Mapping[str, Any]) -> StackCall:
    """Read what is needed to answer CloudFormation, from an event that may otherwise be wrong."""
    return StackCall(
        response_url=str(event.get("ResponseURL") or ""),
        stack_id=str(event.get("StackId") or ""),
        request_id=str(event.get("RequestId") or ""),
        logical_resource_id=str(event.get("LogicalResourceId") or ""),
        physical_resource_id=str(event.get("PhysicalResourceId") or ""),
    )


def physical_id(call: StackCall, *, failed: bool) -> str:
    """The id that a resource has from its creation on. If it changed, CloudFormation would delete the old resource."""
    created = NEVER_CREATED if failed else f"image-reaper/{call.logical_resource_id}/{call.request_id}"
    return call.physical_resource_id or created


def read_stack(event: Mapping[str, Any], _standing: StandingRequests) -> tuple[Message, ...]:
    """Read the request of a deletion. Any other call gets it without its images: so what is wrong fails early."""
    if event.get("PhysicalResourceId") == NEVER_CREATED:
        return ()
    message = message_of(lambda: _request(event))
    if event.get("RequestType") == "Delete" or isinstance(message.request, Rejected):
        return (message,)
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
    given = {key: value for key, value in properties.items() if key not in {"ServiceToken", "ServiceTimeout"}}
    return read_request({key: _typed(key, value) for key, value in given.items()})


def _typed(key: str, value: object, depth: int = 4) -> object:
    """Give a property its type back: CloudFormation makes a string of every value. No request is nested deeper."""
    if key in {"delete_backup", "dry_run", "deactivate"} and value in ("true", "false"):
        return value == "true"
    if key in {"size", "size_over", "limit", "newest"} and isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if key == "limit_percent" and isinstance(value, str) and _NUMBER.fullmatch(value.replace(".", "", 1)):
        return float(value)
    if isinstance(value, dict) and depth and key != "properties":  # those are texts in the cloud as well
        return {k: _typed(k, v, depth - 1) for k, v in value.items()}
    if isinstance(value, list) and depth:
        return [_typed("", item, depth - 1) for item in value]
    return value
