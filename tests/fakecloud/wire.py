"""Records as the services write them."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.fakecloud.records import (
    BORN,
    DOMAIN,
    REGION,
    ImageRecord,
    ScalingConfiguration,
    ServerRecord,
    Token,
    VolumeRecord,
)

Json = dict[str, Any]
UNKNOWN_TO_IMS = frozenset({"stores", "os_hash_algo", "os_hash_value", "os_hidden"})
SIZE_OF_IMS = 18
UNSET = ("key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state")
"""What a server has that was given no key, and that Nova does not work on."""


def glance_image(image: ImageRecord) -> Json:
    """An image as Glance shows it: properties stand first."""
    has_data = image.os_hash_value is not None
    return {
        **image.properties,
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility,
        "size": image.size,
        "virtual_size": image.size,
        "status": image.status,
        "checksum": image.checksum,
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image.owner,
        "os_hidden": image.os_hidden,
        "os_hash_algo": "sha512" if has_data else None,
        "os_hash_value": image.os_hash_value,
        "id": image.id,
        "created_at": image.created_at,
        "updated_at": image.updated_at,
        "tags": image.tags,
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
        **({"stores": "fs"} if has_data else {}),
    }


def ims_image(image: ImageRecord) -> Json:
    """An image as IMS was recorded to show it.

    The size in bytes stands in a property, while `size` is a small number of something else; most of what looks like a
    boolean is text, with capitals as Python writes them.
    """
    properties = {name: _text(value) for name, value in image.properties.items()}
    size = {"size": SIZE_OF_IMS, "virtual_size": None}
    shown = {**glance_image(image), **_ims_marks(image), **properties, **size}
    for name in UNKNOWN_TO_IMS:
        shown.pop(name, None)
    return shown


def ims_text(image: ImageRecord, name: str) -> str | None:
    """A field of an image as IMS compares it with the one in a query."""
    if name == "__whole_image":  # not shown, but asked for
        return str(bool(image.backup)).lower()
    value = image.properties.get(name, getattr(image, name, None))
    return str(_text(_ims_marks(image).get(name) if value is None else value))


def _ims_marks(image: ImageRecord) -> Json:
    kind = {"public": "gold", "shared": "shared"}.get(image.visibility, "private")
    return {
        "__isregistered": "True",
        "__imagetype": kind,
        "__support_kvm": "True",
        "__support_xen": "True",
        "__lazyloading": "True",
        "hw_vif_multiqueue_enabled": "False",
        "max_ram": "0",
        "__data_origin": "file,images:uploaded.qcow2",
        "__image_size": str(image.size or 0),
        "__image_source_type": "uds",
        "__os_type": "Linux",
        "__os_bit": "64",
        "virtual_env_type": "FusionCompute",
        "enterprise_project_id": "0",
    }


def _text(value: object) -> object:
    return str(value) if isinstance(value, bool) else value


def nova_image(image: ImageRecord, root: str) -> Json:
    """An image as Nova's proxy shows it."""
    status = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED"}
    return {
        "id": image.id,
        "name": image.name,
        "status": status.get(image.status, "UNKNOWN"),
        "progress": 100 if image.status == "active" else 25,
        "minRam": image.min_ram,
        "minDisk": image.min_disk,
        "metadata": image.properties,
        "created": image.created_at,
        "updated": image.updated_at,
        "OS-EXT-IMG-SIZE:size": image.size,
        "links": [{"rel": "self", "href": f"{root}/images/{image.id}"}],
    }


def member(image: ImageRecord, project_id: str) -> Json:
    """A member of an image."""
    return {
        "created_at": image.created_at,
        "image_id": image.id,
        "member_id": project_id,
        "schema": "/v2/schemas/member",
        "status": image.members[project_id],
        "updated_at": image.updated_at,
    }


def server(record: ServerRecord, root: str, volumes: Iterable[str] = (), *, detail: bool) -> Json:
    """A server as Nova shows it; one that was booted from a volume has an empty text for its image."""
    bare = re.sub(r"/v2(\.1)?(?=/|$)", "", root)
    address = f"servers/{record.id}"
    links = [{"rel": "self", "href": f"{root}/{address}"}, {"rel": "bookmark", "href": f"{bare}/{address}"}]
    short = {"id": record.id, "name": record.name, "links": links}
    if not detail:
        return short
    return {
        **short,
        **dict.fromkeys(UNSET),
        **dict.fromkeys(("accessIPv4", "accessIPv6", "hostId", "OS-EXT-AZ:availability_zone"), ""),
        "status": record.status,
        "tenant_id": record.project,
        "user_id": record.project,
        "metadata": record.metadata,
        "image": _bookmark(bare, "images", record.image) if record.image else "",
        "flavor": _bookmark(bare, "flavors", "1"),
        "addresses": {},
        "created": BORN,
        "updated": BORN,
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-STS:vm_state": record.status.lower(),
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [{"id": volume_id} for volume_id in volumes],
    }


def volume(record: VolumeRecord, root: str, *, detail: bool) -> Json:
    """A volume as Cinder shows it."""
    short: Json = {
        "id": record.id,
        "name": record.name,
        "links": [{"rel": "self", "href": f"{root}/volumes/{record.id}"}],
    }
    if not detail:
        return short
    attachment = {"server_id": record.server, "volume_id": record.id, "id": record.id, "device": "/dev/vda"}
    origin = {"volume_image_metadata": {"image_id": record.image}} if record.image else {}
    return {
        **short,
        **origin,
        "status": "in-use" if record.server else "available",
        "attachments": [attachment] if record.server else [],
        "os-vol-tenant-attr:tenant_id": record.project,
        "bootable": "true" if record.image else "false",
        "size": 10,
        "created_at": "2026-01-01T00:00:00.000000",
        "metadata": {},
    }


def scaling_configuration(record: ScalingConfiguration) -> Json:
    """A configuration of Auto Scaling; one that was made after a server names that server and no image."""
    unset = ("personality", "instance_name", "public_ip", "user_data", "key_fingerprint", "tenancy", "market_type")
    return {
        "tenant": record.project,
        "scaling_configuration_id": record.id,
        "scaling_configuration_name": record.name,
        "instance_config": {
            **dict.fromkeys(unset),
            "disk": [
                {"size": 40, "volume_type": "SATA", "disk_type": "SYS"},
                *(
                    {"size": 40, "volume_type": "SATA", "disk_type": "DATA", "data_disk_image_id": image_id}
                    for image_id in record.data_images
                ),
            ],
            "instance_id": record.instance,
            "flavorRef": None if record.instance else "103",
            "imageRef": record.image,
            "key_name": "keypair01",
            "metadata": {},
            "security_groups": [],
        },
        "create_time": record.created_at,
    }


def token(record: Token, catalog: Iterable[Json] | None) -> Json:
    """The body that comes with a token."""
    body: Json = {
        "methods": list(record.methods),
        "user": {
            "domain": DOMAIN,
            "id": record.user.id,
            "name": record.user.name,
            "password_expires_at": None,
        },
        "audit_ids": [hashlib.sha256(record.id.encode()).hexdigest()[:22]],
        "expires_at": _micros(record.expires_at),
        "issued_at": _micros(record.issued_at),
    }
    if record.project_id is not None:
        body |= _scope(record, record.project_id)
        body |= {} if catalog is None else {"catalog": list(catalog)}
    if record.app_credential is not None:
        credential = record.app_credential
        body["application_credential"] = {"id": credential.id, "name": credential.name, "restricted": True}
    return {"token": body}


def catalog(urls: Mapping[str, tuple[str, str]], regions: Mapping[str, Mapping[str, str]] | None = None) -> list[Json]:
    """The catalogue of services: type -> (name, url), and in further regions: type -> url."""
    others = regions or {}
    return [
        _service(
            kind, name, {REGION: url, **{region: found[kind] for region, found in others.items() if kind in found}}
        )
        for kind, (name, url) in urls.items()
    ]


def _service(kind: str, name: str, urls: Mapping[str, str]) -> Json:
    endpoints = [
        {
            "id": _stable_id(kind, interface, *([region] if region != REGION else [])),
            "interface": interface,
            "region_id": region,
            "url": url,
            "region": region,
        }
        for region, url in urls.items()
        for interface in ("public", "internal", "admin")
    ]
    return {"endpoints": endpoints, "id": _stable_id(kind), "type": kind, "name": name}


def _scope(record: Token, project_id: str) -> Json:
    roles = [{"id": _stable_id(role), "name": role} for role in record.roles]
    project = {"domain": DOMAIN, "id": project_id, "name": record.project_name}
    return {"project": project, "is_domain": False, "roles": roles}


def _bookmark(root: str, kind: str, thing_id: str) -> Json:
    return {"id": thing_id, "links": [{"rel": "bookmark", "href": f"{root}/{kind}/{thing_id}"}]}


def _stable_id(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def _micros(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
