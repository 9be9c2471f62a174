"""The four image APIs: which address is asked to delete, with what, and what its answers become."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from tests.conftest import UNKNOWN_ID, Invoke
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server, wire
from tests.fakecloud.api import Request
from tests.fakecloud.keystone import service_urls

Change = Callable[[FakeCloud, str], object]

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
OTC = pytest.mark.parametrize("cloud", ["otc"], indirect=True)
ECS = pytest.mark.parametrize("api", ["ecs-v2.1", "ecs-v2"])
BACKUP = "b1c7a2f0-1b8c-4e0f-8a6d-3a1f0e5d9c11"


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    """A cloud in the look that a test asks for."""
    return FakeCloud(getattr(request, "param", "openstack"))


def addresses(cloud: FakeCloud, method: str) -> list[str]:
    return [call.path for call in cloud.calls_of(method)]


# Which address


ADDRESSES = [
    ("openstack", "glance", "/image/v2/images/{id}"),
    ("openstack", "ims", "/image/v2/images/{id}"),
    ("openstack", "ecs-v2.1", f"/compute/v2.1/{DEMO}/images/{{id}}"),
    ("openstack", "ecs-v2", f"/compute/v2/{DEMO}/images/{{id}}"),
    ("otc", "glance", "/ims/v2/images/{id}"),
    ("otc", "ims", "/ims/v2/images/{id}"),
    ("otc", "ecs-v2.1", f"/ecs/v2.1/{DEMO}/images/{{id}}"),
    ("otc", "ecs-v2", f"/ecs/v2/{DEMO}/images/{{id}}"),
]
EVERY_API = pytest.mark.parametrize(("cloud", "api", "address"), ADDRESSES, indirect=["cloud"])


@EVERY_API
def test_an_api_deletes_by_its_own_address_and_no_other(
    invoke: Invoke, cloud: FakeCloud, api: str, address: str
) -> None:
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, REAPER_IMAGE_API=api).outcomes == {image: ("deleted", "")}
    assert addresses(cloud, "DELETE") == [address.format(id=image)]
    assert set(cloud.dead) == {image}


@EVERY_API
def test_a_delete_has_no_body_and_names_no_microversion(
    invoke: Invoke, cloud: FakeCloud, api: str, address: str
) -> None:
    image = cloud.add_image()
    invoke({"image_ids": [image], "delete_backup": False}, REAPER_IMAGE_API=api)
    call = cloud.calls_of("DELETE")[0]
    assert (call.path, call.body, call.headers.get("Content-Type")) == (address.format(id=image), b"", None)
    versions = {"openstack-api-version", "x-openstack-nova-api-version"}
    assert not any(versions & set(call.headers) for call in cloud.calls)


@EVERY_API
def test_every_api_rehearses_without_a_delete(invoke: Invoke, cloud: FakeCloud, api: str, address: str) -> None:
    image, other = cloud.add_image(), cloud.add_image(protected=True)
    run = invoke({"image_ids": [image, other, UNKNOWN_ID]}, REAPER_IMAGE_API=api, REAPER_MODE="dry-run")
    assert run.answer["counts"] == {"would_delete": 1, "refused": 1, "already_gone": 1}
    assert address.format(id=image) not in addresses(cloud, "DELETE")
    assert cloud.dead == {}


@EVERY_API
def test_the_rules_hold_for_every_api(invoke: Invoke, cloud: FakeCloud, api: str, address: str) -> None:
    images = {
        cloud.add_image(protected=True): ("refused", "protected"),
        cloud.add_image(tags=["keep"]): ("refused", "kept"),
        cloud.add_image(visibility="shared", members={OTHER: "accepted"}): ("refused", "shared"),
        cloud.add_image(visibility="public", owner=OTHER): ("refused", "public"),
        cloud.add_image(visibility="shared", owner=OTHER, members={DEMO: "accepted"}): ("refused", "not_owner"),
        cloud.add_image(status="saving"): ("refused", "not_ready"),
        (used := cloud.add_image()): ("refused", "in_use"),
    }
    cloud.add_server(image=used)
    assert invoke({"image_ids": list(images)}, REAPER_IMAGE_API=api).outcomes == images
    assert (cloud.dead, addresses(cloud, "DELETE"), address != "") == ({}, [], True)


@ECS
def test_a_discarded_api_is_pointed_out_in_every_run(invoke: Invoke, api: str) -> None:
    for mode in ("delete", "dry-run", "paused"):
        lines = invoke({"image_ids": [UNKNOWN_ID]}, REAPER_IMAGE_API=api, REAPER_MODE=mode).logged("api.discarded")
        assert [(line["level"], line["image_api"]) for line in lines] == [("WARNING", api)]


@pytest.mark.parametrize("api", ["glance", "ims"])
def test_a_recommended_api_is_not_pointed_out(invoke: Invoke, api: str) -> None:
    assert invoke({"image_ids": [UNKNOWN_ID]}, REAPER_IMAGE_API=api).logged("api.discarded") == []


# Backups


def whole_image(cloud: FakeCloud) -> str:
    return cloud.add_image("server-backup", __backup_id=BACKUP)


@OTC
def test_ims_deletes_the_backup_only_when_it_is_asked_to(invoke: Invoke, cloud: FakeCloud) -> None:
    image = whole_image(cloud)
    run = invoke({"image_ids": [image], "delete_backup": True}, REAPER_IMAGE_API="ims")
    call = cloud.calls_of("DELETE")[0]
    assert (json.loads(call.body), call.headers["Content-Type"]) == ({"delete_backup": True}, "application/json")
    assert (run.outcomes, cloud.backups) == ({image: ("deleted", "")}, set())
    assert run.metric("BackupsLeft") == 0


@OTC
@pytest.mark.parametrize("api", ["ims", "glance", "ecs-v2.1"])
def test_a_backup_that_is_left_is_counted_and_told(invoke: Invoke, cloud: FakeCloud, api: str) -> None:
    image = whole_image(cloud)
    run = invoke({"image_ids": [image, cloud.add_image()]}, REAPER_IMAGE_API=api)
    assert (len(cloud.dead), cloud.backups, run.metric("BackupsLeft")) == (2, {BACKUP}, 1)
    assert [outcome["detail"] for outcome in run.answer["outcomes"]] == ["its backup is left", ""]


@OTC
def test_a_whole_image_that_stays_leaves_no_backup_behind(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(protected=True, __backup_id=BACKUP)
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API="ims")
    assert (run.outcomes, run.metric("BackupsLeft")) == ({image: ("refused", "protected")}, 0)


@OTC
def test_a_backup_that_could_not_be_deleted_is_told_though_nobody_knows_of_the_image(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    image = whole_image(cloud)
    body = {"error": {"code": "IMG.0176", "message": "Failed to delete the backup."}}
    unreadable = partial(cloud.fault, "GET", image, status=403, times=None)
    cloud.fault("DELETE", image, status=400, body=body, then=unreadable)
    run = invoke({"image_ids": [image], "delete_backup": True}, REAPER_IMAGE_API="ims")
    assert run.outcomes == {image: ("failed", "backup_left")}
    assert run.answer["outcomes"][0]["detail"].endswith("the image is in an unknown state")


@OTC
@pytest.mark.parametrize(("apply", "state"), [(True, "gone"), (False, "still there")])
def test_a_backup_that_could_not_be_deleted_is_a_failure_that_tells_of_the_image(
    invoke: Invoke, cloud: FakeCloud, *, apply: bool, state: str
) -> None:
    image = whole_image(cloud)
    body = {"error": {"code": "IMG.0176", "message": "Failed to delete the backup."}}
    cloud.fault("DELETE", image, status=400, body=body, apply=apply)
    run = invoke({"image_ids": [image], "delete_backup": True}, REAPER_IMAGE_API="ims")
    detail = run.answer["outcomes"][0]["detail"]
    assert run.outcomes == {image: ("failed", "backup_left")}
    assert "IMG.0176" in detail
    assert detail.endswith(f"the image is {state}")
    assert (image in cloud.dead, run.metric("BackupsLeft")) == (apply, 1)


@OTC
def test_a_rehearsed_backup_stays(invoke: Invoke, cloud: FakeCloud) -> None:
    event = {"image_ids": [whole_image(cloud)], "delete_backup": True, "dry_run": True}
    run = invoke(event, REAPER_IMAGE_API="ims")
    assert (run.answer["plan"]["delete_backup"], cloud.backups, cloud.dead) == (True, {BACKUP}, {})
    invoke(run.answer["plan"])
    assert (cloud.backups, len(cloud.dead)) == (set(), 1)


@OTC
def test_ims_tells_the_size_in_a_property(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(size=2147483648)
    run = invoke({"images": [{"id": image, "expect": {"size": 2147483648}}]}, REAPER_IMAGE_API="ims")
    assert run.answer["outcomes"][0]["size"] == run.metric("BytesReclaimed") == 2147483648


# What is learned only from the answer to the DELETE


def protect(cloud: FakeCloud, image: str) -> None:
    cloud.images[image].protected = True


def start_saving(cloud: FakeCloud, image: str) -> None:
    cloud.images[image].status = "saving"


def publish(cloud: FakeCloud, image: str) -> None:
    cloud.images[image].owner, cloud.images[image].visibility = OTHER, "public"


def give_away(cloud: FakeCloud, image: str) -> None:
    record = cloud.images[image]
    record.owner, record.visibility, record.members = OTHER, "shared", {DEMO: "accepted"}


def demote(cloud: FakeCloud, _image: str) -> None:
    cloud.users["reaper"].roles = {DEMO: ("reader",)}


LATE: list[tuple[str, str, Change, tuple[str, str, str]]] = [
    ("otc", "ims", FakeCloud.kill, ("already_gone", "", "IMG.0027")),
    ("otc", "ims", protect, ("refused", "protected", "IMG.0028")),
    ("otc", "ims", start_saving, ("refused", "not_ready", "IMG.0090")),
    ("otc", "ims", publish, ("refused", "public", "IMG.0094")),
    ("otc", "ims", give_away, ("refused", "not_owner", "IMG.0092")),
    ("otc", "ims", demote, ("failed", "denied", "IMG.0026")),
    ("otc", "glance", protect, ("refused", "protected", "IMG.0028")),
    ("otc", "ecs-v2.1", FakeCloud.kill, ("already_gone", "", "Ecs.0031")),
    ("otc", "ecs-v2", FakeCloud.kill, ("already_gone", "", "Ecs.0031")),
    ("otc", "ecs-v2.1", protect, ("failed", "denied", "Ecs.0003")),
    ("openstack", "glance", FakeCloud.kill, ("already_gone", "", "HTTP 404")),
    ("openstack", "glance", protect, ("refused", "protected", "HTTP 403")),
    ("openstack", "glance", demote, ("failed", "denied", "HTTP 403")),
    ("openstack", "ecs-v2.1", FakeCloud.kill, ("already_gone", "", "HTTP 404")),
    ("openstack", "ecs-v2", FakeCloud.kill, ("already_gone", "", "HTTP 404")),
    ("openstack", "ecs-v2.1", protect, ("failed", "denied", "HTTP 403")),
]


@pytest.mark.parametrize(("cloud", "api", "change", "said"), LATE, indirect=["cloud"])
def test_what_the_cloud_says_to_a_delete_becomes_the_outcome(
    invoke: Invoke, cloud: FakeCloud, api: str, change: Change, said: tuple[str, str, str]
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", f"/v2/images/{image}$", status=None, then=lambda: change(cloud, image))
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api)
    assert run.outcomes == {image: said[:2]}
    assert said[2] in run.answer["outcomes"][0]["detail"]
    assert (image in cloud.dead, run.metric("ImagesDeleted")) == (said[0] == "already_gone", 0)


CODES = [
    (400, "IMG.0083", ("refused", "public")),
    (400, "IMG.0047", ("refused", "not_owner")),
    (400, "IMG.0148", ("refused", "not_ready")),
    (409, "Ecs.0032", ("refused", "not_ready")),
    (403, "IMG.0067", ("failed", "denied")),
    (403, "Pdp.0001", ("failed", "denied")),
    (429, "APIGW.0308", ("failed", "throttled")),
    (400, "IMG.0060", ("failed", "throttled")),
    (202, "Common.0024", ("failed", "throttled")),
    (500, "IMG.0014", ("failed", "unavailable")),
    (400, "IMG.0046", ("failed", "unavailable")),
    (404, "APIGW.0101", ("failed", "unexpected")),
    (404, "APIG.0101", ("failed", "unexpected")),
    (400, "IMG.0016", ("failed", "unexpected")),
    (400, "IMG.9999", ("failed", "unexpected")),
]


@OTC
@pytest.mark.parametrize(("status", "code", "outcome"), CODES)
def test_a_code_of_the_cloud_says_more_than_its_status(
    invoke: Invoke, cloud: FakeCloud, status: int, code: str, outcome: tuple[str, str]
) -> None:
    image = cloud.add_image()
    body = {"error_code": code, "error_msg": "No."} if "API" in code else {"error": {"code": code, "message": "No."}}
    cloud.fault("DELETE", image, status=status, body=body, headers=LATER, times=None)
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API="ims")
    assert (run.outcomes, cloud.dead) == ({image: outcome}, {})
    assert code.replace("APIG.", "APIGW.") in run.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("cloud", ["otc"], indirect=True)
def test_a_scaling_configuration_uses_the_images_of_its_data_disks(invoke: Invoke, cloud: FakeCloud) -> None:
    system, data, free = (cloud.add_image() for _ in range(3))
    kernel = cloud.add_image()
    cloud.images[system].properties["kernel_id"] = kernel
    cloud.add_scaling_configuration("as-1", image=system, data_images=[data.upper()])
    run = invoke({"image_ids": [system, data, kernel, free]}, REAPER_IMAGE_API="ims", REAPER_IN_USE_ALSO="scaling")
    assert run.outcomes == {**dict.fromkeys((system, data, kernel), ("refused", "in_use")), free: ("deleted", "")}
    assert "scaling configuration as-1" in run.answer["outcomes"][1]["detail"]


# Addresses from the catalogue and from the settings


@pytest.mark.parametrize("suffix", ["", "/", "/v2", "/v2/"])
@pytest.mark.parametrize("api", ["glance", "ecs-v2.1"])
def test_the_catalogue_may_or_may_not_name_the_version(invoke: Invoke, cloud: FakeCloud, suffix: str, api: str) -> None:
    cloud.image_endpoint_suffix = suffix
    image = cloud.add_image()
    run = invoke({"image_ids": [image, UNKNOWN_ID]}, REAPER_IMAGE_API=api)
    assert run.outcomes == {image: ("deleted", ""), UNKNOWN_ID: ("already_gone", "")}
    assert {call.path for call in cloud.calls if image in call.path and call.method == "GET"} == {
        f"/image/v2/images/{image}"
    }


@pytest.mark.parametrize("end", ["/image", "/image/", "/image/v2", "/image/v2/"])
def test_the_image_address_of_the_settings_wins_over_the_catalogue(
    invoke: Invoke, cloud: FakeCloud, server: Server, end: str
) -> None:
    cloud.image_endpoint_suffix = "/nowhere"
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_ENDPOINT=server.url + end)
    assert run.outcomes == {image: ("deleted", "")}
    assert not any("/nowhere" in call.path for call in cloud.calls)


@pytest.mark.parametrize("end", ["/compute", "/compute/v2.1", "/compute/v2.1/", f"/compute/v2/{DEMO}"])
@ECS
def test_the_compute_address_of_the_settings_takes_the_place_of_the_catalogue(
    invoke: Invoke, cloud: FakeCloud, server: Server, end: str, api: str
) -> None:
    cloud.catalog_without("compute")
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api, REAPER_COMPUTE_ENDPOINT=server.url + end)
    assert run.outcomes == {image: ("deleted", "")}
    assert addresses(cloud, "DELETE") == [f"/compute/{api.removeprefix('ecs-')}/{DEMO}/images/{image}"]


@pytest.mark.parametrize("wrong", ["/wrong", "/image/v3", "/identity", "/"])
def test_a_wrong_image_address_calls_no_image_gone(
    invoke: Invoke, cloud: FakeCloud, server: Server, wrong: str
) -> None:
    images = [cloud.add_image(), UNKNOWN_ID]
    run = invoke({"image_ids": images}, REAPER_IMAGE_ENDPOINT=server.url + wrong)
    assert run.outcomes == dict.fromkeys(images, ("failed", "unexpected"))
    assert cloud.dead == {}


@pytest.mark.parametrize("api", ["glance", "ims"])
def test_a_catalogue_without_an_image_service_fails_every_image(invoke: Invoke, cloud: FakeCloud, api: str) -> None:
    cloud.catalog_without("image")
    images = [cloud.add_image(), UNKNOWN_ID]
    run = invoke({"image_ids": images}, REAPER_IMAGE_API=api)
    assert run.outcomes == dict.fromkeys(images, ("failed", "unexpected"))
    assert "REAPER_IMAGE_ENDPOINT" in run.answer["outcomes"][0]["detail"]
    assert (cloud.dead, addresses(cloud, "DELETE")) == ({}, [])


@pytest.mark.parametrize("cloud", ["openstack", "otc"], indirect=True)
@ECS
def test_without_an_image_service_the_proxy_can_only_tell_that_an_image_is_gone(
    invoke: Invoke, cloud: FakeCloud, api: str
) -> None:
    cloud.catalog_without("image")
    image = cloud.add_image()
    run = invoke({"image_ids": [image, UNKNOWN_ID]}, REAPER_IMAGE_API=api)
    assert run.outcomes == {image: ("failed", "unexpected"), UNKNOWN_ID: ("already_gone", "")}
    assert "REAPER_IMAGE_ENDPOINT" in run.answer["outcomes"][0]["detail"]
    assert (cloud.dead, addresses(cloud, "DELETE")) == ({}, [])


@pytest.mark.parametrize("api", ["glance", "ims", "ecs-v2.1", "ecs-v2"])
def test_a_catalogue_without_a_compute_service_fails_every_image(invoke: Invoke, cloud: FakeCloud, api: str) -> None:
    cloud.catalog_without("compute")
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api)
    assert (run.outcomes, cloud.dead) == ({image: ("failed", "unexpected")}, {})
    assert "REAPER_COMPUTE_ENDPOINT" in run.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("api", ["glance", "ims"])
def test_without_a_compute_service_images_go_once_nobody_asks_for_servers(
    invoke: Invoke, cloud: FakeCloud, api: str
) -> None:
    cloud.catalog_without("compute")
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api, REAPER_IN_USE_CHECK="off")
    assert run.outcomes == {image: ("deleted", "")}


# Regions


def two_regions(cloud: FakeCloud, base: str) -> None:
    """Let the catalogue offer the image service in a second region, where no image is."""
    token = cloud.issue_token(cloud.users["reaper"], DEMO, ("password",))
    catalog = wire.catalog(service_urls(cloud, Request("POST", "/", base=base), DEMO))
    images = next(service for service in catalog if service["type"] == "image")
    second = {"interface": "public", "region": "RegionTwo", "region_id": "RegionTwo", "url": f"{base}/two", "id": "2"}
    images["endpoints"].append(second)
    body: Mapping[str, Any] = wire.token(token, catalog)
    cloud.fault("POST", "/auth/tokens", status=201, headers={"X-Subject-Token": token.id}, body=body, times=None)


def test_several_regions_fail_every_image_until_one_is_chosen(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    two_regions(cloud, server.url)
    images = [cloud.add_image(), UNKNOWN_ID]
    run = invoke({"image_ids": images}, OS_REGION_NAME="")
    assert run.outcomes == dict.fromkeys(images, ("failed", "unexpected"))
    assert "OS_REGION_NAME" in run.answer["outcomes"][0]["detail"]
    assert cloud.dead == {}
    assert invoke({"image_ids": images}, OS_REGION_NAME="RegionOne").outcomes[images[0]] == ("deleted", "")


def test_a_region_that_the_catalogue_does_not_know_fails_every_image(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(), UNKNOWN_ID]
    run = invoke({"image_ids": images}, OS_REGION_NAME="Atlantis")
    assert (run.outcomes, cloud.dead) == (dict.fromkeys(images, ("failed", "unexpected")), {})


def test_one_region_needs_no_choice(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, OS_REGION_NAME="").outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("interface", ["public", "internal", "admin"])
def test_every_interface_of_the_catalogue_may_be_chosen(invoke: Invoke, cloud: FakeCloud, interface: str) -> None:
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, OS_INTERFACE=interface).outcomes == {image: ("deleted", "")}


@OTC
def test_a_lost_answer_of_ims_is_found_out(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, apply=True, cut=True)
    assert invoke({"image_ids": [image]}, REAPER_IMAGE_API="ims").outcomes == {image: ("deleted", "")}
    assert set(cloud.dead) == {image}
