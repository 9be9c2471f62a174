"""What spoils an event: odd values in its places, and odd letters in its text."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.chaos.doors.odd import Written, odd
from tests.chaos.doors.world import IMAGES

Json = Any
_FIRST = next(iter(IMAGES))


class Spoil(NamedTuple):
    """A change to a value: where (of all its places, counted round), what is done there, and what with."""

    place: int
    change: str
    value: Json


CHANGES = ("drop", "put", "put", "add", "add", "add", "rename", "double", "wrap", "in text", "wrong case", "pad")
# The first places are the whole and what stands at its top: there, one change makes another request of it.
spoils = st.builds(Spoil, st.just(0) | st.integers(0, 3) | st.integers(0, 99), st.sampled_from(CHANGES), odd)


def places(value: Json) -> Iterator[tuple[Json, Any]]:
    """Every place inside a value, as its holder and its key; not deeper than events go."""
    waiting = [(value, 0)]
    while waiting:
        holder, depth = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            if depth < 12:
                waiting.append((holder[key], depth + 1))


def spoilt(value: Json, changes: list[Spoil]) -> Json:
    """The value with every change made to it, one after the other; raises RecursionError if it gets too deep."""
    root = {"": _made(value)}
    for spoil in changes:
        holder, key = _at(root, spoil.place)
        _CHANGES[spoil.change](holder, key, _made(spoil.value))
        if "" not in root:
            return _made(spoil.value)
    return root[""]


def _made(value: Json) -> Json:
    """A value of its own: what is changed later must not change what others are given."""
    return json.loads(value if isinstance(value, Written) else json.dumps(value))


def _at(root: Json, number: int) -> tuple[Json, Any]:
    found = list(places(root))
    return found[number % len(found)]


def _drop(holder: Json, key: Any, _value: Json) -> None:  # noqa: ANN401 (a name or a number)
    del holder[key]


def _put(holder: Json, key: Any, value: Json) -> None:  # noqa: ANN401
    holder[key] = value


def _add(holder: Json, key: Any, value: Json) -> None:  # noqa: ANN401
    inside = holder[key]
    if isinstance(inside, dict):
        inside[value if isinstance(value, str) else "added"] = value
    elif isinstance(inside, list):
        inside.append(value)
    else:
        holder[key] = value


def _rename(holder: Json, key: Any, value: Json) -> None:  # noqa: ANN401
    if isinstance(holder, dict) and isinstance(value, str):
        holder[value] = holder.pop(key)


def _double(holder: Json, key: Any, _value: Json) -> None:  # noqa: ANN401
    if isinstance(holder[key], list):
        holder[key] = holder[key] * 2
    else:
        holder[key] = [holder[key]] * 2


def _wrap(holder: Json, key: Any, value: Json) -> None:  # noqa: ANN401
    holder[key] = {value: holder[key]} if isinstance(value, str) else [holder[key]]


def _in_text(holder: Json, key: Any, _value: Json) -> None:  # noqa: ANN401
    holder[key] = json.dumps(holder[key])


def _wrong_case(holder: Json, key: Any, _value: Json) -> None:  # noqa: ANN401
    if isinstance(holder[key], str):
        holder[key] = holder[key].swapcase()
    elif isinstance(holder, dict):
        holder[key.swapcase()] = holder.pop(key)


def _pad(holder: Json, key: Any, value: Json) -> None:  # noqa: ANN401
    if isinstance(holder[key], str):
        blank = value if isinstance(value, str) and not value.strip() else " \t\n"
        holder[key] = f"{blank}{holder[key]}{blank}"


_CHANGES: dict[str, Callable[[Json, Any, Json], None]] = {
    "drop": _drop,
    "put": _put,
    "add": _add,
    "rename": _rename,
    "double": _double,
    "wrap": _wrap,
    "in text": _in_text,
    "wrong case": _wrong_case,
    "pad": _pad,
}


# In the text


def _twice(text: str) -> str:
    return text.replace("{", '{"image_ids": ["' + _FIRST + '"], "dry_run": false, "dry_run": true, ', 1)


def _spelled(text: str) -> str:
    """Every letter as its number: the same JSON."""
    return "".join(
        f"\\u{ord(letter):04x}" if letter.isalpha() and letter not in "truefalsn" else letter for letter in text
    )


IN_TEXT: dict[str, Callable[[str], str]] = {
    "a mark of its bytes": lambda text: f"\ufeff{text}",
    "blanks around": lambda text: f" \r\n\t{text}\n\n",
    "other blanks around": lambda text: f"\u00a0{text}\u2003",
    "a key twice": _twice,
    "no number": lambda text: text.replace("false", "NaN").replace("1024", "-Infinity"),
    "too large a number": lambda text: text.replace("1024", "1e400").replace("25", "1" + "0" * 5000),
    "something after it": lambda text: f"{text} {text}",
    "a zero after it": lambda text: f"{text}\x00",
    "cut": lambda text: text[: len(text) * 2 // 3],
    "in brackets": lambda text: f"[{text}]",
    "in quotes": json.dumps,
    "other quotes": lambda text: text.replace('"', "'"),
    "a comment": lambda text: text.replace("{", "{/* */", 1),
    "a comma too many": lambda text: text.replace("}", ",}"),
    "spelled in numbers": _spelled,
    "half a character": lambda text: text.replace('": "', '": "\ud800', 1),
}
"""What may be done to the text of a request, by what it is then."""
