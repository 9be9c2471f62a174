"""Projects, in which clients look up whom they share an image with. Only an administrator sees those of others.

Sources: what a real Keystone says; IAM API reference, "Querying Project Information Based on the Specified Criteria".
"""

from tests.fakecloud.api import Reply, json_reply
from tests.fakecloud.errors import Forbidden
from tests.fakecloud.records import DOMAIN
from tests.fakecloud.visit import Visit
from tests.fakecloud.wire import Json


def show_project(visit: Visit) -> Reply:
    """The project of the caller."""
    if visit.args["project_id"] != visit.caller.project_id:
        raise _not_allowed("get_project")  # noqa: EM101 (the name of an action)
    return json_reply({"project": _project(visit, str(visit.caller.project_id))})


def list_projects(visit: Visit) -> Reply:
    """The projects with a name: Keystone lists them for an administrator only, IAM lists those of the caller."""
    if visit.state.flavour != "otc":
        raise _not_allowed("list_projects")  # noqa: EM101 (the same)
    name = dict(visit.request.params).get("name")
    own = str(visit.caller.project_id)
    return json_reply(
        {"projects": [_project(visit, own)] if name in {None, visit.state.projects[own]} else [], "links": {}}
    )


def _not_allowed(action: str) -> Forbidden:
    return Forbidden(f"You are not authorized to perform the requested action: identity:{action}.")


def _project(visit: Visit, project_id: str) -> Json:
    address = f"{visit.request.service(visit.request.path.split('/')[1])}/v3/projects/{project_id}"
    told = {"id": project_id, "name": visit.state.projects[project_id], "domain_id": DOMAIN["id"], "enabled": True}
    return {**told, "is_domain": False, "parent_id": DOMAIN["id"], "description": "", "links": {"self": address}}
