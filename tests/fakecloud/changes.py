"""What has changed among the servers, and when, as Nova writes it down."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime

from tests.fakecloud.records import ServerRecord


class Changes:
    """Notices changes when it is asked, whoever made them. `updated_at` is None for a server not taken up yet."""

    def __init__(self) -> None:
        self.updated_at: dict[str, datetime | None] = {}
        self._seen: dict[str, tuple[ServerRecord, object]] = {}
        self._gone: dict[str, ServerRecord] = {}

    def note(self, servers: Mapping[str, ServerRecord], volumes: Mapping[str, object], now: datetime) -> None:
        """Write down what has changed since the last call."""
        for server in servers.values():
            self.see(server, volumes.get(server.id), now)
        for server_id in self._seen.keys() - servers.keys():
            self._gone[server_id] = replace(self._seen.pop(server_id)[0], status="DELETED")
            self.updated_at[server_id] = now

    def see(self, server: ServerRecord, volumes: object, now: datetime | None) -> None:
        """Write down one server; without a time, it is one that no machine has taken up yet."""
        if self._seen.get(server.id) != (server, volumes):
            self._seen[server.id] = (deepcopy(server), volumes)
            self._gone.pop(server.id, None)
            self.updated_at[server.id] = now

    def since(self, moment: datetime, servers: Iterable[ServerRecord]) -> list[ServerRecord]:
        """The servers that have changed since, the deleted ones included."""
        everybody = [*servers, *self._gone.values()]
        return [server for server in everybody if (at := self.updated_at[server.id]) is not None and at >= moment]
