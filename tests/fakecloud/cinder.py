"""Cinder: the volumes, for the question which images servers were made of."""

from dataclasses import replace
from urllib.parse import urlencode

from tests.fakecloud import wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import BadRequest
from tests.fakecloud.pages import cut_page
from tests.fakecloud.visit import Visit


def list_volumes(visit: Visit) -> Reply:
    """A page of volumes, names only."""
    return _volumes(visit, detail=False)


def list_volumes_detail(visit: Visit) -> Reply:
    """A page of volumes."""
    return _volumes(visit, detail=True)


def finish(request: Request, reply: Reply) -> Reply:
    """Add what every answer carries."""
    return replace(reply, headers={**reply.headers, "x-openstack-request-id": request.request_id})


def _volumes(visit: Visit, *, detail: bool) -> Reply:
    if visit.args["project"] != visit.caller.project_id:
        message = "Malformed request url"
        raise BadRequest(message)
    query = dict(visit.request.params)
    volumes, full = cut_page(visit.state.list_volumes(visit.caller, visit.region), query, visit.state.page_size)
    payload: wire.Json = {"volumes": [wire.volume(volume, visit.root, detail=detail) for volume in volumes]}
    if full:
        address = visit.request.address(visit.request.path)
        link = f"{address}?{urlencode({**query, 'marker': volumes[-1].id})}"
        payload["volumes_links"] = [{"rel": "next", "href": link}]
    return json_reply(payload)
