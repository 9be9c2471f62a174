"""What becomes of an image, of a sweep and of a message."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from handler.model.image import Image
from handler.model.request import Request

OutcomeName = Literal["deleted", "already_gone", "marked", "would_delete", "refused", "failed"]

MOST_LISTED = 2000
"""How many of the images that stay anybody is told of one by one, the largest first; the others are only counted."""


class Objection(NamedTuple):
    """Why an image is not deleted: a reason, and a sentence for a person."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image of one request. `latency` is that of the DELETE, in milliseconds.

    `retry_after` is the seconds after which another try makes sense, if that is known. An image that `waits` would be
    deleted by a later run: it is, or would be, marked first. `promised` is the last day on which it stays, if this run
    is the one that promises so. `image` is the image as it was read, without its record.
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
    promised: date | None = None
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


class Sized(Protocol):
    """Something that has so many bytes, None if unknown."""

    @property
    def size(self) -> int | None:
        """The bytes."""


class Total(NamedTuple):
    """How many images there are, how many bytes those of known size have, and how many are of unknown size."""

    images: int = 0
    size: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, things: Iterable[Sized]) -> "Total":
        """The sum of images, or of what stands for them."""
        sizes = [thing.size for thing in things]
        return cls(len(sizes), sum(size or 0 for size in sizes), sizes.count(None))

    def plus(self, other: "Total") -> "Total":
        """The sum of both."""
        images, size, unknown = (ours + theirs for ours, theirs in zip(self, other, strict=True))
        return Total(images=images, size=size, unknown=unknown)


class Rest(NamedTuple):
    """The images of a survey that nobody is told of one by one, so that they are only counted.

    `selected` are those over a cap, `stay` are the others, by the reason. `groups` counts each group of these, or each
    family if the policy keeps none; None if there are too many to be counted.
    """

    selected: Total = Total()
    stay: Mapping[str, Total] = MappingProxyType({})
    groups: Mapping[str, Total] | None = MappingProxyType({})


class Survey(NamedTuple):
    """What a sweep found: how many images there are, which are selected, and how many stay for each reason.

    `deselected` are images that are not selected, but bear a mark that this sweep takes off; `unreadable` are those of
    which nobody can say. Of the selected images, `changing` counts those that would be changed, which the caps are for,
    and `for_workers` may be left to workers. Where `changing` breaks a cap, some of them are `only_counted`. `rest` are
    those that no observer heard of.
    """

    looked_at: int = 0
    selected: tuple[Image, ...] = ()
    deselected: tuple[Image, ...] = ()
    unreadable: tuple[Decision, ...] = ()
    stay: tuple[tuple[str, int], ...] = ()
    changing: int = 0
    for_workers: tuple[Image, ...] = ()
    only_counted: int = 0
    rest: Rest = Rest()

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
