"""How far a run has come, shown on a terminal while it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

from handler.clock import Deadline
from handler.model.outcome import Outcome
from handler.work.run import Watch


class Silent:
    """Shows nothing."""

    def begins(self, deadline: Deadline) -> None:
        """See Watch."""

    def lists(self) -> None:
        """See Watch."""

    def listed(self) -> None:
        """See Watch."""

    def takes_on(self, images: int) -> None:
        """See Watch."""

    def before_change(self, image_id: str) -> None:
        """See Watch."""

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""


@contextmanager
def progress() -> Iterator[Watch]:
    """Whoever shows how far a run has come, if there is a terminal to show it on."""
    yield Silent()
