"""How the values of options are read. Whether they may be what they are, the schema of the request says."""

import argparse
import re
from collections.abc import Sequence
from datetime import date
from typing import Any

LAST_YEAR = 2999
"""The last year that a rehearsal may be in."""
_SIZE = re.compile(r"([0-9]{1,9})(\.[0-9]{1,9})? ?([KMGT])(i?)B?", re.IGNORECASE)
_POWERS = " KMGT"


class Once(argparse.Action):
    """Keeps the value of an option, which may be given once.

    argparse itself keeps the last: of two ages, that may be the one that deletes more.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 (as argparse calls it)
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 (the same)
    ) -> None:
        """Keep a value; raises ArgumentError if there is one already."""
        # The words that belong to no option are none.
        if self.option_strings and getattr(namespace, self.dest, None) is not None:
            raise argparse.ArgumentError(self, "given twice")
        setattr(namespace, self.dest, values)


def a_day(text: str) -> date:
    """A day, as an option holds it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        message = f"{text!a} is no day: write it like 2026-12-31"
        raise argparse.ArgumentTypeError(message) from None
    # Days are added to it, and Python has none after the year 9999.
    if day.year > LAST_YEAR:
        message = f"{text!a} is too late: the last year is {LAST_YEAR}"
        raise argparse.ArgumentTypeError(message)
    return day


def a_number(text: str) -> int | float:
    """A number, as an option holds it; it may have a fraction."""
    try:
        return int(text) if text.strip("+-").isdecimal() else float(text)
    except ValueError:
        message = f"must be a number, not {text[:40]!a}"
        raise argparse.ArgumentTypeError(message) from None


def a_size(text: str) -> int | float:
    """A number of bytes, as an option holds it."""
    try:
        return a_number(text)
    except argparse.ArgumentTypeError:
        size = _bytes(text)
        message = f"must be a number of bytes, such as {size or 3_000_000_000}, not {text[:40]!a}"
        raise argparse.ArgumentTypeError(message) from None


def _bytes(text: str) -> int:
    """The bytes of a size such as 3GB or 1.5 GiB; 0 if it is none."""
    if not (match := _SIZE.fullmatch(text)):
        return 0
    unit = 1024 if match[4] else 1000
    power = _POWERS.index(match[3].upper())
    return round(float(match[1] + (match[2] or "")) * float(unit**power))
