"""Which images are used, and by what: servers always, and whatever else the operator has named."""

import math
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud import payloads
from handler.cloud.calls import Cloud
from handler.errors import CloudError, Unavailable
from handler.model.image import Also, Image
from handler.work.uses.lists import LIFE, Expiry, Use
from handler.work.uses.parts import Parts

ROUNDS = 3
"""How often servers are looked at anew because reading something else took too long."""


class Uses(NamedTuple):
    """Which images are used, as it was found out at one time.

    It must not be relied on after its `expiry`, by the clock of the run. `error` is what kept us from finding out, if
    anything did.
    """

    expiry: Expiry
    users: Mapping[str, tuple[str, ...]]
    error: CloudError | None = None

    def of(self, image: Image) -> tuple[str, ...]:
        """What uses an image; raises the CloudError that kept us from finding out."""
        if self.error:
            raise self.error.anew()
        return tuple(dict.fromkeys(user for key in image.known_as for user in self.users.get(key, ())))

    def ids(self) -> Collection[str]:
        """The ids of all that is used, in small letters; raises like `of`."""
        if self.error:
            raise self.error.anew()
        return self.users.keys()


class InUse:
    """Asks which images are used, and asks again for what is too old, or will be very soon. Safe for threads.

    It has at most `concurrency` requests in flight.
    """

    def __init__(self, cloud: Cloud, deadline: Deadline, concurrency: int, also: frozenset[Also] = frozenset()) -> None:
        self._cloud = cloud
        self._deadline = deadline
        self._concurrency = concurrency
        self._also = also
        self._lock = Lock()
        self._parts: Parts | None = None
        self._boots: dict[str, tuple[str, ...]] = {}
        """What each image in use needs to boot; read once in a run."""
        self._uses: Uses | None = None
        self._holds_until = -math.inf
        """Until when an error is the answer, and nothing more is asked."""

    def ask(self) -> Uses:
        """Find out which images are used. An error is not raised here, but by `Uses.of`."""
        # While one thread asks, all others wait here, and then find its answer.
        with self._lock:
            if self._uses is None or self._is_due():
                self._uses = self._asked()
            return self._uses

    def _is_due(self) -> bool:
        if self._deadline.now() < self._holds_until:
            return False
        return self._parts is None or self._parts.is_due()

    def _asked(self) -> Uses:
        try:
            # Only now, since the catalogue must be there for it.
            self._parts = self._parts or Parts(self._cloud, self._deadline, self._also)
            return self._put_together(self._parts)
        # Kept as the answer: an image that its own record saves needs no list, and for the others, a list that can't be
        # read is not asked for once for each of them.
        except CloudError as error:
            self._holds_until = self._deadline.now() + LIFE
            return Uses(expiry=Expiry(self._holds_until, "an error"), users={}, error=error)

    def _put_together(self, parts: Parts) -> Uses:
        uses = self._gathered(parts)
        for _ in range(ROUNDS):
            if not parts.is_due():
                break
            uses = self._gathered(parts)
        users: dict[str, dict[str, None]] = {}
        for use in uses:
            users.setdefault(use.image_id.casefold(), {})[use.user] = None
        unknown = next((server.label for server in parts.unknown()), None)
        message = f"server {unknown} is being built, and does not say yet from which image"
        return Uses(
            expiry=parts.expiry,
            users={key: tuple(found) for key, found in users.items()},
            # Until the next look: by then it may name its image, or the volume that was made of it.
            error=Unavailable(message) if unknown else None,
        )

    def _gathered(self, parts: Parts) -> list[Use]:
        parts.refresh()
        uses = list(parts.uses())
        return uses + self._uses_by_boot(uses)

    def _uses_by_boot(self, uses: Iterable[Use]) -> list[Use]:
        """The uses of kernels and ramdisks by the images that are in use."""
        made_of = {use.image_id.casefold(): use.image_id for use in uses if use.is_made_of_it}
        missing = [image_id for key, image_id in made_of.items() if key not in self._boots]
        if missing:
            with ThreadPoolExecutor(min(self._concurrency, len(missing))) as pool:
                self._boots |= dict(pool.map(self._boot_images, missing))
        return [
            Use(boot, f"image {image_id}, which is in use", is_made_of_it=False)
            for key, image_id in made_of.items()
            for boot in self._boots[key]
            if boot.casefold() != key
        ]

    def _boot_images(self, image_id: str) -> tuple[str, tuple[str, ...]]:
        """The key of an image, and what it needs to boot."""
        record = self._cloud.record(image_id)
        # As it is named first: where case matters, an id may be in upper case.
        if record is None and image_id != image_id.lower():
            record = self._cloud.record(image_id.lower())
        return image_id.casefold(), tuple(payloads.boot_images(record or {}))
