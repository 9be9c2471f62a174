"""What the cloud does: images, members, servers, volumes, and the rules for them. No HTTP.

Methods are named after the API calls and raise the classes of `errors`. Status changes happen at once. The dead are
remembered apart from what never existed, although callers are told the same about both.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.fakecloud.accounts import Accounts, wall_clock
from tests.fakecloud.changes import Changes
from tests.fakecloud.errors import (
    BadTag,
    BadTransition,
    Conflict,
    Forbidden,
    ImageBusy,
    ImageNotFound,
    ImageProtected,
    NotFound,
    NotYourImage,
    PublicImage,
    RoleMissing,
    TooManyTags,
)
from tests.fakecloud.keys import Keys
from tests.fakecloud.records import (
    REGION,
    ImageRecord,
    ScalingConfiguration,
    ServerRecord,
    Token,
    VolumeRecord,
    time_text,
)
from tests.fakecloud.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY = frozenset({"queued", "saving", "uploading", "importing"})
LONGEST_TAG = 255
MOST_TAGS = {"openstack": 128, "otc": 10}
MEMBER_STATUSES = frozenset({"pending", "accepted", "rejected"})


class CloudState(Accounts):
    """Everything that the cloud remembers. Callers hold `lock` while they act."""

    def __init__(self, *, flavour: str = "openstack", page_size: int = 1000) -> None:
        super().__init__()
        self.flavour = flavour
        self.page_size = page_size
        self.image_endpoint_suffix = ""
        self.plain_tags = False
        """Whether IMS's native call takes only the tags that it is documented for, and so none with a `=`."""
        self.missing_services: set[str] = set()
        self.keys = Keys()
        self.topics: dict[str, list[Mapping[str, Any]]] = {}
        """The topics of SMN, by their URN, with what was published to them."""
        self.sink: dict[str, list[bytes]] = {}
        self.images: dict[str, ImageRecord] = {}
        self.shelf = Shelf()
        self.dead: dict[str, ImageRecord] = {}
        self.servers: dict[str, ServerRecord] = {}
        self.server_changes = Changes()
        self.regions: dict[str, Mapping[str, str | None]] = {}
        """Further regions: the addresses of their services, where these are not the usual ones."""
        self.more_services: dict[str, str] = {}
        self.volumes: dict[str, VolumeRecord] = {}
        self.scaling_configurations: dict[str, ScalingConfiguration] = {}
        self.backups: set[str] = set()
        self._stopped_at: datetime | None = None
        self._ahead = timedelta()

    @property
    def now(self) -> datetime:
        """The time at which images are made and changed. Tokens live by the real clock, as their holders do."""
        return (self._stopped_at or wall_clock()) + self._ahead

    @now.setter
    def now(self, moment: datetime) -> None:
        """Stop the clock at a time."""
        self._stopped_at, self._ahead = moment, timedelta()

    @property
    def has_own_time(self) -> bool:
        """Whether the clock was ever set or moved."""
        return self._stopped_at is not None or bool(self._ahead)

    def advance(self, by: timedelta) -> None:
        """Let time pass for the images."""
        self._ahead += by

    def show_image(self, caller: Token, image_id: str) -> ImageRecord:
        """One image."""
        image = self.images.get(image_id)
        if image is None or not _visible(image, caller):
            message = f"No image found with ID {image_id}"
            raise ImageNotFound(message)
        return image

    def create_image(self, caller: Token, image: ImageRecord) -> ImageRecord:
        """Take in the record of an image that has no data yet."""
        _need_role(caller, "add_image")
        if image.id in self.images or image.id in self.dead:
            message = f"Image ID {image.id} already exists!"
            raise Conflict(message)
        image.created_at = image.updated_at = time_text(self.now)
        self.images[image.id] = image
        return image

    def upload_image(self, caller: Token, image_id: str, data: bytes) -> None:
        """Give a queued image its data."""
        image = self.own_image(caller, image_id, "upload_image")
        if image.status != "queued":
            message = f"Image status transition from {image.status} to saving is not allowed"
            raise Conflict(message)
        image.fill(data)
        self._touch(image)

    def delete_image(self, caller: Token, image_id: str, *, refuse_busy: bool = False) -> ImageRecord:
        """Delete an image; Glance takes one that is being made, IMS (`refuse_busy`) does not."""
        try:
            image = self.own_image(caller, image_id, "delete_image")
        except ImageNotFound as exc:
            message = f"Failed to find image {image_id} to delete"
            raise ImageNotFound(message) from exc
        if image.protected:
            message = f"Image {image_id} is protected and cannot be deleted."
            raise ImageProtected(message)
        if image.status == "deleted":
            message = "Image status transition from deleted to deleted is not allowed"
            raise BadTransition(message)
        if refuse_busy and image.status in BUSY:
            message = f"Image {image_id} is being created and cannot be deleted."
            raise ImageBusy(message)
        self.kill(image_id)
        return image

    def kill(self, image_id: str) -> None:
        """Let an image be gone, whoever asked and whatever it is."""
        with self.lock:
            image = self.images.pop(image_id)
            self.dead[image_id] = image

    def update_image(self, caller: Token, image_id: str, changes: ImageRecord) -> ImageRecord:
        """Put a changed record in the place of the old one."""
        self.own_image(caller, image_id, "modify_image")
        self.images[image_id] = changes
        self._touch(changes)
        return changes

    def add_tag(self, caller: Token, image_id: str, tag: str) -> None:
        """Tag an image, once; that it has the tag already is a change all the same."""
        if len(tag) > LONGEST_TAG:
            message = f"Provided object does not match schema 'image': {tag!r} is too long"
            raise BadTag(message)
        self._known_image(caller, image_id)
        image = self.own_image(caller, image_id, "modify_image")
        if tag not in image.tags:
            self._need_room(image)
            image.tags.append(tag)
        self._touch(image)

    def remove_tag(self, caller: Token, image_id: str, tag: str) -> None:
        """Take a tag off an image."""
        self._known_image(caller, image_id)
        image = self.own_image(caller, image_id, "modify_image")
        if tag not in image.tags:
            raise NotFound
        image.tags.remove(tag)
        self._touch(image)

    def set_active(self, caller: Token, image_id: str, *, active: bool) -> None:
        """Deactivate an image, or activate it again."""
        verb, wanted = ("reactivate", "active") if active else ("deactivate", "deactivated")
        image = self.own_image(caller, image_id, verb)
        if image.status not in {"active", "deactivated"}:
            message = f"Not allowed to {verb} image in status '{image.status}'"
            raise Forbidden(message)
        if image.status != wanted:
            image.status = wanted
            self._touch(image)

    def list_members(self, caller: Token, image_id: str) -> tuple[ImageRecord, dict[str, str]]:
        """The members of a shared image: all of them for its owner, oneself for a member."""
        image = self._shared_image(caller, image_id, "list", ": Only shared images have members.")
        ours = image.owner == caller.project_id
        seen = {member: status for member, status in image.members.items() if ours or member == caller.project_id}
        return image, seen

    def add_member(self, caller: Token, image_id: str, member: str) -> ImageRecord:
        """Share an image with a project."""
        image = self._shared_image(caller, image_id, "create")
        _need_owner(image, caller, "add_member")
        if member in image.members:
            message = f"Member {member} is duplicated for image {image_id}"
            raise Conflict(message)
        image.members[member] = "pending"
        return image

    def set_member_status(self, caller: Token, image_id: str, member: str, status: str) -> ImageRecord:
        """Take or turn down a share; only the member itself may."""
        image = self._shared_image(caller, image_id, "update")
        if member not in image.members:
            raise NotFound
        if member != caller.project_id:
            message = "You are not authorized to complete modify_member action."
            raise RoleMissing(message)
        image.members[member] = status
        return image

    def remove_member(self, caller: Token, image_id: str, member: str) -> None:
        """End the sharing with a project."""
        image = self._shared_image(caller, image_id, "delete")
        _need_owner(image, caller, "delete_member")
        if member not in image.members:
            message = f"{member} not found in the member list of the image {image_id}."
            raise NotFound(message)
        del image.members[member]

    def list_servers(self, caller: Token, region: str = REGION, since: datetime | None = None) -> list[ServerRecord]:
        """The project's servers, the newest first; or those that have changed, the deleted ones included."""
        self.server_changes.note(self.servers, self.attached(), self.now)
        servers = list(reversed(self.servers.values()))
        if since is not None:
            servers = self.server_changes.since(since, servers)
        return [server for server in servers if (server.project, server.region) == (caller.project_id, region)]

    def attached(self) -> dict[str, list[str]]:
        """The volumes that each server holds."""
        held: dict[str, list[str]] = {}
        for volume in self.volumes.values():
            if volume.server:
                held.setdefault(volume.server, []).append(volume.id)
        return held

    def list_volumes(self, caller: Token, region: str = REGION) -> list[VolumeRecord]:
        """The project's volumes."""
        mine = (caller.project_id, region)
        return [volume for volume in self.volumes.values() if (volume.project, volume.region) == mine]

    def list_scaling_configurations(self, caller: Token) -> list[ScalingConfiguration]:
        """The project's configurations of Auto Scaling."""
        return [known for known in self.scaling_configurations.values() if known.project == caller.project_id]

    def own_image(self, caller: Token, image_id: str, action: str) -> ImageRecord:
        """An image that the caller may change."""
        image = self.show_image(caller, image_id)
        _need_role(caller, action)
        _need_owner(image, caller, action)
        return image

    def summary(self) -> dict[str, Any]:
        """What is alive and what is dead, for people."""
        with self.lock:
            named = {
                "images": [image.described() for image in self.images.values()],
                "dead": [image.described() for image in self.dead.values()],
                "servers": [vars(server) for server in self.servers.values()],
                "volumes": [vars(volume) for volume in self.volumes.values()],
                "scaling_configurations": [vars(known) for known in self.scaling_configurations.values()],
            }
            sink = {name: [body.decode() for body in bodies] for name, bodies in self.sink.items()}
            return {**named, "backups": sorted(self.backups), "sink": sink, "now": time_text(self.now)}

    def _shared_image(self, caller: Token, image_id: str, verb: str, reason: str = ".") -> ImageRecord:
        image = self._known_image(caller, image_id)
        if image.visibility != "shared":
            message = f"Not allowed to {verb} members for image {image_id}{reason}"
            raise Forbidden(message)
        return image

    def _known_image(self, caller: Token, image_id: str) -> ImageRecord:
        """One image, whose absence is told in the words of members and tags."""
        try:
            return self.show_image(caller, image_id)
        except ImageNotFound as exc:
            message = f"Image {image_id} not found."
            raise ImageNotFound(message) from exc

    def _need_room(self, image: ImageRecord) -> None:
        most = MOST_TAGS[self.flavour]
        if len(image.tags) >= most:
            message = (
                f"Image tag limit exceeded for image {image.id}: The limit has been exceeded on the number of allowed "
                f"image tags. Attempted: {len(image.tags) + 1}, Maximum: {most}:"
            )
            raise TooManyTags(message)

    def _touch(self, image: ImageRecord) -> None:
        image.updated_at = time_text(self.now)


def _visible(image: ImageRecord, caller: Token) -> bool:
    if caller.project_id == image.owner or image.visibility in {"public", "community"}:
        return True
    return image.visibility == "shared" and caller.project_id in image.members


def _need_role(caller: Token, action: str) -> None:
    if "member" not in caller.roles:
        message = f"You are not authorized to complete {action} action."
        raise RoleMissing(message)


def _need_owner(image: ImageRecord, caller: Token, action: str) -> None:
    if image.owner != caller.project_id:
        refusal = PublicImage if image.visibility == "public" else NotYourImage
        message = f"You are not authorized to complete {action} action."
        raise refusal(message)
