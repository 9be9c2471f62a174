"""The public face of the fake: fill a cloud, script its faults, ask what happened to it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from email.utils import format_datetime
from typing import Any, Literal, TypedDict, Unpack

from tests.fakecloud.api import Reply, Request
from tests.fakecloud.faults import Body, Fault, Faults
from tests.fakecloud.keys import KEY_ID, Key
from tests.fakecloud.records import (
    APP_CREDENTIAL_ID,
    APP_CREDENTIAL_SECRET,
    BORN,
    DEMO,
    REGION,
    Call,
    ImageRecord,
    ScalingConfiguration,
    ServerRecord,
    VolumeRecord,
    time_text,
)
from tests.fakecloud.state import BUSY, CloudState
from tests.fakecloud.urls import dispatch


class FaultOptions(TypedDict, total=False):
    """What a fault may be told; see `Fault`."""

    status: int | None
    headers: Mapping[str, str]
    body: Body
    content_type: str
    delay: float
    cut: bool | Literal["half"]
    length: int | None
    times: int | None
    skip: int
    query: str | None
    edit: Callable[[Any], object] | None
    then: Callable[[], object] | None
    apply: bool


class FakeCloud(CloudState):
    """A cloud in the look of plain OpenStack, or of Open Telekom Cloud (`otc`).

    `page_size` is what a page may hold at most, `delay` the seconds that every answer but Keystone's takes.
    """

    def __init__(
        self, flavour: Literal["openstack", "otc"] = "openstack", *, page_size: int = 1000, delay: float = 0.0
    ) -> None:
        super().__init__(flavour=flavour, page_size=page_size)
        self.delay = delay
        self.calls: list[Call] = []
        self.faults = Faults()

    def handle(self, request: Request) -> Reply:
        """Answer a request, and remember it."""
        fault = None if request.path == "/_state" else self.faults.take(request)
        reply = Reply(500)
        if fault is None or fault.has_effect:
            with self.lock:
                reply = dispatch(self, request)
        date = format_datetime((self.now + self.keys.ahead).astimezone(UTC), usegmt=True)
        reply = replace(reply, headers={"Date": date, **reply.headers})
        if fault is not None:
            reply = fault.change(reply)
        if self.delay and not request.path.startswith(("/identity", "/iam", "/_state")):
            reply = replace(reply, delay=reply.delay + self.delay)
        status = 0 if reply.cut is True else reply.status
        self.calls.append(Call(request.method, request.path, request.query, request.headers, request.body, status))
        if fault is not None and fault.then is not None:
            fault.then()
        return reply

    def calls_of(self, method: str) -> list[Call]:
        """The calls made with a method, in order."""
        return [call for call in self.calls if call.method == method]

    def fault(self, method: str | None = None, path: str | None = None, **options: Unpack[FaultOptions]) -> Fault:
        """Script a fault for requests with this method whose path holds this regex; see `Fault`."""
        fault = Fault(method, path, **options)
        self.faults.add(fault)
        return fault

    def add_image(  # noqa: PLR0913 (an image has that many fields)
        self,
        name: str | None = "ci-1",
        *,
        owner: str = DEMO,
        visibility: str = "private",
        status: str = "active",
        protected: bool = False,
        tags: Sequence[str] = (),
        size: int | None = 1024,
        created_at: str | None = None,
        updated_at: str | None = None,
        checksum: str | None = None,
        members: Mapping[str, str] | None = None,
        os_hidden: bool = False,
        id: str | None = None,  # noqa: A002 (its name in the API)
        **properties: object,
    ) -> str:
        """Put an image into the cloud; its id. Once the clock was set, images are made when it says."""
        image_id = id or self.new_id()
        today = time_text(self.now) if self.has_own_time else BORN
        born = today if created_at is None else created_at
        image = ImageRecord(image_id, name, owner, visibility, status, protected, list(tags), size, born)
        image.updated_at = updated_at or born
        image.members, image.os_hidden, image.properties = dict(members or {}), os_hidden, properties
        _pretend_data(image, checksum)
        with self.lock:
            self.images[image_id] = image
            self.backups |= {image.backup} if image.backup else set()
        return image_id

    def add_server(  # noqa: PLR0913 (a server has that many fields)
        self,
        name: str = "web-1",
        *,
        image: str | None = None,
        metadata: Mapping[str, str] | None = None,
        project: str = DEMO,
        status: str = "ACTIVE",
        region: str = REGION,
        taken_up: bool = True,
        id: str | None = None,  # noqa: A002 (its name in the API)
    ) -> str:
        """Start a server; without an image it was booted from a volume.

        One that no machine has taken up yet is no change to Nova, though it is in the list.
        """
        server = ServerRecord(id or self.new_id(), name, project, image, dict(metadata or {}), status, region)
        self._meter(server, image)
        with self.lock:
            self.servers[server.id] = server
            if not taken_up:
                self.server_changes.see(server, None, None)
        return server.id

    def add_volume(  # noqa: PLR0913 (a volume has that many fields)
        self,
        *,
        image: str | None = None,
        server: str | None = None,
        project: str = DEMO,
        name: str = "",
        region: str = REGION,
        id: str | None = None,  # noqa: A002 (its name in the API)
    ) -> str:
        """Make a volume, of an image and held by a server if these are named."""
        volume = VolumeRecord(id or self.new_id(), project, image, server, name, region)
        if server in self.servers:
            self._meter(self.servers[server], image)
        with self.lock:
            self.volumes[volume.id] = volume
        return volume.id

    def add_scaling_configuration(  # noqa: PLR0913 (a configuration has that many fields)
        self,
        name: str = "as-1",
        *,
        image: str | None = None,
        project: str = DEMO,
        instance: str | None = None,
        data_images: Sequence[str] = (),
        id: str | None = None,  # noqa: A002 (its name in the API)
    ) -> str:
        """Let Auto Scaling make servers of an image, or in the likeness of a server."""
        made = ScalingConfiguration(id or self.new_id(), project, name, image, instance, time_text(self.now))
        made.data_images = tuple(data_images)
        with self.lock:
            self.scaling_configurations[made.id] = made
        return made.id

    def env(
        self,
        base_url: str,
        auth: Literal["password", "v3applicationcredential", "v3token"] = "password",
        *,
        user: str = "reaper",
        project: str = DEMO,
    ) -> dict[str, str]:
        """The `OS_*` variables with which a client comes in."""
        home = "iam" if self.flavour == "otc" else "identity"
        shared = {"OS_AUTH_URL": f"{base_url}/{home}/v3", "OS_AUTH_TYPE": auth, "OS_REGION_NAME": REGION}
        if auth == "v3applicationcredential":
            secret = {"OS_APPLICATION_CREDENTIAL_SECRET": APP_CREDENTIAL_SECRET}
            return {**shared, "OS_APPLICATION_CREDENTIAL_ID": APP_CREDENTIAL_ID, **secret}
        person = self.users[user]
        if auth == "v3token":
            token = self.issue_token(person, project, ("password",))
            return {**shared, "OS_TOKEN": token.id, "OS_PROJECT_ID": project}
        return {
            **shared,
            "OS_USERNAME": person.name,
            "OS_PASSWORD": person.password,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_NAME": self.projects[project],
            "OS_PROJECT_DOMAIN_NAME": "Default",
        }

    def signing_env(
        self,
        key: Key | None = None,
        *,
        cloud: Literal["otc", "huawei"] = "otc",
        region: str = "eu-de",
        project: str = DEMO,
    ) -> dict[str, str]:
        """The variables with which a client signs its requests: with the key of the project unless it is given."""
        key = key or self.keys.known[KEY_ID]
        sdk = {"AK": key.access, "SK": key.secret, "SECURITY_TOKEN": key.token, "PROJECT_ID": project}
        named = {f"HUAWEICLOUD_SDK_{name}": value for name, value in sdk.items() if value}
        return {"REAPER_AUTH": "aksk", "REAPER_CLOUD": cloud, "OS_REGION_NAME": region, **named}

    def add_topic(self, name: str = "image-reaper-failed") -> str:
        """Make a topic of SMN; its URN."""
        urn = f"urn:smn:eu-de:{DEMO}:{name}"
        self.topics[urn] = []
        return urn

    def catalog_without(self, *kinds: str) -> None:
        """Take services out of the catalogue by their type."""
        self.missing_services |= set(kinds)

    def catalog_with(self, services: Mapping[str, str]) -> None:
        """Put services into the catalogue: type -> path, in which `{project}` may stand."""
        self.more_services |= services

    def add_region(self, name: str, services: Mapping[str, str | None] | None = None) -> None:
        """Let there be another region, with servers and volumes of its own and the same image service.

        `services` names the paths of those that are elsewhere, and None for those that it lacks.
        """
        self.regions[name] = services or {}

    def seed(self, plan: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Fill the cloud as a seed file says; `count` makes so many images of a kind, numbered."""
        for entry in plan.get("images", ()):
            fields = dict(entry)
            count = fields.pop("count", 1)
            name = fields.pop("name", "image")
            for number in range(1, count + 1):
                self.add_image(name if count == 1 else f"{name}-{number}", **fields)
        for entry in plan.get("servers", ()):
            self.add_server(**entry)
        for entry in plan.get("volumes", ()):
            self.add_volume(**entry)
        for entry in plan.get("scaling_configurations", ()):
            self.add_scaling_configuration(**entry)

    def _meter(self, server: ServerRecord, image: str | None) -> None:
        """Open Telekom Cloud notes in each server what it was made of."""
        if self.flavour == "otc" and image:
            server.metadata.setdefault("metering.image_id", image)


def _pretend_data(image: ImageRecord, checksum: str | None) -> None:
    """Give an image that is not being made the marks of its data."""
    if image.status in BUSY:
        image.size = None
        return
    digest = hashlib.sha512(image.id.encode()).hexdigest()
    image.checksum, image.os_hash_value = checksum or digest[:32], digest
