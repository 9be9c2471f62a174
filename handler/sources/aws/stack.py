"""Calls of CloudFormation for a custom resource, whose properties are a request."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handler.engine.aws.partitions import SUFFIXES
from handler.errors import InvalidRequest, UnknownEvent
from handler.model.message import Message, Rejected, StackCall
from handler.model.request import ApprovalRequest, DeletionRequest, Request, SweepRequest
from handler.sources.parsing import message_of, valid
from handler.sources.schema import read_request

NEVER_CREATED = "image-reaper/never-created"
"""The physical id of a resource whose creation failed. CloudFormation then deletes it, which must delete no image."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_LABELS = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
_PARTITIONS = "|".join(map(re.escape, SUFFIXES.values()))
# To the letter, and before anything else reads the address: no name and password, no other port, no dot at the end.
_OF_AWS = re.compile(rf"https://{_LABELS}(?:{_PARTITIONS})(?::443)?[/?][!-~]*", re.ASCII | re.IGNORECASE)
_OF_THIS_MACHINE = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?[/?][!-~]*", re.ASCII)


class StackEvent(BaseModel):
    """A call of CloudFormation for a custom resource."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    resource_properties: dict[str, Any] = Field(default_factory=dict, alias="ResourceProperties")


def is_stack_event(event: object) -> bool:
    """Whether CloudFormation waits for an answer to this event."""
    return isinstance(event, dict) and "RequestType" in event and isinstance(event.get("ResponseURL"), str)


def read_stack_call(event: Mapping[str, Any], *, answers_here: bool) -> StackCall:
    """Read what an answer to CloudFormation needs, even from an event that is otherwise wrong.

    Raises UnknownEvent if the answer would not go to AWS. Addresses of this machine are taken if `answers_here`.
    """
    call = StackCall(
        response_url=_text(event, "ResponseURL"),
        stack_id=_text(event, "StackId"),
        request_id=_text(event, "RequestId"),
        logical_resource_id=_text(event, "LogicalResourceId"),
        physical_resource_id=_text(event, "PhysicalResourceId"),
        is_delete=event.get("RequestType") == "Delete",
    )
    address = call.response_url
    if _OF_AWS.fullmatch(address) or (answers_here and _OF_THIS_MACHINE.fullmatch(address)):
        return call
    message = f"ResponseURL: {_public_part(address)} is no https address of AWS"
    raise UnknownEvent(message)


def is_never_created(call: StackCall) -> bool:
    """Whether CloudFormation deletes a resource whose creation this function has never confirmed."""
    # CloudFormation makes up an id of its own where a creation was not answered, and deletes by it: images of a stack
    # that has never been would go.
    given = f"image-reaper/{call.logical_resource_id}/"
    is_ours = call.logical_resource_id and call.physical_resource_id.startswith(given)
    return call.is_delete and not (is_ours and len(call.physical_resource_id) > len(given))


def physical_id(call: StackCall, *, failed: bool) -> str:
    """The id of a resource, which stays the same from its creation on."""
    # If it changed, CloudFormation would take it for a replacement, and delete the old resource: its images.
    created = f"image-reaper/{call.logical_resource_id}/{call.request_id}"
    return call.physical_resource_id or (NEVER_CREATED if failed or call.is_delete else created)


def read_stack(event: Mapping[str, Any], call: StackCall) -> Message:
    """Read the request of a Delete. Anything else becomes the same request, less its images."""
    if is_never_created(call):
        return Message(DeletionRequest(targets=()))
    message = message_of(lambda: _request(event))
    if call.is_delete or isinstance(message.request, Rejected):
        return message
    # Everything else is checked already: what only failed at the Delete would leave a stack that can't be deleted.
    return message._replace(request=_without_images(message.request))


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _public_part(address: str) -> str:
    """What may be shown of an address: neither a name and password nor the query, which holds the signature."""
    # Up to the last @: a password may hold whatever begins a path or a query. Not by a regular expression, which would
    # begin anew at each slash of an address that is nothing but slashes.
    scheme, slashes, rest = address.partition("//")
    without_user = scheme + slashes + rest.rpartition("@")[2]
    return ascii(re.split(r"[?#]", without_user, maxsplit=1)[0][:200])[1:-1][:200]


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
    request = read_request({key: _typed(key, value) for key, value in given.items()})
    if isinstance(request, ApprovalRequest):
        # By the time that the stack is deleted, the plan would be too old.
        message = "approve: a stack can't approve a plan: name the images, or a sweep"
        raise InvalidRequest(message)
    # CloudFormation is told how its request ended, and nobody could say that of sweeps that others carry out.
    if isinstance(request, SweepRequest) and request.projects:
        message = "projects: is nothing for a stack: say project_id"
        raise InvalidRequest(message)
    return request


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
