"""Glance's list of images: which ones a query selects, their order, and the page."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from tests.fakecloud.errors import BadRequest
from tests.fakecloud.records import ImageRecord, Token

Params = list[tuple[str, str]]
Test = Callable[[ImageRecord], bool]

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
LISTS = frozenset({"container_format", "disk_format", "id", "name", "status"})
NOT_FILTERS = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility"})
OPERATORS: Mapping[str, Callable[[datetime, datetime], bool]] = {
    "gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq, "neq": ne,
}  # fmt: skip
FRACTION = timedelta(microseconds=500_000)
"""Glance keeps microseconds that it does not show, so that `eq` never finds what it shows."""


def select(images: Iterable[ImageRecord], params: Params, caller: Token) -> list[ImageRecord]:
    """The images that a query asks for, in its order."""
    values = dict(params)
    tests = [_visibility_test(values, caller), *(_test(name, value) for name, value in params if _filters(name))]
    if "os_hidden" not in values:
        tests.append(lambda image: not image.os_hidden)
    chosen = [image for image in images if all(test(image) for test in tests)]
    for key, backwards in reversed(_order(params)):
        chosen.sort(key=partial(_rank, key), reverse=backwards)
    return chosen


def page_of(images: list[ImageRecord], params: Params, page_size: int) -> tuple[list[ImageRecord], bool]:
    """The page that a query asks for, and whether it is full (Glance names a next page then)."""
    values = dict(params)
    size = min(_limit(values.get("limit", "25")), page_size)
    start = _after(images, values["marker"]) if "marker" in values else 0
    page = images[start : start + size]
    return page, bool(page) and len(page) == size


def _rank(key: str, image: ImageRecord) -> tuple[bool, Any]:
    value = getattr(image, key)
    return value is not None, value


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError as exc:
        message = "limit param must be an integer"
        raise BadRequest(message) from exc
    if limit < 0:
        message = "limit param must be positive"
        raise BadRequest(message)
    return limit


def _after(images: list[ImageRecord], marker: str) -> int:
    for place, image in enumerate(images, start=1):
        if image.id == marker:
            return place
    message = f"No image found with ID {marker}"
    raise BadRequest(message)


def _order(params: Params) -> list[tuple[str, bool]]:
    keys = _sort_keys(params)
    for key, _ in keys:
        if key not in SORT_KEYS:
            message = f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}."
            raise BadRequest(message)
    named = {key for key, _ in keys}
    return keys + [(key, True) for key in ("created_at", "id") if key not in named]


def _sort_keys(params: Params) -> list[tuple[str, bool]]:
    values = dict(params)
    if "sort" in values:
        parts = (part.strip().partition(":") for part in values["sort"].split(","))
        return [(key, direction != "asc") for key, _, direction in parts]
    directions = [value for name, value in params if name == "sort_dir"] or ["desc"]
    keys = [value for name, value in params if name == "sort_key"]
    return [(key, directions[min(place, len(directions) - 1)] != "asc") for place, key in enumerate(keys)]


def _filters(name: str) -> bool:
    return name not in NOT_FILTERS


def _visibility_test(values: Mapping[str, str], caller: Token) -> Test:
    wanted = values.get("visibility")
    status = values.get("member_status", "accepted")
    project = caller.project_id or ""

    def listed(image: ImageRecord) -> bool:
        if image.owner == project or image.visibility == "public":
            return True
        if image.visibility == "community":
            return wanted in {"community", "all"}
        return status in {"all", image.members.get(project)}

    return lambda image: listed(image) and wanted in {None, "all", image.visibility}


def _test(name: str, value: str) -> Test:
    special = SPECIAL.get(name)
    if special is not None:
        return special(name, value)
    wanted = _list(value[3:]) if name in LISTS and value.startswith("in:") else (value,)
    return lambda image: _attribute(image, name) in wanted


def _list(text: str) -> tuple[str, ...]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    return tuple(lexer)


def _attribute(image: ImageRecord, name: str) -> str | None:
    value: Any = image.properties.get(name, getattr(image, name, None))
    return None if value is None else str(value)


def _tag_test(_name: str, value: str) -> Test:
    return lambda image: value in image.tags


def _truth_test(name: str, value: str) -> Test:
    if value not in {"true", "false"}:
        message = f"Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'."
        raise BadRequest(message)
    return lambda image: getattr(image, name) is (value == "true")


def _size_test(name: str, value: str) -> Test:
    compare = ge if name == "size_min" else le
    try:
        bound = int(value)
    except ValueError as exc:
        message = f"{name} param must be an integer"
        raise BadRequest(message) from exc
    return lambda image: image.size is not None and bool(compare(image.size, bound))


def _time_test(name: str, value: str) -> Test:
    operator, text = value.split(":", 1) if _names_operator(value) else ("eq", value)
    if operator not in OPERATORS:
        message = "Unable to filter on a unknown operator."
        raise BadRequest(message)
    bound = _time(name, text)
    compare = OPERATORS[operator]
    return lambda image: compare(_time(name, getattr(image, name)) + FRACTION, bound)


def _names_operator(value: str) -> bool:
    return ":" in value and value.split(":", 1)[0].isalpha()


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        message = f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.'
        raise BadRequest(message) from exc
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _changes_since(name: str, _value: str) -> Test:
    message = f'The "{name}" filter is no longer available on v2.'
    raise BadRequest(message)


SPECIAL: Mapping[str, Callable[[str, str], Test]] = {
    "tag": _tag_test,
    "protected": _truth_test,
    "os_hidden": _truth_test,
    "size_min": _size_test,
    "size_max": _size_test,
    "created_at": _time_test,
    "updated_at": _time_test,
    "changes-since": _changes_since,
}
