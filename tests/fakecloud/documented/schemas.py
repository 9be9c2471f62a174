"""What Glance says about itself: the schemas of its records, which `glance` reads first, and the services around it.

The schemas are those that a real Glance gives.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.errors import NotFound, RoleMissing
from tests.fakecloud.visit import Visit

PLURALS = {"images": "image", "members": "member"}


def show_schema(visit: Visit) -> Reply:
    """The schema of a record, or of a list of such records."""
    name = visit.args["schema"]
    known = _schemas()
    if name in known:
        return json_reply(known[name])
    if name not in PLURALS:
        raise NotFound
    return json_reply(_list_of(name, known[PLURALS[name]]))


def show_import(_visit: Visit) -> Reply:
    """How data may come in."""
    ways = {"description": "Import methods available.", "type": "array", "value": ["glance-direct", "web-download"]}
    return json_reply({"import-methods": ways})


def list_stores(_visit: Visit) -> Reply:
    """Where data may lie."""
    return json_reply({"stores": [{"id": "fs", "default": "true"}]})


def show_usage(_visit: Visit) -> Reply:
    """The use of quotas, of which there are none."""
    return json_reply({"usage": {}})


def list_namespaces(_visit: Visit) -> Reply:
    """The catalogue of properties, which is empty."""
    address = "/v2/metadefs/namespaces"
    return json_reply({"namespaces": [], "schema": "/v2/schemas/metadefs/namespaces", "first": address})


def list_resource_types(_visit: Visit) -> Reply:
    """What these properties could be for."""
    return json_reply({"resource_types": []})


def show_namespace(visit: Visit) -> Reply:
    """One namespace, of which there are none."""
    message = f"Metadata definition namespace={visit.args['namespace']} was not found."
    raise NotFound(message)


def list_image_tasks(visit: Visit) -> Reply:
    """What is being done to an image in the background: nothing."""
    visit.state.show_image(visit.caller, visit.args["image_id"])
    return json_reply({"tasks": []})


def refuse_tasks(_visit: Visit) -> Reply:
    """What only an administrator may see."""
    message = "You are not authorized to complete tasks_api_access action."
    raise RoleMissing(message)


def refuse_cache(_visit: Visit) -> Reply:
    """The same, of the cache."""
    message = "You are not authorized to complete cache_list action."
    raise RoleMissing(message)


def refuse_locations(visit: Visit) -> Reply:
    """The same, of where the data of an image lies."""
    visit.state.show_image(visit.caller, visit.args["image_id"])
    message = "You are not authorized to complete fetch_image_location action."
    raise RoleMissing(message)


def is_healthy(_visit: Visit) -> Reply:
    """That the service is well."""
    return json_reply({"detailed": False, "reasons": ["OK"]})


def move(visit: Visit) -> Reply:
    """The way to the address with a slash, where there is nothing either."""
    return Reply(302, {"Location": f"{visit.request.base}/image/v2/"})


def allow(_visit: Visit) -> Reply:
    """The answer to a browser that asks first."""
    return Reply(200)


@cache
def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("schemas.json").read_text(encoding="utf-8"))
    return found


def _list_of(name: str, item: Any) -> dict[str, Any]:  # noqa: ANN401 (a schema)
    links = [{"rel": "describedby", "href": "{schema}"}]
    inside = {name: {"type": "array", "items": item}, "schema": {"type": "string"}}
    if name == "images":
        inside |= {"first": {"type": "string"}, "next": {"type": "string"}}
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
    return {"name": name, "properties": inside, "links": links}
