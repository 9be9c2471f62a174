"""Sweeps through IMS, and the scaling configurations of Open Telekom Cloud."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Invoke
from tests.fakecloud import OTHER, FakeCloud
from tests.signing import signing

IMS = {"REAPER_IMAGE_API": "ims"}
LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
CONFIGURATIONS = "/scaling_configuration$"


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud that looks like Open Telekom Cloud, whose native call takes no tag with a `=`."""
    cloud = FakeCloud("otc")
    cloud.plain_tags = True
    return cloud


@pytest.fixture(params=["token", "signature"])
def invoke(
    request: pytest.FixtureRequest,
    invoke: Invoke,
    invoke_with: Invoke,
    clean_environment: pytest.MonkeyPatch,
    cloud: FakeCloud,
) -> Iterator[Invoke]:
    """The function, with either proof of who it is."""
    if request.param == "token":
        yield invoke
        return
    with signing(cloud, invoke_with, clean_environment) as signatory:
        yield signatory.carry_out


def sweep(select: dict[str, Any] | None = None, **policy: object) -> dict[str, Any]:
    return {"sweep": {"select": select or {"name": "ci-*"}, "limit_percent": 100, **policy}}


def queries(cloud: FakeCloud, path: str) -> list[str]:
    return [call.query for call in cloud.calls if call.path.endswith(path)]


@pytest.mark.slow("a request for each of fifty pages")
@pytest.mark.parametrize("page_size", [1, 2, 3, 25, 1000])
def test_ims_is_asked_for_every_page_of_its_own_list(invoke: Invoke, cloud: FakeCloud, page_size: int) -> None:
    cloud.page_size = page_size
    images = [cloud.add_image(f"ci-{n}") for n in range(50)]
    other = cloud.add_image("web-1")
    done = invoke(sweep(limit=50), **IMS)
    assert (set(done.outcomes), set(cloud.images)) == (set(images), {other})
    assert queries(cloud, "/v2/cloudimages")
    assert not queries(cloud, "/v2/images")


def test_sizes_that_are_texts_are_numbers(invoke: Invoke, cloud: FakeCloud) -> None:
    large, small = cloud.add_image("ci-1", size=11), cloud.add_image("ci-2", size=9)
    assert invoke(sweep({"size_over": 10}), **IMS).outcomes == {large: ("deleted", "")}
    assert set(cloud.images) == {small}


def test_images_shared_by_others_are_not_looked_at(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", owner=OTHER, visibility="public")
    assert invoke(sweep(), **IMS).answer["sweeps"] == [{"looked_at": 0, "selected": 0, "stay": {}}]


def test_a_list_that_breaks_off_ends_the_sweep(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.page_size = 25
    for n in range(50):
        cloud.add_image(f"ci-{n}")
    cloud.fault("GET", "/v2/cloudimages$", skip=1, times=None, status=500, headers=LATER)
    assert invoke(sweep(limit=100), **IMS).outcomes == {"": ("failed", "unavailable")}
    assert not cloud.dead


def test_a_forgotten_mark_is_taken_over_in_one_step(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["reaper-delete-after=2026-01-01", "reaper-sweep=01234567"])
    assert invoke(sweep(grace="7d"), **IMS).outcomes == {image: ("marked", "")}
    keys = [tag.partition("=")[0] for tag in cloud.images[image].tags]
    assert keys == ["reaper-delete-after", "reaper-sweep"]
    assert not {"reaper-delete-after=2026-01-01", "reaper-sweep=01234567"} & set(cloud.images[image].tags)


def test_a_mark_in_the_form_of_old_ims_is_taken_off(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("web-1", tags=["reaper-delete-after.2026-01-01", "reaper-sweep.03523a93"])
    assert invoke(sweep(grace="7d"), **IMS).outcomes == {image: ("refused", "changed")}
    assert cloud.images[image].tags == []


def test_marks_are_set_and_taken_off_through_ims_too(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    assert invoke(sweep(grace="7d"), **IMS).outcomes == {image: ("marked", "")}
    cloud.images[image].name = "prod-1"
    assert invoke(sweep(grace="7d"), **IMS).outcomes == {image: ("refused", "changed")}
    assert cloud.images[image].tags == []


def test_the_backups_that_a_sweep_leaves_behind_are_counted(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", __whole_image="true", __backup_id="b1")
    done = invoke(sweep(), **IMS)
    assert (done.metric("BackupsLeft"), cloud.backups) == (1, {"b1"})
    cloud.add_image("ci-2", __whole_image="true", __backup_id="b2")
    done = invoke(sweep() | {"delete_backup": True}, **IMS)
    assert (done.metric("BackupsLeft"), cloud.backups) == (0, {"b1"})


@pytest.mark.slow("hundreds of scaling configurations")
@pytest.mark.parametrize("count", [1, 100, 101, 250])
def test_the_last_of_many_scaling_configurations_uses_its_image(invoke: Invoke, cloud: FakeCloud, count: int) -> None:
    used, free = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    for n in range(count - 1):
        cloud.add_scaling_configuration(f"as-{n}", image=cloud.new_id())
    cloud.add_scaling_configuration("last-1", image=used)
    done = invoke(sweep(), REAPER_IN_USE_ALSO="scaling", **IMS)
    assert done.outcomes == {used: ("refused", "in_use"), free: ("deleted", "")}
    assert "scaling configuration last-1" in str(done.answer["outcomes"])


def test_a_scaling_configuration_removed_between_two_pages_hides_no_other(invoke: Invoke, cloud: FakeCloud) -> None:
    used = cloud.add_image("ci-1")
    for n in range(150):
        cloud.add_scaling_configuration(f"as-{n}", image=used if n == 100 else cloud.new_id())
    first = next(iter(cloud.scaling_configurations))
    cloud.fault("GET", CONFIGURATIONS, status=None, then=lambda: cloud.scaling_configurations.pop(first))
    assert invoke(sweep(), REAPER_IN_USE_ALSO="scaling", **IMS).outcomes == {used: ("refused", "in_use")}


def test_a_scaling_configuration_of_a_server_names_no_image_of_its_own(invoke: Invoke, cloud: FakeCloud) -> None:
    free = cloud.add_image("ci-1")
    cloud.add_scaling_configuration("as-1", instance=cloud.add_server())
    assert invoke(sweep(), REAPER_IN_USE_ALSO="scaling", **IMS).outcomes == {free: ("deleted", "")}


def test_scaling_configurations_are_asked_only_where_the_settings_say_so(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_scaling_configuration("as-1", image=cloud.add_image("ci-1"))
    assert invoke(sweep(), **IMS).answer["counts"] == {"deleted": 1}
    assert not queries(cloud, "/scaling_configuration")


def test_where_there_are_no_scaling_configurations_none_uses_an_image(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    assert invoke(sweep(), REAPER_IN_USE_ALSO="scaling", **IMS).answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"total_number": 10_000, "scaling_configurations": []},
        {"scaling_configurations": []},
        {"total_number": 1, "scaling_configurations": [{"instance_config": {}}]},
        {"total_number": "1", "scaling_configurations": []},
        {"total_number": True, "scaling_configurations": []},
        {"total_number": -1, "scaling_configurations": []},
        {"total_number": 1},
        {},
    ],
    ids=str,
)
def test_scaling_configurations_that_cannot_be_read_delete_nothing(
    invoke: Invoke, cloud: FakeCloud, body: dict[str, Any]
) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", CONFIGURATIONS, status=200, body=body, times=None)
    assert invoke(sweep(), REAPER_IN_USE_ALSO="scaling", **IMS).outcomes == {image: ("failed", "unexpected")}
    assert not cloud.dead
