"""Which images servers were made from: read to the end, or nothing is deleted."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.conftest import UNKNOWN_ID, Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
SERVERS, VOLUMES = "/servers/detail$", "/volumes/detail$"
PAGE = "<html><body>Welcome</body></html>"
NEXT = [{"rel": "next", "href": "http://cloud.test/?marker=x"}]


def lists(cloud: FakeCloud, kind: str) -> list[str]:
    """The queries of the pages that were asked for."""
    return [call.query for call in cloud.calls if call.path.endswith(f"/{kind}/detail")]


def nothing_deleted(cloud: FakeCloud) -> bool:
    return not cloud.dead and not cloud.calls_of("DELETE")


# Servers


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 6, 100])
def test_an_image_that_only_the_last_server_uses_stays(invoke: Invoke, cloud: FakeCloud, page_size: int) -> None:
    cloud.page_size = page_size
    used, free, common = cloud.add_image(), cloud.add_image(), cloud.add_image()
    cloud.add_server("last-1", image=used)  # the oldest is listed last
    for _ in range(5):
        cloud.add_server(image=common)
    run = invoke({"image_ids": [used, free]})
    assert run.outcomes == {used: ("refused", "in_use"), free: ("deleted", "")}
    assert "last-1" in run.answer["outcomes"][0]["detail"]
    assert set(cloud.dead) == {free}


def test_every_page_is_asked_for_once(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.page_size = 2
    servers = [cloud.add_server(image=cloud.add_image()) for _ in range(5)]
    invoke({"image_ids": [cloud.add_image()]})
    assert lists(cloud, "servers") == [
        "limit=1000",
        f"limit=1000&marker={servers[3]}",
        f"limit=1000&marker={servers[1]}",
    ]


def test_a_full_page_without_a_link_is_not_the_last(invoke: Invoke, cloud: FakeCloud) -> None:
    used = cloud.add_image()
    cloud.add_server(image=used)
    marker = cloud.add_server()
    others = [{"id": str(number), "image": {"id": UNKNOWN_ID}} for number in range(999)]
    cloud.fault("GET", SERVERS, status=200, body={"servers": [*others, {"id": marker, "image": ""}]})
    assert invoke({"image_ids": [used]}).outcomes == {used: ("refused", "in_use")}
    assert nothing_deleted(cloud)


def test_the_servers_that_use_an_image_are_named(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    for number in range(5):
        cloud.add_server(f"web-{number}", image=image)
    detail = invoke({"image_ids": [image]}).answer["outcomes"][0]["detail"]
    assert "web-4" in detail
    assert "and 2 more" in detail


@pytest.mark.parametrize("status", ["SHUTOFF", "ERROR", "BUILD", "SHELVED_OFFLOADED", "SOFT_DELETED"])
def test_a_server_uses_its_image_whatever_its_state(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    image = cloud.add_image()
    cloud.servers[cloud.add_server(image=image)].status = status
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


@pytest.mark.parametrize("flavour", ["image and metadata", "metadata only"])
def test_an_image_that_a_server_names_in_its_metadata_stays(invoke: Invoke, cloud: FakeCloud, flavour: str) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    named = other if flavour == "image and metadata" else None
    cloud.add_server(image=named, metadata={"metering.image_id": image, "role": "web"})
    run = invoke({"image_ids": [image]})
    assert (run.outcomes, lists(cloud, "volumes")) == ({image: ("refused", "in_use")}, [])


def test_a_server_that_ended_uses_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    server = cloud.add_server(image=image)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}
    del cloud.servers[server]
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


def test_servers_of_other_projects_are_not_ours_to_see(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_server(image=image, project=OTHER)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


def test_a_rehearsal_asks_for_servers_as_well(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_server(image=image)
    assert invoke({"image_ids": [image], "dry_run": True}).outcomes == {image: ("refused", "in_use")}


# Volumes


@pytest.mark.parametrize("page_size", [1, 2, 5, 6, 100])
def test_an_image_of_the_last_volume_that_a_server_booted_from_stays(
    invoke: Invoke, cloud: FakeCloud, page_size: int
) -> None:
    cloud.page_size = page_size
    used, free, common = cloud.add_image(), cloud.add_image(), cloud.add_image()
    server = cloud.add_server("db-1", image=None)
    for _ in range(5):
        cloud.add_volume(image=common, server=server)
    cloud.add_volume(image=used, server=server, name="db-1-root")
    run = invoke({"image_ids": [used, free]})
    assert run.outcomes == {used: ("refused", "in_use"), free: ("deleted", "")}
    assert "db-1-root" in run.answer["outcomes"][0]["detail"]


def test_one_silent_server_among_many_is_enough_to_ask_for_volumes(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.page_size = 2
    used = cloud.add_image()
    servers = [cloud.add_server(image=None if number == 3 else cloud.add_image()) for number in range(6)]
    cloud.add_volume(image=used, server=servers[3])
    assert invoke({"image_ids": [used]}).outcomes == {used: ("refused", "in_use")}


def test_volumes_are_not_asked_for_where_no_server_has_any_and_each_names_its_image(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image()
    cloud.add_server(image=cloud.add_image())
    cloud.add_server(metadata={"metering.image_id": cloud.add_image()})
    assert (invoke({"image_ids": [image]}).outcomes, lists(cloud, "volumes")) == ({image: ("deleted", "")}, [])


def test_every_volume_of_a_server_uses_its_image_even_if_the_server_names_another(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    root, data, free = (cloud.add_image() for _ in range(3))
    cloud.add_volume(image=data, server=cloud.add_server(image=root))
    run = invoke({"image_ids": [root, data, free]})
    assert run.outcomes == {root: ("refused", "in_use"), data: ("refused", "in_use"), free: ("deleted", "")}


def told(cloud: FakeCloud, path: str, kind: str, **fields: object) -> None:
    """Let the cloud say something else of everything that it lists."""

    def edit(body: dict[str, list[dict[str, object]]]) -> object:
        return {**body, kind: [{**item, **fields} for item in body[kind]]}

    cloud.fault("GET", path, status=None, times=None, edit=edit)


@pytest.mark.parametrize("status", ["BUILD", "SHELVED_OFFLOADED", "ACTIVE"])
def test_an_image_of_a_volume_that_only_its_server_calls_attached_stays(
    invoke: Invoke, cloud: FakeCloud, status: str
) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.add_volume(image=image, server=cloud.add_server(status=status), id="AB-1")
    told(cloud, VOLUMES, "volumes", attachments=[], status="reserved", id="ab-1")
    outcomes = invoke({"image_ids": [image, other]}).outcomes
    assert outcomes == {image: ("refused", "in_use"), other: ("deleted", "")}


@pytest.mark.parametrize("volume", [{"bootable": "false"}, {"bootable": "false", "status": "downloading"}, {}])
def test_a_server_in_the_making_whose_volumes_can_not_be_booted_yet_may_come_from_any_image(
    invoke: Invoke, cloud: FakeCloud, volume: dict[str, object]
) -> None:
    image = cloud.add_image()
    cloud.add_volume(server=cloud.add_server(status="BUILD"))
    told(cloud, VOLUMES, "volumes", **volume)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "unavailable")}


@pytest.mark.parametrize("task", ["shelving", "shelving_image_uploading", "shelving_offloading", "unshelving"])
def test_a_server_that_is_being_shelved_uses_the_image_of_its_disk(invoke: Invoke, cloud: FakeCloud, task: str) -> None:
    server = cloud.add_server(image=cloud.add_image())
    image = cloud.add_image("web-1-shelved", instance_uuid=server)
    told(cloud, SERVERS, "servers", **{"OS-EXT-STS:task_state": task})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


def test_a_volume_that_no_server_holds_uses_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_server(image=None)
    cloud.add_volume(image=image)
    cloud.add_volume()
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
    assert lists(cloud, "volumes") != []


# Lists that can't be read to their end


def server_page(cloud: FakeCloud) -> Mapping[str, Any]:
    """A page with a server that exists, and the promise of another page."""
    server = next(iter(cloud.servers))
    return {"servers": [{"id": server, "name": "web", "image": {"id": "x"}}], "servers_links": NEXT}


UNREADABLE: dict[str, dict[str, Any]] = {
    "forbidden": {"status": 403, "body": {"forbidden": {"code": 403, "message": "Policy"}}},
    "not found": {"status": 404, "body": {"message": "The resource could not be found."}},
    "an image that is not found": {"status": 404, "body": {"message": "Image not found."}},
    "bad request": {"status": 400, "body": {"badRequest": {"code": 400, "message": "marker [x] not found"}}},
    "broken": {"status": 500, "headers": LATER},
    "overloaded": {"status": 503, "headers": LATER},
    "throttled": {"status": 429, "headers": LATER},
    "moved": {"status": 302, "headers": {"Location": "/elsewhere"}},
    "no content": {"status": 204},
    "empty": {"status": 200, "body": ""},
    "a web page": {"status": 200, "body": PAGE, "content_type": "text/html"},
    "half a list": {"status": 200, "body": '{"servers": [{"id": "1", "image": ""}'},
    "a list of nothing known": {"status": 200, "body": "[]"},
    "an object without the list": {"status": 200, "body": {"server": []}},
    "null for the list": {"status": 200, "body": '{"servers": null, "volumes": null}'},
    "an object for the list": {"status": 200, "body": '{"servers": {}, "volumes": {}}'},
    "a text in the list": {"status": 200, "body": '{"servers": ["x"], "volumes": ["x"]}'},
}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_page_of_servers_that_cannot_be_read_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, skip: int, fault: dict[str, Any]
) -> None:
    cloud.page_size = 2
    for _ in range(5):
        cloud.add_server(image=cloud.add_image())
    cloud.fault("GET", SERVERS, skip=skip, times=None, **fault)
    images = [cloud.add_image() for _ in range(3)]
    run = invoke({"image_ids": images})
    assert run.answer["counts"] == {"failed": 3}
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_page_of_volumes_that_cannot_be_read_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, skip: int, fault: dict[str, Any]
) -> None:
    cloud.page_size = 2
    for _ in range(5):
        cloud.add_volume(server=cloud.add_server(image=None))
    cloud.fault("GET", VOLUMES, skip=skip, times=None, **fault)
    images = [cloud.add_image() for _ in range(3)]
    run = invoke(queue(*({"image_ids": [image]} for image in images)))
    assert run.returned == ["m0", "m1", "m2"]
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("skip", [0, 1])
def test_a_list_that_repeats_itself_deletes_nothing(invoke: Invoke, cloud: FakeCloud, skip: int) -> None:
    cloud.page_size = 1
    cloud.add_server(image=cloud.add_image())
    cloud.add_server(image=cloud.add_image())
    cloud.fault("GET", SERVERS, status=200, body=server_page(cloud), skip=skip, times=None)
    image = cloud.add_image()
    run = invoke({"image_ids": [image]})
    assert (run.outcomes, nothing_deleted(cloud)) == ({image: ("failed", "unexpected")}, True)
    assert "repeats itself" in run.answer["outcomes"][0]["detail"]
    assert len(lists(cloud, "servers")) <= 7


def test_a_list_that_goes_round_in_a_circle_deletes_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    pages = [{"servers": [{"id": name, "image": {"id": "x"}}], "servers_links": NEXT} for name in "abca"]
    for page in pages * 3:
        cloud.fault("GET", SERVERS, status=200, body=page)
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "unexpected")}
    assert (len(lists(cloud, "servers")), nothing_deleted(cloud)) == (12, True)


def test_a_page_whose_last_server_has_no_id_deletes_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.fault("GET", SERVERS, status=200, body={"servers": [{"image": {"id": "x"}}], "servers_links": NEXT})
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}).outcomes[image][0] == "failed"
    assert nothing_deleted(cloud)


def test_an_image_that_a_rule_refuses_is_refused_though_the_servers_are_unknown(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    cloud.fault("GET", SERVERS, status=403, times=None)
    kept, other = cloud.add_image(tags=["keep"]), cloud.add_image()
    assert invoke({"image_ids": [kept, other]}).outcomes == {kept: ("refused", "kept"), other: ("failed", "denied")}


def test_a_list_that_cannot_be_read_is_asked_for_once_and_not_once_for_each_image(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    cloud.fault("GET", SERVERS, status=403, times=None)
    run = invoke({"image_ids": [cloud.add_image() for _ in range(20)]})
    assert (run.answer["counts"], len(lists(cloud, "servers"))) == ({"failed": 20}, 1)


def test_the_next_invocation_reads_the_list_anew(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.fault("GET", SERVERS, status=403)
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "denied")}
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize(
    "silent",
    [
        {"id": "1", "image": {}},
        {"id": "1", "image": None},
        {"id": "1", "image": "", "metadata": None},
        {"id": "1", "image": "", "metadata": {"metering.image_id": ""}},
    ],
)
def test_a_server_that_does_not_name_its_image_makes_us_ask_for_volumes(
    invoke: Invoke, cloud: FakeCloud, silent: Mapping[str, Any]
) -> None:
    image = cloud.add_image()
    cloud.add_volume(image=image, server="1")
    cloud.fault("GET", SERVERS, status=200, body={"servers": [silent]})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


@pytest.mark.parametrize("hidden", [{"id": "1", "status": "UNKNOWN"}, {"id": "1", "image": "", "status": "UNKNOWN"}])
def test_a_server_in_a_cell_that_cannot_be_asked_saves_every_image(
    invoke: Invoke, cloud: FakeCloud, hidden: Mapping[str, Any]
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", SERVERS, status=200, body={"servers": [hidden]})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("failed", "unexpected")}
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("status", ["SHELVED", "SHELVED_OFFLOADED"])
def test_the_disk_of_a_shelved_server_is_in_use(invoke: Invoke, cloud: FakeCloud, status: str) -> None:
    base = cloud.add_image()
    shelved, running = cloud.add_server(image=base, status=status), cloud.add_server(image=base)
    disk = cloud.add_image("web-1-shelved", instance_uuid=shelved, image_type="snapshot")
    backup = cloud.add_image("web-2-backup", instance_uuid=running, image_type="snapshot")
    outcomes = invoke({"image_ids": [disk, backup]}).outcomes
    assert outcomes == {disk: ("refused", "in_use"), backup: ("deleted", "")}


def test_a_page_that_was_cut_without_a_word_is_not_the_end_of_the_list(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cut = [{"id": str(number), "image": {"id": cloud.add_image()}} for number in range(20)]
    rest = [{"id": "last", "image": {"id": image}}]
    for page in (cut, rest):
        cloud.fault("GET", SERVERS, status=200, body={"servers": page})
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


def test_a_server_without_image_where_volumes_cannot_be_asked_for_is_not_overlooked(
    invoke: Invoke, cloud: FakeCloud
) -> None:
    cloud.catalog_without("volumev3", "block-storage")
    image = cloud.add_image()
    cloud.add_volume(image=image, server=cloud.add_server(image=None))
    assert invoke({"image_ids": [image]}).outcomes[image][0] == "failed"
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("missing", ["volumev3", "block-storage"])
def test_volumes_are_found_by_either_name_of_their_service(missing: str, invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.catalog_without(missing)
    image = cloud.add_image()
    cloud.add_volume(image=image, server=cloud.add_server(image=None))
    assert invoke({"image_ids": [image]}).outcomes == {image: ("refused", "in_use")}


# The check is off


def test_nobody_asks_for_servers_where_the_check_is_off(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_server(image=image)
    run = invoke({"image_ids": [image]}, REAPER_IN_USE_CHECK="off")
    assert (run.outcomes, lists(cloud, "servers")) == ({image: ("deleted", "")}, [])


def test_the_cloud_may_still_call_an_image_in_use_where_the_check_is_off(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    message = f"Image {image} could not be deleted because it is in use: volume clone"
    cloud.fault("DELETE", f"/v2/images/{image}", status=409, body={"message": message})
    run = invoke({"image_ids": [image]}, REAPER_IN_USE_CHECK="off")
    assert (run.outcomes, cloud.dead) == ({image: ("refused", "in_use")}, {})


def test_the_servers_are_asked_for_in_the_token_s_project(invoke: Invoke, cloud: FakeCloud) -> None:
    invoke({"image_ids": [cloud.add_image()]})
    paths = {call.path for call in cloud.calls if call.path.endswith("/detail")}
    assert paths == {f"/compute/v2.1/{DEMO}/servers/detail"}


# What else may use an image


def test_a_volume_uses_its_image_only_where_that_is_asked_for(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_volume(image=image, name="data-1")
    asked = invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="volumes")
    assert asked.outcomes == {image: ("refused", "in_use")}
    assert "volume data-1" in asked.answer["outcomes"][0]["detail"]
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="").outcomes == {image: ("deleted", "")}


def test_a_server_uses_its_snapshots_only_where_that_is_asked_for(invoke: Invoke, cloud: FakeCloud) -> None:
    server = cloud.add_server("web-1")
    snapshot = cloud.add_image("web-1-snap", instance_uuid=server)
    orphan = cloud.add_image("web-2-snap", instance_uuid="7f1d4a52-0b1c-4f3e-9a77-2c5de8a10002")
    asked = invoke({"image_ids": [snapshot, orphan]}, REAPER_IN_USE_ALSO="snapshots")
    assert asked.outcomes == {snapshot: ("refused", "in_use"), orphan: ("deleted", "")}
    assert invoke({"image_ids": [snapshot]}, REAPER_IN_USE_ALSO="").outcomes == {snapshot: ("deleted", "")}


@pytest.mark.parametrize("key", ["base_image_ref", "__originalimagename"])
def test_an_image_uses_the_one_that_it_was_derived_from_only_where_that_is_asked_for(
    invoke: Invoke, cloud: FakeCloud, key: str
) -> None:
    parent = cloud.add_image()
    cloud.images[cloud.add_image("child-1")].properties[key] = parent
    asked = invoke({"image_ids": [parent]}, REAPER_IN_USE_ALSO="images")
    assert asked.outcomes == {parent: ("refused", "in_use")}
    assert "image child-1" in asked.answer["outcomes"][0]["detail"]
    assert invoke({"image_ids": [parent]}, REAPER_IN_USE_ALSO="").outcomes == {parent: ("deleted", "")}


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_the_last_volume_or_image_of_many_pages_uses_its_image(
    invoke: Invoke, cloud: FakeCloud, page_size: int
) -> None:
    cloud.page_size = page_size
    parent, origin, free = cloud.add_image(), cloud.add_image(), cloud.add_image()
    cloud.add_image("child-1", base_image_ref=parent, created_at="2020-01-01T00:00:00Z")
    cloud.add_volume(image=origin, name="data-1")
    for _ in range(3):
        cloud.add_volume()
    run = invoke({"image_ids": [parent, origin, free]}, REAPER_IN_USE_ALSO="images,volumes")
    assert run.outcomes == {parent: ("refused", "in_use"), origin: ("refused", "in_use"), free: ("deleted", "")}


@pytest.mark.parametrize(("also", "path"), [("volumes", VOLUMES), ("images", "/v2/images$")])
@pytest.mark.parametrize("status", [404, 403, 503])
def test_where_what_uses_images_cannot_be_listed_nothing_is_deleted(
    invoke: Invoke, cloud: FakeCloud, also: str, path: str, status: int
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", path, status=status, times=None, headers=LATER)
    run = invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO=also)
    assert run.outcomes[image][0] == "failed"
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("also", ["scaling", "volumes"])
def test_a_service_that_is_to_be_asked_and_is_not_there_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, also: str
) -> None:
    cloud.catalog_without("as", "volumev3", "block-storage")
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO=also)
    assert run.outcomes == {image: ("failed", "unexpected")}
    assert "the catalogue offers no " in run.answer["outcomes"][0]["detail"]
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("value", ["volume", "volumes,", "volumes scaling", "all", "servers"])
def test_what_is_unknown_to_use_images_refuses_to_start(invoke: Invoke, cloud: FakeCloud, value: str) -> None:
    image = cloud.add_image()
    run = invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO=value)
    assert "REAPER_IN_USE_ALSO" in str(run.error)
    assert set(cloud.images) == {image}


# Kernels and ramdisks


@pytest.mark.parametrize("also", ["", "images", "snapshots", "volumes", "snapshots,volumes,images"])
@pytest.mark.parametrize("booted_from", ["image", "volume", "metadata"])
def test_the_kernel_and_the_ramdisk_of_an_image_in_use_are_in_use(
    invoke: Invoke, cloud: FakeCloud, also: str, booted_from: str
) -> None:
    kernel, ramdisk = cloud.add_image("vmlinuz"), cloud.add_image("initrd")
    root = cloud.add_image("rootfs", kernel_id=kernel, ramdisk_id=ramdisk)
    metadata = {"metering.image_id": root} if booted_from == "metadata" else {}
    server = cloud.add_server(image=root if booted_from == "image" else None, metadata=metadata)
    if booted_from == "volume":
        cloud.add_volume(image=root, server=server)
    run = invoke({"image_ids": [kernel, ramdisk, root]}, REAPER_IN_USE_ALSO=also)
    assert run.outcomes == dict.fromkeys((kernel, ramdisk, root), ("refused", "in_use"))
    assert root in run.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize(("also", "outcome"), [("", ("deleted", "")), ("images", ("refused", "in_use"))])
@pytest.mark.parametrize("key", ["kernel_id", "ramdisk_id"])
def test_an_image_that_is_not_in_use_keeps_its_kernel_only_where_that_is_asked_for(
    invoke: Invoke, cloud: FakeCloud, key: str, also: str, outcome: tuple[str, str]
) -> None:
    kernel = cloud.add_image("vmlinuz")
    cloud.images[cloud.add_image("rootfs")].properties[key] = kernel
    assert invoke({"image_ids": [kernel]}, REAPER_IN_USE_ALSO=also).outcomes == {kernel: outcome}


@pytest.mark.parametrize("also", ["", "volumes"])
def test_a_volume_names_its_kernel_even_if_its_image_is_gone(invoke: Invoke, cloud: FakeCloud, also: str) -> None:
    kernel = cloud.add_image("vmlinuz")
    cloud.add_volume(image=UNKNOWN_ID, server=None if also else cloud.add_server(image=None))

    def named(body: dict[str, Any]) -> object:
        body["volumes"][0]["volume_image_metadata"]["kernel_id"] = kernel
        return body

    cloud.fault("GET", VOLUMES, status=None, edit=named, times=None)
    assert invoke({"image_ids": [kernel]}, REAPER_IN_USE_ALSO=also).outcomes == {kernel: ("refused", "in_use")}


def test_a_server_that_tells_its_ramdisk_uses_it_even_if_its_image_is_gone(invoke: Invoke, cloud: FakeCloud) -> None:
    ramdisk = cloud.add_image("initrd")
    told = {
        "id": "1",
        "image": {"id": UNKNOWN_ID},
        "OS-EXT-SRV-ATTR:kernel_id": "",
        "OS-EXT-SRV-ATTR:ramdisk_id": ramdisk,
    }
    cloud.fault("GET", SERVERS, status=200, body={"servers": [told]}, times=None)
    assert invoke({"image_ids": [ramdisk]}).outcomes == {ramdisk: ("refused", "in_use")}


def test_an_image_in_use_that_is_gone_or_not_ours_to_see_has_no_kernel(invoke: Invoke, cloud: FakeCloud) -> None:
    image, hidden = cloud.add_image(), cloud.add_image(owner=OTHER)
    cloud.add_server(image=hidden)
    cloud.add_server(image=UNKNOWN_ID)
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}


UNREAD: list[dict[str, Any]] = [
    {"status": 503, "headers": LATER},
    {"status": 404},
    {"status": 403},
    {"status": 200, "body": "[]"},
]


@pytest.mark.parametrize("fault", UNREAD)
def test_where_an_image_in_use_cannot_be_read_nothing_is_deleted(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    image, used = cloud.add_image(), cloud.add_image()
    cloud.add_server(image=used)
    cloud.fault("GET", f"{used}$", times=None, **fault)
    assert invoke({"image_ids": [image]}).outcomes[image][0] == "failed"
    assert nothing_deleted(cloud)


@pytest.mark.parametrize("key", ["kernel_id", "ramdisk_id", "base_image_ref", "__originalimagename"])
def test_nothing_is_a_user_of_itself(invoke: Invoke, cloud: FakeCloud, key: str) -> None:
    image = cloud.add_image()
    cloud.images[image].properties[key] = image.upper()
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="images").outcomes == {image: ("deleted", "")}


def test_an_image_in_use_that_is_its_own_kernel_is_used_by_its_server_alone(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.images[image].properties["kernel_id"] = image
    server = cloud.add_server("web-1", image=image)
    assert invoke({"image_ids": [image]}).answer["outcomes"][0]["detail"] == f"used by server web-1 ({server})"


# Ids in any case


@pytest.mark.parametrize("spelled", [str.upper, str.lower, str.title])
@pytest.mark.parametrize("place", ["server", "metadata", "volume", "kernel", "parent", "snapshot"])
def test_ids_are_compared_without_regard_to_case(
    invoke: Invoke, cloud: FakeCloud, place: str, spelled: Callable[[str], str]
) -> None:
    image = cloud.add_image(id="ab12cd34-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
    server = cloud.add_server(
        image={"server": spelled(image), "volume": None}.get(place, cloud.add_image(kernel_id=spelled(image))),
        metadata={"metering.image_id": spelled(image)} if place == "metadata" else {},
    )
    if place == "volume":
        cloud.add_volume(image=spelled(image), server=server)
    cloud.add_image(base_image_ref=spelled(image))
    cloud.images[image].properties["instance_uuid"] = spelled(server)
    also = {"parent": "images", "snapshot": "snapshots"}.get(place, "")
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO=also).outcomes == {image: ("refused", "in_use")}


def test_an_image_whose_own_id_is_in_upper_case_is_in_use_all_the_same(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image(id="AB12CD34-5E6F-4A7B-8C9D-0E1F2A3B4C5D")
    cloud.add_server(image=image.lower())
    assert invoke({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}).outcomes == {
        image: ("refused", "in_use")
    }


@pytest.mark.parametrize("named", [str.upper, str.lower])
def test_the_kernel_of_an_image_that_a_server_spells_otherwise_is_in_use(
    invoke: Invoke, cloud: FakeCloud, named: Callable[[str], str]
) -> None:
    kernel = cloud.add_image("vmlinuz")
    cloud.add_server(image=named(cloud.add_image(id="ab12cd34-5e6f-4a7b-8c9d-0e1f2a3b4c5d", kernel_id=kernel)))
    assert invoke({"image_ids": [kernel]}).outcomes == {kernel: ("refused", "in_use")}


# As IMS names it


@pytest.mark.parametrize("origin", ["instance,{}", "Instance, {} ", " INSTANCE ,{}", "instance,eu-de,{}"])
@pytest.mark.parametrize("status", ["ACTIVE", "SHELVED"])
def test_the_server_of_a_snapshot_is_read_as_ims_names_it(
    invoke: Invoke, cloud: FakeCloud, origin: str, status: str
) -> None:
    server = cloud.add_server(status=status)
    snapshot = cloud.add_image(__data_origin=origin.format(server), instance_uuid=cloud.new_id())
    also = "snapshots" if status == "ACTIVE" else ""
    assert invoke({"image_ids": [snapshot]}, REAPER_IN_USE_ALSO=also).outcomes == {snapshot: ("refused", "in_use")}


@pytest.mark.parametrize("origin", ["", "instance", "instance,", "file,bucket:{}", "server_backup,{}", "volume,{}"])
def test_an_image_of_another_origin_is_no_snapshot_of_a_server(invoke: Invoke, cloud: FakeCloud, origin: str) -> None:
    image = cloud.add_image(__data_origin=origin.format(cloud.add_server()))
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="snapshots").outcomes == {image: ("deleted", "")}


def test_an_image_that_was_copied_from_another_names_it_as_ims_does(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.add_image("copy", __data_origin=f"image,eu-de,{image}")
    assert invoke({"image_ids": [image]}, REAPER_IN_USE_ALSO="images").outcomes == {image: ("refused", "in_use")}
