"""Reading of fields in the cloud's JSON: strict, but a bad time is None; a refusal is read as far as it can be.

A value of another type raises Unexpected.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from handler.errors import Unexpected
from handler.model.masking import beginning

Record = Mapping[str, Any]
EPOCH = 1970

_CODE_KEYS = ("error_code", "errorCode", "code")
_MESSAGE_KEYS = ("error_msg", "errorMsg", "message")


def read_body(body: bytes) -> Record:
    """Read a JSON object."""
    try:
        payload = _read_json(body)
    # json raises RecursionError where brackets are nested too deep.
    except (ValueError, RecursionError) as exc:
        message = "the cloud's answer is not JSON"
        raise Unexpected(message) from exc
    if not isinstance(payload, dict):
        message = "the cloud's answer is not a JSON object"
        raise Unexpected(message)
    return payload


def _read_json(body: bytes) -> Any:  # noqa: ANN401 (any JSON)
    # It takes half the time of json. What it turns down is left to json, which also reads half a character (a lone
    # surrogate) in the name of an image, and more levels of nesting.
    try:
        return from_json(body)
    except ValueError:
        return json.loads(body)


def read_refusal(body: str) -> tuple[str | int | None, str] | None:
    """The code and the sentence with which a service refuses something; None if the body holds neither.

    They stand in the JSON object itself, or in an object directly in it: `{"error": {...}}`, `{"itemNotFound": {...}}`.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    levels = [payload, *payload.values()] if isinstance(payload, dict) else []
    for level in levels:
        code, message = (_first(level, keys) for keys in (_CODE_KEYS, _MESSAGE_KEYS))
        if code is not None or message is not None:
            return code, str(message or "")
    return None


def read_time(value: object) -> datetime | None:
    """Read a time, which is in UTC if it names no zone; None if there is none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@lru_cache(maxsize=16)  # many answers come within one second
def read_date(header: str) -> datetime | None:
    """Read the time in a header of HTTP, in UTC; None if there is none that can be read."""
    try:
        date = parsedate_to_datetime(header)
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # A clock that was never set tells nothing.
    return date if date.year > EPOCH else None


def objects(payload: Record, key: str) -> list[Record]:
    """A list of objects."""
    found = payload.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        message = f"the cloud's answer has no list of {key}"
        raise Unexpected(message)
    return found


def object_or_none(record: Record, key: str) -> Record | None:
    """An object; None if it is missing or empty."""
    value = record.get(key)
    # Nova writes an empty string where there is no image.
    if not value:
        return None
    if not isinstance(value, dict):
        raise unreadable(key, value)
    return value


def text(record: Record, key: str) -> str:
    """A string that is not empty."""
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise unreadable(key, value)
    return value


def text_or_none(record: Record, key: str) -> str | None:
    """A string, which may be empty; None if it is missing or null."""
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise unreadable(key, value)
    return value


def texts(record: Record, key: str) -> list[str]:
    """A list of strings."""
    value = record.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise unreadable(key, value)
    return value


def one_of(record: Record, key: str, allowed: frozenset[str]) -> str:
    """One of the strings that are allowed."""
    value = text(record, key)
    if value not in allowed:
        raise unreadable(key, value)
    return value


def truth(record: Record, key: str) -> bool:
    """True or false."""
    value = record.get(key)
    # No other type is converted: the string "false" would count as true.
    if not isinstance(value, bool):
        raise unreadable(key, value)
    return value


def unreadable(key: str, value: object) -> Unexpected:
    """The error for a field that can't be read: its name, and the beginning of its value."""
    return Unexpected(f"the cloud's answer has no readable {key}: {beginning(value)!r}")


def _first(level: object, keys: tuple[str, ...]) -> str | int | None:
    found = (level[key] for key in keys if isinstance(level.get(key), str | int)) if isinstance(level, dict) else ()
    return next(iter(found), None)
