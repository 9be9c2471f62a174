"""A report that goes with an event that is handed over, where it must be short."""

from collections.abc import Mapping
from typing import Any


def without_images(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The report without the parts that grow with the number of images; the log holds them as well."""
    kept = {key: value for key, value in answer.items() if key not in {"plan", "plans"}}
    in_log = {
        "outcomes_in_log": len(answer["outcomes"]) + answer.get("outcomes_in_log", 0),
        "plans_in_log": len(answer.get("plans", ())) + ("plan" in answer) + answer.get("plans_in_log", 0),
    }
    return kept | {"outcomes": []} | {name: count for name, count in in_log.items() if count}
