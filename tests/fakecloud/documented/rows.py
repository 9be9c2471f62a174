"""The addresses of these calls, as rows for the table in `urls`."""

from collections.abc import Callable

from tests.fakecloud import glance
from tests.fakecloud.api import Reply
from tests.fakecloud.documented import details, imagetags, projects, schemas, versions
from tests.fakecloud.visit import Visit

GLANCE, IMS, ECS, EVS, AS = r"/(?:image|ims)/v2", r"/ims", r"/ecs", r"/evs", r"/as/autoscaling-api/v1"
IDENTITY = r"/(?:identity|iam)/v3"
PROJECT, IMAGE = r"/(?P<project>[0-9a-f]{32})", r"/images/(?P<image_id>[^/]+)"

ROWS: tuple[tuple[str, str, Callable[[Visit], Reply]], ...] = (
    ("GET", IDENTITY + r"/projects", projects.list_projects),
    ("GET", IDENTITY + r"/projects/(?P<project_id>[^/]+)", projects.show_project),
    ("GET", GLANCE + r"/schemas/(?P<schema>[a-z]+)", schemas.show_schema),
    ("GET", r"/image/v2/info/import", schemas.show_import),
    ("GET", r"/image/v2/info/stores", schemas.list_stores),
    ("GET", r"/image/v2/info/usage", schemas.show_usage),
    ("GET", r"/image/v2/metadefs/namespaces", schemas.list_namespaces),
    ("GET", r"/image/v2/metadefs/namespaces/(?P<namespace>[^/]+)", schemas.show_namespace),
    ("GET", r"/image/v2/metadefs/resource_types", schemas.list_resource_types),
    ("GET", r"/image/v2/tasks(?:/[^/]+)?", schemas.refuse_tasks),
    ("GET", r"/image/v2/cache", schemas.refuse_cache),
    ("GET", r"/image/v2" + IMAGE + r"/tasks", schemas.list_image_tasks),
    ("GET", r"/image/v2" + IMAGE + r"/locations", schemas.refuse_locations),
    ("GET", r"/image/healthcheck", schemas.is_healthy),
    ("OPTIONS", r"/image/v2/images(?:/[^/]+)?", schemas.allow),
    ("GET", r"/image/v2", schemas.move),
    ("GET", r"/image/v[13](?:/.*)?", glance.versions),
    ("GET", IMS + r"/?", versions.of_ims),
    ("GET", IMS + r"/(?P<version>v[12](?:\.\d)?)/?", versions.one_of_ims),
    ("GET", ECS + r"/?", versions.of_ecs),
    ("GET", ECS + r"/(?P<version>v2(?:\.1)?)/?", versions.one_of_ecs),
    ("GET", EVS + r"/?", versions.of_evs),
    ("GET", EVS + r"/(?P<version>v[123])/?", versions.one_of_evs),
    ("PUT", IMS + r"/v1/cloudimages/tags", imagetags.put_tag),
    ("GET", IMS + r"/v1/cloudimages/tags", imagetags.list_texts),
    ("GET", IMS + r"/v1/cloudimages/quota", imagetags.show_quota),
    ("PATCH", IMS + r"/v2/cloudimages/(?P<image_id>[^/]+)", imagetags.update_image),
    ("POST", IMS + r"/v2" + PROJECT + IMAGE + r"/tags/action", imagetags.change_tags),
    ("POST", IMS + r"/v2" + PROJECT + r"/images/resource_instances/action", imagetags.find_images),
    ("GET", IMS + r"/v2" + PROJECT + r"/images/tags", imagetags.list_values),
    ("GET", ECS + r"/v1(?:\.1)?" + PROJECT + r"/cloudservers/detail", details.list_cloudservers),
    ("GET", EVS + r"/v2" + PROJECT + r"/cloudvolumes/detail", details.list_cloudvolumes),
    ("GET", AS + PROJECT + r"/scaling_configuration/(?P<configuration>[^/]+)", details.show_configuration),
    ("GET", AS + PROJECT + r"/scaling_group", details.list_groups),
)
OPEN = frozenset({schemas.is_healthy, schemas.allow, schemas.move})
"""The addresses that answer without a token. For documents of versions, the gateway wants one as well."""
