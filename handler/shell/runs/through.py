"""Looking on for another: whatever it is told of a run, it passes on."""

from typing import Generic, TypeVar

from handler.clock import Deadline
from handler.model.outcome import Outcome
from handler.work.run import Watch

W = TypeVar("W", bound=Watch)


class Through(Generic[W]):
    """Passes on all that a Watch is told; a class that is made of it does something with a part of that."""

    def __init__(self, watch: W) -> None:
        self._watch = watch

    def begins(self, deadline: Deadline) -> None:
        """See Watch."""
        self._watch.begins(deadline)

    def lists(self) -> None:
        """See Watch."""
        self._watch.lists()

    def listed(self) -> None:
        """See Watch."""
        self._watch.listed()

    def takes_on(self, images: int) -> None:
        """See Watch."""
        self._watch.takes_on(images)

    def before_change(self, image_id: str, *, deletes: bool = True) -> None:
        """See Watch."""
        self._watch.before_change(image_id, deletes=deletes)

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""
        self._watch.settled(outcome)
