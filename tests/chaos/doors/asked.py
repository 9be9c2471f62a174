"""What an event asks for, read without a line of `handler`: the contract, to the letter."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.chaos.doors.policies import Images, chosen, is_policy, is_text, moment
from tests.fakecloud import DEMO

Json = Any
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
COMMON = {"project_id", "delete_backup", "dry_run", "reason", "not_after"}
FIELDS = {"image_ids", "images", *COMMON}
EXPECT = {
    **dict.fromkeys(["name", "owner", "checksum", "status", "updated_at", "visibility"], str),
    "size": int,
    "tags": list,
    "protected": bool,
}
DEEPEST = 100
"""Levels of what is read as JSON from a text."""


def strict(text: object) -> Json:
    """What a text holds, None unless it is JSON: no key twice in one object, no number that JSON does not know.

    None as well if it is nested deeper than any request: how deep a reader gets hangs on where it stands.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_none) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return None if _is_deep(found) else found


def _is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [item for holder in level for item in _inside(holder)]
    return bool(level)


def _inside(value: Json) -> Iterable[Json]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len({key for key, _ in pairs}) < len(pairs):
        message = "twice"
        raise ValueError(message)
    return dict(pairs)


def _none(constant: str) -> float:
    raise ValueError(constant)


def everywhere(value: Json) -> Iterator[dict[str, Json]]:
    """Every object inside a value, also those that stand in its texts as JSON. As deep as it goes: no recursion."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and found.lstrip()[:1] in {"{", "["}:
            waiting.append(strict(found))
        elif isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            yield found
            is_call = "RequestType" in found and isinstance(found.get("ResponseURL"), str)
            waiting += _properties(found) if is_call else found.values()


def _properties(call: Mapping[str, Json]) -> list[Json]:
    """The request in a call of CloudFormation that deletes what we created, with its types given back."""
    logical, physical, given = (
        call.get(key) for key in ("LogicalResourceId", "PhysicalResourceId", "ResourceProperties")
    )
    ours = isinstance(physical, str) and physical.startswith(f"image-reaper/{logical}/") and logical
    if call["RequestType"] != "Delete" or not ours or not isinstance(given, dict):
        return []
    return [{key: _typed(key, item) for key, item in given.items() if key not in {"ServiceToken", "ServiceTimeout"}}]


def _typed(key: str, value: Json, depth: int = 6) -> Json:
    if isinstance(value, dict) and depth:
        return {name: item if key == "properties" else _typed(name, item, depth - 1) for name, item in value.items()}
    if isinstance(value, list) and depth:
        return [_typed("", item, depth - 1) for item in value]
    if not isinstance(value, str):
        return value
    if key in {"dry_run", "delete_backup", "deactivate", "protected"}:
        return {"true": True, "false": False}.get(value, value)
    if key in {"size", "size_over", "limit", "newest"} and re.fullmatch("[0-9]{1,18}", value):
        return int(value)
    is_share = key == "limit_percent" and re.fullmatch(r"[0-9]{1,18}|[0-9]{0,17}\.[0-9]{0,17}", value)
    return float(value) if is_share and value != "." else value


def is_request(value: Json) -> bool:
    """Whether this is a request to the letter, of any kind, be it a rehearsal."""
    if not isinstance(value, dict):
        return False
    if "sweep" in value:
        return not value.keys() - {"sweep", *COMMON} and _is_ordered(value) and is_policy(value["sweep"])
    if value.keys() - FIELDS or (value.get("image_ids") is None) == (value.get("images") is None):
        return False
    return all(_is_image(image) for image in listed(value)) and _is_ordered(value)


def is_armed(request: Mapping[str, Json]) -> bool:
    """Whether a request may delete at all: no rehearsal, not expired, for this project and this image API."""
    end = moment(request.get("not_after", "9999-12-30T00:00:00Z"))
    return (
        request.get("dry_run", False) is False
        and request.get("delete_backup", False) is False
        and request.get("project_id", "") in ("", DEMO)
        and end is not None
        and end > datetime.now(UTC)
    )


def is_valid(request: Json) -> bool:
    """Whether this is a deletion request to the letter, for this project, and no rehearsal."""
    return is_request(request) and "sweep" not in request and is_armed(request)


def asked_for(value: Json) -> set[str]:
    """The images of every valid request that stands anywhere in an event, also as JSON in a string."""
    return {str(image["id"]) for found in everywhere(value) if is_valid(found) for image in listed(found)}


def swept(value: Json, images: Images) -> set[str]:
    """The images that the sweeps in an event select, and do not keep; a sweep with grace deletes none at once."""
    sweeps = [found for found in everywhere(value) if "sweep" in found and is_request(found) and is_armed(found)]
    return set().union(*(chosen(found["sweep"], images) for found in sweeps))


def listed(request: Mapping[str, Json]) -> list[Json]:
    """The images of a deletion request, as objects; one that is no image if there are none."""
    found = request.get("image_ids") if request.get("image_ids") is not None else request.get("images")
    if isinstance(found, list) and 0 < len(found) <= 1000:
        return [{"id": item} for item in found] if request.get("image_ids") is not None else found
    return [None]


def _is_ordered(request: Mapping[str, Json]) -> bool:
    project, reason = request.get("project_id", ""), request.get("reason", "")
    return (
        type(request.get("dry_run", False)) is bool
        and type(request.get("delete_backup", False)) is bool
        and type(reason) is str
        and len(reason) <= 256
        and is_text(reason)
        and ("project_id" not in request or re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(project)) is not None)
        and ("not_after" not in request or moment(request["not_after"]) is not None)
    )


def _is_image(image: Json) -> bool:
    if not isinstance(image, dict) or image.keys() - {"id", "expect"}:
        return False
    expect = image.get("expect", {})
    return (
        isinstance(image.get("id"), str)
        and UUID.fullmatch(image["id"]) is not None
        and isinstance(expect, dict)
        and all(key in EXPECT and (item is None or type(item) is EXPECT[key]) for key, item in expect.items())
        and all(isinstance(tag, str) for tag in expect.get("tags") or ())
    )
