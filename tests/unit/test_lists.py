"""Lists that change while they are read: read anew, twice, before that is a failure; nothing is counted twice."""

from typing import Any

import pytest

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.model.outcome import Decision
from tests.conftest import Context, Invoke
from tests.fakecloud import FakeCloud, Server

IMAGES = r"/v2/(cloud)?images$"
SERVERS, VOLUMES, SCALING = r"/servers/detail$", r"/volumes/detail$", r"/scaling_configuration$"
OTC = pytest.mark.parametrize("cloud", ["otc"], indirect=True)
SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    """A cloud in the look that a test asks for."""
    return FakeCloud(getattr(request, "param", "openstack"))


def five(cloud: FakeCloud) -> list[str]:
    """Five images, in the order in which a list names them."""
    cloud.page_size = 2
    return [cloud.add_image(f"ci-{n}", created_at=f"2026-01-0{9 - n}T00:00:00Z") for n in range(5)]


def vanish(cloud: FakeCloud, image: str, path: str = IMAGES) -> None:
    """Let an image go after the next page of the list was read."""
    cloud.fault("GET", path, status=None, then=lambda: cloud.kill(image))


@pytest.mark.parametrize("gone", [0, 1], ids=["an image of the page before", "the marker"])
def test_a_sweep_reads_the_list_anew_when_an_image_vanishes_between_two_pages(
    invoke: Invoke, cloud: FakeCloud, gone: int
) -> None:
    images = five(cloud)
    vanish(cloud, images[gone])
    run = invoke(SWEEP)
    rest = [image for image in images if image != images[gone]]
    assert {image: run.outcomes[image] for image in rest} == dict.fromkeys(rest, ("deleted", ""))
    assert run.answer["sweeps"][0]["looked_at"] == (4 if gone else 5)


@OTC
def test_a_marker_that_vanishes_from_the_list_of_ims_is_no_failure(invoke: Invoke, cloud: FakeCloud) -> None:
    images = five(cloud)
    vanish(cloud, images[1])
    run = invoke(SWEEP, REAPER_IMAGE_API="ims")
    assert run.answer["counts"] == {"deleted": 4}


def test_what_an_aborted_reading_has_decided_is_told_once(cloud: FakeCloud, server: Server) -> None:
    images, other = five(cloud), cloud.add_image("web-1", created_at="2026-02-01T00:00:00Z")
    heard = list[Decision]()
    cloud.fault("GET", IMAGES, status=None, skip=1, then=lambda: cloud.kill(images[2]))
    invocation.process(SWEEP, Context(), Settings.from_env(cloud.env(server.url)), aws, observe=heard.append)
    told = [decision.image.id for decision in heard]
    assert sorted(told) == sorted({*images, other} - {images[2]})


def test_an_image_that_a_list_names_twice_has_moved_and_the_list_is_read_anew(invoke: Invoke, cloud: FakeCloud) -> None:
    five(cloud)
    cloud.fault("GET", IMAGES, status=None, edit=lambda page: page | {"images": page["images"] * 2})
    assert invoke(SWEEP).answer["counts"] == {"deleted": 5}


@pytest.mark.parametrize(("path", "also"), [(SERVERS, ""), (VOLUMES, "volumes"), (IMAGES, "images")])
def test_a_list_of_users_whose_marker_vanishes_is_read_anew(
    invoke: Invoke, cloud: FakeCloud, path: str, also: str
) -> None:
    images = five(cloud)
    for image in images[:3]:
        cloud.add_volume(image=image, server=cloud.add_server(image=image))
    words = {"badRequest": {"code": 400, "message": "marker [6cad483b] not found"}}
    for _ in range(2):
        cloud.fault("GET", path, query="marker=", status=400, body=words)
    run = invoke({"image_ids": images}, REAPER_IN_USE_ALSO=also)
    assert run.answer["counts"] == {"refused": 3, "deleted": 2}


def test_a_page_after_the_last_that_is_an_error_each_time_is_a_failure_after_three_readings(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    images = five(cloud)
    cloud.fault("GET", IMAGES, query="marker=", status=404, times=None)
    run = invoke(SWEEP)
    assert run.outcomes == {"": ("failed", "unexpected")}
    assert "changed while it was read" in run.answer["outcomes"][0]["detail"]
    assert sum("marker=" in call.query for call in cloud.calls) == 3
    assert set(images) <= set(cloud.images)


def test_a_page_that_comes_again_each_time_is_a_failure_after_three_readings(invoke: Invoke, cloud: FakeCloud) -> None:
    read: list[Any] = []

    def again(page: object) -> object:
        read.append(page)
        return read[0]

    five(cloud)
    cloud.fault("GET", IMAGES, status=None, edit=again, times=None)
    assert invoke(SWEEP).outcomes == {"": ("failed", "unexpected")}
    assert (len(cloud.dead), len(read)) == (0, 6)


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "[]"}, {"status": 418}], ids=str)
def test_a_page_that_fails_for_another_cause_is_not_read_anew(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    five(cloud)
    cloud.fault("GET", IMAGES, query="marker=", times=None, **fault)
    assert invoke(SWEEP).outcomes[""][0] == "failed"
    assert sum("marker=" in call.query for call in cloud.calls) == 1
    assert not cloud.dead


@OTC
def test_scaling_configurations_that_change_between_two_pages_are_read_anew(invoke: Invoke, cloud: FakeCloud) -> None:
    used = [cloud.add_image() for _ in range(150)]
    names = [cloud.add_scaling_configuration(image=image) for image in used]
    cloud.fault("GET", SCALING, status=None, then=lambda: cloud.scaling_configurations.pop(names[0]))
    run = invoke({"image_ids": used[1:]}, REAPER_IMAGE_API="ims", REAPER_IN_USE_ALSO="scaling", REAPER_MAX_IMAGES="500")
    assert run.answer["counts"] == {"refused": 149}


@OTC
def test_a_numbered_page_that_is_there_no_more_is_read_anew(invoke: Invoke, cloud: FakeCloud) -> None:
    used = [cloud.add_image() for _ in range(150)]
    for image in used:
        cloud.add_scaling_configuration(image=image)
    cloud.fault("GET", SCALING, query="start_number=99", status=400)
    run = invoke({"image_ids": used[:2]}, REAPER_IMAGE_API="ims", REAPER_IN_USE_ALSO="scaling")
    assert run.answer["counts"] == {"refused": 2}
