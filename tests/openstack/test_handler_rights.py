"""The function with an application credential that permits what the documents say, before services that heed it.

Keystone, Glance and Nova are real. Neutron and Cinder are stand-ins, behind the middleware that guards the real ones.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.contract.asking import send, sign_in
from tests.openstack import Lab
from tests.openstack.config import GUARDED, REGION
from tests.openstack.stage import Stage
from tests.openstack.test_handler_credentials import new_credential
from tests.rights import Row, access_rules, rows

PERMITTED = [row for row in rows() if row.policy]
SWEEP = {"select": {"name": "ci-sweep"}, "limit_percent": 100, "grace": "7d", "deactivate": True}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(guarded=True) as running:
        admin = sign_in(running.env(user="admin", project="admin")).headers["X-Subject-Token"]
        for name, kind in GUARDED.items():
            url = running.services[name].url + ("/v3" if name == "volume" else "")
            service = create(running, admin, "service", name=name, type=kind)
            create(running, admin, "endpoint", service_id=service, interface="public", region_id=REGION, url=url)
        yield running


def create(lab: Lab, token: str, kind: str, **fields: str) -> str:
    made = send("POST", f"{lab.identity.url}/v3/{kind}s", token, payload={kind: fields})
    assert made.status == 201, made
    return str(made.body[kind]["id"])


def restricted(stage: Stage, rules: Sequence[Json], role: str = "member") -> dict[str, str]:
    """The variables of a credential that permits these calls."""
    env, _ = new_credential(stage, access_rules=rules, roles=[{"name": role}])
    return env


def everything(stage: Stage, env: dict[str, str], **settings: str) -> list[Json]:
    """What is told of an image that is to be deleted, and of one that a sweep marks and then lets go."""
    stage.cloud.add_server()
    image, swept = stage.cloud.add_image("ci-1"), stage.cloud.add_image("ci-sweep")
    told = [stage.invoke({"image_ids": [image]}, env, **settings)]
    told += [stage.invoke({"sweep": SWEEP}, env, **settings)]
    stage.cloud.add_server(image=swept)
    told += [stage.invoke({"sweep": SWEEP}, env, **settings)]
    stage.left([image, swept])
    return [outcome for run in told for outcome in run.answer["outcomes"]]


def test_the_access_rules_are_enough(stage: Stage) -> None:
    told = everything(stage, restricted(stage, access_rules()))
    assert [one["outcome"] for one in told] == ["deleted", "marked", "refused"]
    assert told[2]["reason"] == "in_use"
    swept = stage.cloud.glance("GET", f"/{told[2]['image_id']}").body
    assert (swept["status"], swept["tags"]) == ("active", [])


def test_what_nova_asks_of_the_network_for_us_is_not_ours_to_ask(stage: Stage) -> None:
    token = sign_in(restricted(stage, access_rules())).headers["X-Subject-Token"]
    stage.cloud.add_server()
    servers = f"{stage.lab.compute.url}/v2.1/{stage.cloud.demo}/servers/detail"
    assert send("GET", servers, token).status == 200
    assert send("GET", f"{stage.lab.services['network'].url}/v2.0/ports", token).status == 401


@pytest.mark.parametrize("missing", PERMITTED, ids=str)
def test_without_one_of_the_access_rules_its_call_is_denied_and_named(stage: Stage, missing: Row) -> None:
    told = everything(stage, restricted(stage, [rule for rule in access_rules() if rule != missing.rule]))
    denied = [one["detail"] for one in told if (one["outcome"], one["reason"]) == ("failed", "denied")]
    named = [re.match(r"(\S+) (\S+) answered HTTP 401 ", detail) for detail in denied]
    assert named
    assert all(found and missing.is_of(found[1], found[2], missing.service) for found in named)
    assert (told[0]["outcome"] == "deleted") is bool(missing.only)


def test_a_rehearsal_needs_no_more_than_to_read(stage: Stage) -> None:
    reading = [row.rule for row in PERMITTED if row.method == "GET"]
    told = everything(stage, restricted(stage, reading, role="reader"), REAPER_MODE="dry-run")
    assert [one["outcome"] for one in told] == ["would_delete", "would_delete", "refused"]


def test_a_member_changes_what_a_reader_may_not(stage: Stage) -> None:
    told = everything(stage, restricted(stage, access_rules(), role="reader"))
    assert {(one["outcome"], one["reason"]) for one in told} == {("failed", "denied"), ("refused", "in_use")}
    assert "answered HTTP 403" in told[0]["detail"]
