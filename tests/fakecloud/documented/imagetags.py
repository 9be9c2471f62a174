"""IMS's other calls for tags, its quota, and its own way to change an image.

Sources: IMS API reference, "Adding or Modifying a Tag", "Adding or Deleting Image Tags in Batches", "Querying Images by
Tag", "Querying All Image Tags", "Querying Tags", "Querying the Image Quota", "Updating Image Information".
"""

import re
from typing import Any

from tests.fakecloud import ims, wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import BadRequest, BadTag, TooManyTags, vendor_error
from tests.fakecloud.glance import NOTHING
from tests.fakecloud.patch import patched
from tests.fakecloud.records import ImageRecord
from tests.fakecloud.state import MOST_TAGS
from tests.fakecloud.visit import Visit

QUOTA, LEAST, MOST = 50, 0, 1000


def put_tag(visit: Visit) -> Reply:
    """Tag an image: by a string, `key.value` as old IMS has it, or by key and value."""
    body = _object(visit.request)
    pair = body.get("image_tag")
    if isinstance(pair, dict):
        key, value = str(pair.get("key", "")), str(pair.get("value", ""))
    else:
        key, _, value = str(body.get("tag", "")).partition(".")
    image = visit.state.own_image(visit.caller, str(body.get("image_id", "")), "modify_image")
    return _tagged(visit, image, {key: value})


def change_tags(visit: Visit) -> Reply:
    """Set several tags of an image, or take them off."""
    body = _object(visit.request)
    pairs = {str(tag["key"]): str(tag.get("value", "")) for tag in body.get("tags", [])}
    image = visit.state.own_image(visit.caller, visit.args["image_id"], "modify_image")
    if body.get("action") == "create":
        return _tagged(visit, image, pairs)
    image.tags = [tag for tag in image.tags if ims.key_of(tag) not in pairs]
    return NOTHING


def find_images(visit: Visit) -> Reply:
    """The images that bear these tags, or how many there are."""
    body = _object(visit.request)
    wanted = {tag["key"]: set(tag.get("values", [])) for tag in body.get("tags", [])}
    found = [image for image in _ours(visit) if _bears(image, wanted)]
    if body.get("action") == "count":
        return json_reply({"total_count": len(found)})
    start, limit = int(body.get("offset", "0")), int(body.get("limit", "10"))
    page = [_resource(image) for image in found[start : start + limit]]
    return json_reply({"resources": page, "total_count": len(found)})


def list_values(visit: Visit) -> Reply:
    """Every key that an image of the project bears, with all its values."""
    known: dict[str, list[str]] = {}
    for tag in (tag for image in _ours(visit) for tag in image.tags):
        key, value = _split(tag)
        known.setdefault(key, []).append(value)
    return json_reply({"tags": [{"key": key, "values": sorted(set(values))} for key, values in known.items()]})


def list_texts(visit: Visit) -> Reply:
    """Every tag of the project as a string."""
    return json_reply({"tags": sorted({tag for image in _ours(visit) for tag in image.tags})})


def show_quota(visit: Visit) -> Reply:
    """How many images the project may have."""
    used = sum(1 for _ in _ours(visit))
    return json_reply(
        {"quotas": {"resources": [{"type": "image", "used": used, "quota": QUOTA, "min": LEAST, "max": MOST}]}}
    )


def update_image(visit: Visit) -> Reply:
    """Change an image by JSON patch, whatever its Content-Type says."""
    image = visit.state.own_image(visit.caller, visit.args["image_id"], "modify_image")
    try:
        changes = visit.request.json()
    except ValueError:
        return ims.UNREADABLE
    return json_reply(wire.ims_image(visit.state.update_image(visit.caller, image.id, patched(image, changes))))


def _tagged(visit: Visit, image: ImageRecord, pairs: dict[str, str]) -> Reply:
    if not all(map(ims.is_tag, pairs, pairs.values())):
        return vendor_error(*ims.CODES[BadTag])
    kept = [tag for tag in image.tags if ims.key_of(tag) not in pairs]
    if len(kept) + len(pairs) > MOST_TAGS["otc"]:
        return vendor_error(*ims.CODES[TooManyTags])
    image.tags = kept
    for key, value in pairs.items():
        visit.state.add_tag(visit.caller, image.id, f"{key}={value}")
    return NOTHING


def _ours(visit: Visit) -> list[ImageRecord]:
    return [image for image in visit.state.images.values() if image.owner == visit.caller.project_id]


def _bears(image: ImageRecord, wanted: dict[str, set[str]]) -> bool:
    borne = dict(map(_split, image.tags))
    return all(key in borne and (not values or borne[key] in values) for key, values in wanted.items())


def _split(tag: str) -> tuple[str, str]:
    key, _, value = re.sub(r"^([^=.]*)\.", r"\1=", tag).partition("=")
    return key, value


def _resource(image: ImageRecord) -> dict[str, Any]:
    tags = [{"key": key, "value": value} for key, value in map(_split, image.tags)]
    told = {"resource_id": image.id, "resource_name": image.name, "resource_detail": {"status": image.status}}
    return {**told, "tags": tags}


def _object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        message = "Error occurred when handling the request body."
        raise BadRequest(message)
    return body
