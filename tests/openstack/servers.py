"""Servers in Nova's databases, since no hypervisor runs here: copies of one that Nova itself has written."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from tests.openstack.config import Settings
from tests.openstack.images import written

PATTERN = "pattern"
IN_CELL = {
    "instances": "uuid",
    "instance_extra": "instance_uuid",
    "instance_info_caches": "instance_uuid",
    "instance_system_metadata": "instance_uuid",
}
"""The tables of a cell that hold a server, and where they name it."""


class Standing(NamedTuple):
    """A server that is there, and whether a machine has taken it up."""

    id: str
    project: str
    image: str
    taken_up: bool


def add_server(  # noqa: PLR0913 (a server has that many fields)
    settings: Settings,
    name: str,
    image: str,
    project: str,
    *,
    taken_up: bool,
    server_id: str | None = None,
    now: datetime | None = None,
) -> str:
    """Copy the pattern; the new server's id.

    One that no machine has taken up yet was never updated, as conductor writes it.
    """
    server_id = server_id or str(uuid4())
    whose = {"project_id": project, "user_id": project}
    made = {"display_name": name, "hostname": name, "created_at": _written(now)}
    shown: dict[str, str | None] = {"image_ref": image, **made}
    state = (
        {"updated_at": _written(now)}
        if taken_up
        else {"updated_at": None, "vm_state": "building", "task_state": "scheduling"}
    )
    tables: dict[str, dict[str, str | None]] = {table: {named: server_id} for table, named in IN_CELL.items()}
    tables["instances"] |= {**whose, **shown, **state}
    cell1, api = settings.database("nova_cell1"), settings.database("nova_api")
    pattern = _pattern_id(cell1)
    for table, changes in tables.items():
        _copy(cell1, table, (IN_CELL[table], pattern), changes)
    _copy(api, "instance_mappings", ("instance_uuid", pattern), {"instance_uuid": server_id, **whose})
    return server_id


def rebuild_server(settings: Settings, server_id: str, image: str, now: datetime | None = None) -> None:
    """Let a server be made of another image, as Nova writes it once that is done."""
    _update(settings, server_id, "image_ref = ?, vm_state = 'active', task_state = NULL", image, now)


def delete_server(settings: Settings, server_id: str, now: datetime | None = None) -> None:
    """Let a server be deleted, as Nova writes it: its row stays."""
    _update(settings, server_id, "deleted = id, vm_state = 'deleted', deleted_at = ?", _written(now), now)


def standing_servers(settings: Settings) -> list[Standing]:
    """The servers of all projects, as Nova's database has them."""
    with closing(sqlite3.connect(settings.database("nova_cell1"), timeout=60)) as opened:
        found = opened.execute(
            "SELECT uuid, project_id, image_ref, vm_state != 'building' FROM instances "
            "WHERE deleted = 0 AND project_id != ? ORDER BY id",
            (PATTERN,),
        )
        return [Standing(server_id, project, image, bool(taken_up)) for server_id, project, image, taken_up in found]


def _update(settings: Settings, server_id: str, change: str, value: str, now: datetime | None) -> None:
    with closing(sqlite3.connect(settings.database("nova_cell1"), timeout=60)) as opened, opened:
        opened.execute(
            f"UPDATE instances SET {change}, updated_at = ? WHERE uuid = ?",  # noqa: S608 (the change is ours)
            (value, _written(now), server_id),
        )


def _written(moment: datetime | None) -> str:
    return written(moment or datetime.now(UTC))


def _pattern_id(cell: Path) -> str:
    with closing(sqlite3.connect(cell)) as opened:
        (found,) = opened.execute("SELECT uuid FROM instances WHERE project_id = ?", (PATTERN,)).fetchone()
        return str(found)


def _copy(database: Path, table: str, where: tuple[str, str], changes: Mapping[str, str | None]) -> None:
    """Insert the rows that `where` finds once more, changed. All names are ours or the database's own."""
    column, value = where
    with closing(sqlite3.connect(database, timeout=60)) as opened, opened:
        columns = [row[1] for row in opened.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        chosen = ", ".join("?" if name in changes else f'"{name}"' for name in columns)
        named = ", ".join(f'"{name}"' for name in columns)
        values = [changes[name] for name in columns if name in changes]
        opened.execute(
            f"INSERT INTO {table} ({named}) SELECT {chosen} FROM {table} WHERE {column} = ?",  # noqa: S608 (see above)
            (*values, value),
        )


def remove_servers(settings: Settings) -> None:
    """Take all but the pattern out of the databases."""
    cell1 = settings.database("nova_cell1")
    pattern = _pattern_id(cell1)
    places = [(cell1, table, column) for table, column in reversed(IN_CELL.items())]
    for database, table, column in [*places, (settings.database("nova_api"), "instance_mappings", "instance_uuid")]:
        with closing(sqlite3.connect(database, timeout=60)) as opened, opened:
            opened.execute(f"DELETE FROM {table} WHERE {column} != ?", (pattern,))  # noqa: S608 (all names are ours)
