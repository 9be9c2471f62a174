"""Reads the file that a cloud is filled from, and says what is wrong with it."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.fakecloud.cloud import FakeCloud

DEMO_SEED = Path(__file__).with_name("seed_demo.json")
LISTS: dict[str, Callable[..., str]] = {
    "images": FakeCloud.add_image,
    "servers": FakeCloud.add_server,
    "volumes": FakeCloud.add_volume,
    "scaling_configurations": FakeCloud.add_scaling_configuration,
}
"""The lists of a seed, and what takes the fields of their entries."""
KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("size", "count"), (int, "a whole number")),
    **dict.fromkeys(("protected", "os_hidden", "taken_up"), (bool, "true or false")),
    **dict.fromkeys(("tags", "data_images"), (list, "a list of texts")),
    **dict.fromkeys(("members", "metadata"), (dict, "an object")),
}
"""What the fields hold that hold no text."""


class BadSeed(Exception):
    """The file can't be read, or is no seed."""


def read_seed(name: str) -> dict[str, Any]:
    """The seed in a file, or the one of the demo; raises BadSeed."""
    path = DEMO_SEED if name == "demo" else Path(name)
    try:
        seed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise _bad(name, f"{exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise _bad(name, "not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise _bad(name, f"not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}") from exc
    if not isinstance(seed, dict):
        raise _bad(name, f"must be an object with the lists {', '.join(LISTS)}")
    for problem in _problems(seed):
        raise _bad(name, problem)
    return seed


def _bad(name: str, problem: str) -> BadSeed:
    return BadSeed(f"{name}: {problem}")


def _problems(seed: Mapping[str, object]) -> Iterator[str]:
    for name, entries in seed.items():
        if name not in LISTS:
            yield f"{name}: no such list: there are {', '.join(LISTS)}"
        elif not isinstance(entries, list):
            yield f"{name}: must be a list"
        else:
            for number, entry in enumerate(entries):
                yield from (f"{name}[{number}]{problem}" for problem in _problems_of_entry(name, entry))


def _problems_of_entry(name: str, entry: object) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield ": must be an object"
        return
    is_image = name == "images"
    fields = {*inspect.signature(LISTS[name]).parameters, *(("count",) if is_image else ())} - {"self", "properties"}
    for field, value in entry.items():
        kind, described = KINDS.get(field, (str, "a text"))
        # An image may have any property.
        if field not in fields and not is_image:
            yield f".{field}: no such field: there are {', '.join(sorted(fields))}"
        if field in fields and value is not None and type(value) is not kind:
            yield f".{field}: must be {described}"
