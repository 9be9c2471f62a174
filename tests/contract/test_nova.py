from typing import Any

import pytest

from tests.contract.asking import shape_of
from tests.contract.cloud import MISSING, Cloud

NEW, OLD = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"
LINK = {"rel": "str", "href": "str"}
NAMED = {"id": "str", "name": "str", "links": [LINK]}
NOT_FOUND = (404, {"itemNotFound": {"code": 404, "message": "Image not found."}})
FORBIDDEN = (403, {"forbidden": {"code": 403, "message": "You are not allowed to delete the image."}})
ASKED: tuple[dict[str, str], ...] = ({}, {NEW: "compute 2.1"}, {OLD: "2.35"})
ADDRESSES = ("/v2/{demo}/images", "/v2/images", "/v2.1/{demo}/images", "/v2.1/images")
SERVER = {
    **dict.fromkeys(("accessIPv4", "accessIPv6", "created", "hostId", "id", "name", "status", "updated"), "str"),
    **dict.fromkeys(("tenant_id", "user_id", "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone"), "str"),
    **dict.fromkeys(("OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state", "key_name")),
    "OS-EXT-STS:vm_state": "str",
    "OS-EXT-STS:power_state": "int",
    "addresses": {},
    "flavor": {"id": "str", "links": [LINK]},
    "image": {"id": "str", "links": [LINK]},
    "links": [LINK],
    "metadata": {},
    "os-extended-volumes:volumes_attached": [],
}
NOT_COMPARED = {"progress", "config_drive"}
"""What depends on how a server was made, and nobody here has made one."""


with_and_without_microversion = pytest.mark.parametrize("asked", ASKED, ids=["plain", "2.1", "2.35"])
at_each_address = pytest.mark.parametrize("address", ADDRESSES)


@with_and_without_microversion
@at_each_address
def test_an_active_image_goes(cloud: Cloud, address: str, asked: dict[str, str]) -> None:
    image_id = cloud.add_image()
    answer = cloud.nova("DELETE", f"{address.format(demo=cloud.demo)}/{image_id}", headers=asked)
    assert (answer.status, answer.reason, answer.content) == (204, "No Content", b"")
    assert answer.type == "application/json"
    assert "Content-Length" not in answer.headers
    assert answer.headers["x-openstack-request-id"] == answer.headers["x-compute-request-id"]
    assert not cloud.stands(image_id)


@with_and_without_microversion
@at_each_address
@pytest.mark.parametrize("kind", ["queued", "deactivated"])
def test_an_image_that_is_not_active_goes(cloud: Cloud, address: str, asked: dict[str, str], kind: str) -> None:
    image_id = cloud.queue() if kind == "queued" else cloud.add_image()
    if kind == "deactivated":
        cloud.deactivate(image_id)
    assert cloud.nova("DELETE", f"{address.format(demo=cloud.demo)}/{image_id}", headers=asked).status == 204
    assert not cloud.stands(image_id)


@with_and_without_microversion
@at_each_address
@pytest.mark.parametrize("kind", ["unknown", "deleted", "foreign"])
def test_what_we_cannot_see_is_not_found(cloud: Cloud, address: str, asked: dict[str, str], kind: str) -> None:
    image_id = MISSING
    if kind == "foreign":
        image_id = cloud.add_image(user="neighbour", visibility="private")
    if kind == "deleted":
        image_id = cloud.add_image()
        cloud.glance("DELETE", f"/{image_id}")
    answer = cloud.nova("DELETE", f"{address.format(demo=cloud.demo)}/{image_id}", headers=asked)
    assert (answer.status, answer.body) == NOT_FOUND
    assert answer.type == "application/json; charset=UTF-8"
    assert kind != "foreign" or cloud.stands(image_id, "neighbour")


@with_and_without_microversion
@at_each_address
@pytest.mark.parametrize("image", [{"protected": True}, {"user": "neighbour", "visibility": "community"}])
def test_the_reason_of_a_refusal_is_dropped(
    cloud: Cloud, address: str, asked: dict[str, str], image: dict[str, Any]
) -> None:
    image_id = cloud.add_image(**image)
    answer = cloud.nova("DELETE", f"{address.format(demo=cloud.demo)}/{image_id}", headers=asked)
    assert (answer.status, answer.body) == FORBIDDEN
    assert cloud.stands(image_id, image.get("user", "reaper"))


def test_a_reader_deletes_nothing(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    answer = cloud.nova("DELETE", f"/v2.1/images/{image_id}", "reader")
    assert (answer.status, answer.body) == FORBIDDEN
    assert cloud.stands(image_id)


@pytest.mark.parametrize(
    ("version", "header", "asked", "status"),
    [
        ("v2", NEW, "compute 2.35", 204),
        ("v2", NEW, "compute 2.36", 204),
        ("v2", NEW, "compute latest", 204),
        ("v2", OLD, "2.36", 204),
        ("v2.1", NEW, "compute 2.35", 204),
        ("v2.1", NEW, "compute 2.36", 404),
        ("v2.1", NEW, "compute latest", 404),
        ("v2.1", NEW, "compute 2.999", 406),
        ("v2.1", NEW, "compute nonsense", 400),
        ("v2.1", OLD, "2.35", 204),
        ("v2.1", OLD, "2.36", 404),
    ],
)
def test_images_are_deleted_up_to_microversion_2_35(
    cloud: Cloud, version: str, header: str, asked: str, status: int
) -> None:
    image_id = cloud.add_image()
    answer = cloud.nova("DELETE", f"/{version}/{cloud.demo}/images/{image_id}", headers={header: asked})
    assert answer.status == status
    assert cloud.stands(image_id) is (status != 204)


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        ("2.36", {"itemNotFound": {"code": 404, "message": "The resource could not be found."}}),
        (
            "2.999",
            {
                "computeFault": {
                    "code": 406,
                    "message": "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.104.",
                }
            },
        ),
    ],
)
def test_a_microversion_without_images_is_told_apart_from_a_missing_image(
    cloud: Cloud, asked: str, body: object
) -> None:
    answer = cloud.nova("DELETE", f"/v2.1/images/{MISSING}", headers={NEW: f"compute {asked}"})
    assert (answer.body, answer.type) == (body, "application/json; charset=UTF-8")


@pytest.mark.parametrize(("asked", "told"), [({}, "2.1"), ({NEW: "compute 2.35"}, "2.35"), ({OLD: "2.3"}, "2.3")])
def test_nova_tells_the_microversion_that_it_used(cloud: Cloud, asked: dict[str, str], told: str) -> None:
    headers = cloud.nova("GET", "/v2.1/servers", headers=asked).headers
    assert (headers[NEW], headers[OLD]) == (f"compute {told}", told)


@pytest.mark.parametrize("version", ["v2", "v2.1"])
def test_the_project_in_the_address_must_be_ours(cloud: Cloud, version: str) -> None:
    image_id = cloud.add_image()
    answer = cloud.nova("DELETE", f"/{version}/{cloud.other}/images/{image_id}")
    words = f"URL's project_id '{cloud.other}' doesn't match Context's project_id '{cloud.demo}'"
    assert (answer.status, answer.message) == (400, f"Malformed request URL: {words}")
    assert cloud.stands(image_id)


@at_each_address
def test_nova_shows_an_image(cloud: Cloud, address: str) -> None:
    image_id = cloud.add_image(team="blue")
    answer = cloud.nova("GET", f"{address.format(demo=cloud.demo)}/{image_id}")
    image = answer.body["image"]
    assert (image["id"], image["name"], image["status"]) == (image_id, "ci-1", "ACTIVE")
    assert image["metadata"] == {"team": "blue"}


def test_nova_has_no_collection_to_delete(cloud: Cloud) -> None:
    assert cloud.nova("DELETE", "/v2.1/images").status == 404


@with_and_without_microversion
@pytest.mark.parametrize("path", ["/v2/{demo}/servers", "/v2.1/{demo}/servers", "/v2.1/servers"])
def test_servers_are_listed_by_image(cloud: Cloud, path: str, asked: dict[str, str]) -> None:
    image_id = cloud.add_image()
    web = cloud.add_server("web-1", image=image_id)
    cloud.add_server("web-2", image=cloud.add_image())
    cloud.add_server("db-1")
    cloud.add_server("theirs", image=image_id, project="other")
    answer = cloud.nova("GET", f"{path.format(demo=cloud.demo)}?image={image_id}", headers=asked)
    assert (answer.status, answer.type) == (200, "application/json")
    assert shape_of(answer.body) == {"servers": [NAMED]}
    assert [server["id"] for server in answer.body["servers"]] == [web]
    assert cloud.nova("GET", f"{path.format(demo=cloud.demo)}?image={MISSING}").body == {"servers": []}


@pytest.mark.parametrize("path", ["/v2/{demo}/servers", "/v2.1/{demo}/servers"])
def test_servers_come_in_pages_newest_first(cloud: Cloud, path: str) -> None:
    made = [cloud.add_server(f"web-{number}", image=MISSING) for number in range(3)]
    url = f"{path.format(demo=cloud.demo)}/detail"
    first = cloud.nova("GET", f"{url}?limit=2").body
    (link,) = first["servers_links"]
    second = cloud.nova("GET", link["href"].removeprefix(cloud.compute)).body
    assert link == {"rel": "next", "href": f"{cloud.compute}{url}?limit=2&marker={made[1]}"}
    assert [server["id"] for server in first["servers"] + second["servers"]] == made[::-1]
    assert "servers_links" not in second


def test_servers_fit_on_one_page_of_a_thousand(cloud: Cloud) -> None:
    made = {cloud.add_server(f"web-{number}", image=MISSING) for number in range(30)}
    page = cloud.nova("GET", f"/v2.1/{cloud.demo}/servers/detail?limit=1000").body
    assert {server["id"] for server in page["servers"]} == made
    assert "servers_links" not in page


@pytest.mark.parametrize("query", ["limit=-1", "limit=abc", f"marker={MISSING}"])
def test_odd_pages_are_refused(cloud: Cloud, query: str) -> None:
    answer = cloud.nova("GET", f"/v2.1/servers/detail?{query}")
    assert (answer.status, shape_of(answer.body)) == (400, {"badRequest": {"code": "int", "message": "str"}})


def test_a_server_tells_its_image_unless_booted_from_a_volume(cloud: Cloud) -> None:
    db, web = cloud.add_server("db-1"), cloud.add_server("web-1", image=MISSING)
    answer = cloud.nova("GET", f"/v2.1/{cloud.demo}/servers/detail")
    first, second = answer.body["servers"]
    assert (first["id"], first["image"]["id"]) == (web, MISSING)
    assert (second["id"], second["image"]) == (db, "")
    told = {key: value for key, value in shape_of(first).items() if key not in NOT_COMPARED}
    assert told == SERVER
