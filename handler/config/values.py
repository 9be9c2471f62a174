"""How the values of settings are read from strings, and what is said of one that is wrong."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

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


_RENAMED = {"REAPER_BUDGET_TABLE": "is REAPER_STATE_TABLE now"}
_NO_BLANK = "must not be blank, nor begin or end with a blank"
_FORMS = {
    "REAPER_REPORT_BUCKET": "must be the name of a bucket, such as image-reaper-reports, and no address of one",
    "REAPER_OWNER_KEY": _NO_BLANK,
    "REAPER_KEEP_TAG": _NO_BLANK,
    "REAPER_ALLOW_NAMES": "must hold at least one glob, such as ci-*",
    "REAPER_STATE_TABLE": "must be the name or the ARN of a table of DynamoDB",
}
"""What must be, in words: a regular expression explains nothing to an operator."""


def wrong_variable(error: Mapping[str, Any]) -> str:
    """One line about one variable, of what pydantic says about it; it shows no value."""
    where = ".".join(str(part) for part in error["loc"] if part != "proof")
    if error["type"] == "extra_forbidden":
        return f"{where}: {_RENAMED.get(where, 'unknown setting')}"
    what = "is missing" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        what = _FORMS.get(where, what)
    return f"{where}: {what}" if where else what
