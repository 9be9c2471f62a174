"""What the cloud's bodies hold; what can't be read is Unexpected, never a guess."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.cloud import fields, payloads
from handler.cloud.lists.images import read_listed_image
from handler.errors import Unexpected
from handler.model.image import Image
from tests.properties import tried

ID = "2932d747-9307-40a7-a47d-06f0504bd823"
GLANCE: dict[str, Any] = {
    "id": ID,
    "name": "truth-1",
    "disk_format": "raw",
    "container_format": "bare",
    "visibility": "shared",
    "size": 16,
    "virtual_size": 16,
    "status": "active",
    "checksum": "45ed9cc2f92b77cba7ef4cf5ebf9d1a6",
    "protected": False,
    "min_ram": 0,
    "min_disk": 0,
    "owner": "ca22e864e8a245eaaf7f4a4d2f1d0a11",
    "os_hidden": False,
    "os_hash_algo": "sha512",
    "os_hash_value": "d6dd",
    "created_at": "2026-11-23T09:51:55Z",
    "updated_at": "2026-11-23T09:51:56Z",
    "tags": ["ci", "keep=1"],
    "self": f"/v2/images/{ID}",
    "file": f"/v2/images/{ID}/file",
    "schema": "/v2/schemas/image",
    "stores": "fs",
    "os_type": "linux",
    "keep-until": "2027-01-31",
}
IMS = GLANCE | {"size": 18, "__image_size": "3221225472", "__backup_id": "b1", "__imagetype": "shared"}


def read(**changes: object) -> Image | None:
    return payloads.read_image(GLANCE | changes, ID)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GLANCE.items() if name != key}


def test_an_image_of_glance_is_read() -> None:
    image = read()
    assert image is not None
    assert (image.id, image.name, image.owner, image.status) == (ID, "truth-1", GLANCE["owner"], "active")
    assert (image.visibility, image.protected, image.size) == ("shared", False, 16)
    assert image.tags == {"ci", "keep=1"}
    assert image.created_at == datetime(2026, 11, 23, 9, 51, 55, tzinfo=UTC)
    assert (image.updated_at, image.checksum) == (GLANCE["updated_at"], GLANCE["checksum"])
    assert image.record == GLANCE


def test_whatever_not_every_image_has_is_a_property() -> None:
    image = read()
    assert image is not None
    assert image.properties == {"os_type", "keep-until"}


def test_an_image_of_ims_is_read() -> None:
    image = payloads.read_image(IMS, ID)
    assert image is not None
    assert image.size == 3_221_225_472
    assert image.has_backup
    assert image.may_be_shared


@pytest.mark.parametrize("status", ["deleted", "pending_delete"])
def test_an_image_that_is_said_to_be_deleted_is_absent(status: str) -> None:
    assert read(status=status) is None
    assert payloads.read_image({"id": ID, "status": status}, ID) is None


@pytest.mark.parametrize("other", [None, "", ID.upper(), ID + " ", ID[:-1] + "4", 7, [ID]], ids=repr)
def test_another_image_than_the_one_asked_for_is_unexpected(other: object) -> None:
    with pytest.raises(Unexpected, match="the cloud answered with image"):
        read(id=other)
    with pytest.raises(Unexpected):
        payloads.read_image({"id": other, "status": "deleted"}, ID)


@pytest.mark.parametrize("key", ["id", "status", "visibility", "protected", "tags"])
def test_an_image_without_what_the_rules_need_is_unexpected(key: str) -> None:
    with pytest.raises(Unexpected):
        payloads.read_image(without(key), ID)


UNREADABLE: dict[str, list[object]] = {
    "status": [None, "", 1, ["active"]],
    "visibility": [None, "", "Private", "secret", True, ["private"]],
    "protected": [None, "false", "true", 0, 1, ""],
    "tags": [None, "keep", {"keep": True}, ["ci", None], [["keep"]], [1]],
    "owner": [7, ["x"], {"id": "x"}, False],
    "name": [7, ["x"], False],
    "checksum": [7],
    "updated_at": [7],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in UNREADABLE.items() for value in values], ids=repr
)
def test_what_the_rules_need_and_cannot_read_is_unexpected(key: str, value: object) -> None:
    with pytest.raises(Unexpected, match=key):
        read(**{key: value})


@pytest.mark.parametrize("key", ["name", "owner", "checksum", "updated_at", "size", "created_at"])
def test_what_an_image_may_lack_is_none(key: str) -> None:
    assert getattr(read(**{key: None}), key) is None
    assert getattr(payloads.read_image(without(key), ID), key) is None


def test_what_cannot_be_read_is_shown_shortened() -> None:
    with pytest.raises(Unexpected) as raised:
        read(status=["x" * 10_000])
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"size": 16}, 16),
        ({"size": 0}, 0),
        ({"size": None}, None),
        ({"size": "16"}, None),
        ({"size": None, "__image_size": "7"}, 7),
        ({"size": 18, "__image_size": "999999999999999999"}, 999_999_999_999_999_999),
        ({"size": 18, "__image_size": ""}, None),
        ({"size": 18, "__image_size": "seven"}, None),
        ({"size": 18, "__image_size": "9" * 5_000}, None),
        ({"size": 18, "__image_size": None}, None),
        ({"size": 18, "__isregistered": "True"}, None),
        ({"size": 16, "_custom": "x"}, 16),
    ],
    ids=str,
)
def test_the_size_is_that_of_glance_or_the_text_of_ims(changes: dict[str, Any], size: int | None) -> None:
    image = read(**changes)
    assert image is not None
    assert image.size == size


NINE = datetime(2026, 11, 23, 9, 51, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T09:51:55Z", NINE),
        ("2026-11-23T09:51:55", NINE),
        ("2026-11-23T10:51:55+01:00", NINE),
        ("2026-11-23T09:51:55.000000Z", NINE),
        ("2026-11-23 09:51:55", NINE),
    ],
)
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str, time: datetime) -> None:
    assert fields.read_time(text) == time


@pytest.mark.parametrize("value", [None, "", "yesterday", "2026-13-01T00:00:00Z", 1_795_427_515, ["2026"]], ids=repr)
def test_a_time_that_cannot_be_read_is_none(value: object) -> None:
    assert fields.read_time(value) is None


@given(text=st.text())
def test_every_time_that_is_read_knows_its_zone(text: str) -> None:
    time = fields.read_time(text)
    assert time is None or time.tzinfo is not None


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Mon, 23 Nov 2026 09:51:55 GMT", NINE),
        ("Mon, 23 Nov 2026 10:51:55 +0100", NINE),
        ("Mon, 23 Nov 2026 09:51:55", NINE),
        ("Mon, 23 Nov 2026 09:51:55 -0000", NINE),
        ("Fri, 01 Jan 1971 00:00:00 GMT", datetime(1971, 1, 1, tzinfo=UTC)),
        ("Thu, 31 Dec 1970 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_in_a_header_is_in_utc_and_of_a_clock_that_was_set(header: str, date: datetime | None) -> None:
    read = fields.read_date(header)
    assert read == date
    assert read is None or read.tzinfo is UTC


def members(*pairs: tuple[str, str | None]) -> dict[str, Any]:
    return {"members": [{"member_id": name, "status": status} for name, status in pairs]}


def test_members_that_declined_do_not_use_the_image() -> None:
    assert payloads.read_members(members(("a", "rejected"), ("b", "rejected"))) == ()
    assert payloads.read_members({"members": []}) == ()


def test_members_that_accepted_or_did_not_answer_use_the_image() -> None:
    assert payloads.read_members(members(("a", "accepted"), ("b", "rejected"), ("c", "pending"))) == ("a", "c")


@pytest.mark.parametrize("status", [None, "", "pending", "Rejected", "invited"])
def test_a_member_of_unknown_status_counts_as_one_that_uses_the_image(status: str | None) -> None:
    assert payloads.read_members(members(("a", status))) == ("a",)
    assert payloads.read_members({"members": [{"member_id": "a"}]}) == ("a",)


NO_MEMBERS: list[dict[str, Any]] = [
    {},
    {"members": None},
    {"members": {}},
    {"members": "a"},
    {"members": ["a"]},
    {"members": [None]},
    {"members": [{"status": "accepted"}]},
    {"members": [{"member_id": 7, "status": "accepted"}]},
    {"members": [{"member_id": "a", "status": ["pending"]}]},
    {"members": [{"member_id": "a", "status": {"pending": True}}]},
    {"images": []},
]


@pytest.mark.parametrize("payload", NO_MEMBERS, ids=str)
def test_a_list_of_members_that_cannot_be_read_is_unexpected(payload: dict[str, Any]) -> None:
    with pytest.raises(Unexpected):
        payloads.read_members(payload)


NEXT = [{"rel": "next", "href": "http://nova/v2.1/servers/detail?marker=b"}]


@pytest.mark.parametrize(
    ("links", "more"), [({}, False), ({"servers_links": []}, False), ({"servers_links": NEXT}, True)], ids=str
)
def test_a_page_tells_whether_another_follows(links: dict[str, Any], *, more: bool) -> None:
    servers = [{"id": "a"}, {"id": "b"}]
    assert payloads.read_page({"servers": servers} | links, "servers") == (servers, more)


def test_a_link_back_is_no_next_page() -> None:
    links = [{"rel": "previous", "href": "x"}, {"rel": "self"}]
    assert payloads.read_page({"volumes": [], "volumes_links": links}, "volumes") == ([], False)


@pytest.mark.parametrize("servers", [None, {}, "", [None], ["a"], [{"id": "a"}, 7]], ids=repr)
def test_a_page_that_cannot_be_read_is_unexpected(servers: object) -> None:
    with pytest.raises(Unexpected, match="no list of servers"):
        payloads.read_page({"servers": servers}, "servers")


@pytest.mark.parametrize("links", [None, 7, "next", NEXT[0], ["next"], [None]], ids=repr)
def test_a_page_whose_links_cannot_be_read_is_unexpected(links: object) -> None:
    with pytest.raises(Unexpected):
        payloads.read_page({"servers": [], "servers_links": links}, "servers")


@pytest.mark.parametrize(
    ("server", "images"),
    [
        ({"image": {"id": "i", "links": []}}, ["i"]),
        ({"image": ""}, []),
        ({"image": None}, []),
        ({"image": {}}, []),
        ({"image": "", "metadata": {"metering.image_id": "m"}}, ["m"]),
        ({"image": {"id": "i"}, "metadata": {"metering.image_id": "m"}}, ["i", "m"]),
        ({"image": "", "metadata": {"metering.image_id": ""}}, []),
        ({"image": "", "metadata": None}, []),
        ({"image": "", "metadata": []}, []),
    ],
    ids=str,
)
def test_a_server_names_the_images_that_it_comes_from(server: dict[str, Any], images: list[str]) -> None:
    assert list(payloads.images_of_server(server)) == images


@pytest.mark.parametrize("server", [{}, {"id": "1", "status": "UNKNOWN"}, {"image": "", "status": "UNKNOWN"}], ids=str)
def test_a_server_of_which_nova_knows_too_little_is_unexpected(server: dict[str, Any]) -> None:
    with pytest.raises(Unexpected, match="does not say from which image"):
        list(payloads.images_of_server(server))


ORIGIN = {"volume_image_metadata": {"image_id": "i"}}


@pytest.mark.parametrize(
    ("volume", "image"),
    [
        (ORIGIN, "i"),
        ({"attachments": [{"server_id": "s"}]}, None),
        ({"attachments": [{"server_id": "s"}], "volume_image_metadata": None}, None),
        ({"attachments": [{"server_id": "s"}], "volume_image_metadata": {"image_name": "n"}}, None),
    ],
    ids=str,
)
def test_a_volume_names_the_image_that_it_was_made_from(volume: dict[str, Any], image: str | None) -> None:
    assert payloads.image_of_volume(volume) == image


@pytest.mark.parametrize(
    ("template", "images"),
    [
        ({"imageRef": "i", "instance_id": "s"}, ["i"]),
        ({"imageRef": "", "instance_id": "s"}, []),
        ({"imageRef": "i", "disk": None}, ["i"]),
        ({"imageRef": "i", "disk": [{"size": 1}, {"data_disk_image_id": "d"}]}, ["i", "d"]),
        ({"instance_id": "s", "disk": [{"data_disk_image_id": "d"}, {"data_disk_image_id": ""}]}, ["d"]),
    ],
)
def test_a_scaling_configuration_names_its_images_or_copies_a_server(
    template: dict[str, Any], images: list[str]
) -> None:
    assert list(payloads.images_of_scaling_configuration({"instance_config": template})) == images


@pytest.mark.parametrize("disk", ["d", {"data_disk_image_id": "d"}, ["d"], [{"data_disk_image_id": 7}]], ids=str)
def test_disks_of_a_scaling_configuration_that_cannot_be_read_are_unexpected(disk: object) -> None:
    with pytest.raises(Unexpected):
        list(payloads.images_of_scaling_configuration({"instance_config": {"imageRef": "i", "disk": disk}}))


@pytest.mark.parametrize(
    "configuration", [{}, {"instance_config": {}}, {"instance_config": {"imageRef": None}}], ids=str
)
def test_a_scaling_configuration_without_image_and_server_is_unexpected(configuration: dict[str, Any]) -> None:
    with pytest.raises(Unexpected, match="no readable imageRef"):
        list(payloads.images_of_scaling_configuration(configuration))


def servers_of(server: dict[str, Any]) -> list[str]:
    return list(payloads.images_of_server({"image": None} | server))


def disks_of(template: dict[str, Any]) -> list[str]:
    return list(payloads.images_of_scaling_configuration({"instance_config": template}))


NAMED: list[tuple[Callable[[Any], object], dict[str, Any], str]] = [
    (payloads.read_members, {"members": [{"member_id": 7}]}, "readable member_id: '7'"),
    (payloads.read_members, {"members": [{"member_id": "a", "status": 7}]}, "readable status: '7'"),
    (payloads.read_members, {"members": 7}, "list of members"),
    (lambda page: payloads.read_page(page, "servers"), {"servers": [], "servers_links": 7}, "list of servers_links"),
    (lambda page: payloads.read_numbered_page(page, "x"), {"total_number": "7"}, "readable total_number: '7'"),
    (lambda page: payloads.read_numbered_page(page, "x"), {"total_number": 7}, "list of x"),
    (servers_of, {"image": {"id": 7}}, "readable id: '7'"),
    (servers_of, {"image": "i"}, "readable image: 'i'"),
    (servers_of, {"metadata": "m"}, "readable metadata: 'm'"),
    (servers_of, {"metadata": {"metering.image_id": 7}}, "readable metering.image_id: '7'"),
    (lambda server: list(payloads.own_images_of_server(server, every=True)), {"id": 7}, "readable id: '7'"),
    (
        lambda server: list(payloads.volumes_of_server(server)),
        {"os-extended-volumes:volumes_attached": 7},
        "list of os-extended-volumes:volumes_attached",
    ),
    (payloads.image_of_volume, {"volume_image_metadata": 7}, "readable volume_image_metadata: '7'"),
    (payloads.image_of_volume, {"volume_image_metadata": {"image_id": 7}}, "readable image_id: '7'"),
    (lambda each: list(payloads.boot_images_of_volume(each)), {"volume_image_metadata": 7}, "metadata: '7'"),
    (lambda each: list(payloads.boot_images(each, "a:")), {"a:kernel_id": 7}, "readable a:kernel_id: '7'"),
    (lambda each: list(payloads.boot_images(each)), {"ramdisk_id": 7}, "readable ramdisk_id: '7'"),
    (payloads.images_of_scaling_configuration, {"instance_config": 7}, "readable instance_config: '7'"),
    (disks_of, {"imageRef": 7}, "readable imageRef: '7'"),
    (disks_of, {"imageRef": False}, "readable imageRef: 'False'"),
    (disks_of, {"imageRef": "i", "disk": 7}, "list of disk"),
    (disks_of, {"imageRef": "i", "disk": [{"data_disk_image_id": 7}]}, "readable data_disk_image_id: '7'"),
]


@pytest.mark.parametrize(("reader", "record", "named"), NAMED, ids=range(len(NAMED)))
def test_the_field_that_cannot_be_read_is_named_with_its_value(
    reader: Callable[[Any], object], record: dict[str, Any], named: str
) -> None:
    with pytest.raises(Unexpected, match=rf"^the cloud's answer has no .*{re.escape(named)}$"):
        list(cast("Iterable[object]", reader(record)))


@pytest.mark.parametrize("key", ["status", "visibility", "protected", "tags", "owner", "name", "checksum"])
def test_the_field_of_an_image_that_cannot_be_read_is_named_with_its_value(key: str) -> None:
    with pytest.raises(Unexpected, match=rf"^the cloud's answer has no readable {key}: '7'$"):
        read(**{key: 7})


def test_a_visibility_that_nobody_knows_is_named() -> None:
    with pytest.raises(Unexpected, match=r"^the cloud's answer has no readable visibility: 'secret'$"):
        read(visibility="secret")


def test_the_image_that_was_answered_instead_is_named() -> None:
    with pytest.raises(Unexpected, match=r"^the cloud answered with image 'x'$"):
        read(id="x")
    with pytest.raises(Unexpected, match=r"^the cloud does not say from which image server web \(s1\) comes$"):
        list(payloads.images_of_server({"name": "web", "id": "s1"}))


KEPT_BY: dict[str, object] = {
    **dict.fromkeys(("owner", "name", "updated_at", "checksum")),
    "status": "unknown",
    "visibility": "public",
    "protected": True,
    "tags": frozenset(),
}


@pytest.mark.parametrize("key", KEPT_BY)
def test_a_field_of_a_listed_image_that_cannot_be_read_holds_what_keeps_the_image(key: str) -> None:
    record = GLANCE | {key: 7}
    image = read_listed_image(record, ID)
    assert image is not None
    assert (image.unread, getattr(image, key), image.record) == ((key,), KEPT_BY[key], record)
    assert replace(image, record=GLANCE, unread=(), **{key: getattr(read(), key)}) == read()


def test_all_fields_of_a_listed_image_that_cannot_be_read_are_named_in_one_order() -> None:
    image = read_listed_image(GLANCE | dict.fromkeys(KEPT_BY, 7), ID)
    assert image is not None
    assert image.unread == ("owner", "name", "status", "visibility", "protected", "tags", "updated_at", "checksum")


def test_an_owner_that_a_listed_image_does_not_tell_is_unread() -> None:
    image = read_listed_image(without("owner"), ID)
    assert image is not None
    assert (image.unread, image.owner) == (("owner",), None)
    assert read_listed_image(GLANCE | {"owner": None}, ID) == read(owner=None)


def test_a_listed_image_is_absent_if_it_is_deleted_whatever_else_cannot_be_read() -> None:
    assert read_listed_image(GLANCE | {"status": "deleted", "name": 7}, ID) is None
    assert read_listed_image(without("owner") | {"status": "deleted"}, ID) is None


@pytest.mark.parametrize("visibility", ["private", "shared", "public", "community"])
def test_every_visibility_of_glance_can_be_read(visibility: str) -> None:
    image = read(visibility=visibility)
    assert image is not None
    assert image.visibility == visibility


@pytest.mark.parametrize("total", [None, "7", 7.0, True, -1], ids=repr)
def test_a_list_that_does_not_count_its_items_is_unexpected(total: object) -> None:
    with pytest.raises(Unexpected, match="total_number"):
        payloads.read_numbered_page({"total_number": total, "x": []}, "x")


@pytest.mark.parametrize("total", [0, 1, 70])
def test_a_list_tells_how_many_items_there_are(total: int) -> None:
    assert payloads.read_numbered_page({"total_number": total, "x": [{"a": 1}]}, "x") == ([{"a": 1}], total)


@pytest.mark.parametrize(
    ("server", "own"),
    [
        ({"status": "SHELVED"}, ["s"]),
        ({"status": "shelved_offloaded"}, ["s"]),
        ({"status": "SHELVED_OFFLOADED"}, ["s"]),
        ({"status": "ACTIVE", "OS-EXT-STS:task_state": "shelving_image_uploading"}, ["s"]),
        ({"status": "ACTIVE", "OS-EXT-STS:task_state": "unshelving"}, ["s"]),
        ({"status": "ACTIVE", "OS-EXT-STS:task_state": None}, []),
        ({"status": "ACTIVE", "OS-EXT-STS:task_state": "rebooting"}, []),
        ({}, []),
    ],
    ids=str,
)
def test_a_shelved_server_needs_the_image_that_was_made_of_it(server: dict[str, Any], own: list[str]) -> None:
    assert list(payloads.own_images_of_server({"id": "s"} | server, every=False)) == own
    assert list(payloads.own_images_of_server({"id": "s"} | server, every=True)) == ["s"]


def test_a_server_names_its_volumes() -> None:
    key = "os-extended-volumes:volumes_attached"
    assert list(payloads.volumes_of_server({key: [{"id": "v"}, {"id": "w"}]})) == ["v", "w"]
    assert list(payloads.volumes_of_server({key: None})) == list(payloads.volumes_of_server({})) == []


def test_kernel_and_ramdisk_are_named_by_servers_images_and_volumes() -> None:
    boots = {"kernel_id": "k", "ramdisk_id": "r"}
    assert list(payloads.boot_images(boots)) == ["k", "r"]
    assert list(payloads.boot_images({"x:ramdisk_id": "r", "x:kernel_id": "", "kernel_id": "k"}, "x:")) == ["r"]
    assert list(payloads.boot_images_of_volume({"volume_image_metadata": boots})) == ["k", "r"]
    assert list(payloads.boot_images_of_volume({})) == []


def test_an_image_names_all_that_it_was_made_from() -> None:
    image = read(
        kernel_id="k", __data_origin="image,eu-de,o", __originalimagename="p", base_image_ref="b", ramdisk_id=None
    )
    assert image is not None
    assert set(payloads.parents_of_image(image)) == {"k", "eu-de", "o", "p", "b"}


def test_a_server_is_told_by_name_and_id() -> None:
    assert payloads.label({"name": "web", "id": "s1"}) == "web (s1)"
    assert payloads.label({"x_name": "web", "x_id": "s1", "name": "no", "id": "no"}, "x_") == "web (s1)"
    assert payloads.label({"name": "", "id": "s1"}) == "unnamed (s1)"


def test_a_json_object_is_read() -> None:
    assert fields.read_body(json.dumps(GLANCE).encode()) == GLANCE


NO_OBJECTS = [b"", b"null", b"[]", b'"a"', b"7", b"{", b"<html></html>", b"\xff", b'{"a":' * 100_000, b"[" * 100_000]


@pytest.mark.parametrize("body", [*NO_OBJECTS, b'{"size":' + b"9" * 5_000 + b"}"], ids=range(len(NO_OBJECTS) + 1))
def test_what_is_no_json_object_is_unexpected(body: bytes) -> None:
    with pytest.raises(Unexpected, match=r"not (a )?JSON"):
        fields.read_body(body)


NESTED = ["id", "rel", "status", "member_id", "image_id", "metering.image_id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["active", "private", ID]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NESTED), inner),
    max_leaves=4,
)
Reader = Callable[[dict[str, Any]], object]
READERS: list[tuple[Reader, list[str]]] = [
    (lambda record: payloads.read_image(record, ID), [*GLANCE, "__image_size"]),
    (payloads.read_members, ["members"]),
    (lambda record: payloads.read_page(record, "servers"), ["servers", "servers_links"]),
    (lambda record: list(payloads.images_of_server(record)), ["image", "metadata"]),
    (payloads.image_of_volume, ["volume_image_metadata"]),
    (payloads.label, ["id", "name"]),
]


@pytest.mark.parametrize(("reader", "keys"), READERS, ids=["image", "members", "page", "server", "volume", "label"])
@tried(200)
@given(data=st.data())
def test_a_record_is_read_or_unexpected_and_nothing_else(reader: Reader, keys: list[str], data: st.DataObject) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(keys), JSON, max_size=3))
    with suppress(Unexpected):
        reader(GLANCE | {"members": [{"member_id": "a"}], "servers": []} | changes)
