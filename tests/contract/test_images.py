from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.asking import shape_of
from tests.contract.cloud import MISSING, Cloud

QUEUED: dict[str, Any] = {
    "name": "str",
    "disk_format": "str",
    "container_format": "str",
    "visibility": "str",
    "size": None,
    "virtual_size": None,
    "status": "str",
    "checksum": None,
    "protected": "bool",
    "min_ram": "int",
    "min_disk": "int",
    "owner": "str",
    "os_hidden": "bool",
    "os_hash_algo": None,
    "os_hash_value": None,
    "id": "str",
    "created_at": "str",
    "updated_at": "str",
    "tags": [],
    "self": "str",
    "file": "str",
    "schema": "str",
}
DATA = {"size": "int", "virtual_size": "int", "checksum": "str", "os_hash_algo": "str", "os_hash_value": "str"}
ACTIVE = QUEUED | DATA | {"stores": "str"}
MEMBER = {
    "created_at": "str",
    "image_id": "str",
    "member_id": "str",
    "schema": "str",
    "status": "str",
    "updated_at": "str",
}


def test_a_record_without_data_is_queued(cloud: Cloud) -> None:
    made = cloud.glance("POST", payload={"name": "ci-1", "disk_format": "raw", "container_format": "bare"})
    image_id = made.body["id"]
    shown = cloud.glance("GET", f"/{image_id}")
    assert (made.status, made.type, made.headers["Location"]) == (
        201,
        "application/json",
        f"{cloud.backend.image}/v2/images/{image_id}",
    )
    assert shape_of(made.body) == shape_of(shown.body) == QUEUED
    assert (shown.body["status"], shown.body["visibility"], shown.body["owner"]) == ("queued", "shared", cloud.demo)
    assert cloud.glance("DELETE", f"/{image_id}").status == 204


def test_an_upload_makes_an_image_active(cloud: Cloud) -> None:
    image_id = cloud.add_image(tags=["reap", "ci"], team="blue", protected=True)
    shown = cloud.glance("GET", f"/{image_id}")
    assert (shown.status, shown.type) == (200, "application/json")
    assert shape_of(shown.body) == ACTIVE | {"tags": ["str"], "team": "str"}
    assert (shown.body["status"], shown.body["size"], shown.body["protected"]) == ("active", 16, True)
    assert shown.body["checksum"] == "45ed9cc2f92b77cd8b2f5bd59ff635f8"
    assert (set(shown.body["tags"]), shown.body["team"]) == ({"reap", "ci"}, "blue")


def test_an_image_gets_data_only_once(cloud: Cloud) -> None:
    answer = cloud.glance("PUT", f"/{cloud.add_image()}/file", data=b"more")
    assert (answer.status, answer.body["title"]) == (409, "Conflict")


@pytest.mark.parametrize("image_id", [MISSING, "not-a-uuid"])
def test_an_unknown_image_is_not_found(cloud: Cloud, image_id: str) -> None:
    answer = cloud.glance("GET", f"/{image_id}")
    assert (answer.status, answer.type) == (404, "application/json")
    assert shape_of(answer.body) == {"message": "str", "code": "str", "title": "str"}
    assert answer.message == f"No image found with ID {image_id}"


def test_an_image_is_tagged_and_untagged(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    tagged = cloud.glance("PUT", f"/{image_id}/tags/keep")
    assert (tagged.status, tagged.content) == (204, b"")
    assert cloud.glance("GET", f"/{image_id}").body["tags"] == ["keep"]
    assert cloud.glance("DELETE", f"/{image_id}/tags/keep").status == 204
    assert cloud.glance("GET", f"/{image_id}").body["tags"] == []
    assert cloud.glance("DELETE", f"/{image_id}/tags/keep").status == 404


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("a%3Db", "a=b"),
        ("a=b", "a=b"),
        ("reaper-delete-after%3D2026-12-01", "reaper-delete-after=2026-12-01"),
        ("caf%C3%A9", "caf\u00c3\u00a9"),  # a letter for each byte
        ("a%20b", "a b"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_tag_is_decoded(cloud: Cloud, written: str, tag: str) -> None:
    image_id = cloud.queue()
    assert cloud.glance("PUT", f"/{image_id}/tags/{written}").status == 204
    assert cloud.glance("GET", f"/{image_id}").body["tags"] == [tag]
    assert cloud.names(f"tag={quote(tag)}") == ["ci-1"]
    assert cloud.glance("DELETE", f"/{image_id}/tags/{written}").status == 204
    assert cloud.glance("DELETE", f"/{image_id}/tags/{written}").status == 404
    assert cloud.names(f"tag={quote(tag)}") == []


def test_a_tag_that_is_absent_is_not_found(cloud: Cloud) -> None:
    image_id = cloud.queue(tags=["keep"])
    answer = cloud.glance("DELETE", f"/{image_id}/tags/a%3Db")
    assert (answer.status, answer.message) == (404, "The resource could not be found.")
    assert cloud.glance("GET", f"/{image_id}").body["tags"] == ["keep"]


@pytest.mark.parametrize(("tag", "status"), [("x" * 256, 400), ("a%2Fb", 404)])
def test_a_tag_that_cannot_be_is_refused(cloud: Cloud, tag: str, status: int) -> None:
    image_id = cloud.queue()
    assert cloud.glance("PUT", f"/{image_id}/tags/{tag}").status == status
    assert cloud.glance("GET", f"/{image_id}").body["tags"] == []


def test_an_image_has_128_tags_at_most(cloud: Cloud) -> None:
    image_id = cloud.queue(tags=[f"tag-{number}" for number in range(128)])
    assert cloud.glance("PUT", f"/{image_id}/tags/tag-1").status == 204
    answer = cloud.glance("PUT", f"/{image_id}/tags/one-more")
    assert (answer.status, answer.body["title"]) == (413, "Request Entity Too Large")
    assert answer.message == (
        f"Image tag limit exceeded for image {image_id}: The limit has been exceeded on the number of allowed image "
        "tags. Attempted: 129, Maximum: 128:"
    )
    assert len(cloud.glance("GET", f"/{image_id}").body["tags"]) == 128


def updated(cloud: Cloud, image_id: str) -> str:
    return str(cloud.glance("GET", f"/{image_id}").body["updated_at"])


def test_a_tag_moves_the_time_of_the_last_change(cloud: Cloud) -> None:
    image_id = cloud.queue()
    times = [updated(cloud, image_id)]
    for method in ("PUT", "PUT", "DELETE"):
        cloud.backend.let_time_pass()
        assert cloud.glance(method, f"/{image_id}/tags/a%3Db").status == 204
        times.append(updated(cloud, image_id))
    assert times == sorted(set(times))


def test_a_tag_that_could_not_be_taken_off_changes_nothing(cloud: Cloud) -> None:
    image_id = cloud.queue()
    before = updated(cloud, image_id)
    cloud.backend.let_time_pass()
    cloud.glance("DELETE", f"/{image_id}/tags/a%3Db")
    assert updated(cloud, image_id) == before


def test_an_image_is_deactivated_only_once(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    seen = []
    for action in ("deactivate", "deactivate", "reactivate", "reactivate"):
        cloud.backend.let_time_pass()
        assert cloud.glance("POST", f"/{image_id}/actions/{action}").status == 204
        shown = cloud.glance("GET", f"/{image_id}").body
        seen.append((shown["status"], shown["updated_at"]))
    assert [status for status, _ in seen] == ["deactivated", "deactivated", "active", "active"]
    assert seen[0] == seen[1]
    assert seen[2] == seen[3]
    assert seen[1][1] < seen[2][1]


def test_a_deactivated_image_is_tagged_like_any_other(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    cloud.deactivate(image_id)
    assert cloud.glance("PUT", f"/{image_id}/tags/a%3Db").status == 204
    shown = cloud.glance("GET", f"/{image_id}").body
    assert (shown["status"], shown["tags"]) == ("deactivated", ["a=b"])


@pytest.mark.parametrize(("method", "path"), [("PUT", "/tags/keep"), ("POST", "/actions/deactivate")])
def test_a_reader_changes_nothing(cloud: Cloud, method: str, path: str) -> None:
    image_id = cloud.add_image()
    assert cloud.glance(method, f"/{image_id}{path}", "reader").status == 403
    shown = cloud.glance("GET", f"/{image_id}").body
    assert (shown["status"], shown["tags"]) == ("active", [])


def test_a_deactivated_image_says_so_until_it_is_active_again(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    cloud.deactivate(image_id)
    assert cloud.glance("GET", f"/{image_id}").body["status"] == "deactivated"
    assert cloud.glance("POST", f"/{image_id}/actions/reactivate").status == 204
    assert cloud.glance("GET", f"/{image_id}").body["status"] == "active"


def test_a_queued_image_cannot_be_deactivated(cloud: Cloud) -> None:
    answer = cloud.glance("POST", f"/{cloud.queue()}/actions/deactivate")
    assert (answer.status, answer.message) == (403, "Not allowed to deactivate image in status 'queued'")


def test_an_image_is_changed_by_json_patch(cloud: Cloud) -> None:
    image_id = cloud.add_image(team="blue")
    change = [{"op": "replace", "path": "/protected", "value": True}, {"op": "remove", "path": "/team"}]
    answer = cloud.glance("PATCH", f"/{image_id}", patch=change)
    assert (answer.status, answer.body["protected"]) == (200, True)
    assert shape_of(answer.body) == ACTIVE


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "replace", "path": "/team", "value": "blue"}, 409),
        ({"op": "replace", "path": "/protected", "value": "no"}, 400),
        ({"op": "replace", "path": "/visibility", "value": "public"}, 403),
        ({"op": "test", "path": "/name"}, 400),
    ],
)
def test_a_change_that_may_not_be_changes_nothing(cloud: Cloud, change: object, status: int) -> None:
    path = f"/{cloud.add_image()}"
    before = cloud.glance("GET", path).body
    name = {"op": "replace", "path": "/name", "value": "other"}
    assert cloud.glance("PATCH", path, patch=[name, change]).status == status
    assert cloud.glance("GET", path).body == before


def test_sharing_takes_two(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    path = f"/{image_id}/members"
    offered = cloud.glance("POST", path, payload={"member": cloud.other})
    assert (offered.status, shape_of(offered.body), offered.body["status"]) == (200, MEMBER, "pending")
    mine = cloud.glance("PUT", f"{path}/{cloud.other}", payload={"status": "accepted"})
    theirs = cloud.glance("PUT", f"{path}/{cloud.other}", "neighbour", payload={"status": "accepted"})
    assert (mine.status, theirs.status) == (403, 200)
    listed = cloud.glance("GET", path)
    assert shape_of(listed.body) == {"members": [MEMBER], "schema": "str"}
    assert [(m["member_id"], m["status"]) for m in listed.body["members"]] == [(cloud.other, "accepted")]


def test_an_image_is_shared_with_a_project_only_once(cloud: Cloud) -> None:
    path = f"/{cloud.add_image()}/members"
    first, second = (cloud.glance("POST", path, payload={"member": cloud.other}) for _ in range(2))
    assert (first.status, second.status) == (200, 409)


def test_sharing_ends(cloud: Cloud) -> None:
    path = f"/{cloud.add_image()}/members"
    cloud.glance("POST", path, payload={"member": cloud.other})
    assert cloud.glance("DELETE", f"{path}/{cloud.other}").status == 204
    assert cloud.glance("GET", path).body["members"] == []
    assert cloud.glance("DELETE", f"{path}/{cloud.other}").status == 404


def test_a_private_image_has_no_members(cloud: Cloud) -> None:
    image_id = cloud.add_image(visibility="private")
    answer = cloud.glance("GET", f"/{image_id}/members")
    words = f"Not allowed to list members for image {image_id}: Only shared images have members."
    assert (answer.status, answer.message) == (403, words)


def test_members_of_an_unknown_image_are_not_found(cloud: Cloud) -> None:
    answer = cloud.glance("GET", f"/{MISSING}/members")
    assert (answer.status, answer.message) == (404, f"Image {MISSING} not found.")


def test_a_member_sees_only_itself_among_the_members(cloud: Cloud) -> None:
    image_id = cloud.add_image(user="neighbour")
    assert cloud.glance("GET", f"/{image_id}").status == 404
    cloud.share(image_id, accept=False)
    assert cloud.glance("GET", f"/{image_id}").body["visibility"] == "shared"
    members = cloud.glance("GET", f"/{image_id}/members").body["members"]
    assert [member["member_id"] for member in members] == [cloud.demo]


@pytest.mark.parametrize(
    ("method", "path", "options", "message"),
    [
        ("PUT", "/tags/keep", {}, f"Image {MISSING} not found."),
        ("DELETE", "/tags/keep", {}, f"Image {MISSING} not found."),
        ("POST", "/actions/deactivate", {}, f"No image found with ID {MISSING}"),
        ("PUT", "/file", {"data": b"x"}, f"No image found with ID {MISSING}"),
        ("POST", "/members", {"payload": {"member": "0" * 32}}, f"Image {MISSING} not found."),
        ("DELETE", "/members/demo", {}, f"Image {MISSING} not found."),
        ("PATCH", "", {"patch": []}, f"No image found with ID {MISSING}"),
    ],
)
def test_an_unknown_image_cannot_be_changed(
    cloud: Cloud, method: str, path: str, options: dict[str, Any], message: str
) -> None:
    answer = cloud.glance(method, f"/{MISSING}{path}", **options)
    assert (answer.status, answer.message) == (404, message)
