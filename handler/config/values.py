"""How the values of settings are read from strings, and what is said of one that is wrong."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field
from pydantic.fields import FieldInfo

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
_PREFIXES = ("REAPER_", "OS_", "HUAWEICLOUD_SDK_")
_NEARLY = 0.85
"""How much of two names must be the same for one to be the other with a slip of the finger."""


def wrong_variables(
    errors: Iterable[Mapping[str, Any]],
    given: Collection[str],
    known: Collection[str],
    models: Sequence[type[BaseModel]],
) -> str:
    """One line about all variables that are wrong, of what pydantic says about the fields of `models`.

    `given` are the names of all variables, `known` those that a run may be given. Of values, it shows short ones, where
    there must be a number, an age or one of some words.
    """
    from handler.sources.problems.fields import field_at, fields_of  # noqa: PLC0415 (good settings need none of it)

    fields = {name: field for model in models for name, field in fields_of(model).items()}
    problems = "; ".join(
        dict.fromkeys(_wrong_variable(error, field_at(error["loc"], fields), known) for error in errors)
    )
    return problems + _misspelt(problems, given, known)


def unknown_setting(name: str, known: Iterable[str]) -> str:
    """What is said of a setting that nobody knows."""
    from handler.sources.problems.near import did_you_mean  # noqa: PLC0415 (good settings need none of it)

    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    return f"unknown setting{did_you_mean(name, known, prefix)}"


def _wrong_variable(error: Mapping[str, Any], field: FieldInfo | None, known: Iterable[str]) -> str:
    from handler.sources.problems.fields import must_be  # noqa: PLC0415 (the same)
    from handler.sources.problems.given import given_setting, meant  # noqa: PLC0415 (the same)

    # A number is the place in a list of words, which nobody counts.
    where = ".".join(part for part in error["loc"] if isinstance(part, str) and part != "proof")
    if error["type"] == "extra_forbidden":
        return f"{where}: {_RENAMED.get(where) or unknown_setting(where, known)}"
    is_form = error["type"] == "string_pattern_mismatch" and where in _FORMS
    found = given_setting(error.get("input"), str(error["type"])) if where.startswith("REAPER_") else ""
    what = _FORMS[where] if is_form else must_be(error, field) + (found and found + meant(error))
    return f"{where}: {what}" if where else what


def _misspelt(problems: str, given: Collection[str], known: Collection[str]) -> str:
    """What is to be added where a variable that is missing may be there under a name that is nearly its own."""
    from handler.sources.problems.near import near  # noqa: PLC0415 (the same)

    missing = {name.removeprefix("OS_") for name in re.findall(r"\bOS_[A-Z_]+", problems) if name not in given}
    odd = sorted(name for name in given if name.startswith("OS_") and name not in known)
    meant = ((name, near(name.removeprefix("OS_"), missing, _NEARLY)) for name in odd)
    return "".join(f"; {name} is set: did you mean OS_{found}?" for name, found in meant if found)
