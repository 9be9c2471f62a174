"""IMS, the image service of Open Telekom Cloud, and the API gateway before it."""

import re
from dataclasses import replace

from tests.fakecloud import glance
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import (
    BadRequest,
    BadTag,
    CloudError,
    ImageBusy,
    ImageNotFound,
    ImageProtected,
    NoPermission,
    NotYourImage,
    PublicImage,
    RoleMissing,
    TooManyTags,
    Unauthorized,
    gateway_error,
    vendor_error,
)
from tests.fakecloud.records import ImageRecord
from tests.fakecloud.state import MOST_TAGS, CloudState
from tests.fakecloud.visit import Visit

UNREADABLE = vendor_error(400, "IMG.0016", "Error occurred when handling the request body.")
DELETED = Reply(204, {"Content-Type": "application/json"})
COOKIE = "HWWAFSESID=7e5c1733a1f2b0c8d9; path=/"
PLAIN_TAG = re.compile(r"[A-Za-z0-9_-]{1,255}")
LONGEST_KEY, LONGEST_VALUE = 36, 43
CODES: dict[type[CloudError], tuple[int, str, str]] = {
    ImageNotFound: (400, "IMG.0027", "The image ID does not exist."),
    ImageProtected: (400, "IMG.0028", "The image is protected and cannot be deleted."),
    ImageBusy: (400, "IMG.0090", "An image being created cannot be deleted."),
    PublicImage: (400, "IMG.0094", "A public image cannot be deleted."),
    NotYourImage: (400, "IMG.0092", "Only the image owner can perform this operation."),
    BadTag: (400, "IMG.0115", "The image tag is invalid."),
    TooManyTags: (400, "IMG.0116", "The number of image tags exceeds the quota."),
    RoleMissing: (403, "IMG.0026", "The role is invalid."),
}
FORBIDDEN = "IMG.0026"
"""What IMS says to keys whose policies do not allow a call. That it uses this code is a guess."""


def delete_image(visit: Visit) -> Reply:
    """Delete an image, and the backup of a full-ECS image if `delete_backup` says so."""
    with_backup = _delete_backup(visit.request)
    if with_backup is None:
        return UNREADABLE
    try:
        image = visit.state.delete_image(visit.caller, visit.args["image_id"], refuse_busy=True)
    except CloudError as exc:
        return _coded(exc)
    if with_backup and image.backup:
        visit.state.backups.discard(image.backup)
    return DELETED


def add_tag(visit: Visit) -> Reply:
    """Tag an image by the native call, which is documented for letters, digits, `_` and `-` only; see `plain_tags`."""
    if visit.state.plain_tags and not PLAIN_TAG.fullmatch(visit.args["tag"]):
        return vendor_error(*CODES[BadTag])
    try:
        return glance.add_tag(visit)
    except (BadTag, TooManyTags) as exc:
        return _coded(exc)


def list_keys(visit: Visit) -> Reply:
    """The tags of an image as IMS sees them: keys and values."""
    tags = _own_image(visit).tags
    parts = (tag.partition("=") for tag in tags)
    return json_reply({"tags": [{"key": key, "value": value} for key, _, value in parts]})


def set_key(visit: Visit) -> Reply:
    """Tag an image with a key and a value, in the place of the value that the key has."""
    key, value = _key_and_value(visit.request)
    if not is_tag(key, value):
        return vendor_error(*CODES[BadTag])
    image = _own_image(visit)
    if not any(key_of(tag) == key for tag in image.tags) and len(image.tags) >= MOST_TAGS["otc"]:
        return vendor_error(*CODES[TooManyTags])
    image.tags = [tag for tag in image.tags if key_of(tag) != key]
    visit.state.add_tag(visit.caller, image.id, f"{key}={value}")
    return glance.NOTHING


def remove_key(visit: Visit) -> Reply:
    """Take the tag with this key off."""
    image = _own_image(visit)
    tag = next((tag for tag in image.tags if key_of(tag) == visit.args["tag"]), "")
    visit.state.remove_tag(visit.caller, image.id, tag)
    return glance.NOTHING


def refuse(state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire: the gateway's for tokens, Glance's for the rest."""
    if isinstance(error, Unauthorized):
        return unauthenticated(state, request)
    if isinstance(error, NoPermission):
        return vendor_error(error.status, FORBIDDEN, error.message)
    return glance.refuse(state, request, error)


def unauthenticated(state: CloudState, request: Request) -> Reply:
    """What the gateway says to a token that is not there, not known, or not good any more."""
    token = request.headers.get("X-Auth-Token", "")
    if token in state.tokens:
        return gateway_error(request, 401, "APIGW.0307", "The token must be updated.")
    detail = "decrypt token fail" if token else "X-Auth-Token not found"
    return gateway_error(request, 401, "APIGW.0301", f"Incorrect IAM authentication information: {detail}")


def lost(request: Request, _allowed: str) -> Reply:
    """What the gateway says to any path or method that was not published in it."""
    message = "The API does not exist or has not been published in the environment"
    return gateway_error(request, 404, "APIGW.0101", message)


def finish(request: Request, reply: Reply) -> Reply:
    """Add what every answer carries: a cookie that the firewall before the gateway wants back."""
    passed = {"Server": "CloudWAF", "Set-Cookie": COOKIE, "X-Request-Id": request.request_id}
    return replace(reply, headers={**reply.headers, **passed})


def _own_image(visit: Visit) -> ImageRecord:
    if visit.args["project"] != visit.caller.project_id:
        message = "The project ID is incorrect."
        raise BadRequest(message)
    return visit.state.own_image(visit.caller, visit.args["image_id"], "modify_image")


def is_tag(key: str, value: str) -> bool:
    """Whether a tag may have this key and this value."""
    parts = ((key, LONGEST_KEY), (value, LONGEST_VALUE))
    return bool(key) and all(re.fullmatch(r"[A-Za-z0-9_-]*", part) and len(part) <= most for part, most in parts)


def key_of(tag: str) -> str:
    """The key of a tag: written `key=value`, or `key.value` by old IMS."""
    return re.split("[=.]", tag)[0]


def _key_and_value(request: Request) -> tuple[str, str]:
    """Key and value in the body; an empty key if they can't be read."""
    try:
        tag = request.json()["tag"]
        key, value = tag["key"], tag["value"]
    except (ValueError, KeyError, TypeError):
        return "", ""
    return (key, value) if isinstance(key, str) and isinstance(value, str) else ("", "")


def _coded(error: CloudError) -> Reply:
    known = next((row for kind, row in CODES.items() if isinstance(error, kind)), None)
    return vendor_error(*(known or (400, "IMG.0014", error.message)))


def _delete_backup(request: Request) -> bool | None:
    """Whether the backup shall go as well; None if the body can't be read."""
    if not request.body:
        return False
    try:
        payload = request.json()
    except ValueError:
        return None
    if not isinstance(payload, dict):
        return None
    wish = payload.get("delete_backup", False)
    return wish if isinstance(wish, bool) else None
