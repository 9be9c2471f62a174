"""What a sweep may delete, by the contract and without a line of `handler`."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from tests.fakecloud import ImageRecord

Json = Any
SELECT = {"name", "tags", "properties", "status", "older_than", "created_before", "size_over", "family", "unused_for"}
SWEEP = {"select", "keep", "limit", "limit_percent", "grace", "deactivate"}
AGE = re.compile(r"([0-9]{1,5})([hdw])", re.ASCII)
HOURS = {"h": 1, "d": 24, "w": 168}
FINISHED = {"active", "deactivated", "killed"}
UNFINISHED = {"queued", "saving", "uploading", "importing"}

Images = Mapping[str, ImageRecord]


def moment(text: Json) -> datetime | None:
    """A time in ISO 8601, None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found and found.replace(tzinfo=found.tzinfo or UTC)


def age(text: Json) -> timedelta | None:
    """An age such as 30d, None for anything else."""
    found = AGE.fullmatch(text) if isinstance(text, str) else None
    return timedelta(hours=int(found[1]) * HOURS[found[2]]) if found else None


def is_text(value: Json) -> bool:
    """Whether this is a text that can be written at all: half a character is none."""
    return type(value) is str and not any("\ud800" <= letter <= "\udfff" for letter in value)


def is_policy(sweep: Json) -> bool:
    if not isinstance(sweep, dict) or sweep.keys() - SWEEP or not _is_selection(sweep.get("select")):
        return False
    percent, grace = sweep.get("limit_percent", 50), age(sweep.get("grace", "0d"))
    return (
        _is_count(sweep.get("limit", 25))
        and type(percent) in {int, float}
        and 0 <= percent <= 100
        and grace is not None
        and type(sweep.get("deactivate", False)) is bool
        and (sweep.get("keep") is None or _is_keep(sweep["keep"]))
    )


def _is_selection(select: Json) -> bool:
    if not isinstance(select, dict) or select.keys() - SELECT:
        return False
    given = {key: item for key, item in select.items() if item is not None}
    right: dict[str, Callable[[Json], bool]] = {
        **dict.fromkeys(["name", "family"], _is_short),
        "tags": lambda tags: isinstance(tags, list) and bool(tags) and all(map(_is_short, tags)),
        "properties": lambda all_: (
            isinstance(all_, dict) and all(map(_is_short, all_)) and all(map(is_text, all_.values()))
        ),
        "status": lambda status: isinstance(status, str) and status in FINISHED | UNFINISHED,
        "older_than": lambda text: bool(age(text)),
        "created_before": lambda text: moment(text) is not None,
        "size_over": _is_count,
        # There is no state table in this world.
        "unused_for": lambda _: False,
    }
    if not given or not all(right[key](item) for key, item in given.items()):
        return False
    return given.get("status") not in UNFINISHED or (age(given.get("older_than")) or timedelta()) >= timedelta(days=1)


def _is_short(text: Json) -> bool:
    return is_text(text) and 1 <= len(text) <= 255


def _is_count(value: Json, least: int = 0) -> bool:
    return type(value) is int and value >= least


def _is_keep(keep: Json) -> bool:
    if not isinstance(keep, dict) or keep.keys() - {"newest", "group_by"} or not _is_count(keep.get("newest"), 1):
        return False
    by = keep.get("group_by", "name")
    return isinstance(by, str) and re.fullmatch(r"name|(property|tag-prefix):.{1,255}", by) is not None


def chosen(sweep: Mapping[str, Json], images: Images) -> set[str]:
    """What a policy to the letter may delete of these images at once; nothing if that is more than its caps."""
    if age(sweep.get("grace", "0d")) != timedelta() or sweep.get("deactivate"):
        return set()
    select = {key: item for key, item in sweep["select"].items() if item is not None}
    newest = _newest(sweep["keep"], images) if sweep.get("keep") else set()
    grouped = {known.id for known in images.values() if not sweep.get("keep") or _groups(known, sweep["keep"])}
    found = {known.id for known in images.values() if _meets(known, select)} & grouped - newest
    most = min(sweep.get("limit", 25), sweep.get("limit_percent", 50) * len(images) / 100)
    return found if len(found) <= most else set()


def _meets(image: ImageRecord, select: Mapping[str, Json]) -> bool:
    born, now = moment(image.created_at), datetime.now(UTC)
    assert born
    name, properties = image.name or "", {key: str(item) for key, item in image.properties.items()}
    return (
        fnmatchcase(name, select.get("name", "*"))
        and ("family" not in select or (name.rpartition("-")[0] or name) == select["family"])
        and set(select.get("tags", ())) <= set(image.tags)
        and all(properties.get(key) == item for key, item in select.get("properties", {}).items())
        and select.get("status", image.status) == image.status
        and ("older_than" not in select or now - born > (age(select["older_than"]) or timedelta.max))
        and ("created_before" not in select or born < (moment(select["created_before"]) or born))
        and ("size_over" not in select or (image.size or -1) > select["size_over"])
    )


def _groups(image: ImageRecord, keep: Mapping[str, Json]) -> set[str]:
    kind, _, key = str(keep.get("group_by", "name")).partition(":")
    if kind == "name":
        return {(image.name or "").rpartition("-")[0] or image.name or ""} - {""}
    if kind == "property":
        return {str(image.properties[key])} if key in image.properties else set()
    return {tag for tag in image.tags if tag.startswith(key)}


def _newest(keep: Mapping[str, Json], images: Images) -> set[str]:
    groups: dict[str, list[ImageRecord]] = {}
    for image in sorted(images.values(), key=lambda known: (known.created_at, known.id), reverse=True):
        for group in _groups(image, keep) if image.status == "active" else ():
            groups.setdefault(group, []).append(image)
    return {image.id for members in groups.values() for image in members[: keep["newest"]]}
