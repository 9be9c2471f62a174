"""JSON patch as Glance understands it: replace, add and remove of one attribute or property each."""

import copy
from typing import Any

from tests.fakecloud.errors import BadRequest, Conflict, Forbidden
from tests.fakecloud.records import ImageRecord

CHANGEABLE = frozenset(
    {"name", "protected", "tags", "visibility", "os_hidden", "min_ram", "min_disk", "disk_format", "container_format"}
)
READ_ONLY = frozenset(
    [
        "id",
        "status",
        "size",
        "virtual_size",
        "checksum",
        "created_at",
        "updated_at",
        "owner",
        "self",
        "file",
        "schema",
        "direct_url",
        "os_hash_algo",
        "os_hash_value",
    ]
)
VISIBILITIES = frozenset({"private", "shared", "community"})


def patched(image: ImageRecord, operations: object) -> ImageRecord:
    """A copy of the record with the operations carried out."""
    if not isinstance(operations, list):
        message = "Request body must be a JSON array of operation objects."
        raise BadRequest(message)
    changed = copy.deepcopy(image)
    for operation in operations:
        _apply(changed, operation)
    return changed


def _apply(image: ImageRecord, operation: object) -> None:
    if not isinstance(operation, dict) or operation.get("op") not in {"replace", "add", "remove"}:
        message = 'Operation objects must contain a valid "op" member naming the operation: add, remove, replace.'
        raise BadRequest(message)
    name = str(operation.get("path", "")).removeprefix("/").replace("~1", "/").replace("~0", "~")
    if name in READ_ONLY:
        message = f"Attribute '{name}' is read-only."
        raise Forbidden(message)
    if name in CHANGEABLE:
        _set_attribute(image, name, operation)
    else:
        _set_property(image, name, operation)


def _set_attribute(image: ImageRecord, name: str, operation: dict[str, Any]) -> None:
    if operation["op"] == "remove":
        message = f"Property {name} may not be removed."
        raise Forbidden(message)
    value = operation.get("value")
    if name == "visibility" and value not in VISIBILITIES:
        message = "You are not authorized to complete publicize_image action."
        raise Forbidden(message)
    wanted = {"protected": bool, "os_hidden": bool, "tags": list}.get(name)
    if wanted is not None and not isinstance(value, wanted):
        message = f"Provided object does not match schema 'image': {value!r} is not of type '{wanted.__name__}'"
        raise BadRequest(message)
    setattr(image, name, value)


def _set_property(image: ImageRecord, name: str, operation: dict[str, Any]) -> None:
    if operation["op"] != "add" and name not in image.properties:
        message = f"Property {name} does not exist."
        raise Conflict(message)
    if operation["op"] == "remove":
        del image.properties[name]
    else:
        image.properties[name] = operation.get("value")
