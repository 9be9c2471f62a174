"""The action in Open Telekom Cloud's policies that each call needs, for keys that may not do everything.

Source: the pages on permissions of IMS, ECS, EVS, AS and SMN. A call without a line here is allowed to all keys.
"""

from collections.abc import Callable, Mapping

from tests.fakecloud import autoscaling, cinder, cloudimages, glance, ims, nova, smn
from tests.fakecloud.api import Reply
from tests.fakecloud.visit import Visit

ACTIONS: Mapping[Callable[[Visit], Reply], str] = {
    glance.list_images: "ims:images:list",
    cloudimages.list_images: "ims:images:list",
    glance.show_image: "ims:images:get",
    glance.update_image: "ims:images:update",
    ims.delete_image: "ims:images:delete",
    glance.list_members: "ims:images:share",
    glance.add_member: "ims:images:share",
    glance.remove_member: "ims:images:share",
    ims.list_keys: "ims:images:get",
    ims.set_key: "ims:images:update",
    ims.remove_key: "ims:images:update",
    ims.add_tag: "ims:images:update",
    glance.remove_tag: "ims:images:update",
    nova.show_image: "ecs:images:get",
    nova.delete_image: "ecs:images:delete",
    nova.list_servers: "ecs:servers:list",
    nova.list_servers_detail: "ecs:servers:list",
    nova.show_server: "ecs:servers:get",
    cinder.list_volumes: "evs:volumes:list",
    cinder.list_volumes_detail: "evs:volumes:list",
    autoscaling.list_configurations: "as:configs:list",
    smn.publish: "smn:topic:publish",
}
LEAST = frozenset(
    {
        "ims:images:list",
        "ims:images:get",
        "ims:images:delete",
        "ims:images:share",
        "ecs:servers:list",
        "evs:volumes:list",
    }
)
"""What a function needs to delete images that nothing uses."""
