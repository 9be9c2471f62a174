"""What is said of a field that is wrong: its name, what it must be, and what it is where that can be no secret."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from handler.sources.parsing import shown
from handler.sources.problems.given import given, given_age, meant
from handler.sources.problems.near import did_you_mean
from handler.sources.schema import SUBJECTS

Fields = Mapping[str, FieldInfo]
_UUID = "must be a UUID with hyphens"
_PROJECT = "must be the id of a project: at most 64 letters, digits, hyphens and underscores"
_FORMS = {
    "image_ids": _UUID,
    "id": _UUID,
    "project_id": _PROJECT,
    "projects": _PROJECT,
    "group_by": "must be name, property:KEY or tag-prefix:PREFIX",
}
"""What a string must be, by the name of its field: a pattern explains nothing to the sender."""
_EXAMPLES = {
    "image_ids": '["6cad483b-e281-4985-a345-7afef1f3c501"]',
    "images": '[{"id": "6cad483b-e281-4985-a345-7afef1f3c501"}]',
    "expect": '{"name": "ci-1"}',
    "sweep": '{"select": {"name": "ci-*"}}',
    "select": '{"name": "ci-*"}',
    "keep": '{"newest": 3}',
    "tags": '["ci"]',
    "properties": '{"os_type": "linux"}',
    "projects": '["9c53a566cb3443ab910cf0daebca90c4"]',
    "approve": '{"plan": "runs/...", "sha256": "..."}',
}
"""A value for each field that holds a list or an object."""
_OF_AN_IMAGE = {"images": '{"id": "6cad483b-e281-4985-a345-7afef1f3c501"}'}
_TEXTS = dict.fromkeys(("body", "Message"), "must be JSON in a string") | {
    "detail": "must be an object, or JSON in a string"
}
"""The fields of envelopes that carry JSON."""
_VARIANTS = frozenset({"str", "dict[str,any]"})
"""How pydantic tells apart what one field may be; no name of a field."""
_OF_TEXTS = ("string_type", "string_sub_type", "dict_type")
_WITHOUT_VALUE = ("missing", "too_", "string_too", "string_unicode", "value_error", "assertion_error")


def problem_of(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One line about one field, such as `image_ids[3]: must be ...`, of what pydantic says of it."""
    place = [part for part in error["loc"] if part not in _VARIANTS or len(error["loc"]) == 1]
    # The name of a property, and not its value: pydantic says so by a part of its own.
    is_name = place[-1:] == ["[key]"]
    place = place[:-2] if is_name else place
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in place).lstrip(".")
    if error["type"] == "extra_forbidden":
        what = _unknown(str(place[-1]), place, model)
    else:
        what = ("each name in it " if is_name else "") + _what(error, place, field_at(place, fields_of(model)))
    return f"{where}: {what}" if where else what


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the names under which they are given."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def field_at(place: Sequence[str | int], fields: Fields) -> FieldInfo | None:
    """The field at a place; None if it has none, as the properties of images."""
    field: FieldInfo | None = None
    for part in place:
        if isinstance(part, str):
            field = fields.get(part)
            fields = _fields_in(field)
    return field


def must_be(error: Mapping[str, Any], field: FieldInfo | None, name: str = "") -> str:
    """What a value must be, of what pydantic says of one that is wrong; of the value, it shows an age alone."""
    said, context = str(error["type"]), error.get("ctx", {})
    if said == "missing":
        return "is missing"
    if said in {"value_error", "assertion_error"}:
        must = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return must + given_age(error.get("input"), must)
    if said in {"literal_error", "enum"}:
        return "must be " + str(context["expected"]).replace("'", "")
    if said.startswith("string_"):
        return _string(said, context, name)
    if said.startswith("too_"):
        return _length(said, context, "entries")
    return _of_kind(said, field, name)


def _what(error: Mapping[str, Any], place: Sequence[str | int], field: FieldInfo | None) -> str:
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    if name in _TEXTS and error["type"] in _OF_TEXTS:
        return _TEXTS[name]
    must = must_be(error, field, name)
    if error["type"] == "model_type" and name in _OF_AN_IMAGE:
        must = f"must be an object, such as {_OF_AN_IMAGE[name]}"
    if str(error["type"]).startswith(_WITHOUT_VALUE):
        return must
    found = given(error.get("input"), str(error["type"]))
    return f"{must}, {found}{meant(error)}" if found else must


def _unknown(name: str, place: Sequence[str | int], model: type[BaseModel]) -> str:
    """The words about an unknown field: where it belongs, or which one may have been meant."""
    here = fields_of(model)
    if len(place) == 1 and name in SUBJECTS and (own := sorted(SUBJECTS & here.keys())):
        return f"does not go with {' or '.join(own)}: send two requests"
    for part in place[:-1]:
        here = _fields_in(here.get(part)) if isinstance(part, str) else here
    if elsewhere := next((where for where, known in _places(model, "") if known == name and where), ""):
        return f"unknown field; it belongs in {elsewhere}"
    return f"unknown field{did_you_mean(name, here)}"


def _places(model: type[BaseModel], where: str) -> Iterator[tuple[str, str]]:
    """Each field of a model and of the models in it, with the place that it has."""
    for name, field in model.model_fields.items():
        yield where, name
        for inner in _models_in(field):
            yield from _places(inner, f"{where}.{name}".lstrip("."))


def _fields_in(field: FieldInfo | None) -> dict[str, FieldInfo]:
    return next((fields_of(model) for model in _models_in(field)), {})


def _models_in(field: FieldInfo | None) -> list[type[BaseModel]]:
    return [part for part in _parts(field) if isinstance(part, type) and issubclass(part, BaseModel)]


def _parts(annotation: object) -> Iterator[object]:
    """An annotation, and all that it is made of."""
    yield annotation
    own = (annotation.annotation, *annotation.metadata) if isinstance(annotation, FieldInfo) else get_args(annotation)
    for part in own:
        yield from _parts(part)


def _string(said: str, context: Mapping[str, Any], name: str) -> str:
    if said == "string_pattern_mismatch":
        return _FORMS.get(name, "does not have the form that it must have")
    if said == "string_unicode":
        return "has a character that is none of Unicode"
    return _length(said, context, "characters") if said.startswith("string_too") else "must be a string"


def _length(said: str, context: Mapping[str, Any], of: str) -> str:
    if said.endswith("long"):
        found = context.get("actual_length")
        return f"must have at most {context['max_length']} {of}" + (f", not {found}" if found else "")
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} {of}"


def _of_kind(said: str, field: FieldInfo | None, name: str) -> str:
    """What a value of the wrong kind, or a number out of its range, must be."""
    if said.startswith("bool"):
        return "must be true or false"
    if said.startswith(("int", "float", "finite", "greater", "less")):
        return _number(field)
    example = f", such as {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    if said in {"dict_type", "model_type", "mapping_type", "model_attributes_type"}:
        return f"must be an object{example}"
    if said.endswith(("list_type", "set_type", "tuple_type")):
        return f"must be a list{example}"
    return "has a value that it can't have"


def _number(field: FieldInfo | None) -> str:
    parts = list(_parts(field))
    least, most = (
        next(filter(_is_known, (getattr(part, bound, None) for part in parts)), None) for bound in ("ge", "le")
    )
    if isinstance(least, timedelta):
        return f"must be at least {least // timedelta(hours=1)}h"
    number = "must be a whole number" if int in parts else "must be a number"
    if least is None or most is None:
        return number if least is None else f"{number}, {least} or more"
    return f"{number} from {least} to {most}"


def _is_known(bound: object) -> bool:
    return bound is not None
