"""The servers of one region: listed once, and from then on only what has changed is asked for."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud import payloads
from handler.cloud.calls import Cloud
from handler.cloud.fields import Record, text
from handler.cloud.lists.first import Listing
from handler.errors import CredentialsRefused, Denied, Unexpected
from handler.work.uses.lists import LIFE, Expiry, is_due, young

FRESH_FOR = 5.0
"""Seconds for which servers are known where the cloud tells what has changed."""
PAUSE = 2.0
"""Seconds between two looks. The two kinds take turns, so that neither gets older than two pauses."""
MOST_LOOKS = 6
"""Looks in a row after which a cloud counts as too slow: one of the two is too old each time that the other is done."""
OVERLAP = timedelta(seconds=120)
"""How far each look for changes goes back behind the one before.

The cloud's time of an answer is that of its end, which may be twenty seconds after the servers were read. The rest is
for the clocks of the machines that write down changes, and for transactions that take long to be seen.
"""
FAILURES = 3
"""How often a cloud that has told what has changed may fail to do so before it is no longer asked for it."""
CHANGES, BUILDING = "changes", "building"


class Server(NamedTuple):
    """What matters of a server: which images it uses, and what only its volumes can tell.

    `images` are those that it names as its origin, `boots` its kernel and ramdisk; `own_id` is its id if it uses the
    images that were made of it, else empty.
    """

    label: str
    images: frozenset[str]
    boots: frozenset[str]
    own_id: str
    volumes: frozenset[str]
    is_building: bool

    @property
    def is_silent(self) -> bool:
        """Whether it names no image, as one that was booted from a volume."""
        return not self.images

    @property
    def asks_volumes(self) -> bool:
        """Whether its volumes may tell of an image: it has some, or does not name its image itself."""
        return self.is_silent or bool(self.volumes)

    def is_unknown(self, bootable: frozenset[str]) -> bool:
        """Whether nobody can say yet what it is made of: its volume is still to be made, perhaps of an image.

        It may have others already: only one that is `bootable` tells.
        """
        return self.is_silent and self.is_building and self.volumes.isdisjoint(bootable)


class Servers:
    """The servers of one region. Not safe for threads."""

    def __init__(self, cloud: Cloud, url: str, deadline: Deadline, *, snapshots: bool) -> None:
        self._cloud = cloud
        self._url = url
        self._deadline = deadline
        self._snapshots = snapshots
        self._known: dict[str, Server] = {}
        self._asked: dict[str, float] = {}
        """When each kind of look was last asked for; empty before the first list."""
        self._took = 0.0
        self._date: datetime | None = None
        """The cloud's own time of the last look for changes; None if it can't be asked for changes."""
        self._tells_changes = True
        self._has_told = False
        self._failures = 0
        self.volumes_since = -math.inf
        """The moment that a list of volumes must be younger than: a server has changed in what only they can tell."""
        self.asks_volumes = False
        """Whether there is a server whose volumes may tell of an image."""

    @property
    def all(self) -> tuple[Server, ...]:
        """The servers, as they were last seen."""
        return tuple(self._known.values())

    @property
    def expiry(self) -> Expiry:
        """When they are too old."""
        life = FRESH_FOR if self._date else LIFE
        return Expiry(min(self._asked.values()) + life, f"servers ({life:g} seconds)")

    def is_due(self) -> bool:
        """Whether the cloud must be asked again."""
        return not self._asked or self._is_list_due() or self._due_look() is not None

    def refresh(self) -> None:
        """Ask the cloud for what has changed, or for all of it where it can't be asked so. Raises CloudError."""
        try:
            if self._asked and self._date:
                self._look()
        except CredentialsRefused:
            raise
        # It does not know the question, or does not let us ask it. Once it has answered, this may be a slip: then all
        # servers are listed again.
        except (Unexpected, Denied):
            self._failures += 1
            self._tells_changes = self._has_told and self._failures < FAILURES
            self._date, self._asked = None, {}
        if not self._asked or self._is_list_due():
            self._list()

    def _is_list_due(self) -> bool:
        return not self._date and is_due(min(self._asked.values()), self._took, self._deadline.now())

    def _list(self) -> None:
        listing = self._cloud.servers(self._url)
        self._known = {}
        self._merge(listing)
        self._took = self._deadline.now() - listing.asked_at
        self._date = _not_ahead(listing.date) if self._tells_changes else None
        if not self._date:
            young("servers", listing.asked_at, self._deadline.now())
        self._asked = dict.fromkeys((CHANGES, BUILDING), listing.asked_at)

    def _look(self) -> None:
        # A cloud that takes too long for each would otherwise be asked until the end of the run.
        for _ in range(MOST_LOOKS):
            look = self._due_look()
            if look is None:
                return
            listing = self._cloud.servers(self._url, self._wanted(look))
            self._merge(listing)
            if look == CHANGES:
                self._date, self._has_told = _not_ahead(listing.date) or self._date, True
            self._asked[look] = listing.asked_at
        young("servers that have changed", min(self._asked.values()), self._deadline.now(), FRESH_FOR)

    def _due_look(self) -> str | None:
        """The kind of look that is due: the older of the two, so that they take turns."""
        if not self._date:
            return None
        look = min(self._asked, key=self._asked.__getitem__)
        now = self._deadline.now()
        is_old = now - self._asked[look] > 2 * PAUSE
        return look if is_old or now - max(self._asked.values()) > PAUSE else None

    def _wanted(self, look: str) -> Mapping[str, str]:
        # Nova finds changes by the time of a server's last update. A new server has none until the machine that is to
        # run it takes it up, which may be minutes later: until then it is found only by what it is doing.
        if look == BUILDING or not self._date:
            return {"status": "BUILD"}
        # A gateway whose clock is ahead would have changes left out. With our own time as well, both would have to be.
        since = min(self._date, datetime.now(UTC)) - OVERLAP
        return {"changes-since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _merge(self, listing: Listing) -> None:
        for record in listing.items:
            server_id = text(record, "id").casefold()
            before = self._known.pop(server_id, None)
            if str(record.get("status")).upper() == "DELETED":
                continue
            server = _read(record, snapshots=self._snapshots)
            self._known[server_id] = server
            if server.asks_volumes and (before is None or before[1:] != server[1:]):
                self.volumes_since = self._deadline.now()
        self.asks_volumes = any(server.asks_volumes for server in self._known.values())


def _not_ahead(date: datetime | None) -> datetime | None:
    """The cloud's time, but none that has not come yet: a gateway whose clock is ahead would hide all changes."""
    return date and min(date, datetime.now(UTC))


def _read(record: Record, *, snapshots: bool) -> Server:
    return Server(
        label=payloads.label(record),
        images=frozenset(payloads.images_of_server(record)),
        boots=frozenset(payloads.boot_images(record, "OS-EXT-SRV-ATTR:")),
        own_id=next(payloads.own_images_of_server(record, every=snapshots), ""),
        volumes=frozenset(each.casefold() for each in payloads.volumes_of_server(record)),
        is_building=str(record.get("status")).upper() == "BUILD",
    )
