"""Queries and addresses of all kinds: the fake answers each with the status of the real service.

The statuses are those that Glance 33 and Nova 34 gave. Queries whose answer depends on Glance's database, such as
`min_ram=x`, are not asked.
"""

import hashlib
import json

import pytest

from tests.contract.asking import send
from tests.contract.cloud import MISSING, Cloud

IMAGES = {
    200: (
        "", "limit=0", "limit=1000", "limit=1&limit=2", "sort=name", "sort=name:asc,size:desc", "sort_dir=asc",
        "sort_key=name&sort_key=size&sort_dir=asc", "sort_key=name&sort_key=name", "visibility=", "visibility=all",
        "visibility=public&visibility=private", "visibility=private&member_status=all", "member_status=rejected",
        "os_hidden=true", "os_hidden=True", "os_hidden=TRUE", "os_hidden=False", "protected=true", "min_ram=1",
        "size_min=-1", "status=bogus", "status=in:active,queued", "status=in:", 'name=in:"a,b",c', "id=in:a,b",
        "checksum=x", "is_public=true", "deleted=x", "created_at=eq:2026-01-01", "tag=", "tag=a&tag=b", "nonsense=1",
        "property-x=1", "disk_format=in:raw,qcow2",
    ),
    400: (
        "limit=-1", "limit=x", "limit=", "marker=not-a-uuid", "marker=", "sort=", "sort=age", "sort=name:up",
        "sort_key=", "sort_dir=up", "sort_dir=", "sort_key=name&sort_dir=asc&sort_dir=desc", "sort=name&sort_key=name",
        "sort=name&sort_dir=asc", "visibility=bogus", "visibility=Public", "member_status=bogus", "member_status=",
        "os_hidden=1", "os_hidden=maybe", "os_hidden=", "protected=True", "protected=1", "protected=", "size_min=x",
        'name=in:"a', "created_at=", "created_at=in:2026-01-01", "updated_at=gte:x",
        "changes-since=2026-01-01T00:00:00Z",
    ),
}  # fmt: skip
SERVERS = {
    200: (
        "", "limit=0", "limit=99999", "limit=1&limit=2", "marker=", "name=web", "name=^web$", "all_tenants=0",
        "all_tenants=false", "sort_key=created_at&sort_dir=asc", "sort_key=image_ref", "sort_dir=desc",
        "changes-since=2026-01-01", "status=bogus", "status=", "image=", "image=x", "flavor=x", "ip=x", "deleted=true",
        "reservation_id=x", "tenant_id=x", "nonsense=1",
    ),
    400: (
        "limit=-1", "limit=", "marker=not-a-uuid", "name=[", "name=", "ip=[", "all_tenants=x", "sort_key=bogus",
        "sort_key=", "sort_dir=up", "sort_dir=ASC", "sort_key=created_at&sort_dir=asc&sort_dir=desc", "changes-since=x",
        "changes-since=", "changes-since=1",
    ),
    403: ("all_tenants=1", "all_tenants=true", "all_tenants", "sort_key=host", "status=deleted"),
}  # fmt: skip
ADDRESSES = {
    200: (
        "GET /versions", "GET /healthcheck", "GET /v2/schemas/image", "GET /v2/schemas/images",
        "GET /v2/schemas/member", "GET /v2/schemas/members", "GET /v2/info/import", "GET /v2/info/stores",
        "GET /v2/info/usage", "GET /v2/metadefs/namespaces", "GET /v2/metadefs/resource_types", "OPTIONS /v2/images",
        "OPTIONS /v2/images/ID", "GET /v2/images/ID/tasks", "GET /v2/images/ID/members", "GET /v2/images/ID/file",
    ),
    300: ("GET /", "GET /v1", "GET /v1/images", "GET /v3/images"),
    302: ("GET /v2",),
    403: ("GET /v2/tasks", f"GET /v2/tasks/{MISSING}", "GET /v2/cache", "GET /v2/images/ID/locations"),
    404: (
        "GET /v2/", "GET /v2/schemas", "GET /v2/schemas/nonsense", "GET /v2/info", "GET /v2/images/",
        "GET /v2/nonsense", "GET /v2/images/ID/", "GET /v2/images/ID/tags", f"GET /v2/images/ID/members/{MISSING}",
        "GET /v2/metadefs/namespaces/nonsense",
    ),
    405: ("HEAD /v2/images", "POST /v2/images/ID", "PUT /v2/images", "DELETE /v2/images"),
}  # fmt: skip


def rows(table: dict[int, tuple[str, ...]]) -> list[tuple[str, int]]:
    return [(asked, status) for status, several in table.items() for asked in several]


def test_there_are_as_many_questions_as_were_asked_of_the_real_services() -> None:
    assert [len(rows(table)) >= least for table, least in ((IMAGES, 50), (ADDRESSES, 21), (SERVERS, 25))] == [True] * 3


def test_a_list_of_images_is_turned_down_as_by_glance(cloud: Cloud) -> None:
    cloud.queue()
    found = [(query, cloud.glance("GET", f"?{query}").status) for query, _ in rows(IMAGES)]
    assert found == rows(IMAGES)


def test_a_list_of_servers_is_turned_down_as_by_nova(cloud: Cloud) -> None:
    cloud.add_server("web-1", image=cloud.queue())
    found = [(query, cloud.nova("GET", f"/v2.1/servers/detail?{query}").status) for query, _ in rows(SERVERS)]
    assert found == rows(SERVERS)


@pytest.mark.parametrize(
    ("query", "count"), [("flavor=x", 0), ("ip=x", 0), ("reservation_id=x", 0), ("image=", 0), ("nonsense=1", 1)]
)
def test_a_server_is_left_out_by_what_it_does_not_have(cloud: Cloud, query: str, count: int) -> None:
    cloud.add_server("web-1", image=cloud.queue())
    assert len(cloud.nova("GET", f"/v2.1/servers/detail?{query}").body["servers"]) == count


def test_the_other_addresses_of_glance_answer_as_they_do(cloud: Cloud) -> None:
    image_id, token = cloud.add_image(), cloud.token("reaper")
    found = []
    for asked, _ in rows(ADDRESSES):
        method, path = asked.split(" ")
        found.append((asked, send(method, cloud.backend.image + path.replace("ID", image_id), token).status))
    assert found == rows(ADDRESSES)


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("image", "4699864e287a64cb"),
        ("images", "874fcbf7979b34fc"),
        ("member", "aa6d73f7d2ea96c1"),
        ("members", "540f472304acfed6"),
    ],
)
def test_the_schemas_are_those_of_glance_to_the_letter(cloud: Cloud, kind: str, digest: str) -> None:
    answer = send("GET", f"{cloud.backend.image}/v2/schemas/{kind}", cloud.token("reaper"))
    spelled = json.dumps(answer.body, sort_keys=True).encode()
    assert (answer.body["name"], hashlib.sha256(spelled).hexdigest()[:16]) == (kind, digest)


@pytest.mark.parametrize("path", ["/v2.1/images", "/v2.1/images/detail", "/v2/images", "/v2/images/detail"])
def test_nova_lists_images_too(cloud: Cloud, path: str) -> None:
    image_id = cloud.add_image(team="blue")
    answer = cloud.nova("GET", f"{path}?limit=1")
    (image,) = answer.body["images"]
    assert (answer.status, image["id"], image["name"]) == (200, image_id, "ci-1")
    assert image.get("metadata", {}) == ({"team": "blue"} if path.endswith("detail") else {})


def test_without_an_administrators_rights_a_caller_sees_only_its_own_project(cloud: Cloud) -> None:
    paths = (f"/projects/{cloud.demo}", f"/projects/{cloud.other}", f"/projects/{MISSING}", "/projects?name=other")
    assert [cloud.keystone("GET", path, cloud.token("reaper")).status for path in paths] == [200, 403, 403, 403]
