"""Several items of a table, read at once."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import PAUSE, Session, call
from handler.errors import AwsFault

BATCH_GET_ITEM = "DynamoDB_20120810.BatchGetItem"
MOST_KEYS = 100
ROUNDS = 5
"""How often what the table had no capacity for is asked for again."""

Item = Mapping[str, Any]
"""The attributes of an item, as DynamoDB writes them: each with its type."""


def read_items(table: str, access: AwsAccess, keys: Sequence[str], session: Session) -> dict[str, Item]:
    """Read items by their keys, at most MOST_KEYS, as they are now; one that is not there is left out.

    Raises AwsFault, also if not all of them could be read.
    """
    found: dict[str, Item] = {}
    wanted = list(keys)
    for number in range(ROUNDS):
        answer = call(
            "dynamodb", access.in_region_of(table), BATCH_GET_ITEM, _asked(table, wanted), "1.0", session=session
        )
        items, unread = _told(answer)
        found |= items
        wanted = [key for key in wanted if key in unread]
        if not wanted:
            return found
        pause = PAUSE * 2.0**number
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311  # nosec B311 # it keeps no secret
    message = f"dynamodb has read only {len(found)} of {len(keys)} items"
    raise AwsFault(message)


def number_in(item: Item | None, name: str) -> float | None:
    """The number that an attribute holds; None if there is none."""
    try:
        return float(item[name]["N"]) if item else None
    except (KeyError, TypeError, ValueError):
        return None


def _asked(table: str, keys: Sequence[str]) -> dict[str, Any]:
    """The body of the request. Source: Amazon DynamoDB API reference, BatchGetItem."""
    return {"RequestItems": {table: {"Keys": [{"id": {"S": key}} for key in keys], "ConsistentRead": True}}}


def _told(answer: Mapping[str, Any]) -> tuple[dict[str, Item], set[str]]:
    """The items in an answer by their keys, and the keys that were not processed."""
    try:
        # By the name of the table, or its ARN: there is only one.
        items = [item for table in answer["Responses"].values() for item in table]
        unread = [key for table in answer["UnprocessedKeys"].values() for key in table["Keys"]]
        return {item["id"]["S"]: item for item in items}, {key["id"]["S"] for key in unread}
    # A 200 is not enough: it may come from a proxy.
    except (AttributeError, KeyError, TypeError):
        message = "dynamodb answered without its items"
        raise AwsFault(message) from None
