"""What is said of the value that was given in place of what must be: only where it can be no secret, and is short."""

import json
import re
from collections.abc import Mapping
from typing import Any

from handler.sources.problems.events import kind
from handler.sources.problems.near import did_you_mean

_PLAIN = re.compile(r"[A-Za-z0-9._:*+/-]{1,39}")
"""A value that is shown. A password would rarely look so, and no token or signature is as short."""
_SHORT = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._ -]{0,10}[A-Za-z0-9._-]|[A-Za-z0-9._-]")
"""A value that is shown of a setting, or of an age: credentials are longer."""
_CHOICES = ("literal", "enum")
_OF_NUMBERS = ("int", "float", "finite", "greater", "less", "bool")


def given(value: object, said: str) -> str:
    """What stands in a request or an event; empty where that is long, or may be a secret."""
    if isinstance(value, str):
        if not said.startswith(("bool", "int", "float", "literal", "string_pattern")):
            return "not a string"
        if said.startswith(("bool", "int", "float")) and re.fullmatch(r"true|false|-?\d{1,12}(\.\d{1,6})?", value):
            return "without quotation marks"
        return f"not '{value}'" if _PLAIN.fullmatch(value) else ""
    if isinstance(value, bool | float | None) or (isinstance(value, int) and abs(value) < 10**15):
        return f"not {json.dumps(value)}"
    return "" if isinstance(value, int) else f"not {kind(value)}"


def given_setting(value: object, said: str) -> str:
    """What a setting holds, if it must be a number or one of some words; else empty."""
    return f", not '{value}'" if said.startswith((*_OF_NUMBERS, *_CHOICES)) and _is_short(value) else ""


def given_age(value: object, must: str) -> str:
    """What was given in place of an age, by the words about what it must be; empty if these are about another value."""
    return f", not '{value}'" if must.endswith("such as 12h, 30d or 2w") and _is_short(value) else ""


def meant(error: Mapping[str, Any]) -> str:
    """Which one of some words may have been meant; empty if none looks like what was given."""
    value = error.get("input")
    if not str(error["type"]).startswith(_CHOICES) or not isinstance(value, str):
        return ""
    return did_you_mean(value, re.findall(r"'([^']+)'", str(error["ctx"]["expected"])))


def _is_short(value: object) -> bool:
    return isinstance(value, str) and _SHORT.fullmatch(value) is not None
