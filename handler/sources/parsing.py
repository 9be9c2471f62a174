"""Strict reading of JSON and of models: anything wrong becomes an InvalidRequest that names each field."""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.parser import ValidationError, parse
from pydantic import BaseModel, ConfigDict

from handler.errors import InvalidRequest
from handler.model.masking import beginning
from handler.model.message import Message, Rejected
from handler.model.request import Request

_MOST_PROBLEMS = 10
_LONGEST_NAME = 10_000
DEEPEST = 100
"""Levels of nested JSON that are read. A request has eight, in whatever it is wrapped."""
LARGEST = 150_000
"""Values that are read: a plan of 1000 images that have 128 tags each holds fewer."""

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """A model that refuses unknown fields, and a value of the wrong type even if it could be converted."""

    # A precondition whose name is mistyped would otherwise protect nothing.
    # Built when first used: a cold start handles one kind of request, and the other models take five milliseconds.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def message_of(read: Callable[[], Request]) -> Message:
    """Read a request into a message; instead of raising InvalidRequest, the message then holds a Rejected."""
    try:
        return Message(read())
    # Not raised: one bad message would fail its whole batch, and SQS would deliver the good ones again as well.
    except InvalidRequest as error:
        return Message(Rejected(str(error)))


def read_json(text: object, what: str, most: int | None = None) -> dict[str, Any]:
    """Read a JSON object strictly: a repeated key is an error, and so are NaN and the infinities.

    Raises InvalidRequest, whose message calls the text `what`. It may hold `most` values, if that is given, in place
    of those of a request.
    """
    if not isinstance(text, str):
        message = f"{what}: must be JSON in a string"
        raise InvalidRequest(message)
    try:
        payload = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        message = f"{what}: {_unreadable(exc)}"
        raise InvalidRequest(message) from exc
    if not isinstance(payload, dict):
        message = f"{what}: must be a JSON object"
        raise InvalidRequest(message)
    _check_extent(payload, f"{what}: ", most)
    return payload


def valid(model: type[M], payload: Mapping[str, Any]) -> M:
    """Parse with Powertools' parser; raises InvalidRequest, naming each field that is wrong."""
    _check_extent(payload)
    try:
        return parse(event=dict(payload), model=model)
    except ValidationError as exc:
        from handler.sources.problems.fields import problem_of  # noqa: PLC0415 (a good event needs none of it)

        errors = exc.errors(include_url=False)
        # What may be one of two kinds, and is neither, has two errors.
        problems = list(dict.fromkeys(problem_of(error, model) for error in errors[:_MOST_PROBLEMS]))
        more = [f"and {len(errors) - _MOST_PROBLEMS} more"] if len(errors) > _MOST_PROBLEMS else []
        raise InvalidRequest("; ".join(problems + more)) from None


def shown(name: str) -> str:
    """What may be shown of a name that stands in an event: its beginning, masked; nothing of one that is no name."""
    # To mask it whole, as must be done before it is cut, takes seconds where it is an event of its own.
    return beginning(ascii(name)[1:-1]) if len(name) <= _LONGEST_NAME else f"({len(name)} characters)"


def _check_extent(payload: Mapping[str, Any], where: str = "", most: int | None = None) -> None:
    """Raise InvalidRequest for what is nested too deeply, or holds too many values."""
    # Here, and not where Python's stack ends: that is elsewhere for each caller, and what one of them has read another
    # could not. And before the parser sees it, which makes an error of a thousand bytes for every value that is wrong.
    level, values, most = [payload], 0, LARGEST if most is None else most
    for _ in range(DEEPEST):
        level = [value for holder in level for value in _values_in(holder)]
        values += len(level)
        if not level or values > most:
            break
    if level:
        limit = f"has more than {most} values" if values > most else f"is nested deeper than {DEEPEST} levels"
        message = f"{where}larger than any request: it {limit}"
        raise InvalidRequest(message)


def _values_in(value: Any) -> Iterable[Any]:  # noqa: ANN401 (any JSON)
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _unreadable(error: ValueError | RecursionError) -> str:
    """What is wrong with a text that can't be read as JSON."""
    if isinstance(error, _Refused):
        return str(error)
    if not isinstance(error, json.JSONDecodeError):
        return "not JSON: " + ("a number has too many digits" if isinstance(error, ValueError) else "nested too deeply")
    from handler.sources.problems.text import why_not_json  # noqa: PLC0415 (a good event needs none of it)

    return why_not_json(error)


class _Refused(ValueError):
    """What JSON, or Python's reading of it, would permit, and we do not."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of two values: a second `image_ids` would silently replace the first.
    found = dict(pairs)
    if len(found) < len(pairs):
        # In the order of the names, so that each is looked at once.
        twice = next(name for name, other in pairwise(sorted(name for name, _ in pairs)) if name == other)
        message = f"a key is given twice in one object: {shown(twice)}"
        raise _Refused(message)
    return found


def _no_number(constant: str) -> float:
    message = f"{constant} is not JSON"
    raise _Refused(message)
