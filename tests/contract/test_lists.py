import pytest

from tests.contract.asking import shape_of
from tests.contract.cloud import MISSING, Cloud
from tests.contract.test_images import ACTIVE


def test_a_page_of_images_tells_how_it_was_asked_for(cloud: Cloud) -> None:
    cloud.add_image(visibility="private")
    answer = cloud.glance("GET", "?limit=5&visibility=private")
    assert (answer.status, answer.type) == (200, "application/json")
    assert shape_of(answer.body) == {"images": [ACTIVE], "first": "str", "schema": "str"}
    assert answer.body["first"] == "/v2/images?limit=5&visibility=private"
    assert answer.body["schema"] == "/v2/schemas/images"


def test_pages_are_followed_to_the_end(cloud: Cloud) -> None:
    made = [cloud.queue(f"ci-{number}") for number in range(5)]
    first = cloud.follow("?limit=2")
    second = cloud.follow(first["next"])
    third = cloud.follow(second["next"])
    assert first["next"] == f"/v2/images?limit=2&marker={first['images'][1]['id']}"
    pages = [[image["id"] for image in page["images"]] for page in (first, second, third)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {image_id for page in pages for image_id in page} == set(made)
    assert second["first"] == "/v2/images?limit=2"
    assert "next" not in third


def test_a_page_that_is_full_names_a_next_one_that_may_be_empty(cloud: Cloud) -> None:
    made = [cloud.queue(f"ci-{number}") for number in range(2)]
    page = cloud.follow("?limit=2")
    rest = cloud.follow(page["next"])
    assert {image["id"] for image in page["images"]} == set(made)
    assert (rest["images"], "next" in rest) == ([], False)


def test_a_page_holds_25_images_unless_more_are_asked_for(cloud: Cloud) -> None:
    for number in range(27):
        cloud.queue(f"ci-{number}")
    assert len(cloud.names("")) == 25
    assert len(cloud.names("limit=26")) == 26
    assert len(cloud.names("limit=5000")) == 27
    assert cloud.names("limit=0") == []


def test_the_links_of_a_list_keep_only_the_last_tag(cloud: Cloud) -> None:
    for _ in range(3):
        cloud.queue(tags=["a", "b"])
    page = cloud.follow("?tag=a&tag=b&limit=2")
    assert page["first"] == "/v2/images?tag=b&limit=2"
    assert page["next"] == f"/v2/images?tag=b&limit=2&marker={page['images'][1]['id']}"


def test_a_marker_that_was_deleted_ends_the_paging(cloud: Cloud) -> None:
    image_id = cloud.queue()
    cloud.glance("DELETE", f"/{image_id}")
    answer = cloud.glance("GET", f"?marker={image_id}")
    assert (answer.status, answer.message) == (400, f"No image found with ID {image_id}")


def test_a_page_may_begin_after_an_image_that_is_not_in_the_list(cloud: Cloud) -> None:
    cloud.queue("old", tags=["a"])
    marker = cloud.queue("middle")
    cloud.backend.let_time_pass()
    cloud.queue("new", tags=["a"])
    assert cloud.names(f"tag=a&marker={marker}&sort=created_at:asc") == ["new"]


def test_a_page_cannot_begin_after_an_image_that_is_not_ours_to_see(cloud: Cloud) -> None:
    marker = cloud.queue(user="neighbour", visibility="private")
    answer = cloud.glance("GET", f"?marker={marker}")
    assert (answer.status, answer.message) == (403, f"Forbidding request, image {marker} not visible")


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
def test_odd_queries_are_refused(cloud: Cloud, query: str, words: str) -> None:
    answer = cloud.glance("GET", f"?{query}")
    assert (answer.status, answer.message[: len(words)]) == (400, words)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["big", "old", "public"]),
        ("sort=name:asc", ["big", "old", "public"]),
        ("sort=name:desc", ["public", "old", "big"]),
        ("sort_key=name&sort_dir=asc", ["big", "old", "public"]),
        ("owner={demo}", ["big", "old"]),
        ("owner={other}", ["public"]),
        ("tag=a", ["big", "old"]),
        ("tag=a&tag=b", ["old"]),
        ("protected=true", ["old"]),
        ("visibility=public", ["public"]),
        ("visibility=private", ["old"]),
        ("visibility=shared", ["big"]),
        ("visibility=community", ["community"]),
        ("visibility=all", ["big", "community", "old", "public"]),
        ("visibility=shared&member_status=all", ["big", "unanswered"]),
        ("visibility=shared&member_status=pending", ["big", "unanswered"]),
        ("os_hidden=true", ["hidden"]),
        ("os_hidden=false", ["big", "old", "public"]),
        ("team=blue", ["big"]),
        ("nonsense=1", []),
        ("status=queued", ["public"]),
        ("status=deleted", []),
        ("name=old", ["old"]),
        ("name=in:old,big", ["big", "old"]),
        ("created_at=lt:2020-01-01T00:00:00Z", []),
        ("created_at=gte:2020-01-01T00:00:00", ["big", "old", "public"]),
        ("created_at=gt:2020-01-01", ["big", "old", "public"]),
        ("created_at=gt:2020-01-01T00:00:00%2B00:00", ["big", "old", "public"]),
        ("size_min=16", ["big", "old"]),
    ],
)
def test_a_list_holds_what_was_asked_for(cloud: Cloud, query: str, names: list[str]) -> None:
    cloud.add_image("big", tags=["a"], team="blue")
    cloud.add_image("old", tags=["a", "b"], protected=True, visibility="private")
    cloud.queue("hidden", os_hidden=True)
    cloud.backend.publish(cloud.queue("public", "neighbour"))
    cloud.queue("community", "neighbour", visibility="community")
    cloud.queue("theirs", "neighbour", visibility="private")
    cloud.share(cloud.queue("unanswered", "neighbour"), accept=False)
    found = cloud.names(query.format(demo=cloud.demo, other=cloud.other))
    assert (found if "sort" in query else sorted(found)) == names


def test_a_hidden_image_is_found_only_by_who_asks_for_hidden_ones(cloud: Cloud) -> None:
    image_id = cloud.queue()
    change = [{"op": "replace", "path": "/os_hidden", "value": True}]
    assert cloud.glance("PATCH", f"/{image_id}", patch=change).status == 200
    owned = f"owner={cloud.demo}"
    assert [cloud.names(owned), cloud.names(f"{owned}&os_hidden=false")] == [[], []]
    assert cloud.names(f"{owned}&os_hidden=true") == ["ci-1"]
    assert cloud.stands(image_id)


def test_a_page_after_a_hidden_image_goes_on_behind_it(cloud: Cloud) -> None:
    cloud.queue("old")
    cloud.backend.let_time_pass()
    marker = cloud.queue("hidden", os_hidden=True)
    assert cloud.names(f"marker={marker}") == ["old"]


def test_an_image_that_was_accepted_is_listed(cloud: Cloud) -> None:
    cloud.share(cloud.queue("accepted", "neighbour"), accept=True)
    assert cloud.names("") == ["accepted"]


def test_the_newest_image_stands_first(cloud: Cloud) -> None:
    for name in ("first", "second", "third"):
        cloud.queue(name)
    found = cloud.glance("GET").body["images"]
    assert [image["created_at"] for image in found] == sorted((i["created_at"] for i in found), reverse=True)
    assert found[0]["name"] == "third"
