"""The lists of the fake cloud: pages, filters and orders, and what can go wrong with them."""

import copy
from typing import Any

import pytest
import requests

from tests.fakecloud import DEMO, OTHER
from tests.unit.fakeclient import MISSING, Client, code_of

# Glance


def test_pages_are_followed_to_the_end(client: Client) -> None:
    made = {client.cloud.add_image(f"ci-{number}") for number in range(7)}
    seen: list[str] = []
    link: str | None = "/v2/images?limit=1000"
    while link:
        page = client.call("GET", "/image" + link).json()
        seen += [image["id"] for image in page["images"]]
        assert page["first"] == "/v2/images?limit=1000"
        link = page.get("next")
    assert len(seen) == 7
    assert set(seen) == made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["new", "old", "oldest"]),
        ("sort_key=created_at&sort_dir=asc", ["oldest", "old", "new"]),
        ("created_at=lt:2026-03-01T00:00:00Z", ["old", "oldest"]),
        ("created_at=gte:2026-03-01", ["new"]),
        ("created_at=2026-04-01T00:00:00Z", []),
        ("size_min=2000", ["old"]),
    ],
)
def test_lists_know_times_and_sizes(client: Client, query: str, names: list[str]) -> None:
    add = client.cloud.add_image
    add("new", created_at="2026-04-01T00:00:00Z")
    add("old", created_at="2026-02-01T00:00:00Z", size=5000)
    add("oldest", created_at="2026-01-01T00:00:00Z")
    assert client.names(query) == names


def test_a_list_follows_what_becomes_of_its_images(client: Client) -> None:
    first, second = (
        client.cloud.add_image(name, created_at=f"2026-0{name[-1]}-01T00:00:00Z") for name in ("ci-1", "ci-2")
    )
    assert client.names("") == ["ci-2", "ci-1"]
    client.cloud.images[first].created_at = "2026-03-01T00:00:00Z"
    assert client.names("") == ["ci-1", "ci-2"]
    client.cloud.images[second].tags.append("keep")
    assert client.names("tag=keep") == ["ci-2"]
    client.cloud.kill(first)
    client.cloud.add_image("ci-4", created_at="2026-04-01T00:00:00Z")
    assert client.names("") == ["ci-4", "ci-2"]


def test_a_list_shows_an_image_that_was_replaced_by_its_like(client: Client) -> None:
    image_id = client.cloud.add_image()
    assert client.names("tag=keep") == []
    client.cloud.images[image_id] = copy.deepcopy(client.cloud.images[image_id])
    client.cloud.images[image_id].name = "ci-1"
    assert client.names("tag=keep") == []
    client.call("PUT", f"/image/v2/images/{image_id}/tags/keep")
    assert client.names("tag=keep") == ["ci-1"]


# Faults


LIST = r"/v2/images$"


def follow(client: Client, most: int = 10) -> tuple[list[list[str]], int]:
    """The ids on each page, and the status of the last answer."""
    pages: list[list[str]] = []
    answer = client.call("GET", "/image/v2/images?limit=2")
    while answer.status_code == 200:
        pages.append([image["id"] for image in answer.json()["images"]])
        if "next" not in answer.json() or len(pages) == most:
            break
        answer = client.call("GET", "/image" + answer.json()["next"])
    return pages, answer.status_code


@pytest.fixture
def five(client: Client) -> list[str]:
    """Five images in the order of a list, three pages of them."""
    return [client.cloud.add_image(created_at=f"2026-0{number}-01T00:00:00Z") for number in (5, 4, 3, 2, 1)]


def test_one_page_alone_can_fail(client: Client, five: list[str]) -> None:
    client.cloud.fault("GET", LIST, skip=1, status=503)
    assert follow(client) == ([five[:2]], 503)
    assert follow(client) == ([five[:2], five[2:4], five[4:]], 200)


def test_the_page_after_an_image_can_fail(client: Client, five: list[str]) -> None:
    client.cloud.fault("GET", LIST, query=f"marker={five[3]}", status=503)
    assert follow(client) == ([five[:2], five[2:4]], 503)


def test_a_page_can_repeat_itself(client: Client, five: list[str]) -> None:
    seen: dict[str, Any] = {}
    client.cloud.fault("GET", LIST, status=None, times=None, edit=lambda page: seen.setdefault("first", page))
    assert follow(client, most=4) == ([five[:2]] * 4, 200)


def test_a_list_can_claim_to_go_on_for_ever(client: Client, five: list[str]) -> None:
    more = {"next": f"/v2/images?limit=2&marker={five[4]}"}
    client.cloud.fault("GET", LIST, status=None, times=None, skip=2, edit=lambda page: page | more)
    assert follow(client, most=6) == ([five[:2], five[2:4], five[4:], [], [], []], 200)


def test_a_page_can_be_short_of_half_its_images(client: Client, five: list[str]) -> None:
    client.cloud.fault("GET", LIST, status=None, edit=lambda page: page | {"images": page["images"][:1]})
    assert follow(client) == ([five[:1], five[2:4], five[4:]], 200)


def test_the_image_that_the_next_page_follows_can_be_deleted(client: Client, five: list[str]) -> None:
    client.cloud.fault("GET", LIST, status=None, then=lambda: client.cloud.kill(five[1]))
    assert follow(client) == ([five[:2]], 400)


def test_an_image_can_be_made_between_two_pages(client: Client, five: list[str]) -> None:
    client.cloud.fault("GET", LIST, status=None, then=lambda: client.cloud.add_image(created_at="2026-06-01T00:00:00Z"))
    assert follow(client) == ([five[:2], five[2:4], five[4:]], 200)
    assert len(client.cloud.images) == 6


# IMS and Auto Scaling


def ims_page(otc: Client, query: str = "") -> list[dict[str, Any]]:
    answer = otc.call("GET", f"/ims/v2/cloudimages?{query}")
    assert list(answer.json()) == ["images"]
    images: list[dict[str, Any]] = answer.json()["images"]
    return images


def ims_names(otc: Client, query: str) -> list[str]:
    return [image["name"] for image in ims_page(otc, query)]


def test_ims_pages_follow_each_other_by_marker_alone(otc: Client) -> None:
    made = {otc.cloud.add_image(f"ci-{number}", os_hidden=number % 2 == 0) for number in range(7)}
    seen: list[str] = []
    while page := ims_page(otc, f"limit=1000&marker={seen[-1]}" if seen else "limit=1000"):
        seen += [image["id"] for image in page]
    assert len(seen) == 7
    assert set(seen) == made


def test_no_page_of_ims_begins_after_an_image_that_nobody_may_see(otc: Client) -> None:
    marker = otc.cloud.add_image(owner=OTHER)
    assert code_of(otc.call("GET", f"/ims/v2/cloudimages?marker={marker}")) == (400, "IMG.0027")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("marker=" + MISSING, "IMG.0027"),
        ("limit=-1", "IMG.0001"),
        ("limit=abc", "IMG.0001"),
        ("protected=maybe", "IMG.0001"),
        ("created_at=before:2026-01-01", "IMG.0001"),
        ("sort_key=age", "IMG.0001"),
        ("sort_dir=up", "IMG.0001"),
        ("__imagetype=golden", "IMG.0024"),
        ("visibility=bogus", "IMG.0001"),
    ],
)
def test_ims_refuses_odd_queries_by_code(otc: Client, query: str, code: str) -> None:
    assert code_of(otc.call("GET", f"/ims/v2/cloudimages?{query}")) == (400, code)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["new", "old", "given"]),
        ("sort_key=name&sort_dir=asc", ["given", "gold", "lent"]),
        (f"owner={DEMO}", ["new", "old", "lent"]),
        ("owner=" + OTHER, ["given", "gold"]),
        ("__imagetype=private", ["new", "old"]),
        ("__imagetype=shared", ["given", "lent"]),
        ("__imagetype=gold", ["gold"]),
        ("__whole_image=true", ["old"]),
        ("__isregistered=true", ["new", "old", "given"]),
        ("__isregistered=false", []),
        ("enterprise_project_id=all_granted_eps", ["new", "old", "given"]),
        ("enterprise_project_id=1", []),
        ("status=saving", ["new"]),
        ("name=old", ["old"]),
        ("name=ol", []),
        ("tag=env=ci", ["old"]),
        ("protected=true", ["old"]),
        ("visibility=public", ["gold"]),
        ("created_at=lt:2026-03-01T00:00:00Z", ["given", "lent", "gold"]),
        ("nonsense=1", []),
    ],
)
def test_ims_lists_are_filtered(otc: Client, query: str, names: list[str]) -> None:
    add = otc.cloud.add_image
    add("new", created_at="2026-05-01T00:00:00Z", status="saving", os_hidden=True)
    add("old", created_at="2026-04-01T00:00:00Z", tags=["env=ci"], protected=True, __backup_id="backup-1")
    shared: dict[str, Any] = {"visibility": "shared", "created_at": "2026-02-01T00:00:00Z"}
    add("given", owner=OTHER, members={DEMO: "accepted"}, id="9" * 8, **shared)
    add("lent", members={OTHER: "accepted"}, id="8" * 8, **shared)
    add("gold", owner=OTHER, visibility="public", created_at="2026-01-01T00:00:00Z")
    add("unanswered", owner=OTHER, members={DEMO: "pending"}, **shared)
    assert ims_names(otc, query) == names


def test_an_image_of_ims_tells_all_in_text(otc: Client) -> None:
    otc.cloud.add_image(size=5000, os_hidden=True, __lazyloading=True, __originalimagename=MISSING)
    (shown,) = ims_page(otc)
    assert (shown["size"], shown["__image_size"], shown["virtual_size"]) == (18, "5000", None)
    assert (shown["__lazyloading"], shown["__isregistered"], shown["protected"]) == ("True", "True", False)
    assert (shown["__originalimagename"], shown["__imagetype"]) == (MISSING, "private")
    assert shown["__system_support_market"] is False
    assert "os_hidden" not in shown


def test_glance_knows_no_list_of_ims(client: Client) -> None:
    assert client.call("GET", "/image/v2/cloudimages").status_code == 404
    assert client.call("GET", "/ims/v2/cloudimages").status_code == 404


def test_glance_shows_what_a_snapshot_was_made_of(client: Client) -> None:
    client.cloud.add_image("snapshot", image_type="snapshot", base_image_ref=MISSING)
    assert client.names(f"base_image_ref={MISSING}") == ["snapshot"]


def scaling(otc: Client, query: str = "", project: str = DEMO) -> requests.Response:
    return otc.call("GET", f"/as/autoscaling-api/v1/{project}/scaling_configuration?{query}")


def test_auto_scaling_tells_what_its_servers_are_made_of(otc: Client) -> None:
    image_id, server_id = otc.cloud.add_image(), otc.cloud.add_server()
    made = otc.cloud.add_scaling_configuration("web", image=image_id)
    otc.cloud.add_scaling_configuration("like-web", instance=server_id)
    otc.cloud.add_scaling_configuration("theirs", image=image_id, project=OTHER)
    first, second = scaling(otc).json()["scaling_configurations"]
    assert (first["scaling_configuration_id"], first["instance_config"]["imageRef"]) == (made, image_id)
    assert (second["instance_config"]["imageRef"], second["instance_config"]["instance_id"]) == (None, server_id)
    (found,) = scaling(otc, f"image_id={image_id}").json()["scaling_configurations"]
    assert (found["scaling_configuration_name"], found["tenant"]) == ("web", DEMO)
    assert scaling(otc, f"image_id={MISSING}").json()["total_number"] == 0


def test_configurations_come_in_parts(otc: Client) -> None:
    made = [otc.cloud.add_scaling_configuration(f"as-{number}") for number in range(5)]
    first, second = (scaling(otc, f"start_number={start}&limit=100").json() for start in (0, 3))
    parts = [
        [known["scaling_configuration_id"] for known in part["scaling_configurations"]] for part in (first, second)
    ]
    assert parts == [made[:3], made[3:]]
    assert (second["total_number"], second["start_number"], second["limit"]) == (5, 3, 100)
    assert scaling(otc, "limit=0").json()["scaling_configurations"] == []
    otc.cloud.page_size = 1000
    assert len(scaling(otc).json()["scaling_configurations"]) == 5


def test_auto_scaling_gives_twenty_unless_more_are_asked_for(otc: Client) -> None:
    otc.cloud.page_size = 1000
    for number in range(30):
        otc.cloud.add_scaling_configuration(f"as-{number}")
    assert len(scaling(otc).json()["scaling_configurations"]) == 20
    assert len(scaling(otc, "limit=100").json()["scaling_configurations"]) == 30


@pytest.mark.parametrize("query", ["limit=101", "limit=-1", "limit=all", "start_number=-1", "start_number="])
def test_auto_scaling_refuses_odd_numbers(otc: Client, query: str) -> None:
    assert code_of(scaling(otc, query)) == (400, "AS.0022")


def test_auto_scaling_refuses_another_project_and_who_has_no_token(otc: Client) -> None:
    assert code_of(scaling(otc, project=OTHER)) == (400, "AS.0008")
    answer = otc.session.get(f"{otc.url}/as/autoscaling-api/v1/{DEMO}/scaling_configuration", timeout=5)
    assert code_of(answer) == (401, "APIGW.0301")
