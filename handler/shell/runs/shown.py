"""What a person was shown before the answer: nothing else may be changed."""

from typing import NamedTuple, Self

from handler.errors import OverLimit, Unexpected
from handler.report.report import Report
from handler.shell.runs.through import Through
from handler.work.run import Watch


class Permitted(NamedTuple):
    """The images that a person was shown: those that would be deleted, and those that would only be marked."""

    deletions: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    over: frozenset[str] = frozenset()
    """Those of which a person was shown that they are over a limit, and stay for that."""

    @classmethod
    def by(cls, report: Report) -> Self:
        """What a rehearsal permits."""
        goes = {one.image_id for one in report.outcomes if one.outcome == "would_delete" and not one.waits}
        waits = {one.image_id for one in report.outcomes if one.outcome in {"would_delete", "marked"}} - goes
        over = {one.image_id for one in report.outcomes if one.reason == OverLimit.reason} - goes - waits
        return cls(deletions=frozenset(goes), marks=frozenset(waits), over=frozenset(over))


class OnlyShown(Through[Watch]):
    """Looks on for another, and keeps every image as it is that was not shown."""

    def __init__(self, watch: Watch, permitted: Permitted) -> None:
        super().__init__(watch)
        self._permitted = permitted

    def before_change(self, image_id: str, *, deletes: bool = True) -> None:
        """See Watch; raises OverLimit or Unexpected for an image of which this was not shown."""
        if image_id in self._permitted.over:
            message = "over the limit of one run, as was shown: run it again for more, or raise REAPER_MAX_IMAGES"
            raise OverLimit(message)
        if image_id not in (self._permitted.deletions if deletes else self._permitted.marks):
            what = "deleted" if deletes else "marked"
            message = f"you were not shown that it would be {what}: something has changed meanwhile; look at it again"
            raise Unexpected(message)
        super().before_change(image_id, deletes=deletes)
