"""`openstack`, as a person uses it, against both flavours of the fake cloud."""

import pytest

from tests.clients.conftest import Run
from tests.fakecloud import DEMO, OTHER, FakeCloud

only_plain = pytest.mark.parametrize("cloud", ["openstack"], indirect=True)


def test_it_lists_and_shows_images(openstack: Run, cloud: FakeCloud) -> None:
    first, second = cloud.add_image("ci-1", size=5000, team="blue"), cloud.add_image("ci-2")
    assert {each["ID"]: each["Name"] for each in openstack("image", "list", "-f", "json").json} == {
        first: "ci-1",
        second: "ci-2",
    }
    for asked in (first, "ci-1"):
        shown = openstack("image", "show", asked, "-f", "json").json
        assert (shown["id"], shown["owner"], shown["properties"]["team"]) == (first, DEMO, "blue")


def test_a_deleted_image_is_reported_as_gone(openstack: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.kill(image)
    told = openstack("image", "show", image)
    assert (told.code, f"No Image found for {image}" in told.err) == (1, True)
    # It has asked for hidden images as well, spelled as Python does.
    assert [call.status for call in cloud.calls if call.query.endswith("os_hidden=True")] == [200]


def test_it_tags_and_changes_an_image(openstack: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["a"])
    assert openstack("image", "set", "--tag", "b", "--property", "team=blue", image).code == 0
    # The client keeps tags in a set: their order is as its hashes fall.
    assert (sorted(cloud.images[image].tags), cloud.images[image].properties) == (["a", "b"], {"team": "blue"})
    assert openstack("image", "unset", "--tag", "a", "--property", "team", image).code == 0
    assert openstack("image", "set", "--protected", "--name", "ci-2", image).code == 0
    record = cloud.images[image]
    assert (record.tags, record.properties, record.name, record.protected) == (["b"], {}, "ci-2", True)


@only_plain
def test_it_shares_an_image(openstack: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", visibility="shared")
    assert openstack("image", "add", "project", image, OTHER).code == 0
    assert cloud.images[image].members == {OTHER: "pending"}
    listed = openstack("image", "member", "list", image, "-f", "json").json
    assert [(each["Member ID"], each["Status"]) for each in listed] == [(OTHER, "pending")]
    assert openstack("image", "remove", "project", image, OTHER).code == 0
    assert cloud.images[image].members == {}


def test_it_deletes_an_image_and_no_protected_one(openstack: Run, cloud: FakeCloud) -> None:
    image, other = cloud.add_image("ci-1"), cloud.add_image("ci-2", protected=True)
    assert openstack("image", "delete", image).code == 0
    told = openstack("image", "delete", other)
    assert (told.code, "is protected" in told.err, set(cloud.images)) == (1, True, {other})


def test_it_lists_servers_and_volumes_with_what_they_are_made_of(openstack: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    server = cloud.add_server("web-1", image=image)
    volume = cloud.add_volume(image=image, server=server, name="disk-1")
    (listed,) = openstack("server", "list", "-f", "json").json
    assert (listed["ID"], listed["Image"]) == (server, "ci-1")
    shown = openstack("server", "show", server, "-f", "json").json
    assert (shown["image"], shown["volumes_attached"]) == (f"ci-1 ({image})", [{"id": volume}])
    (disk,) = openstack("volume", "list", "-f", "json").json
    assert (disk["ID"], disk["Status"]) == (volume, "in-use")


@only_plain
def test_it_deactivates_an_image(openstack: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    assert openstack("image", "set", "--deactivate", image).code == 0
    assert cloud.images[image].status == "deactivated"
    assert openstack("image", "set", "--activate", image).code == 0
    assert cloud.images[image].status == "active"
