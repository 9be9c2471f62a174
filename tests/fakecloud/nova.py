"""Nova: the image proxy and the servers. The same for ECS, which stands behind a gateway and has error codes."""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from tests.fakecloud import ims, wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import (
    BadRequest,
    CloudError,
    Forbidden,
    ImageNotFound,
    NotAcceptable,
    NotFound,
    Unauthorized,
    middleware_401,
    nova_fault,
    page,
    vendor_error,
)
from tests.fakecloud.novaqueries import changes_since, check_query, is_wanted
from tests.fakecloud.pages import cut_page
from tests.fakecloud.records import ServerRecord
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

NEWEST = (2, 104)
LAST_WITH_IMAGES = (2, 35)
NOTHING = Reply(204, {"Content-Type": "application/json"})
PYTHON_CLASSES = {400: "glanceclient.exc.HTTPBadRequest", 409: "nova.exception.ImageDeleteConflict"}


def versions(visit: Visit) -> Reply:
    """The versions that the service speaks."""
    root = f"{visit.request.base}/compute"
    return json_reply({"versions": [_old(root), _current(root)]})


def version(visit: Visit) -> Reply:
    """The document of v2.1."""
    return json_reply({"version": _current(f"{visit.request.base}/compute")})


def old_version(visit: Visit) -> Reply:
    """The document of v2."""
    return json_reply({"version": _old(f"{visit.request.base}/compute")})


def delete_image(visit: Visit) -> Reply:
    """Delete an image through Nova's proxy, which drops the reason of a refusal."""
    check(visit, images=True)
    try:
        visit.state.delete_image(visit.caller, visit.args["image_id"])
    except CloudError as exc:
        raise _proxied(exc) from exc
    return NOTHING


def show_image(visit: Visit) -> Reply:
    """One image, through the proxy."""
    check(visit, images=True)
    try:
        image = visit.state.show_image(visit.caller, visit.args["image_id"])
    except ImageNotFound as exc:
        message = "Image not found."
        raise ImageNotFound(message) from exc
    return json_reply({"image": wire.nova_image(image, visit.root)})


def list_servers(visit: Visit) -> Reply:
    """A page of servers, names only."""
    return _servers(visit, detail=False)


def list_servers_detail(visit: Visit) -> Reply:
    """A page of servers."""
    return _servers(visit, detail=True)


def show_server(visit: Visit) -> Reply:
    """One server."""
    check(visit)
    server_id = visit.args["server_id"]
    for server in visit.state.list_servers(visit.caller, visit.region):
        if server.id == server_id:
            return json_reply({"server": _shown(visit, server, detail=True)})
    message = f"Instance {server_id} could not be found."
    raise NotFound(message)


def refuse(_state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire as Nova does."""
    return middleware_401(request) if isinstance(error, Unauthorized) else nova_fault(error.status, error.message)


def ecs_refuse(state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire as ECS does."""
    if isinstance(error, Unauthorized):
        return ims.unauthenticated(state, request)
    rows: tuple[tuple[type[CloudError], int, str], ...] = (
        (ImageNotFound, 400, "Ecs.0031"),
        (BadRequest, 400, "Ecs.0023"),
        (Forbidden, 403, "Ecs.0003"),
        (NotFound, 404, "Ecs.0114"),
    )
    status, code = next((row[1:] for row in rows if isinstance(error, row[0])), (400, "Ecs.1000"))
    return vendor_error(status, code, error.message)


def lost(request: Request, _allowed: str) -> Reply:
    """Answer a path or method that no route knows."""
    return page(request, 404, "The resource could not be found.")


def finish(request: Request, reply: Reply) -> Reply:
    """Add what every answer carries."""
    request_id = request.request_id
    headers = {**reply.headers, "x-openstack-request-id": request_id, "x-compute-request-id": request_id}
    is_page = headers.get("Content-Type", "").startswith("text/")
    if reply.status != Unauthorized.status and request.path.startswith("/compute/v2.1/") and not is_page:
        headers |= _version_headers(request)
    return replace(reply, headers=headers)


def _servers(visit: Visit, *, detail: bool) -> Reply:
    check(visit)
    query = dict(visit.request.params)
    check_query(visit.request.params, visit.caller)
    listed = visit.state.list_servers(visit.caller, visit.region, changes_since(query))
    chosen = [server for server in listed if is_wanted(server, query)]
    if visit.state.flavour == "otc" and "image" in query:
        servers, full = chosen, False
    else:
        servers, full = cut_page(chosen, query, visit.state.page_size)
    payload: wire.Json = {"servers": [_shown(visit, server, detail=detail) for server in servers]}
    if full:
        address = visit.request.address(visit.request.path)
        link = f"{address}?{urlencode({**query, 'marker': servers[-1].id})}"
        payload["servers_links"] = [{"rel": "next", "href": link}]
    return json_reply(payload)


def _shown(visit: Visit, server: ServerRecord, *, detail: bool) -> wire.Json:
    volumes = visit.state.attached().get(server.id, [])
    return wire.server(server, visit.root, volumes, detail=detail)


def check(visit: Visit, *, images: bool = False) -> None:
    """The project in the address must be the token's; microversions count in v2.1 only."""
    named, ours = visit.args.get("project"), visit.caller.project_id
    if named is not None and named != ours:
        message = f"Malformed request URL: URL's project_id '{named}' doesn't match Context's project_id '{ours}'"
        raise BadRequest(message)
    if visit.args.get("version") == "v2.1":
        asked = _microversion(visit.request)
        if images and asked > LAST_WITH_IMAGES:
            raise NotFound


def _asked_version(request: Request) -> str:
    service, _, wanted = request.headers.get("OpenStack-API-Version", "").partition(" ")
    if service == "compute" and wanted:
        return wanted
    return request.headers.get("X-OpenStack-Nova-API-Version", "2.1")


def _microversion(request: Request) -> tuple[int, int]:
    text = _asked_version(request)
    if text == "latest":
        return NEWEST
    matched = re.fullmatch(r"([1-9]\d*)\.([1-9]\d*|0)", text)
    if matched is None:
        message = f"API Version String '{text}' is of invalid format. Must be of format MajorNum.MinorNum."
        raise BadRequest(message)
    asked = int(matched[1]), int(matched[2])
    if not (2, 1) <= asked <= NEWEST:
        message = f"Version {text} is not supported by the API. Minimum is 2.1 and maximum is 2.104."
        raise NotAcceptable(message)
    return asked


def _version_headers(request: Request) -> Mapping[str, str]:
    shown = _asked_version(request).replace("latest", "2.104")
    return {
        "OpenStack-API-Version": f"compute {shown}",
        "X-OpenStack-Nova-API-Version": shown,
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }


def _proxied(error: CloudError) -> CloudError:
    if isinstance(error, ImageNotFound):
        return ImageNotFound("Image not found.")
    if isinstance(error, Forbidden):
        return Forbidden("You are not allowed to delete the image.")
    name = PYTHON_CLASSES.get(error.status, "glanceclient.exc.HTTPInternalServerError")
    return CloudError(f"Unexpected API Error. Please contact the administrator\n<class '{name}'>")


def _old(root: str) -> wire.Json:
    links = [{"rel": "self", "href": f"{root}/v2/"}]
    numbers = {"version": "", "min_version": "", "updated": "2025-07-04T12:00:00Z"}
    return {"id": "v2.0", "status": "DEPRECATED", **numbers, "links": links}


def _current(root: str) -> wire.Json:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.104",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{root}/v2.1/"}],
    }
