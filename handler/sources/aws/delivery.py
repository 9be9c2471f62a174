"""What SQS says of a message besides its body. Any of it may be missing or wrong, and the message is still read."""

import re
from collections.abc import Mapping
from typing import Any

from handler.model.message import Receipt

_QUEUE = re.compile(r"arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]+:[A-Za-z0-9_.-]+")
_COUNT = re.compile("[1-9][0-9]{0,8}")
_MILLISECONDS = re.compile("[1-9][0-9]{12}")
"""A moment in milliseconds since 1970, as they are written until the year 2286."""


def text_in(value: object) -> str:
    """A text; an empty one for anything else, which may be nested too deeply to be written down."""
    return value if isinstance(value, str) else ""


def is_fifo(record: Mapping[str, Any]) -> bool:
    """Whether a record comes from a FIFO queue."""
    # By the name of the queue, not by the group: in a standard queue, a group makes delivery fair but sets no order.
    return text_in(record.get("eventSourceARN")).endswith(".fifo")


def group_of(record: Mapping[str, Any]) -> str:
    """The message group of a record; empty if it has none."""
    return _attribute(record, "MessageGroupId")


def receipt_of(record: Mapping[str, Any]) -> Receipt | None:
    """The receipt of a record; None if anything of it is missing or wrong."""
    queue, handle = text_in(record.get("eventSourceARN")), text_in(record.get("receiptHandle"))
    receives = _attribute(record, "ApproximateReceiveCount")
    is_known = handle and _QUEUE.fullmatch(queue) and _COUNT.fullmatch(receives)
    return Receipt(queue=queue, handle=handle, receives=int(receives)) if is_known else None


def sent_at(record: Mapping[str, Any]) -> float | None:
    """When the message of a record was sent, in seconds since 1970; None if that is missing or wrong."""
    moment = _attribute(record, "SentTimestamp")
    return int(moment) / 1000 if _MILLISECONDS.fullmatch(moment) else None


def _attribute(record: Mapping[str, Any], name: str) -> str:
    attributes = record.get("attributes")
    return text_in(attributes.get(name)) if isinstance(attributes, dict) else ""
