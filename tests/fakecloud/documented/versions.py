"""The versions that the services of Open Telekom Cloud say they speak.

Sources: IMS API reference, "Querying API Versions (Native OpenStack API)"; ECS API reference, "Querying All API
Versions"; EVS API reference, "Querying All API Versions".
"""

from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.errors import NotFound
from tests.fakecloud.visit import Visit
from tests.fakecloud.wire import Json

IMS = (
    ("v2.2", "CURRENT", "v2"),
    ("v2.1", "SUPPORTED", "v2"),
    ("v2.0", "SUPPORTED", "v2"),
    ("v1.1", "DEPRECATED", "v1"),
)
ECS = (("v2.0", "SUPPORTED", "v2", "", ""), ("v2.1", "CURRENT", "v2.1", "2.1", "2.60"))
EVS = (
    ("v1.0", "SUPPORTED", "v1", "", ""),
    ("v2.0", "SUPPORTED", "v2", "", ""),
    ("v3.0", "CURRENT", "v3", "3.0", "3.27"),
)
UPDATED = "2013-07-23T11:33:21Z"
MULTIPLE_CHOICES = 300


def of_ims(visit: Visit) -> Reply:
    """All versions of IMS."""
    return json_reply({"versions": [_of_ims(visit, row) for row in IMS]}, MULTIPLE_CHOICES)


def one_of_ims(visit: Visit) -> Reply:
    """One version of IMS, in a list."""
    asked = visit.args["version"]
    found = [_of_ims(visit, row) for row in IMS if asked in {row[0], row[2]}]
    return json_reply({"versions": found[:1]}, MULTIPLE_CHOICES)


def of_ecs(visit: Visit) -> Reply:
    """All versions of ECS."""
    return json_reply({"versions": [_numbered(visit, "ecs", row) for row in ECS]})


def one_of_ecs(visit: Visit) -> Reply:
    """One version of ECS."""
    return _one(visit, "ecs", ECS)


def of_evs(visit: Visit) -> Reply:
    """All versions of EVS."""
    return json_reply({"versions": [_numbered(visit, "evs", row) for row in EVS]}, MULTIPLE_CHOICES)


def one_of_evs(visit: Visit) -> Reply:
    """One version of EVS, in a list as Cinder's."""
    rows = [row for row in EVS if row[2] == visit.args["version"]]
    return json_reply({"versions": [_numbered(visit, "evs", row) for row in rows]})


def _one(visit: Visit, service: str, rows: tuple[tuple[str, ...], ...]) -> Reply:
    for row in rows:
        if row[2] == visit.args["version"]:
            return json_reply({"version": _numbered(visit, service, row)})
    raise NotFound


def _of_ims(visit: Visit, row: tuple[str, ...]) -> Json:
    return {"status": row[1], "id": row[0], "links": _links(visit, "ims", row[2])}


def _numbered(visit: Visit, service: str, row: tuple[str, ...]) -> Json:
    version_id, status, folder, least, most = row
    numbers = {"min_version": least, "version": most, "updated": UPDATED}
    return {"id": version_id, "status": status, "links": _links(visit, service, folder), **numbers}


def _links(visit: Visit, service: str, folder: str) -> list[Json]:
    return [{"rel": "self", "href": f"{visit.request.service(service)}/{folder}/"}]
