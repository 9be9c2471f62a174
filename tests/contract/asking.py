"""One request and its answer, of either cloud."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What both clouds must agree on. The body is None if there is none."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def type(self) -> str | None:
        """The type of the body as it stands in the header."""
        return self.headers.get("Content-Type")

    @property
    def body(self) -> Any:  # noqa: ANN401 (JSON may be anything)
        """The body as JSON."""
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """The sentence for a person: Glance's, or the one that is wrapped in Keystone's and Nova's errors."""
        body = self.body
        wrapped = body if "message" in body else next(iter(body.values()))
        return str(wrapped["message"]).removesuffix("<br /><br />\n\n\n")


def send(  # noqa: PLR0913 (a request has that many parts)
    method: str,
    url: str,
    token: str | None,
    headers: Mapping[str, str] | None = None,
    *,
    payload: object = None,
    patch: object = None,
    data: bytes | None = None,
) -> Answer:
    """Send a request; `payload` and `patch` go as JSON."""
    wanted = {"X-Auth-Token": token or "", "Accept": "application/json", **(headers or {})}
    if patch is not None:
        data, wanted["Content-Type"] = json.dumps(patch).encode(), PATCH_TYPE
    if data is not None:
        wanted.setdefault("Content-Type", "application/octet-stream")
    sent = {name: value for name, value in wanted.items() if value}
    answer = requests.request(
        method, url, headers=sent, json=payload, data=data, timeout=SECONDS, allow_redirects=False
    )
    return Answer(answer.status_code, answer.reason, answer.headers, answer.content)


def sign_in(env: Mapping[str, str], **changes: str) -> Answer:
    """Ask Keystone for a token, with the variables of a client; `changes` are variables without their `OS_`."""
    told = {name.removeprefix("OS_").lower(): value for name, value in env.items()} | changes
    if told["auth_type"] == "v3applicationcredential":
        shown = {"id": told["application_credential_id"], "secret": told["application_credential_secret"]}
        auth: dict[str, Any] = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    else:
        domain = {"domain": {"name": "Default"}}
        user = {"name": told["username"], "password": told["password"], **domain}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": told["project_name"], **domain}},
        }
    return send("POST", f"{told['auth_url']}/auth/tokens", None, payload={"auth": auth})


def shape_of(value: object) -> Any:  # noqa: ANN401 (a shape is made of dicts, lists and names)
    """The names and types in a body: of an object each key, of a list what its first element is like."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(inner) for inner in value[:1]]
    return None if value is None else type(value).__name__
