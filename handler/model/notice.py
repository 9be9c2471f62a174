"""A notice for people: what a run has to say to those who do not read its log."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["plan", "marked", "deleted", "held", "failed"]
"""What a notice is about: what would go, what was marked, what was deleted, a cap that held, a run that failed."""


class Notice(NamedTuple):
    """A message to a topic. Subscribers may filter by its attributes; one with several values is a tuple."""

    subject: str
    text: str
    attributes: Mapping[str, str | tuple[str, ...]]
