"""Requests drawn from the schema itself: a field that it gets tomorrow is fuzzed tomorrow, without a change here."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from handler.sources.schema import _Order
from tests.chaos.doors.odd import odd
from tests.chaos.doors.world import IMAGES, LONG_NAME, UNKNOWN
from tests.fakecloud import DEMO, OTHER

Schema = Mapping[str, Any]
Strategy = st.SearchStrategy[Any]

TEXTS = {
    "name": ("ci-*", "ci-build-1*", "*", "golden-*", "ci-build-101", LONG_NAME, "[b-a]*", "*a" * 120 + "b"),
    "family": ("ci-build", "nightly", "golden-debian", "ci"),
    "tags": ("ci", "temporary", "keep", "stage"),
    "owner": (DEMO, OTHER),
    "status": ("active", "queued", "deleted"),
    "visibility": ("private", "shared", "public"),
    "group_by": ("name", "property:os_type", "tag-prefix:c", "tag-prefix:t"),
    "project_id": (DEMO, DEMO, OTHER),
    "properties": ("os_type", "linux", "stage"),
}
"""What a field must hold to be about an image of this world. Fields without an entry hold any text."""
WORDS = ("superseded", "x", "2020-01-05T00:00:00Z", "")
FORMATS = {
    "date-time": ("2030-01-31T12:00:00Z", "2030-01-31", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"),
    "duration": ("0d", "0d", "1d", "30d", "12h", "99999w", "2w"),
}
IDS = (*IMAGES, *(image_id.upper() for image_id in IMAGES), UNKNOWN)


@cache
def requests() -> Strategy:
    """Requests of every kind that the schema knows: right in each field by itself, if not always in all of them."""
    kinds = [drawn(schema, schema.get("$defs", {}), "") for schema in (o.model_json_schema() for o in orders())]
    return st.one_of(kinds)


def orders() -> list[type[_Order]]:
    """The kinds of requests; one that is added tomorrow is a class below the same root."""
    return _Order.__subclasses__()


def drawn(schema: Schema, models: Mapping[str, Schema], field: str) -> Strategy:
    """Values of a field as its JSON schema describes it."""
    if "$ref" in schema:
        return drawn(models[schema["$ref"].rpartition("/")[2]], models, field)
    if "anyOf" in schema:
        # Null is rare: it stands for a field that is not given.
        kinds = [drawn(kind, models, field) for kind in schema["anyOf"] if kind.get("type") != "null"]
        return st.one_of(kinds)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _OF_TYPE[schema["type"]](schema, models, field)


def _object(schema: Schema, models: Mapping[str, Schema], field: str) -> Strategy:
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        inner = drawn(values, models, field) if isinstance(values, dict) else odd
        return st.dictionaries(_text({}, models, field), inner, max_size=2)
    needed = set(schema.get("required", ()))
    fields = {name: drawn(part, models, name) for name, part in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: part for name, part in fields.items() if name in needed},
        # Few at a time: with all of them at once, no image meets every condition.
        optional={name: part for name, part in fields.items() if name not in needed},
    )


def _array(schema: Schema, models: Mapping[str, Schema], field: str) -> Strategy:
    return st.lists(drawn(schema.get("items", {"type": "string"}), models, field), min_size=1, max_size=3)


def _text(schema: Schema, _models: Mapping[str, Schema], field: str) -> Strategy:
    if "{8}" in schema.get("pattern", ""):
        return st.sampled_from(IDS)
    if field in TEXTS:
        return st.sampled_from(TEXTS[field])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return st.sampled_from(FORMATS.get(schema.get("format", ""), WORDS))


def _number(schema: Schema, _models: Mapping[str, Schema], _field: str) -> Strategy:
    least, most = schema.get("minimum", 0), schema.get("maximum", 1024)
    return st.integers(least, min(most, least + 99)) | st.sampled_from([least, most, 1024])


def _flag(_schema: Schema, _models: Mapping[str, Schema], _field: str) -> Strategy:
    # Seldom true: a rehearsal tells nothing about what a door lets through.
    return st.sampled_from([False, False, False, True])


_OF_TYPE = {
    "object": _object,
    "array": _array,
    "string": _text,
    "integer": _number,
    "number": _number,
    "boolean": _flag,
    "null": lambda *_: st.none(),
}
