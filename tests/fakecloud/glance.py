"""Glance: the image service. Each handler takes a visit and answers it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.fakecloud import listing, wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import (
    COULD_NOT_VERIFY,
    BadRequest,
    CloudError,
    NotFound,
    Unauthorized,
    UnsupportedMediaType,
    challenge,
    method_not_allowed,
    page,
)
from tests.fakecloud.patch import patched
from tests.fakecloud.records import ImageRecord
from tests.fakecloud.state import MEMBER_STATUSES, CloudState
from tests.fakecloud.visit import Visit

NOTHING = Reply(204, {"Content-Type": "text/html; charset=UTF-8"})
PATCH_TYPES = frozenset(f"application/openstack-images-v2.{minor}-json-patch" for minor in (0, 1))


def versions(visit: Visit) -> Reply:
    """The versions that the service speaks."""
    links = [{"rel": "self", "href": f"{visit.request.base}/image/v2/"}]
    known = [
        {"id": f"v2.{minor}", "status": "SUPPORTED" if minor != 18 else "CURRENT", "links": links}
        for minor in range(18, -1, -1)
    ]
    return json_reply({"versions": known}, 200 if visit.request.path.endswith("versions") else 300)


def list_images(visit: Visit) -> Reply:
    """A page of images. As with the real one, the links keep only the last of several `tag` parameters."""
    state, params = visit.state, visit.request.params
    images, full = listing.page_of(state, visit.caller, listing.read_query(params, visit.caller))
    kept = {name: value for name, value in params if name != "marker"}
    first = "/v2/images" + (f"?{urlencode(kept)}" if kept else "")
    payload: dict[str, Any] = {"images": [_body(visit, image) for image in images], "first": first}
    payload["schema"] = "/v2/schemas/images"
    if full:
        payload["next"] = f"/v2/images?{urlencode({**kept, 'marker': images[-1].id})}"
    return json_reply(payload)


def show_image(visit: Visit) -> Reply:
    """One image."""
    return json_reply(_body(visit, visit.state.show_image(visit.caller, visit.args["image_id"])))


def create_image(visit: Visit) -> Reply:
    """Take in a record without data."""
    fields = dict(_object(visit.request))
    caller = visit.caller
    known = {name: fields.pop(name) for name in CREATABLE if name in fields}
    image_id = known.pop("id", None) or visit.state.new_id()
    owner = caller.project_id or ""
    start = ImageRecord(image_id, None, owner, visibility="shared", status="queued", size=None, properties=fields)
    image = visit.state.create_image(caller, replace(start, **known))
    location = f"{visit.request.base}/image/v2/images/{image.id}"
    return json_reply(_body(visit, image), 201, {"Location": location, "OpenStack-image-store-ids": "fs"})


def upload_image(visit: Visit) -> Reply:
    """Take in the data of an image."""
    visit.state.upload_image(visit.caller, visit.args["image_id"], visit.request.body)
    return NOTHING


def download_image(visit: Visit) -> Reply:
    """Give out the data of an image."""
    image = visit.state.show_image(visit.caller, visit.args["image_id"])
    if image.status != "active":
        return NOTHING  # 204: there is none
    headers = {"Content-Type": "application/octet-stream", "Content-MD5": str(image.checksum)}
    return Reply(200, headers, image.data)


def update_image(visit: Visit) -> Reply:
    """Change a record by JSON patch."""
    kind = visit.request.headers.get("Content-Type", "").split(";")[0].strip()
    if kind not in PATCH_TYPES:
        raise UnsupportedMediaType(UNSUPPORTED)
    image_id = visit.args["image_id"]
    image = visit.state.own_image(visit.caller, image_id, "modify_image")
    changed = patched(image, _json(visit.request))
    return json_reply(_body(visit, visit.state.update_image(visit.caller, image_id, changed)))


def delete_image(visit: Visit) -> Reply:
    """Delete an image. Glance takes no body here, not even an empty object."""
    if visit.request.body:
        message = "A body is not expected with this request."
        raise BadRequest(message)
    if "\0" in visit.args["image_id"]:
        raise CloudError(ERRED)
    visit.state.delete_image(visit.caller, visit.args["image_id"])
    return NOTHING


def add_tag(visit: Visit) -> Reply:
    """Tag an image. As with the real one, each byte of a tag in an address is a letter, whatever was meant."""
    visit.state.add_tag(visit.caller, visit.args["image_id"], visit.args["tag"])
    return NOTHING


def remove_tag(visit: Visit) -> Reply:
    """Take a tag off."""
    visit.state.remove_tag(visit.caller, visit.args["image_id"], visit.args["tag"])
    return NOTHING


def deactivate(visit: Visit) -> Reply:
    """Make the data unavailable."""
    visit.state.set_active(visit.caller, visit.args["image_id"], active=False)
    return NOTHING


def reactivate(visit: Visit) -> Reply:
    """Make the data available again."""
    visit.state.set_active(visit.caller, visit.args["image_id"], active=True)
    return NOTHING


def list_members(visit: Visit) -> Reply:
    """Whom an image is shared with."""
    image, seen = visit.state.list_members(visit.caller, visit.args["image_id"])
    members = [wire.member(image, project) for project in seen]
    return json_reply({"members": members, "schema": "/v2/schemas/members"})


def show_member(visit: Visit) -> Reply:
    """One project that an image is shared with."""
    image, seen = visit.state.list_members(visit.caller, visit.args["image_id"])
    project = visit.args["member"]
    if project not in seen:
        message = f"{project} not found in the member list of the image {image.id}."
        raise NotFound(message)
    return json_reply(wire.member(image, project))


def add_member(visit: Visit) -> Reply:
    """Share an image."""
    project = _text_of(visit.request, "member")
    return json_reply(wire.member(visit.state.add_member(visit.caller, visit.args["image_id"], project), project))


def set_member_status(visit: Visit) -> Reply:
    """Accept or turn down a share."""
    image_id, project, status = visit.args["image_id"], visit.args["member"], _text_of(visit.request, "status")
    if status not in MEMBER_STATUSES:
        message = f"Member status is not valid: {status}"
        raise BadRequest(message)
    return json_reply(wire.member(visit.state.set_member_status(visit.caller, image_id, project, status), project))


def remove_member(visit: Visit) -> Reply:
    """End a share."""
    visit.state.remove_member(visit.caller, visit.args["image_id"], visit.args["member"])
    return NOTHING


def refuse(_state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire."""
    if isinstance(error, Unauthorized):
        return page(request, 401, COULD_NOT_VERIFY, challenge(request))
    return page(request, error.status, error.message)


def lost(request: Request, allowed: str) -> Reply:
    """Answer a path that does not exist, or not with this method."""
    if not allowed:
        return page(request, 404, "The resource could not be found.")
    reply = method_not_allowed(request, allowed)
    return replace(reply, body=b"") if request.method == "HEAD" else reply


def finish(request: Request, reply: Reply) -> Reply:
    """Add what every answer carries; a 401 comes from before the place where requests get their id."""
    if reply.status == Unauthorized.status:
        return reply
    return replace(reply, headers={**reply.headers, "x-openstack-request-id": request.request_id})


CREATABLE = (
    "id", "name", "visibility", "protected", "tags", "container_format", "disk_format", "min_ram", "min_disk",
    "os_hidden",
)  # fmt: skip
ERRED = "The server has either erred or is incapable of performing the requested operation."
UNSUPPORTED = "The request media type is not supported by this server."


def _body(visit: Visit, image: ImageRecord) -> Mapping[str, Any]:
    return wire.ims_image(image) if visit.state.flavour == "otc" else wire.glance_image(image)


def _json(request: Request) -> Any:  # noqa: ANN401 (JSON may be anything)
    try:
        return request.json()
    except ValueError as exc:
        message = "Malformed JSON in request body."
        raise BadRequest(message) from exc


def _object(request: Request) -> dict[str, Any]:
    payload = _json(request)
    if not isinstance(payload, dict):
        message = "Body expected in request."
        raise BadRequest(message)
    return payload


def _text_of(request: Request, key: str) -> str:
    value = _object(request).get(key)
    if not isinstance(value, str):
        message = f"Expected a {key} in the request body."
        raise BadRequest(message)
    return value
