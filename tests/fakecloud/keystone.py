"""Keystone, and the IAM of Open Telekom Cloud, which knows passwords and tokens but no application credentials."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fakecloud import wire
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import BadRequest, CloudError, NotFound, Unauthorized, keystone_error
from tests.fakecloud.records import DOMAIN, Token
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. The client is "
    "assumed to be in error."
)
MEDIA = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
OK = 200
Json = dict[str, Any]


def versions(visit: Visit) -> Reply:
    """The versions that the service speaks."""
    home = _home(visit)
    return json_reply({"versions": {"values": [_version(home)]}}, 300, {"Location": f"{home}/"})


def version(visit: Visit) -> Reply:
    """The document of v3."""
    return json_reply({"version": _version(_home(visit))})


def issue_token(visit: Visit) -> Reply:
    """Make a token."""
    auth = _auth_of(visit.request)
    with visit.state.lock:
        token = _authenticate(visit.state, auth)
        visit.state.tokens_issued += 1
    return _token_reply(visit, token, 201)


def show_token(visit: Visit) -> Reply:
    """The body of a token, for who holds a good one."""
    return _token_reply(visit, _subject(visit), 200)


def revoke_token(visit: Visit) -> Reply:
    """Take a token back."""
    _subject(visit).revoked = True
    return Reply(204)


def refuse(_state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire."""
    return keystone_error(request, error)


def lost(request: Request, _allowed: str) -> Reply:
    """Answer a path that no route knows."""
    message = "The requested URL was not found on the server."
    return keystone_error(request, NotFound(message))


def finish(request: Request, reply: Reply) -> Reply:
    """Add what every answer carries; this service shouts its reason phrases."""
    headers = {"Vary": "X-Auth-Token", "x-openstack-request-id": request.request_id, **reply.headers}
    return replace(reply, headers=headers, reason=reply.phrase.upper() if reply.status != OK else "")


def service_urls(state: CloudState, request: Request, project: str, region: str = "") -> dict[str, tuple[str, str]]:
    """What stands in the catalogue: type -> (name, address)."""

    def at(path: str) -> str:
        service, _, rest = path.partition("/")
        home = request.service(service, region)
        return f"{home}/{rest}" if rest else home

    if state.flavour == "otc":
        urls = {
            "identity": ("keystone", at("iam/v3")),
            "image": ("glance", at("ims") + state.image_endpoint_suffix),
            "compute": ("nova", at(f"ecs/v2/{project}")),
            "volumev3": ("cinderv3", at(f"evs/v3/{project}")),
            "as": ("as", at(f"as/autoscaling-api/v1/{project}")),
        }
    else:
        urls = {
            "identity": ("keystone", at("identity/v3")),
            "image": ("glance", at("image") + state.image_endpoint_suffix),
            "compute": ("nova", at("compute/v2.1")),
            "compute_legacy": ("nova_legacy", at(f"compute/v2/{project}")),
            "volumev3": ("cinderv3", at(f"volume/v3/{project}")),
            "block-storage": ("cinder", at(f"volume/v3/{project}")),
        }
    urls = {kind: entry for kind, entry in urls.items() if kind not in state.missing_services}
    more = {kind: path.format(project=project) for kind, path in state.more_services.items()}
    home = "/".join(filter(None, (request.base, region)))
    return urls | {kind: (kind, home + path) for kind, path in more.items()}


def region_urls(state: CloudState, request: Request, project: str) -> dict[str, dict[str, str]]:
    """What stands in the catalogue for each further region: type -> address. They share the image service."""
    home = {kind: url for kind, (_, url) in service_urls(state, request, project).items() if kind != "identity"}
    found = {}
    for region, own in state.regions.items():
        there = {kind: url for kind, (_, url) in service_urls(state, request, project, region).items() if kind in home}
        usual = {**there, "image": home.get("image")}
        chosen = {**usual, **{kind: path and request.base + path for kind, path in own.items()}}
        found[region] = {kind: url for kind, url in chosen.items() if url}
    return found


def _authenticate(state: CloudState, auth: Json) -> Token:
    methods = auth["identity"].get("methods") or [""]
    known: Mapping[str, Callable[[CloudState, Json], Token]] = {
        "password": _by_password,
        "token": _by_token,
        "application_credential": _by_credential,
    }
    if methods[0] not in known or (state.flavour == "otc" and methods[0] == "application_credential"):
        message = "Attempted to authenticate with an unsupported method."
        raise (BadRequest(message) if state.flavour == "otc" else Unauthorized(message))
    try:
        return known[methods[0]](state, auth)
    except (KeyError, TypeError, AttributeError) as exc:
        message = f"Expecting to find {exc} in request body. {MALFORMED}"
        raise BadRequest(message) from exc


def _by_password(state: CloudState, auth: Json) -> Token:
    person = auth["identity"]["password"]["user"]
    by_id = {user.id: user.name for user in state.users.values()}
    if "id" not in person:
        _check_domain(person["domain"])
    name = by_id.get(person.get("id", ""), person.get("name", ""))
    user = state.user_by_password(name, person["password"])
    return state.issue_token(user, _scope(state, auth), ("password",))


def _by_token(state: CloudState, auth: Json) -> Token:
    old = state.validate_token(auth["identity"]["token"]["id"])
    token = state.issue_token(old.user, _scope(state, auth), ("token", *old.methods))
    token.expires_at = old.expires_at
    return token


def _by_credential(state: CloudState, auth: Json) -> Token:
    given = auth["identity"]["application_credential"]
    if "scope" in auth:
        message = "Application credentials cannot request a scope."
        raise Unauthorized(message)
    found = (key for key, known in state.app_credentials.items() if known.name == given.get("name"))
    credential = state.credential_by_secret(given.get("id") or next(found, ""), given["secret"])
    return state.issue_token(credential.user, credential.project_id, ("application_credential",), credential)


def _scope(state: CloudState, auth: Json) -> str | None:
    scope = auth.get("scope")
    if not isinstance(scope, dict) or "project" not in scope:
        return None
    project = scope["project"]
    if "id" not in project and "domain" in project:
        _check_domain(project["domain"])
    return state.find_project(project_id=project.get("id"), name=project.get("name"))


def _check_domain(domain: Json) -> None:
    if DOMAIN["id"] != domain.get("id") and DOMAIN["name"] != domain.get("name"):
        raise Unauthorized


def _subject(visit: Visit) -> Token:
    try:
        return visit.state.validate_token(visit.request.headers.get("X-Subject-Token"))
    except Unauthorized as exc:
        message = "Could not find token."
        raise NotFound(message) from exc


def _auth_of(request: Request) -> Json:
    try:
        payload = request.json()
    except ValueError as exc:
        message = f"Expecting to find valid JSON in request body. {MALFORMED}"
        raise BadRequest(message) from exc
    auth = payload.get("auth") if isinstance(payload, dict) else None
    if not isinstance(auth, dict):
        message = f"Expecting to find auth in request body. {MALFORMED}"
        raise BadRequest(message)
    if not isinstance(auth.get("identity"), dict):
        message = f"Expecting to find identity in auth. {MALFORMED}"
        raise BadRequest(message)
    return auth


def _token_reply(visit: Visit, token: Token, status: int) -> Reply:
    wanted = not any(name == "nocatalog" for name, _ in visit.request.params)
    whose = visit.state, visit.request, token.project_id or ""
    body = wire.token(token, wire.catalog(service_urls(*whose), region_urls(*whose)) if wanted else None)
    return json_reply(body, status, {"X-Subject-Token": token.id})


def _home(visit: Visit) -> str:
    return f"{visit.request.service('iam' if visit.state.flavour == 'otc' else 'identity')}/v3"


def _version(home: str) -> Json:
    links = [{"rel": "self", "href": f"{home}/"}]
    known = {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z"}
    return {**known, "links": links, "media-types": MEDIA}
