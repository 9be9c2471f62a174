import pytest

from handler.clock import ATTEMPTS
from tests.conftest import queue
from tests.openstack.gate import DeathAtDelete, Gate, Passage
from tests.openstack.stage import Journal, Stage, down, without_database

DELETED = ("deleted", "")
UNAVAILABLE = ("failed", "unavailable")


@pytest.mark.parametrize("done", [False, True])
def test_a_glance_that_dies_at_a_delete_and_comes_back_costs_nothing_but_time(stage: Stage, *, done: bool) -> None:
    images = stage.add_images(6)
    with Gate(stage.lab.image.url, DeathAtDelete(stage.lab.image, 3, done=done)) as gate:
        outcomes = stage.outcomes(images, REAPER_IMAGE_ENDPOINT=gate.url, REAPER_CONCURRENCY="2")
    # One answer was lost, but the DELETE was ours.
    assert outcomes == [DELETED] * 6
    assert stage.left(images) == []


def test_what_a_dead_glance_left_undone_is_done_when_the_message_comes_again(stage: Stage) -> None:
    images = stage.add_images(6)
    journal = Journal(4, lambda: stage.lab.image.stop(crash=True))
    event = queue({"image_ids": images})
    try:
        first = stage.invoke(event, None, journal, REAPER_CONCURRENCY="1")
    finally:
        stage.lab.image.start()
    assert first.returned == ["m0"]
    assert [line["image_id"] for line in first.logged("image.deleted")] == images[:3]
    (failed,), (untouched,) = first.logged("image.failed"), first.logged("images.untouched")
    assert [failed["image_id"], *untouched["image_ids"]] == images[3:]
    assert {failed["reason"], untouched["reason"]} == {"unavailable"}
    assert stage.left(images) == images[3:]
    again = stage.invoke(event)
    assert again.returned == []
    assert {line["image_id"] for line in again.logged("image.already_gone")} == set(images[:3])
    assert {line["image_id"] for line in again.logged("image.deleted")} == set(images[3:])
    assert stage.left(images) == []


@pytest.mark.parametrize("service", ["image", "compute"])
def test_nothing_is_deleted_while_a_service_is_down(stage: Stage, service: str) -> None:
    images = stage.add_images()
    with down(stage.lab.services[service]):
        assert stage.outcomes(images) == [UNAVAILABLE] * 3
    assert stage.left(images) == images
    assert stage.outcomes(images) == [DELETED] * 3
    assert stage.left(images) == []


def test_nothing_is_deleted_when_nova_dies_before_a_cold_function_asks_it(stage: Stage) -> None:
    (image,) = stage.add_images(1)
    stage.cloud.add_server(image=image)
    with down(stage.lab.compute):
        assert stage.outcomes([image]) == [UNAVAILABLE]
    assert stage.outcomes([image]) == [("refused", "in_use")]
    assert stage.left([image]) == [image]


@pytest.mark.parametrize("endpoint", ["REAPER_IMAGE_ENDPOINT", "REAPER_COMPUTE_ENDPOINT"])
def test_an_endpoint_that_answers_503_fails_the_images(stage: Stage, endpoint: str) -> None:
    images = stage.add_images()
    with Gate("", lambda method, _: Passage(method, "", 503, {"Content-Type": "text/html"}, b"<h1>503</h1>")) as gate:
        assert stage.outcomes(images, **{endpoint: gate.url}) == [UNAVAILABLE] * 3
        assert {one.method for one in gate.passed} == {"GET"}
    assert stage.left(images) == images
    assert stage.outcomes(images) == [DELETED] * 3


def test_a_keystone_that_answers_503_fails_the_images(stage: Stage) -> None:
    images = stage.add_images()
    with Gate("", lambda method, _: Passage(method, "", 503, {"Content-Type": "text/html"}, b"<h1>503</h1>")) as gate:
        assert stage.outcomes(images, OS_AUTH_URL=f"{gate.url}/v3") == [UNAVAILABLE] * 3
        assert len(gate.passed) == ATTEMPTS
    assert stage.left(images) == images
    assert stage.outcomes(images) == [DELETED] * 3


@pytest.mark.parametrize(("service", "database"), [("image", "glance"), ("identity", "keystone")])
def test_nothing_is_deleted_while_a_database_is_down(stage: Stage, service: str, database: str) -> None:
    images = stage.add_images()
    with without_database(stage.lab, service, database):
        assert stage.outcomes(images) == [UNAVAILABLE] * 3
    assert stage.left(images) == images
    assert stage.outcomes(images) == [DELETED] * 3
    assert stage.left(images) == []
