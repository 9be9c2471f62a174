"""The rules that every deletion must pass, read from the contract: which of them speak against an image."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.chaos.history import Image
from tests.chaos.observer.reading import Json, is_over, is_tagged, moment_of, protections
from tests.chaos.observer.settings import REST, UPLOADS, Settings

A_DAY = timedelta(days=1)


class Facts(NamedTuple):
    """With what an image is judged: the earliest and the latest time that it may be, and what the request expects.

    `upload` is the state of an upload that a policy is about.
    """

    settings: Settings
    early: datetime
    late: datetime
    expect: Mapping[str, Json] = {}
    upload: str = ""


def speak_surely(image: Image, facts: Facts) -> set[str]:
    """The reasons why an image must stay, whatever the time is between the two."""
    return set(_reasons(image, facts, facts.late))


def may_speak(image: Image, facts: Facts) -> set[str]:
    """The reasons why an image may be said to stay."""
    return set(_reasons(image, facts, facts.early))


def _reasons(image: Image, facts: Facts, now: datetime) -> Iterator[str]:
    settings = facts.settings
    held = {
        "public": image.visibility in {"public", "community"},
        "not_owner": image.owner != settings.project,
        "protected": image.protected,
        "not_ready": not _is_at_rest(image, facts, now),
        "changed": differs(image, facts.expect),
        "kept": is_kept(image, settings.keep_tag, now),
        "not_allowed": not _is_allowed(image, settings),
        "too_young": _is_too_young(image, settings.min_age, now),
    }
    yield from (reason for reason, holds in held.items() if holds)


def _is_at_rest(image: Image, facts: Facts, now: datetime) -> bool:
    if any(image.properties.get(key) for key in ("os_glance_importing_to_stores", "os_glance_import_task")):
        return False
    if image.status in REST:
        return True
    known = "updated_at" in facts.expect and facts.expect.get("status") == image.status
    created = moment_of(image.created_at)
    is_old = created is not None and now - created >= A_DAY
    return image.status in UPLOADS and (known or image.status == facts.upload) and is_old


def differs(image: Image, expect: Mapping[str, Json]) -> bool:
    """Whether an image is not what is expected of it."""
    return any(_plain(key, getattr(image, key)) != _plain(key, value) for key, value in expect.items())


def _plain(key: str, value: Json) -> Json:
    # IMS tells a size that nobody knows as 0.
    return sorted(set(value)) if key == "tags" and value is not None else value or 0 if key == "size" else value


def is_kept(image: Image, keep_tag: str, now: datetime) -> bool:
    """Whether a tag or a property keeps it at this time."""
    if any(True for _ in protections(image, keep_tag)):
        return True
    days = [day for key in ("keep-until", f"{keep_tag}-until") for day in protections(image, key)]
    return not all(is_over(day, now) for day in days)


def _is_allowed(image: Image, settings: Settings) -> bool:
    if settings.require_tag and not is_tagged(image.tags, settings.require_tag):
        return False
    globs = settings.allow_names
    return not globs or any(fnmatchcase(image.name or "", glob) for glob in globs)


def _is_too_young(image: Image, least: timedelta, now: datetime) -> bool:
    created = moment_of(image.created_at)
    return bool(least) and (created is None or now - created < least)
