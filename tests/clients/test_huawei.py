"""The Huawei SDKs: signed requests to the real names of hosts, which the fake recomputes and turns down if wrong."""

import pytest

from tests.clients.conftest import Run
from tests.fakecloud import DEMO, OTHER, FakeCloud
from tests.fakecloud.keys import KEY_ID, Key

pytestmark = pytest.mark.parametrize("cloud", ["otc"], indirect=True)


@pytest.mark.parametrize("at", ["otc", "huawei"])
def test_it_lists_images_in_pages_and_by_every_filter(huawei: Run, cloud: FakeCloud, at: str) -> None:
    first, second = cloud.add_image("ci-1", size=5000, tags=["a=1"]), cloud.add_image("ci 2 ä", protected=True)
    everywhere = {"enterprise_project_id": "all_granted_eps"}
    for fields, wanted in (
        ({}, {first, second}),
        ({"imagetype": "private", "isregistered": "true", **everywhere}, {first, second}),
        ({"name": "ci 2 ä"}, {second}),
        ({"protected": True}, {second}),
        ({"tag": "a=1"}, {first}),
        ({"created_at": "lt:2020-01-01T00:00:00Z"}, set()),
        ({"limit": 1, "marker": second}, {first}),
    ):
        assert {each["id"] for each in huawei("ims", "list_images", at=at, **fields).json["images"]} == wanted


def test_it_shows_an_image_as_ims_was_recorded(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=5000, __backup_id="b1")
    (listed,) = huawei("ims", "list_images", id=image).json["images"]
    shown = huawei("ims", "glance_show_image", image_id=image).json
    for told in (listed, shown):
        assert (told["__image_size"], told["__support_kvm"], told["__backup_id"]) == ("5000", "True", "b1")
        assert "__whole_image" not in told


def test_it_tags_an_image_by_every_call_that_ims_has(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    pair = {"class": "ResourceTag", "key": "team", "value": "blue"}
    body = {"class": "AddOrUpdateTagsRequestBody", "image_id": image, "image_tag": pair}
    assert huawei("ims", "create_or_update_tags", body=body).code == 0
    add = {"class": "AddImageTagRequestBody", "tag": {**pair, "key": "stage"}}
    assert huawei("ims", "add_image_tag", image_id=image, body=add).code == 0
    assert sorted(cloud.images[image].tags) == ["stage=blue", "team=blue"]
    batch = {"class": "BatchAddOrDeleteTagsRequestBody", "action": "delete", "tags": [pair]}
    assert huawei("ims", "batch_add_or_delete_tags", image_id=image, body=batch).code == 0
    assert huawei("ims", "glance_create_tag", image_id=image, tag="plain").code == 0
    assert sorted(cloud.images[image].tags) == ["plain", "stage=blue"]
    assert huawei("ims", "delete_image_tag", image_id=image, key="stage").code == 0
    assert cloud.images[image].tags == ["plain"]


def test_it_finds_images_by_their_tags(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["team=blue"])
    cloud.add_image("ci-2", tags=["team=red"])
    wanted = {"class": "Tags", "key": "team", "values": ["blue"]}
    body = {"class": "ListImageByTagsRequestBody", "action": "filter", "limit": "10", "offset": "0", "tags": [wanted]}
    found = huawei("ims", "list_image_by_tags", body=body).json
    assert ([each["resource_id"] for each in found["resources"]], found["total_count"]) == ([image], 1)
    known = huawei("ims", "list_images_tags").json["tags"]
    assert known == [{"key": "team", "values": ["blue", "red"]}]
    assert huawei("ims", "list_image_tags", image_id=image).json["tags"] == [{"key": "team", "value": "blue"}]


def test_it_shares_an_image(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", visibility="shared")
    body = {"class": "GlanceAddImageMemberRequestBody", "member": OTHER}
    assert huawei("ims", "glance_add_image_member", image_id=image, body=body).code == 0
    assert cloud.images[image].members == {OTHER: "pending"}
    (member,) = huawei("ims", "glance_list_image_members", image_id=image).json["members"]
    assert (member["member_id"], member["status"]) == (OTHER, "pending")


def test_it_changes_an_image(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    change = {"class": "UpdateImageRequestBody", "op": "replace", "path": "/name", "value": "ci-2"}
    assert huawei("ims", "update_image", image_id=image, body=[change]).code == 0
    assert cloud.images[image].name == "ci-2"


@pytest.mark.parametrize("with_backup", [True, False])
def test_it_deletes_an_image_with_or_without_its_backup(
    huawei: Run,
    cloud: FakeCloud,
    with_backup: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    image = cloud.add_image("ci-1", __backup_id="b1")
    body = {"class": "GlanceDeleteImageRequestBody", "delete_backup": with_backup}
    assert huawei("ims", "glance_delete_image", image_id=image, body=body).code == 0
    assert (image in cloud.dead, "b1" in cloud.backups) == (True, not with_backup)


def test_it_is_told_why_an_image_stays(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", protected=True)
    told = huawei("ims", "glance_delete_image", image_id=image)
    assert (told.code, "IMG.0028" in told.err, image in cloud.images) == (1, True, True)


def test_it_asks_for_quota_and_versions(huawei: Run, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    (quota,) = huawei("ims", "show_image_quota").json["quotas"]["resources"]
    assert (quota["type"], quota["used"]) == ("image", 1)
    assert {each["id"] for each in huawei("ims", "list_versions").json["versions"]} >= {"v2.2", "v1.1"}


def test_it_lists_servers_disks_and_scaling(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    server = cloud.add_server("web-1", image=image)
    volume = cloud.add_volume(image=image, server=server)
    known = cloud.add_scaling_configuration("as-1", image=image, data_images=[image])
    (listed,) = huawei("ecs", "list_servers_details").json["servers"]
    assert (listed["id"], listed["image"]["id"], listed["tenant_id"]) == (server, image, DEMO)
    assert listed["os-extended-volumes:volumes_attached"][0]["id"] == volume
    assert [each["id"] for each in huawei("ecs", "nova_list_servers_details").json["servers"]] == [server]
    assert [each["id"] for each in huawei("evs", "list_volumes").json["volumes"]] == [volume]
    shown = huawei("as", "show_scaling_config", scaling_configuration_id=known).json["scaling_configuration"]
    assert shown["instance_config"]["imageRef"] == image
    (group,) = huawei("as", "list_scaling_groups").json["scaling_groups"]
    assert group["scaling_configuration_id"] == known


def test_a_wrong_secret_is_turned_down_by_the_gateway(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    told = huawei("ims", "glance_delete_image", image_id=image, signed_with=Key(KEY_ID, "another-secret", (DEMO,)))
    assert (told.code, "APIGW.0301" in told.err, image in cloud.images) == (1, True, True)


def test_temporary_keys_work_as_well(huawei: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    assert huawei("ims", "glance_delete_image", image_id=image, signed_with=cloud.keys.temporary()).code == 0
    assert image in cloud.dead
