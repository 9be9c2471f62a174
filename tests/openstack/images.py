"""Images in Glance's database: copies of one that Glance itself has written, and what it truly holds.

To make an image through the API takes half a second, and its age can't be chosen there.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

Row = dict[str, Any]
TABLES = ("images", "image_locations", "image_tags", "image_properties", "image_members")
"""The tables that hold an image; all but the first name it as `image_id`."""
WITHOUT_DATA = dict.fromkeys(("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value"))


class Belongings(NamedTuple):
    """What belongs to an image, and is not in its own row. `members` are projects and what they have answered."""

    tags: Sequence[str] = ()
    properties: Mapping[str, str] = {}
    members: Mapping[str, str] = {}


class Images:
    """Glance's database, which must be SQLite's. Safe for threads."""

    def __init__(self, database: Path, store: Path, pattern: str) -> None:
        """Learn what an image looks like from one with data, a tag, a property and a member."""
        self._opened = sqlite3.connect(database, timeout=60, isolation_level=None, check_same_thread=False)
        self._opened.row_factory = sqlite3.Row
        # Nobody will want to read it after a power cut.
        self._opened.execute("PRAGMA synchronous = OFF")
        self._lock = Lock()
        self._store = store
        self._data = (store / pattern).read_bytes()
        self._rows = {table: self._of(table, pattern)[0] for table in TABLES}
        self._pattern = pattern

    def close(self) -> None:
        self._opened.close()

    def add(self, image_id: str, fields: Mapping[str, Any], belongings: Belongings) -> None:
        """Put in an image. `fields` are columns; one that is `queued` has no data."""
        has_data = fields.get("status") != "queued"
        times = {"created_at": fields["created_at"], "updated_at": fields["updated_at"]}
        if has_data:
            (self._store / image_id).write_bytes(self._data)
        with self._writing():
            self._insert("images", {**({} if has_data else WITHOUT_DATA), **fields, "id": image_id})
            whose = {"image_id": image_id, **times}
            if has_data:
                address = self._rows["image_locations"]["value"].replace(self._pattern, image_id)
                self._insert("image_locations", {**whose, "value": address})
            for tag in belongings.tags:
                self._insert("image_tags", {**whose, "value": tag})
            for name, value in belongings.properties.items():
                self._insert("image_properties", {**whose, "name": name, "value": value})
            for member, status in belongings.members.items():
                self._insert("image_members", {**whose, "member": member, "status": status})

    def get(self, image_id: str) -> Row | None:
        """The columns of an image, and in `tags`, `properties` and `members` what belongs to it; None if it is gone."""
        with self._lock:
            found = self._of("images", image_id)
            if not found:
                return None
            return {
                **found[0],
                "tags": sorted(row["value"] for row in self._of("image_tags", image_id)),
                "properties": {row["name"]: row["value"] for row in self._of("image_properties", image_id)},
                "members": {row["member"]: row["status"] for row in self._of("image_members", image_id)},
            }

    def changed_at(self, image_id: str) -> str:
        """When Glance last changed an image, as it writes it; empty if it is gone."""
        with self._lock:
            return next((str(row["updated_at"]) for row in self._of("images", image_id)), "")

    def set_changed_at(self, image_id: str, moment: datetime) -> None:
        """Say that an image was changed at another time."""
        with self._writing():
            self._opened.execute("UPDATE images SET updated_at = ? WHERE id = ?", (written(moment), image_id))

    def _of(self, table: str, image_id: str) -> list[Row]:
        key = "id" if table == "images" else "image_id"
        query = f"SELECT * FROM {table} WHERE {key} = ? AND deleted = 0"  # noqa: S608 (all names are ours)
        return [dict(row) for row in self._opened.execute(query, (image_id,))]

    def _insert(self, table: str, changes: Row) -> None:
        row = {**self._rows[table], **changes}
        if table != "images":
            del row["id"]
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        self._opened.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", (*row.values(),))  # noqa: S608 (ours)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._opened.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self._opened.execute("COMMIT")


def written(moment: datetime) -> str:
    """A time as the services write it into their databases: UTC, without saying so."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
