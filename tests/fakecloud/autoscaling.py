"""Auto Scaling of Open Telekom Cloud: what its groups would make their next servers of."""

from collections.abc import Mapping

from tests.fakecloud import ims, wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import BadRequest, CloudError, Unauthorized, vendor_error
from tests.fakecloud.records import ScalingConfiguration
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

LIMIT = 20
LONGEST = 100


def list_configurations(visit: Visit) -> Reply:
    """A part of the configurations. No link leads on: `total_number` says how many there are."""
    if visit.args["project"] != visit.caller.project_id:
        return vendor_error(400, "AS.0008", "Incorrect ProjectID.")
    query = dict(visit.request.params)
    start, limit = _number(query, "start_number", 0), _number(query, "limit", LIMIT, LONGEST)
    found = [known for known in visit.state.list_scaling_configurations(visit.caller) if _wanted(known, query)]
    page = found[start : start + min(limit, visit.state.page_size)]
    shown = [wire.scaling_configuration(configuration) for configuration in page]
    numbers = {"limit": limit, "total_number": len(found), "start_number": start}
    return json_reply({**numbers, "scaling_configurations": shown})


def refuse(state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire."""
    if isinstance(error, Unauthorized):
        return ims.unauthenticated(state, request)
    return vendor_error(error.status, "AS.0022", error.message)


def _wanted(configuration: ScalingConfiguration, query: Mapping[str, str]) -> bool:
    return ("image_id" not in query or configuration.image == query["image_id"]) and query.get(
        "scaling_configuration_name", ""
    ) in configuration.name


def _number(query: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or (most is not None and int(text) > most):
        message = f"The {name} {text} is invalid."
        raise BadRequest(message)
    return int(text)
