"""How the values of settings are read from strings."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from handler.model.request import parse_age

LARGEST_BUDGET = 1_000_000
SHORTEST_WINDOW = timedelta(hours=1)
LONGEST_TRACE = 256
_TRACE = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;[A-Z][A-Za-z]*=[A-Za-z0-9:|.-]+)*")
Flag = Annotated[bool, BeforeValidator(lambda text: {"true": True, "false": False}.get(text, text)), Field(strict=True)]


def parse_budget(text: str) -> tuple[int, timedelta]:
    """Read a number of deletions and the window in which they may be made, such as `200/1d`; else raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,7})/(.+)", text)
    if match is None or int(match[1]) > LARGEST_BUDGET:
        message = f"must be a number from 0 to {LARGEST_BUDGET} and a window, such as 200/1d"
        raise ValueError(message)
    window = parse_age(match[2])
    if window < SHORTEST_WINDOW:
        message = "the window must be at least 1h"
        raise ValueError(message)
    return int(match[1]), window


def words(text: object) -> object:
    """The words of a string, which are separated by commas; anything else comes back as it is."""
    return frozenset(word.strip() for word in text.split(",")) if isinstance(text, str) else text


def trace_in(given: Mapping[str, str]) -> str:
    """X-Ray's header that the runtime has set for this invocation; empty if there is none, or if it is malformed.

    Source: AWS X-Ray developer guide, "Tracing header".
    """
    text = given.get("_X_AMZN_TRACE_ID", "")
    # With any other, SQS would refuse the message.
    return text if len(text) <= LONGEST_TRACE and _TRACE.fullmatch(text) else ""
