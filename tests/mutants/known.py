"""The mutants that are the same program, each with the reason."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("same_program.toml")


class Same(NamedTuple):
    """An entry of the list: the name of a mutant, and why nobody could tell it from the original."""

    name: str
    reason: str


def read_list(text: str) -> list[Same]:
    """Read the list; raises ValueError for an entry that gives no reason, or that stands there twice."""
    entries = [
        Same(f"{entry['place']}\n{entry['differs'].strip()}", " ".join(entry["reason"].split()))
        for entry in tomllib.loads(text).get("same", [])
    ]
    names = [entry.name for entry in entries]
    if bad := [e.name for e in entries if not e.reason] + [name for name in names if names.count(name) > 1]:
        message = f"without a reason, or twice: {bad[0]}"
        raise ValueError(message)
    return entries


def gone(entries: Iterable[Same], exist: Iterable[str]) -> list[str]:
    """The entries whose mutants exist no more."""
    names = frozenset(exist)
    return [entry.name for entry in entries if entry.name not in names]
