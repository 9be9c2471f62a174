from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.asking import Answer, shape_of
from tests.contract.cloud import MISSING, Cloud

TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


def refused(answer: Answer, status: int, message: str) -> bool:
    title = TITLES[status]
    assert shape_of(answer.body) == {"message": "str", "code": "str", "title": "str"}
    told = (answer.status, answer.reason, answer.type, answer.body["code"], answer.body["title"], answer.message)
    expected = (status, title, "application/json", f"{status} {title}", title, message)
    assert told == expected
    return told == expected


def test_an_active_image_goes(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    answer = cloud.glance("DELETE", f"/{image_id}")
    assert (answer.status, answer.reason, answer.content) == (204, "No Content", b"")
    assert answer.type == "text/html; charset=UTF-8"
    assert "Content-Length" not in answer.headers
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert not cloud.stands(image_id)


def test_a_deleted_image_is_not_found(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    cloud.glance("DELETE", f"/{image_id}")
    assert refused(cloud.glance("DELETE", f"/{image_id}"), 404, f"Failed to find image {image_id} to delete")
    assert refused(cloud.glance("GET", f"/{image_id}"), 404, f"No image found with ID {image_id}")


@pytest.mark.parametrize("image_id", [MISSING, "not-a-uuid", MISSING.replace("-", ""), "a" * 300])
def test_an_unknown_image_is_not_found(cloud: Cloud, image_id: str) -> None:
    assert refused(cloud.glance("DELETE", f"/{image_id}"), 404, f"Failed to find image {image_id} to delete")


def test_an_id_in_capitals_is_another_one(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    answer = cloud.glance("DELETE", f"/{image_id.upper()}")
    assert refused(answer, 404, f"Failed to find image {image_id.upper()} to delete")
    assert cloud.stands(image_id)


def test_a_protected_image_stays(cloud: Cloud) -> None:
    image_id = cloud.add_image(protected=True)
    answer = cloud.glance("DELETE", f"/{image_id}")
    assert refused(answer, 403, f"Image {image_id} is protected and cannot be deleted.")
    assert cloud.stands(image_id)


def test_the_image_of_another_project_stays_and_is_not_shown(cloud: Cloud) -> None:
    image_id = cloud.add_image(user="neighbour", visibility="private")
    assert refused(cloud.glance("DELETE", f"/{image_id}"), 404, f"Failed to find image {image_id} to delete")
    assert cloud.stands(image_id, "neighbour")


@pytest.mark.parametrize("visibility", ["community", "public", "shared"])
def test_an_image_that_we_only_may_use_stays(cloud: Cloud, visibility: str) -> None:
    image_id = cloud.add_image(user="neighbour", visibility="community" if visibility == "community" else "shared")
    if visibility == "public":
        cloud.backend.publish(image_id)
    if visibility == "shared":
        cloud.share(image_id, accept=True)
    answer = cloud.glance("DELETE", f"/{image_id}")
    assert refused(answer, 403, "You are not authorized to complete delete_image action.")
    assert cloud.stands(image_id, "neighbour")


def test_a_reader_deletes_nothing(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    answer = cloud.glance("DELETE", f"/{image_id}", "reader")
    assert refused(answer, 403, "You are not authorized to complete delete_image action.")
    assert cloud.stands(image_id)


def test_a_queued_image_goes(cloud: Cloud) -> None:
    image_id = cloud.queue()
    assert cloud.glance("DELETE", f"/{image_id}").status == 204
    assert not cloud.stands(image_id)


def test_a_deactivated_image_goes(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    cloud.deactivate(image_id)
    assert cloud.glance("DELETE", f"/{image_id}").status == 204
    assert not cloud.stands(image_id)


def test_a_body_is_not_taken(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    answer = cloud.glance("DELETE", f"/{image_id}", payload={})
    assert refused(answer, 400, "A body is not expected with this request.")
    assert cloud.stands(image_id)


def test_of_many_who_delete_the_same_image_none_is_told_anything_but_that_it_is_gone(cloud: Cloud) -> None:
    image_id = cloud.add_image()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: cloud.glance("DELETE", f"/{image_id}"), range(8)))
    assert 204 in {answer.status for answer in answers}
    assert {answer.status for answer in answers} <= {204, 400, 404}
    for answer in answers:
        assert answer.status != 400 or "transition from deleted to deleted" in answer.message
    assert not cloud.stands(image_id)


@pytest.mark.parametrize(
    ("path", "status"),
    [("", 405), ("/", 404), (f"/{MISSING}/", 404), ("/a%2Fb", 404), ("/a%20b", 404)],
)
def test_odd_addresses_delete_nothing(cloud: Cloud, path: str, status: int) -> None:
    assert cloud.glance("DELETE", path).status == status


@pytest.mark.parametrize(
    ("accept", "kind", "length"),
    [
        ("application/json", "application/json", 147),
        ("application/json, */*", "text/html; charset=UTF-8", 189),
        ("*/*", "text/html; charset=UTF-8", 189),
        ("text/plain", "text/plain; charset=UTF-8", 87),
    ],
)
def test_an_error_is_written_as_accept_says(cloud: Cloud, accept: str, kind: str, length: int) -> None:
    answer = cloud.glance("DELETE", f"/{MISSING}", headers={"Accept": accept})
    assert (answer.type, len(answer.content), answer.headers["Content-Length"]) == (kind, length, str(length))
