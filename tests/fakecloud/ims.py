"""IMS, the image service of Open Telekom Cloud, and the API gateway before it."""

from dataclasses import replace

from tests.fakecloud import glance
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.errors import (
    CloudError,
    ImageBusy,
    ImageNotFound,
    ImageProtected,
    NotYourImage,
    PublicImage,
    RoleMissing,
    Unauthorized,
    gateway_error,
    vendor_error,
)
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

UNREADABLE = vendor_error(400, "IMG.0016", "Error occurred when handling the request body.")
CODES: dict[type[CloudError], tuple[int, str, str]] = {
    ImageNotFound: (400, "IMG.0027", "The image ID does not exist."),
    ImageProtected: (400, "IMG.0028", "The image is protected and cannot be deleted."),
    ImageBusy: (400, "IMG.0090", "An image being created cannot be deleted."),
    PublicImage: (400, "IMG.0094", "A public image cannot be deleted."),
    NotYourImage: (400, "IMG.0092", "Only the image owner can perform this operation."),
    RoleMissing: (403, "IMG.0026", "The role is invalid."),
}


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
    return glance.NOTHING


def refuse(state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire: the gateway's for tokens, Glance's for the rest."""
    if isinstance(error, Unauthorized):
        return unauthenticated(state, request)
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
    """Add what every answer carries."""
    return replace(reply, headers={**reply.headers, "X-Request-Id": request.request_id})


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
