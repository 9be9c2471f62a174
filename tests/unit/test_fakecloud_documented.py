"""The documented calls that other clients make: quick here, and by these clients themselves in `tests/clients`."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakecloud import DEMO, OTHER
from tests.unit.fakeclient import MISSING, TRANSPORTS, Client, clients

IMS = f"/ims/v2/{DEMO}/images"


@pytest.fixture(params=TRANSPORTS)
def otc(request: pytest.FixtureRequest) -> Iterator[Client]:
    yield from clients(request.param, "otc")


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("/ims/", 300, ["v2.2", "v2.1", "v2.0", "v1.1"]),
        ("/ims/v2/", 300, ["v2.2"]),
        ("/ims/v2.0", 300, ["v2.0"]),
        ("/ecs/", 200, ["v2.0", "v2.1"]),
        ("/evs/", 300, ["v1.0", "v2.0", "v3.0"]),
        ("/evs/v3/", 200, ["v3.0"]),
    ],
)
def test_services_list_their_versions(otc: Client, path: str, status: int, found: list[str]) -> None:
    answer = otc.call("GET", path)
    assert (answer.status_code, [each["id"] for each in answer.json()["versions"]]) == (status, found)
    assert answer.json()["versions"][0]["links"][0]["href"].startswith(f"{otc.url}/{path.split('/')[1]}/v")


def test_a_version_of_ecs_stands_alone(otc: Client) -> None:
    assert otc.call("GET", "/ecs/v2.1/").json()["version"]["version"] == "2.60"
    assert otc.call("GET", "/ecs/v3/").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "tags"),
    [
        ({"tag": "team.blue"}, 204, ["env=ci", "team=blue"]),
        ({"image_tag": {"key": "env", "value": "prod"}}, 204, ["env=prod"]),
        ({"image_tag": {"key": "k" * 37, "value": "v"}}, 400, ["env=ci"]),
        ({"image_tag": {"key": "k", "value": "v" * 44}}, 400, ["env=ci"]),
        ({"image_tag": {"key": "a key", "value": "v"}}, 400, ["env=ci"]),
        ({}, 400, ["env=ci"]),
    ],
    ids=str,
)
def test_ims_puts_a_tag(otc: Client, body: dict[str, Any], status: int, tags: list[str]) -> None:
    image = otc.cloud.add_image(tags=["env=ci"])
    assert otc.call("PUT", "/ims/v1/cloudimages/tags", json={"image_id": image, **body}).status_code == status
    assert otc.cloud.images[image].tags == tags


def test_ims_changes_several_tags_but_no_more_than_ten(otc: Client) -> None:
    image = otc.cloud.add_image(tags=["env=ci"])
    several = [{"key": f"k{number}", "value": "v"} for number in range(9)]
    address = f"{IMS}/{image}/tags/action"
    assert otc.call("POST", address, json={"action": "create", "tags": several}).status_code == 204
    assert otc.call("POST", address, json={"action": "create", "tags": [{"key": "x", "value": ""}]}).status_code == 400
    assert otc.call("POST", address, json={"action": "delete", "tags": [{"key": "env"}]}).status_code == 204
    assert otc.cloud.images[image].tags == [f"k{number}=v" for number in range(9)]


@pytest.mark.parametrize(("values", "count"), [(["blue"], 1), (["blue", "red"], 2), ([], 2), (["green"], 0)])
def test_ims_finds_images_by_tags(otc: Client, values: list[str], count: int) -> None:
    otc.cloud.add_image(tags=["team=blue"])
    otc.cloud.add_image(tags=["team.red"])
    otc.cloud.add_image(tags=["team=blue"], owner=OTHER, visibility="public")
    wanted = {"tags": [{"key": "team", "values": values}]}
    for action in ("count", "filter"):
        found = otc.call("POST", f"{IMS}/resource_instances/action", json={"action": action, **wanted}).json()
        assert (found["total_count"], len(found.get("resources", [None] * count))) == (count, count)
    assert otc.call("GET", f"{IMS}/tags").json()["tags"] == [{"key": "team", "values": ["blue", "red"]}]
    assert otc.call("GET", "/ims/v1/cloudimages/tags").json()["tags"] == ["team.red", "team=blue"]


def test_ims_changes_an_image_by_its_own_call(otc: Client) -> None:
    image = otc.cloud.add_image()
    change = [{"op": "replace", "path": "/name", "value": "web-1"}]
    assert otc.call("PATCH", f"/ims/v2/cloudimages/{image}", json=change).json()["name"] == "web-1"
    assert otc.call("PATCH", f"/ims/v2/cloudimages/{image}", data="{").status_code == 400
    assert otc.cloud.images[image].name == "web-1"


def test_ims_tells_its_quota(otc: Client) -> None:
    otc.cloud.add_image()
    otc.cloud.add_image(owner=OTHER)
    (told,) = otc.call("GET", "/ims/v1/cloudimages/quota").json()["quotas"]["resources"]
    assert (told["type"], told["used"]) == ("image", 1)


def test_ecs_and_evs_list_in_their_own_calls(otc: Client) -> None:
    image = otc.cloud.add_image()
    server = otc.cloud.add_server(image=image)
    volume = otc.cloud.add_volume(image=image, server=server)
    servers = otc.call("GET", f"/ecs/v1/{DEMO}/cloudservers/detail").json()
    volumes = otc.call("GET", f"/evs/v2/{DEMO}/cloudvolumes/detail").json()
    assert (servers["count"], servers["servers"][0]["id"], volumes["count"]) == (1, server, 1)
    assert servers["servers"][0]["os-extended-volumes:volumes_attached"] == [{"id": volume}]
    assert volumes["volumes"][0]["volume_image_metadata"] == {"image_id": image}
    assert otc.call("GET", f"/ecs/v1/{DEMO}/cloudservers/detail?offset=2").json()["servers"] == []
    assert otc.call("GET", f"/evs/v2/{OTHER}/cloudvolumes/detail").status_code == 400


def test_auto_scaling_shows_a_configuration_and_its_group(otc: Client) -> None:
    image, disk = otc.cloud.add_image(), otc.cloud.add_image()
    known = otc.cloud.add_scaling_configuration("as-1", image=image, data_images=[disk])
    address = f"/as/autoscaling-api/v1/{DEMO}"
    shown = otc.call("GET", f"{address}/scaling_configuration/{known}").json()["scaling_configuration"]
    assert shown["instance_config"]["disk"][1]["data_disk_image_id"] == disk
    assert otc.call("GET", f"{address}/scaling_configuration/{MISSING}").status_code == 404
    groups = otc.call("GET", f"{address}/scaling_group").json()
    assert (groups["total_number"], groups["scaling_groups"][0]["scaling_configuration_id"]) == (1, known)


def test_ecs_lists_images_as_nova_does(otc: Client) -> None:
    image = otc.cloud.add_image()
    for path in ("images", "images/detail"):
        assert [each["id"] for each in otc.call("GET", f"/ecs/v2/{DEMO}/{path}").json()["images"]] == [image]


def test_iam_tells_whose_project_it_is(otc: Client) -> None:
    named = otc.call("GET", "/iam/v3/projects?name=demo").json()["projects"]
    assert [each["id"] for each in named] == [DEMO]
    assert otc.call("GET", "/iam/v3/projects?name=other").json()["projects"] == []
    assert [otc.call("GET", f"/iam/v3/projects/{each}").status_code for each in (DEMO, OTHER)] == [200, 403]


def test_a_deletion_of_ims_is_answered_as_it_was_recorded(otc: Client) -> None:
    answer = otc.delete(otc.cloud.add_image(), json={})
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (204, b"", "application/json")
    assert answer.headers["Server"] == "CloudWAF"
    assert answer.headers["Set-Cookie"].startswith("HWWAFSESID=")
    assert answer.headers["X-Request-Id"]
