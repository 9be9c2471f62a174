"""The lists of the fake cloud: pages, filters and orders, and what can go wrong with them."""

import copy
from collections.abc import Iterator

import pytest

from tests.fakecloud import DEMO, OTHER
from tests.unit.fakeclient import MISSING, TRANSPORTS, Client, clients, message_of


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    yield from clients(request.param, "openstack")


@pytest.fixture(params=TRANSPORTS)
def otc(request: pytest.FixtureRequest) -> Iterator[Client]:
    yield from clients(request.param, "otc")


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


def test_the_links_of_a_list_keep_only_the_last_tag(client: Client) -> None:
    for _ in range(4):
        client.cloud.add_image(tags=["a", "b"])
    page = client.call("GET", "/image/v2/images?tag=a&tag=b&limit=2").json()
    assert page["first"] == "/v2/images?tag=b&limit=2"
    assert page["next"] == f"/v2/images?tag=b&limit=2&marker={page['images'][1]['id']}"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("marker=" + MISSING, f"No image found with ID {MISSING}"),
        ("limit=-1", "limit param must be positive"),
        ("limit=abc", "limit param must be an integer"),
        ("protected=maybe", "Invalid value 'maybe' for 'protected' filter. Valid values are 'true' or 'false'."),
        ("created_at=lt:yesterday", 'Bad "created_at" query filter format. Use ISO 8601 DateTime notation.'),
        ("created_at=before:2026-01-01", "Unable to filter on a unknown operator."),
        ("sort_key=age", "Invalid sort key: age."),
    ],
)
def test_glance_refuses_odd_queries(client: Client, query: str, words: str) -> None:
    answer = client.call("GET", f"/image/v2/images?{query}")
    assert answer.status_code == 400
    assert message_of(answer).startswith(words)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["new", "old", "stranger"]),
        ("sort=name:asc", ["new", "old", "stranger"]),
        ("sort_key=created_at&sort_dir=asc", ["stranger", "old", "new"]),
        (f"owner={DEMO}", ["new", "old"]),
        ("owner=" + OTHER, ["stranger"]),
        ("tag=a", ["new", "old"]),
        ("tag=a&tag=b", ["old"]),
        ("protected=true", ["old"]),
        ("visibility=public", ["stranger"]),
        ("visibility=community", ["community"]),
        ("os_hidden=true", ["hidden"]),
        ("team=blue", ["new"]),
        ("nonsense=1", []),
        ("status=deleted", []),
        ("name=in:old,new", ["new", "old"]),
        ("created_at=lt:2026-03-01T00:00:00Z", ["old", "stranger"]),
        ("created_at=gte:2026-03-01", ["new"]),
        ("created_at=2026-04-01T00:00:00Z", []),
        ("size_min=2000", ["old"]),
    ],
)
def test_lists_are_filtered(client: Client, query: str, names: list[str]) -> None:
    add = client.cloud.add_image
    add("new", created_at="2026-04-01T00:00:00Z", tags=["a"], team="blue")
    add("old", created_at="2026-02-01T00:00:00Z", tags=["a", "b"], protected=True, size=5000)
    add("stranger", owner=OTHER, visibility="public", created_at="2026-01-01T00:00:00Z")
    add("community", owner=OTHER, visibility="community")
    add("unanswered", owner=OTHER, visibility="shared", members={DEMO: "pending"})
    add("hidden", os_hidden=True)
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
    client.call("PUT", f"/image/v2/images/{image_id}/tags/keep")
    assert client.names("tag=keep") == ["ci-1"]


def test_a_page_may_begin_after_an_image_that_is_not_in_the_list(client: Client) -> None:
    client.cloud.add_image("old", created_at="2026-01-01T00:00:00Z", tags=["a"])
    marker = client.cloud.add_image("middle", created_at="2026-02-01T00:00:00Z")
    client.cloud.add_image("new", created_at="2026-03-01T00:00:00Z", tags=["a"])
    assert client.names(f"tag=a&marker={marker}") == ["old"]


def test_a_page_cannot_begin_after_an_image_that_nobody_may_see(client: Client) -> None:
    marker = client.cloud.add_image(owner=OTHER)
    answer = client.call("GET", f"/image/v2/images?marker={marker}")
    assert (answer.status_code, message_of(answer)) == (400, f"No image found with ID {marker}")
