"""Items of the state table: how one is changed under a condition, and how its attributes are read."""

import re
from collections.abc import Mapping
from typing import Any

Attributes = Mapping[str, Any]
"""The attributes of an item, each as DynamoDB writes it, such as `{"N": "5"}`."""


def update(table: str, key: str, change: str, condition: str, values: Attributes) -> dict[str, Any]:
    """The body of a request that changes an item, if the condition holds; its answer has the item in either case.

    Names of attributes begin with `#` in both expressions, and `values` holds at least what follows each `:`. Source:
    Amazon DynamoDB API reference, UpdateItem.
    """
    # DynamoDB turns down a name or a value that is not used.
    used = sorted(set(re.findall(r"[#:]\w+", f"{change} {condition}")))
    return {
        "TableName": table,
        "Key": {"id": {"S": key}},
        "UpdateExpression": change,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {name: name[1:] for name in used if name.startswith("#")},
        "ExpressionAttributeValues": {name: values[name] for name in used if name.startswith(":")},
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def text(item: Attributes, name: str) -> str:
    """A text in an item, empty if there is none."""
    value = mapping(item.get(name)).get("S")
    return value if isinstance(value, str) else ""


def number(item: Attributes, name: str) -> int:
    """A whole number in an item, 0 if there is none."""
    try:
        return int(mapping(item.get(name)).get("N", 0))
    except (TypeError, ValueError):
        return 0


def mapping(value: object) -> Attributes:
    """What was read as a JSON object, empty if it is something else."""
    return value if isinstance(value, Mapping) else {}
