"""The one table of addresses, and the way from a request to its handler."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fakecloud import autoscaling, cinder, cloudimages, extras, glance, ims, keystone, nova, smn
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.documented import novaimages, rows
from tests.fakecloud.errors import CloudError, NotSigned, gateway_error
from tests.fakecloud.records import Token
from tests.fakecloud.rights import ACTIONS
from tests.fakecloud.signing import is_signed
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

Handler = Callable[[Visit], Reply]


@dataclass(frozen=True)
class Service:
    """A service: in which flavours it stands, and how it says no, loses its way and ends an answer."""

    flavours: frozenset[str]
    refuse: Callable[[CloudState, Request, CloudError], Reply]
    lost: Callable[[Request, str], Reply]
    finish: Callable[[Request, Reply], Reply]
    guarded: bool = False
    """Whether even what does not exist asks for a token."""


@dataclass(frozen=True)
class Route:
    """A row of the table, ready for use."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    needs_token: bool


PLAIN, GATEWAY, BOTH = frozenset({"openstack"}), frozenset({"otc"}), frozenset({"openstack", "otc"})
SERVICES = {
    "identity": Service(PLAIN, keystone.refuse, keystone.lost, keystone.finish),
    "image": Service(PLAIN, glance.refuse, glance.lost, glance.finish, guarded=True),
    "compute": Service(PLAIN, nova.refuse, nova.lost, nova.finish, guarded=True),
    "volume": Service(PLAIN, nova.refuse, nova.lost, cinder.finish, guarded=True),
    "iam": Service(GATEWAY, keystone.refuse, keystone.lost, keystone.finish),
    "ims": Service(GATEWAY, ims.refuse, ims.lost, ims.finish),
    "ecs": Service(GATEWAY, nova.ecs_refuse, ims.lost, ims.finish),
    "evs": Service(GATEWAY, nova.refuse, ims.lost, ims.finish),
    "as": Service(GATEWAY, autoscaling.refuse, ims.lost, ims.finish),
    "smn": Service(GATEWAY, smn.refuse, ims.lost, ims.finish),
    **dict.fromkeys(("", "sink", "_state"), Service(BOTH, keystone.refuse, glance.lost, extras.finish)),
}
OPEN = frozenset(
    {glance.versions, nova.versions, nova.version, nova.old_version, keystone.versions, keystone.version,
     keystone.issue_token, extras.store, extras.show_state}
) | rows.OPEN  # fmt: skip
"""Handlers that answer without a token."""

IDENTITY = r"/(?:identity|iam)"
IMAGES = r"/(?:image|ims)/v2/images"
IMAGE = IMAGES + r"/(?P<image_id>[^/]+)"
IMS_IMAGE = r"/ims/v2/(?P<project>[0-9a-f]{32})/images/(?P<image_id>[^/]+)"
COMPUTE = r"/(?:compute|ecs)/(?P<version>v2|v2\.1)/(?P<project>[0-9a-f]{32})"
BARE_COMPUTE = r"/compute/(?P<version>v2|v2\.1)"
VOLUMES = r"/(?:volume|evs)/v[23]/(?P<project>[0-9a-f]{32})/volumes"
TOPICS = r"/smn/v2/(?P<project>[0-9a-f]{32})/notifications/topics"
SCALING = r"/as/autoscaling-api/v1/(?P<project>[0-9a-f]{32})"
HOST = re.compile(
    r"(?P<service>[a-z]+)\.(?P<region>[a-z0-9-]+)\.(?:(?:sc\.)?otc\.t-systems\.com|myhuaweicloud\.com)(?::443)?"
)
"""The hosts of the services of Open Telekom Cloud and Huawei Cloud; see `Front`."""

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", r"/(?:(?:identity|iam)/?)?", keystone.versions),
    ("GET", IDENTITY + r"/v3/?", keystone.version),
    ("POST", IDENTITY + r"/v3/auth/tokens", keystone.issue_token),
    ("GET", IDENTITY + r"/v3/auth/tokens", keystone.show_token),
    ("HEAD", IDENTITY + r"/v3/auth/tokens", keystone.show_token),
    ("DELETE", IDENTITY + r"/v3/auth/tokens", keystone.revoke_token),
    ("GET", r"/image/?(?:versions)?", glance.versions),
    *rows.ROWS,
    ("GET", IMAGES, glance.list_images),
    ("GET", r"/ims/v2/cloudimages", cloudimages.list_images),
    ("POST", IMAGES, glance.create_image),
    ("GET", IMAGE, glance.show_image),
    ("PATCH", IMAGE, glance.update_image),
    ("DELETE", r"/ims/v2/images/(?P<image_id>[^/]+)", ims.delete_image),
    ("DELETE", IMAGE, glance.delete_image),
    ("PUT", IMAGE + r"/file", glance.upload_image),
    ("GET", IMAGE + r"/file", glance.download_image),
    ("GET", IMAGE + r"/members", glance.list_members),
    ("POST", IMAGE + r"/members", glance.add_member),
    ("GET", IMAGE + r"/members/(?P<member>[^/]+)", glance.show_member),
    ("PUT", IMAGE + r"/members/(?P<member>[^/]+)", glance.set_member_status),
    ("DELETE", IMAGE + r"/members/(?P<member>[^/]+)", glance.remove_member),
    ("GET", IMS_IMAGE + r"/tags", ims.list_keys),
    ("POST", IMS_IMAGE + r"/tags", ims.set_key),
    ("DELETE", IMS_IMAGE + r"/tags/(?P<tag>[^/]+)", ims.remove_key),
    ("PUT", r"/ims/v2/images/(?P<image_id>[^/]+)/tags/(?P<tag>[^/]+)", ims.add_tag),
    ("PUT", IMAGE + r"/tags/(?P<tag>[^/]+)", glance.add_tag),
    ("DELETE", IMAGE + r"/tags/(?P<tag>[^/]+)", glance.remove_tag),
    ("POST", r"/image/v2/images/(?P<image_id>[^/]+)/actions/deactivate", glance.deactivate),
    ("POST", r"/image/v2/images/(?P<image_id>[^/]+)/actions/reactivate", glance.reactivate),
    ("GET", r"/compute/?", nova.versions),
    ("GET", r"/compute/v2\.1/?", nova.version),
    ("GET", r"/compute/v2/?", nova.old_version),
    ("DELETE", COMPUTE + r"/images/(?P<image_id>[^/]+)", nova.delete_image),
    ("DELETE", BARE_COMPUTE + r"/images/(?P<image_id>[^/]+)", nova.delete_image),
    ("GET", COMPUTE + r"/images", novaimages.list_images),
    ("GET", BARE_COMPUTE + r"/images", novaimages.list_images),
    ("GET", COMPUTE + r"/images/detail", novaimages.list_images_detail),
    ("GET", BARE_COMPUTE + r"/images/detail", novaimages.list_images_detail),
    ("GET", COMPUTE + r"/images/(?P<image_id>[^/]+)", nova.show_image),
    ("GET", BARE_COMPUTE + r"/images/(?P<image_id>[^/]+)", nova.show_image),
    ("GET", COMPUTE + r"/servers", nova.list_servers),
    ("GET", BARE_COMPUTE + r"/servers", nova.list_servers),
    ("GET", COMPUTE + r"/servers/detail", nova.list_servers_detail),
    ("GET", BARE_COMPUTE + r"/servers/detail", nova.list_servers_detail),
    ("GET", COMPUTE + r"/servers/(?P<server_id>[^/]+)", nova.show_server),
    ("GET", BARE_COMPUTE + r"/servers/(?P<server_id>[^/]+)", nova.show_server),
    ("GET", VOLUMES, cinder.list_volumes),
    ("GET", VOLUMES + r"/detail", cinder.list_volumes_detail),
    ("GET", SCALING + r"/scaling_configuration", autoscaling.list_configurations),
    ("POST", TOPICS + r"/(?P<topic>[^/]+)/publish", smn.publish),
    ("PUT", r"/sink/(?P<name>[^/]+)", extras.store),
    ("POST", r"/sink/(?P<name>[^/]+)", extras.store),
    ("GET", r"/_state", extras.show_state),
)
"""Read from the top: the first row whose method and address match."""

ROUTES = tuple(Route(method, re.compile(address), handler, handler not in OPEN) for method, address, handler in TABLE)


def dispatch(state: CloudState, request: Request) -> Reply:
    """Answer a request."""
    request = _placed(state, request)
    service = SERVICES.get(request.path.split("/", 2)[1])
    if service is None or state.flavour not in service.flavours:
        return ims.lost(request, "") if state.flavour == "otc" else glance.lost(request, "")
    try:
        reply = _answer(state, service, request)
    except NotSigned as exc:
        reply = gateway_error(request, exc.status, exc.code, exc.message)
    except CloudError as exc:
        reply = service.refuse(state, request, exc)
    return service.finish(request, reply)


def _answer(state: CloudState, service: Service, request: Request) -> Reply:
    allowed: list[str] = []
    for route in ROUTES:
        matched = route.pattern.fullmatch(request.decoded_path)
        if matched is not None and route.method == request.method:
            token = _caller(state, request, route.handler) if route.needs_token else None
            return route.handler(Visit(state, request, matched.groupdict(), token))
        if matched is not None and route.method not in allowed:
            allowed.append(route.method)
    if service.guarded:
        _caller(state, request)
    return service.lost(request, ", ".join(allowed))


def _placed(state: CloudState, request: Request) -> Request:
    """The request with the path that the table knows: it begins with the service, which the path or the host names."""
    sent = request.path
    if named := HOST.fullmatch(request.headers.get("Host", "")):
        base, region = f"https://{named[0]}", named["region"] if named["region"] in state.regions else ""
        return replace(
            request, path=f"/{named['service']}{sent}", base=base, region=region, sent_path=sent, by_host=True
        )
    region, _, rest = sent.removeprefix("/").partition("/")
    if region in state.regions:
        request = replace(request, path=f"/{rest}", base=f"{request.base}/{region}", region=region)
    return replace(request, sent_path=sent)


def _caller(state: CloudState, request: Request, handler: Handler | None = None) -> Token:
    """The caller: the holder of the token, or of the keys that the request is signed with."""
    token_id = request.headers.get("X-Auth-Token")
    if token_id is not None or not is_signed(request) or state.flavour != "otc":
        return state.validate_token(token_id, request.path.split("/", 2)[1])
    caller = state.keys.admit(request)
    if handler is not None and (action := ACTIONS.get(handler)):
        state.keys.permit(request, action)
    return caller
