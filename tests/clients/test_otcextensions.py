"""openstacksdk with otcextensions: the calls that Open Telekom Cloud has beside those of OpenStack."""

import pytest

from tests.clients.conftest import Call
from tests.fakecloud import FakeCloud

pytestmark = pytest.mark.parametrize("cloud", ["otc"], indirect=True)


def test_it_lists_images_by_the_list_of_ims_and_by_that_of_glance(otcextensions: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=5000)
    for path in ("imsv2.images", "image.images"):
        assert [(each["id"], each["name"]) for each in otcextensions(path)] == [(image, "ci-1")]


def test_it_shows_tags_and_deletes_an_image(otcextensions: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["a"])
    assert otcextensions("image.get_image", image)["name"] == "ci-1"
    otcextensions("image.add_tag", image, "b")
    assert cloud.images[image].tags == ["a", "b"]
    otcextensions("image.delete_image", image)
    assert image in cloud.dead


def test_it_lists_servers_volumes_and_scaling_configurations(otcextensions: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    server = cloud.add_server("web-1", image=image)
    volume = cloud.add_volume(image=image, server=server)
    cloud.add_scaling_configuration("as-1", image=image, data_images=[image])
    assert [(each["id"], each["image"]["id"]) for each in otcextensions("compute.servers")] == [(server, image)]
    assert [each["id"] for each in otcextensions("block_storage.volumes")] == [volume]
    (known,) = otcextensions("auto_scaling.configs")
    assert (known["name"], known["instance_config"]["image_id"]) == ("as-1", image)


def test_it_shares_an_image(otcextensions: Call, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", visibility="shared")
    otcextensions("image.add_member", image, member_id="cc2f34fa3bca4152a27a6f808cfd533d")
    assert cloud.images[image].members == {"cc2f34fa3bca4152a27a6f808cfd533d": "pending"}
    assert [each["status"] for each in otcextensions("image.members", image)] == ["pending"]
