"""How tags, days and times are read: generously where they keep an image, to the letter where they let one go."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.chaos.history import Image

Json = Any
BUILT_IN = ("name", "owner", "visibility", "status", "protected", "size", "checksum", "created_at", "updated_at", "id")
UNTOLD = re.compile(
    r"__.*|(disk|container)_format|min_(ram|disk)|os_h.*|virtual_.*|self|file|schema|stores|enterprise_project_id"
)
"""Fields of a record that the history does not hold."""


def moment_of(text: object) -> datetime | None:
    """A time in ISO 8601, in UTC if it names no zone; None if it can't be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def day_of(text: str) -> date | None:
    """A day written YYYY-MM-DD, and no other way."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None


def is_over(day: str, now: datetime) -> bool:
    """Whether a day can be read, and has ended in UTC."""
    last = day_of(day)
    return last is not None and datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1) <= now


def is_tagged(tags: Iterable[str], asked: str) -> bool:
    """Whether the very tag is there, with `=` or `.` between key and value."""
    key, _, value = asked.partition("=" if "=" in asked else ".")
    wanted = {f"{key}={value}", f"{key}.{value}"} if value else {key, f"{key}=", f"{key}."}
    return not wanted.isdisjoint(tags)


def protections(image: Image, key: str) -> Iterator[str]:
    """The values under a key that protects, in any spelling, of tags and of properties."""
    for tag in image.tags:
        value = generous_value(tag, key)
        if value is not None:
            yield value
    for name, value in image.properties.items():
        if _folded(name) & _folded(key):
            yield str(value)


def generous_value(tag: str, key: str) -> str | None:
    """The value of a tag whose key is this one in some spelling; None if it is another."""
    plain, wanted = _plain(tag), _folded(key)
    cuts = [(plain, "")] + [(plain[: m.start()], plain[m.end() :]) for m in re.finditer("[=.:]", plain)]
    return next((value for start, value in cuts if _folded(start) & wanted), None)


def _plain(text: str) -> str:
    signs = ((sign, unicodedata.category(sign)) for sign in unicodedata.normalize("NFKC", text))
    return "".join("-" if kind == "Pd" else sign for sign, kind in signs if kind != "Cf")


def _folded(text: str) -> set[str]:
    words = re.sub("[.:]", "=", _plain(text).casefold().replace("_", "-")).split()
    return {"".join(words), "-".join(words)}


def said(image: Image, key: str) -> str | None:
    """What the record of an image says under a key, as a request writes it."""
    value = image.properties[key] if key in image.properties else getattr(image, key) if key in BUILT_IN else None
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def reads(text: object) -> Json:
    """JSON without repeated keys and numbers that are none; ValueError if it can't be read."""
    if not isinstance(text, str):
        message = "no text"
        raise ValueError(message)  # noqa: TRY004 (one kind of error for all that can't be read)
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as exc:
        message = "too deep"
        raise ValueError(message) from exc


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a key is given twice"
        raise ValueError(message)
    return found


def _no_number(constant: str) -> float:
    raise ValueError(constant)
