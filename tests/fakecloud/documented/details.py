"""How ECS, EVS and Auto Scaling list and show what they have, in their own calls.

Sources: ECS API reference, "Querying Details About ECSs"; EVS API reference, "Querying Details About All Disks"; AS API
reference, "Querying AS Configuration Details", "Querying AS Groups".
"""

from tests.fakecloud import wire
from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.errors import BadRequest, NotFound
from tests.fakecloud.records import BORN, ScalingConfiguration
from tests.fakecloud.visit import Visit


def list_cloudservers(visit: Visit) -> Reply:
    """A page of servers. Pages have numbers, and the first one is 1."""
    _check(visit)
    query = dict(visit.request.params)
    limit, offset = int(query.get("limit", "25")), int(query.get("offset", "1"))
    servers = visit.state.list_servers(visit.caller, visit.region)
    held = visit.state.attached()
    page = servers[(offset - 1) * limit : offset * limit]
    shown = [wire.server(server, visit.root, held.get(server.id, []), detail=True) for server in page]
    return json_reply({"servers": shown, "count": len(servers)})


def list_cloudvolumes(visit: Visit) -> Reply:
    """A page of disks; a place in the list is counted from 0."""
    _check(visit)
    query = dict(visit.request.params)
    limit, offset = int(query.get("limit", "1000")), int(query.get("offset", "0"))
    volumes = visit.state.list_volumes(visit.caller, visit.region)
    shown = [wire.volume(volume, visit.root, detail=True) for volume in volumes[offset : offset + limit]]
    return json_reply({"count": len(volumes), "volumes_links": [], "volumes": shown})


def show_configuration(visit: Visit) -> Reply:
    """One scaling configuration."""
    _check(visit)
    wanted = visit.args["configuration"]
    for known in visit.state.list_scaling_configurations(visit.caller):
        if known.id == wanted:
            return json_reply({"scaling_configuration": wire.scaling_configuration(known)})
    message = "The AS configuration does not exist."
    raise NotFound(message)


def list_groups(visit: Visit) -> Reply:
    """The scaling groups: one for each configuration, which makes its servers from it."""
    _check(visit)
    query = dict(visit.request.params)
    start, limit = int(query.get("start_number", "0")), int(query.get("limit", "20"))
    known = visit.state.list_scaling_configurations(visit.caller)
    page = [_group(configuration) for configuration in known[start : start + limit]]
    numbers = {"limit": limit, "total_number": len(known), "start_number": start}
    return json_reply({**numbers, "scaling_groups": page})


def _group(configuration: ScalingConfiguration) -> wire.Json:
    return {
        "scaling_group_id": configuration.id,
        "scaling_group_name": f"group-of-{configuration.name}",
        "scaling_group_status": "INSERVICE",
        "scaling_configuration_id": configuration.id,
        "scaling_configuration_name": configuration.name,
        "current_instance_number": 0,
        "desire_instance_number": 0,
        "min_instance_number": 0,
        "max_instance_number": 1,
        "networks": [],
        "security_groups": [],
        "notifications": [],
        "create_time": BORN,
        "tenant": configuration.project,
    }


def _check(visit: Visit) -> None:
    if visit.args["project"] != visit.caller.project_id:
        message = "The project ID in the address is not that of the token."
        raise BadRequest(message)
