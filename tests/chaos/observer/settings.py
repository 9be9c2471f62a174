"""The settings of a function, as its environment variables say them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
REST = frozenset({"active", "deactivated", "killed"})
UPLOADS = frozenset({"queued", "saving", "uploading", "importing"})


class Settings(NamedTuple):
    """What of them decides about deletions."""

    project: str
    mode: str
    api: str
    keep_tag: str
    require_tag: str
    allow_names: tuple[str, ...]
    allow_shared: bool
    min_age: timedelta
    max_images: int
    checks_use: bool
    also: frozenset[str]
    budget: tuple[int, int] | None
    fanout: bool
    table: bool
    bucket: bool
    topic: bool
    plan_life: timedelta
    hands_over: bool
    scheduled: str
    lifecycle: str
    side_by_side: bool
    on_functiongraph: bool


def settings_of(variables: Mapping[str, str], project: str) -> Settings:
    """Read them; an empty variable counts as not set."""
    given = {name.removeprefix("REAPER_"): value for name, value in variables.items() if value}
    names = [name.strip() for name in given.get("ALLOW_NAMES", "").split(",")]
    number, _, window = given.get("BUDGET", "").partition("/")
    return Settings(
        project=project,
        mode=given.get("MODE", "dry-run"),
        api=given.get("IMAGE_API", "glance"),
        keep_tag=given.get("KEEP_TAG", "keep"),
        require_tag=given.get("REQUIRE_TAG", ""),
        allow_names=tuple(name for name in names if name),
        allow_shared=given.get("ALLOW_SHARED") == "true",
        min_age=timedelta(seconds=_seconds(given.get("MIN_AGE", "0d"))),
        max_images=_number(given.get("MAX_IMAGES", "100")),
        checks_use=given.get("IN_USE_CHECK", "on") == "on",
        also=frozenset(word.strip() for word in given.get("IN_USE_ALSO", "").split(",") if word.strip()),
        budget=(_number(number), _seconds(window) or 1) if window else None,
        fanout="FANOUT_QUEUE_URL" in given,
        table="STATE_TABLE" in given,
        bucket="REPORT_BUCKET" in given,
        topic="NOTICE_TOPIC" in given,
        plan_life=timedelta(seconds=_seconds(given.get("PLAN_LIFE", "7d"))),
        hands_over="FAILED_TO" in given,
        scheduled=given.get("SCHEDULED_REQUEST", ""),
        lifecycle=given.get("LIFECYCLE_REQUEST", ""),
        side_by_side=given.get("CONCURRENCY", "16") != "1",
        on_functiongraph="RUNTIME_PROJECT_ID" in variables,
    )


def _number(text: str) -> int:
    # A function that can't use a setting refuses to start, and deletes nothing.
    return int(text) if text.isdecimal() else 0


def _seconds(age: str) -> int:
    return seconds(age) if re.fullmatch(r"[0-9]{1,5}[hdw]", age) else 0


def seconds(age: str) -> int:
    """An age such as `12h` in seconds; ValueError if it is none."""
    if not re.fullmatch(r"[0-9]{1,5}[hdw]", age):
        message = f"{age!r} is no age"
        raise ValueError(message)
    return int(age[:-1]) * UNITS[age[-1]]
