"""What the fake remembers: projects, users, tokens, images and what is made of them, and the calls that were made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

DEMO = "9c53a566cb3443ab910cf0daebca90c4"
OTHER = "cc2f34fa3bca4152a27a6f808cfd533d"
PROJECTS = {DEMO: "demo", OTHER: "other"}
DOMAIN = {"id": "default", "name": "Default"}
REGION = "RegionOne"
APP_CREDENTIAL_ID = "949062bf96444f8aac605b9bb7dc24bd"
APP_CREDENTIAL_SECRET = "app-s3cret-0f-reaper"
BORN = "2026-01-01T00:00:00Z"
"""When things were made, unless somebody says when."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def time_text(moment: datetime) -> str:
    """Write a time as Glance and Nova do: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


@dataclass
class User:
    """A person or program, and the roles it has in each project."""

    id: str
    name: str
    password: str
    roles: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class AppCredential:
    """An application credential: a user's leave to act in one project, under a secret of its own."""

    id: str
    name: str
    secret: str
    user: User
    project_id: str


@dataclass
class Token:
    """A token; `project_id` is None if it is not scoped."""

    id: str
    user: User
    project_id: str | None
    methods: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    app_credential: AppCredential | None = None
    revoked: bool = False
    project_name: str = ""
    trusted: dict[str, datetime] = field(default_factory=dict)
    """Until when a service that has seen it does not ask Keystone again."""

    def revoke_everywhere(self) -> None:
        """Take it back, and out of the memory of every service."""
        self.revoked = True
        self.trusted.clear()

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles in the token's project."""
        return self.user.roles.get(self.project_id or "", ())


@dataclass(eq=False)
class ImageRecord:
    """An image. `backup` names the backup of a full-ECS image. A record equals only itself: its like may change."""

    id: str
    name: str | None
    owner: str
    visibility: str = "private"
    status: str = "active"
    protected: bool = False
    tags: list[str] = field(default_factory=list)
    size: int | None = 1024
    created_at: str = BORN
    updated_at: str = BORN
    checksum: str | None = None
    os_hash_value: str | None = None
    os_hidden: bool = False
    disk_format: str | None = "raw"
    container_format: str | None = "bare"
    min_ram: int = 0
    min_disk: int = 0
    members: dict[str, str] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    data: bytes = field(default=b"", repr=False)
    changes: ClassVar[int] = 0
    """How often a field of any image was set: so long as this stands still, nothing worked out from images is old."""

    def __setattr__(self, name: str, value: object) -> None:
        ImageRecord.changes += 1
        object.__setattr__(self, name, value)

    def described(self) -> dict[str, Any]:
        """All of it but the data."""
        return {name: value for name, value in vars(self).items() if name != "data"}

    def fill(self, data: bytes) -> None:
        """Take the data of an upload."""
        self.status = "active"
        self.data = data
        self.size = len(data)
        self.checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self.os_hash_value = hashlib.sha512(data).hexdigest()

    @property
    def backup(self) -> str | None:
        """The id of the backup that a full-ECS image brings along."""
        backup_id = self.properties.get("__backup_id")
        return str(backup_id) if backup_id else None


@dataclass
class ServerRecord:
    """A server; `image` is None if it was booted from a volume."""

    id: str
    name: str
    project: str
    image: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"
    region: str = REGION


@dataclass
class VolumeRecord:
    """A volume, the image that it was made of and the server that holds it."""

    id: str
    project: str
    image: str | None = None
    server: str | None = None
    name: str = ""
    region: str = REGION


@dataclass
class ScalingConfiguration:
    """What Auto Scaling makes servers of: an image, or the likeness of a server; and images of data disks."""

    id: str
    project: str
    name: str
    image: str | None = None
    instance: str | None = None
    created_at: str = BORN
    data_images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A request that reached the cloud; `status` is 0 if the connection was cut without an answer."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
