"""Which images are used, and by what: servers always, and whatever else the operator has named."""

from collections.abc import Generator, Iterator, Mapping
from threading import Lock

from handler.clock import Deadline
from handler.cloud import payloads
from handler.cloud.calls import Cloud
from handler.cloud.paging import read_anew
from handler.errors import CloudError
from handler.model.image import Also, Image

LIFE = 60.0
"""Seconds after which the cloud is asked again which images are used."""


class InUse:
    """Which images are used, and by what. Asks once, and again when the answer is a minute old. Safe for threads."""

    def __init__(self, cloud: Cloud, deadline: Deadline, also: frozenset[Also] = frozenset()) -> None:
        self._cloud = cloud
        self._deadline = deadline
        self._also = also
        self._lock = Lock()
        self._answer: Mapping[str, tuple[str, ...]] | CloudError = {}
        self._asked_at: float | None = None
        """The moment at which the answer was complete."""

    def ask(self, since: float | None = None) -> None:
        """Ask the cloud, unless there is an answer that is young enough, and from after the moment `since` if given.

        An error is not raised here, but by `of`.
        """
        # While one thread asks, all others wait here, and then find its answer.
        with self._lock:
            asked = self._asked_at
            is_young = asked is not None and self._deadline.now() - asked <= LIFE
            if asked is not None and is_young and (since is None or asked > since):
                return
            try:
                self._answer = read_anew(lambda: images_in_use(self._cloud, self._also))
            # Kept as the answer: an image that its own record saves needs no list, and for the others, a list that
            # can't be read is not asked for once for each of them.
            except CloudError as error:
                self._answer = error
            self._asked_at = self._deadline.now()

    def of(self, image: Image) -> tuple[str, ...]:
        """What uses an image; raises the CloudError that kept us from finding out."""
        self.ask()
        answer = self._answer
        if isinstance(answer, CloudError):
            raise answer.anew()
        return tuple(user for key in (image.id, image.server_id) if key for user in answer.get(key, ()))


def images_in_use(cloud: Cloud, also: frozenset[Also] = frozenset()) -> Mapping[str, tuple[str, ...]]:
    """Every image that is used in the project, and what uses it, in words for a person. Raises CloudError.

    A server that uses the images made of it stands under its own id: its shelved disk and its snapshots name the server
    as `instance_uuid`, and the server does not name them.
    """
    used: dict[str, list[str]] = {}
    for image_id, user in _uses(cloud, also):
        used.setdefault(image_id, []).append(user)
    return {image_id: tuple(users) for image_id, users in used.items()}


def _uses(cloud: Cloud, also: frozenset[Also]) -> Iterator[tuple[str, str]]:
    silent = yield from _uses_by_servers(cloud, snapshots="snapshots" in also)
    # The image of a server that was booted from a volume is known to the volume only.
    if silent or "volumes" in also:
        yield from _uses_by_volumes(cloud, every="volumes" in also)
    if "scaling" in also:
        yield from _uses_by_scaling(cloud)
    if "images" in also:
        yield from _uses_by_images(cloud)


def _uses_by_servers(cloud: Cloud, *, snapshots: bool) -> Generator[tuple[str, str], None, bool]:
    """Yield the uses by servers; return whether any server did not name its image, as when booted from a volume."""
    silent = False
    for server in cloud.servers():
        origins = set(payloads.images_of_server(server))
        silent = silent or not origins
        for key in {*origins, *payloads.own_images_of_server(server, every=snapshots)}:
            yield key, f"server {payloads.label(server)}"
    return silent


def _uses_by_volumes(cloud: Cloud, *, every: bool) -> Iterator[tuple[str, str]]:
    """The uses by volumes that are attached to a server, or by every volume."""
    for volume in cloud.volumes():
        image_id = payloads.image_of_volume(volume)
        if image_id and volume.get("attachments"):
            yield image_id, f"the server of volume {payloads.label(volume)}"
        elif image_id and every:
            yield image_id, f"volume {payloads.label(volume)}"


def _uses_by_scaling(cloud: Cloud) -> Iterator[tuple[str, str]]:
    for configuration in cloud.scaling_configurations():
        if image_id := payloads.image_of_scaling_configuration(configuration):
            yield image_id, f"scaling configuration {payloads.label(configuration, 'scaling_configuration_')}"


def _uses_by_images(cloud: Cloud) -> Iterator[tuple[str, str]]:
    for image in cloud.images():
        for parent in payloads.parents_of_image(image):
            yield parent, f"image {image.name or 'unnamed'} ({image.id})"
