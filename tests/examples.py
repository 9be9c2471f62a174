"""An image as most of them are: ours, private, at rest, ten days old. A test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.model.history import History, Unused
from handler.model.image import Image
from handler.model.request import Select

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
OWNER = "ca22e864e8a245eaaf7f4a4d2f1d0a11"
IMAGE = Image(
    id="6cad483b-e281-4985-a345-7afef1f3c501",
    name="ci-1",
    owner=OWNER,
    status="active",
    visibility="private",
    protected=False,
    tags=frozenset({"ci", "x"}),
    properties=frozenset(),
    created_at=NOW - 10 * DAY,
    updated_at="2026-06-05T12:00:00Z",
    size=1024,
    checksum="91a79b25",
    record={"os_type": "linux", "cpus": 4, "secure": True, "note": None, "empty": ""},
)
WATCHED = History(since=NOW - 99 * DAY, last={})
"""What is known of use where sweeps have looked for long, and have seen none."""
EVERY_SELECT = {
    "a name": Select(name="*"),
    "a tag": Select(tags=frozenset({"ci"})),
    "a property": Select(properties=(("os_type", "linux"),)),
    "a status": Select(status="active"),
    "an age": Select(older_than=SECOND),
    "a time": Select(created_before=NOW + 9999 * DAY),
    "a size": Select(size_over=0),
    "a family": Select(family="ci"),
    "no use": Select(unused_for=Unused(DAY, WATCHED)),
}
"""One for each condition that a policy may set."""


def image(**changes: Any) -> Image:  # noqa: ANN401 (any attribute)
    return replace(IMAGE, **changes)


def tagged(*tags: str, **changes: Any) -> Image:  # noqa: ANN401 (any attribute)
    return image(tags=frozenset(tags), **changes)
