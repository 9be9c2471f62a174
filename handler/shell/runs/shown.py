"""What a person was shown before the answer: nothing else may be changed."""

from collections.abc import Set as AbstractSet

from handler.clock import Deadline
from handler.errors import Unexpected
from handler.model.outcome import Outcome
from handler.report.report import Report
from handler.work.run import Watch


def would_change(report: Report) -> frozenset[str]:
    """The images that a rehearsal says would be deleted or marked."""
    return frozenset(outcome.image_id for outcome in report.outcomes if outcome.outcome == "would_delete")


class OnlyShown:
    """Looks on for another, and keeps every image as it is that was not shown."""

    def __init__(self, watch: Watch, shown: AbstractSet[str]) -> None:
        self._watch = watch
        self._shown = shown

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

    def before_change(self, image_id: str) -> None:
        """See Watch; raises Unexpected for an image that was not shown."""
        if image_id not in self._shown:
            message = "you were not shown that it would go, since something has changed meanwhile: look at it again"
            raise Unexpected(message)
        self._watch.before_change(image_id)

    def settled(self, outcome: Outcome) -> None:
        """See Watch."""
        self._watch.settled(outcome)
