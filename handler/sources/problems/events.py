"""What an event that has none of the shapes looks like, and what its sender may have meant."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from handler.sources.parsing import shown
from handler.sources.policies import Sweep
from handler.sources.problems.near import near
from handler.sources.schema import REQUEST_FIELDS

_MOST_KEYS = 10
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
    (type(None), "null"),
)
"""What JSON calls the values of Python. The first that fits counts: to Python, true is a number."""


def kind(value: object) -> str:
    """What JSON calls a value."""
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")


def likeness(event: Mapping[str, Any]) -> str:
    """What an event of no known shape looks like, with the cure; empty if it looks like nothing that we know."""
    if not event or ("ok" in event and "outcomes" in event):
        return _report(event) if event else "it is empty"
    if isinstance(event.get("plans"), list):
        return "it looks like a plan file: image-reaper --apply FILE; elsewhere, each of its plans is a request"
    if inner := [key for key in Sweep.model_fields if key in event]:
        return f'{inner[0]} belongs in a sweep: {{"sweep": {{"select": {{"name": "ci-*"}}}}}}'
    meant = ((key, near(key, REQUEST_FIELDS)) for key in islice(event, _MOST_KEYS))
    return next((f"{shown(key)}: did you mean {one}?" for key, one in meant if one), "")


def _report(event: Mapping[str, Any]) -> str:
    if "plan" in event or "plans" in event:
        return (
            "it looks like a report: image-reaper --apply FILE takes its plan, which is the request to send elsewhere"
        )
    return "it looks like a report, which asks for nothing"
