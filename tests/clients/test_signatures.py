"""The Huawei SDK signs every kind of request that we send, at the same moment, and must come to the same signature."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from handler.cloud.identity.signing.access import Keys
from handler.cloud.identity.signing.auth import Signer
from tests.clients.programs import Programs
from tests.conftest import Invoke
from tests.fakecloud import DEMO, Call, FakeCloud
from tests.fakecloud.front import Front
from tests.fakecloud.keys import KEY_ID, KEY_SECRET, Key

pytestmark = pytest.mark.parametrize("cloud", ["otc"], indirect=True)

SWEEP = {"sweep": {"select": {"name": "ci*"}, "limit_percent": 100}}
QUERIES = (
    "limit=1000&marker=a&owner=b",
    "name=ci%20base%20%28x%29%20%C3%A4&a=",
    "b=2&a=1&a=0",
    "tag=k%3Dv&created_at=lt%3A2026-01-01T00%3A00%3A00Z",
    "x=%2B&y=%7E~",
    "",
)
PATHS = ("/", "/v2/images/6cad483b-e281-4985-a345-7afef1f3c5b7", "/v2/ä%20b/", "/v2/a%2Fb", "/v2/a-_.~b")
BODIES: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"delete_backup": True},
    {"tag": {"key": "reaper-delete-after", "value": "2026-12-24"}},
    {"ä": "ß"},
)


def signed_by_sdk(programs: Programs, environment: Mapping[str, str], sent: Iterable[Mapping[str, Any]]) -> list[str]:
    """The signatures of the SDK under these requests."""
    orders = [
        {
            "method": each["method"],
            "host": each["headers"]["Host"],
            "resource_path": each["path"],
            "query_params": parse_qsl(each["query"], keep_blank_values=True),
            "header_params": {"X-Sdk-Date": each["headers"]["X-Sdk-Date"]},
            "body": each["body"],
        }
        for each in sent
    ]
    told = programs.run("sign", json.dumps(orders), environment=environment).json
    return [headers["Authorization"] for headers in told]


def of_call(call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "headers": call.headers,
        "body": call.body.decode(),
    }


@pytest.mark.parametrize("is_temporary", [False, True])
def test_the_sdk_signs_all_that_a_run_sends_as_we_do(
    programs: Programs,
    cloud: FakeCloud,
    front: Front,
    invoke_with: Invoke,
    is_temporary: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    key = cloud.keys.temporary() if is_temporary else None
    environment = front.environment() | cloud.signing_env(key) | {"REAPER_MODE": "delete", "REAPER_IMAGE_API": "ims"}
    image, shared = cloud.add_image("ci-1", __backup_id="b1"), cloud.add_image("ci-2", visibility="shared")
    cloud.add_server("web-1")
    cloud.add_volume()
    also = {"REAPER_IN_USE_ALSO": "volumes,scaling,images"}
    assert (
        invoke_with({**SWEEP, "sweep": {**SWEEP["sweep"], "grace": "7d"}}, environment).outcomes[image][0] == "marked"
    )
    assert invoke_with({"image_ids": [image, shared], "delete_backup": True}, environment | also).answer["ok"]
    assert set(cloud.dead) == {image, shared}
    sent = [of_call(call) for call in cloud.calls]
    assert {each["method"] for each in sent} == {"GET", "POST", "DELETE"}
    assert len({each["headers"]["Host"].split(".")[0] for each in sent}) == 4
    assert signed_by_sdk(programs, environment, sent) == [each["headers"]["Authorization"] for each in sent]


@pytest.mark.parametrize("token", ["", "gQpjbi1ub3J0aC00" * 8 + "=="])
def test_the_sdk_signs_odd_addresses_and_bodies_as_we_do(programs: Programs, cloud: FakeCloud, token: str) -> None:
    sign = Signer(Keys(KEY_ID, KEY_SECRET, token), DEMO, lambda _url: None)
    sent: list[dict[str, Any]] = []
    for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
        for path, query, body in [(p, q, b) for p in PATHS for q in QUERIES for b in BODIES]:
            url = f"https://ims.eu-de.otc.t-systems.com{path}?{query}"
            prepared = sign(requests.Request(method, url, json=body).prepare())
            made = (prepared.body or b"").decode() if isinstance(prepared.body, bytes | None) else prepared.body
            sent.append({"method": method, "path": path, "query": query, "headers": prepared.headers, "body": made})
    key = Key(KEY_ID, KEY_SECRET, (DEMO,), token=token)
    assert signed_by_sdk(programs, cloud.signing_env(key), sent) == [each["headers"]["Authorization"] for each in sent]
