"""What becomes of an image, of a sweep and of a message."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from handler.model.image import Image
from handler.model.request import Request

OutcomeName = Literal["deleted", "already_gone", "marked", "would_delete", "refused", "failed"]


class Objection(NamedTuple):
    """Why an image is not deleted: a reason, and a sentence for a person."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image of one request. `latency` is that of the DELETE, in milliseconds.

    `retry_after` is the seconds after which another try makes sense, if that is known. An image that `waits` would be
    deleted by a later run: it is, or would be, marked first. `image` is the image as it was read, without its record.
    """

    image_id: str
    outcome: OutcomeName
    reason: str = ""
    detail: str = ""
    name: str | None = None
    size: int | None = None
    latency: float | None = None
    backup_left: bool = False
    waits: bool = False
    retry_after: float | None = None
    image: Image | None = field(default=None, repr=False)

    @property
    def failed(self) -> bool:
        """Whether the request must be looked at again."""
        return self.outcome == "failed"


class Decision(NamedTuple):
    """The decision of a policy on one image: `objection` says why it stays, None if it is selected.

    If the policy keeps the newest of each group, `groups` are those of the image, and one that meets all conditions has
    no record any more.
    """

    image: Image
    objection: Objection | None
    groups: tuple[str, ...] = ()


class Survey(NamedTuple):
    """What a sweep found: how many images there are, which are selected, and how many stay for each reason.

    `deselected` are images that are not selected, but bear a mark that this sweep takes off; `unreadable` are those of
    which nobody can say. Of the selected images, `changing` counts those that would be changed, which the caps are for,
    and `for_workers` may be left to workers. Where `changing` breaks a cap, some of them are `only_counted`.
    """

    looked_at: int = 0
    selected: tuple[Image, ...] = ()
    deselected: tuple[Image, ...] = ()
    unreadable: tuple[Decision, ...] = ()
    stay: tuple[tuple[str, int], ...] = ()
    changing: int = 0
    for_workers: tuple[Image, ...] = ()
    only_counted: int = 0

    @property
    def selected_in_all(self) -> int:
        """How many images are selected."""
        return len(self.selected) + self.only_counted


class Result(NamedTuple):
    """What became of one message: the outcomes of its request, or the problem that kept it from being carried out.

    A message is `held` back untouched after another of its group failed. A sweep of many projects was `sent` to so many
    of them. `project_id` is empty if none is known.
    """

    message_id: str
    request: Request | None
    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""
    held: bool = False
    survey: Survey | None = None
    sent: int | None = None
    project_id: str = ""

    @property
    def failed(self) -> bool:
        """Whether the message must come again."""
        return self.held or bool(self.problem) or any(outcome.failed for outcome in self.outcomes)
