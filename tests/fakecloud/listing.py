"""Glance's list of images: which ones a query selects, their order, and the page."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from tests.fakecloud.errors import BadRequest, Forbidden, ImageNotFound, UnknownMarker
from tests.fakecloud.records import ImageRecord, Token
from tests.fakecloud.shelf import Order
from tests.fakecloud.state import CloudState

Params = list[tuple[str, str]]
Test = Callable[[ImageRecord], bool]

SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
LISTS = frozenset({"container_format", "disk_format", "id", "name", "status"})
NOT_FILTERS = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility"})
OPERATORS: Mapping[str, Callable[[datetime, datetime], bool]] = {
    "gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq, "neq": ne,
}  # fmt: skip
VISIBILITIES = frozenset({None, "all", "public", "private", "shared", "community"})
STATUSES = frozenset({"all", "accepted", "pending", "rejected"})
FRACTION = timedelta(microseconds=500_000)
"""Glance keeps microseconds that it does not show, so that `eq` never finds what it shows."""


@dataclass(frozen=True)
class Query:
    """What a list was asked for: an image is listed if it passes all tests."""

    tests: Sequence[Test]
    order: Order
    limit: int
    marker: str | None


def read_query(params: Params, caller: Token) -> Query:
    """Glance's query."""
    values = dict(params)
    tests = [visibility_test(values, caller), *(_test(name, value) for name, value in params if _filters(name))]
    if "os_hidden" not in values:
        tests.append(lambda image: not image.os_hidden)
    return Query(tests, _order(params), read_limit(values.get("limit", "25")), values.get("marker"))


def page_of(state: CloudState, caller: Token, query: Query) -> tuple[list[ImageRecord], bool]:
    """The page that a query asks for, and whether it is full (Glance names a next page then)."""
    if query.marker is not None:
        _check_marker(state, caller, query.marker)
    size = min(query.limit, state.page_size)
    images = state.shelf.walk(state.images, query.order, query.marker)
    page = list(islice((image for image in images if all(test(image) for test in query.tests)), size))
    return page, bool(page) and len(page) == size


def _check_marker(state: CloudState, caller: Token, marker: str) -> None:
    """Any image that the caller may look at will do, even one that is not in the list."""
    try:
        state.show_image(caller, marker)
    except ImageNotFound as exc:
        if marker in state.images:
            message = f"Forbidding request, image {marker} not visible"
            raise Forbidden(message) from exc
        raise UnknownMarker(exc.message) from exc


def read_limit(text: str) -> int:
    """How many images a page may hold."""
    try:
        limit = int(text)
    except ValueError as exc:
        message = "limit param must be an integer"
        raise BadRequest(message) from exc
    if limit < 0:
        message = "limit param must be positive"
        raise BadRequest(message)
    return limit


def _order(params: Params) -> Order:
    keys = _sort_keys(params)
    for key, _ in keys:
        if key not in SORT_KEYS:
            message = f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}."
            raise BadRequest(message)
    named = {key for key, _ in keys}
    return keys + [(key, True) for key in ("created_at", "id") if key not in named]


def _sort_keys(params: Params) -> Order:
    values = dict(params)
    directions = [value for name, value in params if name == "sort_dir"]
    keys = [value for name, value in params if name == "sort_key"]
    if "sort" not in values:
        if len(directions) > max(len(keys), 1):
            message = "Number of sort dirs does not match the number of sort keys"
            raise BadRequest(message)
        directions = [_direction(direction) for direction in directions or ["desc"]]
        return [(key, directions[min(place, len(directions) - 1)] != "asc") for place, key in enumerate(keys)]
    if keys or directions:
        message = "Old and new sorting syntax cannot be combined"
        raise BadRequest(message)
    parts = (part.strip().partition(":") for part in values["sort"].split(","))
    return [(key, _direction(direction or "desc") != "asc") for key, _, direction in parts]


def _direction(text: str) -> str:
    if text not in {"asc", "desc"}:
        message = f"Invalid sort direction: {text}"
        raise BadRequest(message)
    return text


def _filters(name: str) -> bool:
    return name not in NOT_FILTERS


def visibility_test(values: Mapping[str, str], caller: Token) -> Test:
    """Whether an image stands in the lists of this caller, and is of the visibility that was asked for."""
    wanted = values.get("visibility") or None
    status = values.get("member_status", "accepted")
    if wanted not in VISIBILITIES:
        message = f"Invalid visibility value: {wanted}"
        raise BadRequest(message)
    if status not in STATUSES:
        message = f"Invalid status: {status}"
        raise BadRequest(message)
    project = caller.project_id or ""

    def listed(image: ImageRecord) -> bool:
        if image.owner == project or image.visibility == "public":
            return True
        if image.visibility == "community":
            return wanted in {"community", "all"}
        return image.visibility == "shared" and project in image.members and status in {"all", image.members[project]}

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
    try:
        return tuple(lexer)
    except ValueError as exc:
        message = f"Invalid filter value {text}. The quote is not closed."
        raise BadRequest(message) from exc


def _attribute(image: ImageRecord, name: str) -> str | None:
    value: Any = image.properties.get(name, getattr(image, name, None))
    return None if value is None else str(value)


def _tag_test(_name: str, value: str) -> Test:
    return lambda image: value in image.tags


def _hidden_test(name: str, value: str) -> Test:
    # In any case, which Glance allows here and nowhere else.
    return _truth_test(name, value.lower() if value.lower() in {"true", "false"} else value)


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
        message = "Unable to filter on a range with a non-numeric value."
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
    "os_hidden": _hidden_test,
    "size_min": _size_test,
    "size_max": _size_test,
    "created_at": _time_test,
    "updated_at": _time_test,
    "changes-since": _changes_since,
}
