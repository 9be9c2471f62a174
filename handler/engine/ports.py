"""The ports of an engine: what a run asks of it, whichever it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from handler.model.message import Receipt


class Allowance(Protocol):
    """What one event may delete, its repetitions included. Its methods may raise CloudError."""

    def take(self, image_id: str) -> None:
        """Take the deletion of an image out of the allowance."""

    def settle(self) -> str:
        """Give back what was not used; returns why this failed, or an empty string."""


Spend = Callable[[str], None]
"""Takes the deletion of an image out of the event's allowance and the budget, or raises CloudError."""

HeedStop = Callable[[], float]
"""Looks whether an operator has stopped all deletions; returns the moment until which they may go on.

Raises Paused if they are stopped, and another CloudError if that can't be found out. Either ends the run.
"""

HandOver = Callable[[object, Mapping[str, Any]], str]
"""Sends an event that no repetition can cure, with the report on it, to where a person finds it.

Returns why it was not sent, or an empty string. Raises nothing.
"""
TOO_LARGE = "the event is larger than a message may be"
"""Why an event was not sent, where a smaller one might be."""

Enqueue = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], list[str]]
"""Sends images, as a request names them, with the fields that all their requests share, to a queue of workers.

Returns for each image why it was not sent, or an empty string. May raise CloudError.
"""

Postpone = Callable[[Sequence[tuple[Receipt, int]]], list[str]]
"""Keeps messages of a queue hidden, each for so many seconds from now on.

Returns for each message why that failed, or an empty string. May raise CloudError.
"""
