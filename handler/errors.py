"""Everything that may go wrong, as one tree.

ReaperError
├── InvalidSettings              the environment does not describe a run; nothing is started
├── UnknownEvent                 not one of the shapes that this function reads
├── InvalidRequest               an event whose request can't be read or may not be carried out; names the fields
├── ImagesFailed                 what an asynchronous caller gets when an image failed, so that it sends the event again
├── AnswerNotDelivered           CloudFormation or Auto Scaling could not be told how its request ended
├── AwsFault                     a call to AWS that was not answered, or was turned down
└── CloudError                   an image that could not be dealt with: outcome `failed`, with the class's `reason`
    ├── Denied                   the cloud does not let these credentials do it
    │   └── CredentialsRefused   ... or does not accept them at all
    ├── Throttled                too many requests
    ├── Unavailable              a fault of the cloud, or an answer that was lost
    │   ├── AnswerLost           no answer, so that the request may have been carried out
    │   │   └── Unanswered       ... in time
    │   ├── Outdated             a permit that is too old for its request, which was not sent
    │   └── Unreachable          no connection
    ├── DeadlineReached          not enough time left for what was still to be done
    ├── OverLimit                more images than one invocation, one event or one sweep may delete
    ├── EngineFault              the queue of the workers, or the bucket of the reports, did not do its part
    ├── BudgetSpent              more images than all invocations together may delete in this window of time
    │   └── BudgetUnknown        ... or the state table could not say whether one more may be made
    ├── BackupLeft               the cloud could not delete the backup of a full-ECS image
    ├── Paused                   the function is switched off, or an operator has stopped all deletions
    ├── Busy                     another run does the same at this moment
    └── Unexpected               anything that we do not understand
        ├── TurnedDown           the cloud says that what was asked is wrong, or of something that it does not know
        └── ListChanged          a list changed while it was read

An error is frozen: one that is changed on its way would mean something else to those who caught it before.
"""

from typing import Any, ClassVar, Self

from handler.model.masking import masked


class ReaperError(Exception):
    """The root of the tree: everything that image-reaper raises on purpose.

    Its message is masked: it may quote others, and ends in a log, in a report, or in somebody's mail.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(message))

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse every change but Python's own, which notes tracebacks and causes."""
        if not name.startswith("__"):
            message = f"{type(self).__name__}.{name} can't be changed: an error is frozen"
            raise AttributeError(message)
        super().__setattr__(name, value)


class InvalidSettings(ReaperError):
    """An environment variable has a value that is unknown, unusable or missing."""


class UnknownEvent(ReaperError):
    """The event has none of the shapes that this function reads."""


class InvalidRequest(ReaperError):
    """A request can't be read, or may not be carried out; the message names each field that is wrong."""


class ImagesFailed(ReaperError):
    """At least one image failed, and the caller has no other way to learn of it than an exception."""


class AnswerNotDelivered(ReaperError):
    """CloudFormation or Auto Scaling, which wait for an answer, did not take it."""


class AwsFault(ReaperError):
    """A call to AWS was not answered, or was turned down. The caller turns it into an error of its own.

    `code` is AWS's name for what is wrong, `answer` the JSON object that says so; both are empty if there was none.
    """

    code: str
    answer: dict[str, Any]

    def __init__(self, message: str, *, code: str = "", answer: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        vars(self).update(code=code, answer=answer or {})


class CloudError(ReaperError):
    """An image could not be dealt with.

    `reason` is that of the outcome. `may_retry`: asking again at once can help. `ends_run`: every other image of the
    run would meet the same end. `retry_after`: the seconds after which another try makes sense, if that is known.
    `is_paced`: the pace of the service holds back what is sent next, so that no other pause is needed.
    """

    reason: ClassVar[str]
    may_retry: ClassVar[bool] = False
    ends_run: bool = False
    retry_after: float | None
    is_paced: bool

    def __init__(
        self, message: str, *, retry_after: float | None = None, ends_run: bool | None = None, is_paced: bool = False
    ) -> None:
        super().__init__(message)
        ends_run = type(self).ends_run if ends_run is None else ends_run
        vars(self).update(retry_after=retry_after, ends_run=ends_run, is_paced=is_paced)

    def anew(self, *, ends_run: bool | None = None, retry_after: float | None = None) -> Self:
        """A new error that says the same, elsewhere; unless it is said here, the class says whether it ends the run."""
        seconds = self.retry_after if retry_after is None else retry_after
        return type(self)(str(self), retry_after=seconds, ends_run=ends_run, is_paced=self.is_paced)


class Denied(CloudError):
    """The cloud does not let these credentials do it."""

    reason = "denied"


class CredentialsRefused(Denied):
    """The cloud does not accept the credentials, nor a new token made from them."""

    ends_run = True


class Throttled(CloudError):
    """The cloud, or the gateway before it, asks for fewer requests."""

    reason = "throttled"
    may_retry = True


class Unavailable(CloudError):
    """The cloud failed, or its answer was lost on the way."""

    reason = "unavailable"
    may_retry = True


class Outdated(Unavailable):
    """What permits a request was too old, or had been used, when it could have been sent. Nothing was sent."""


class AnswerLost(Unavailable):
    """A request was sent, and no answer came back: it may have been carried out, or may yet be."""


class Unanswered(AnswerLost):
    """No answer in time: from a service that hangs, or that has much to do for this one image."""


class Unreachable(Unavailable):
    """No connection to the endpoint."""

    ends_run = True


class DeadlineReached(CloudError):
    """There was not enough time left for what was still to be done."""

    reason = "deadline"
    ends_run = True


class OverLimit(CloudError):
    """The invocation, or the event with its repetitions, may delete no more, or a sweep selects more than it may."""

    reason = "over_limit"


class EngineFault(CloudError):
    """The queue did not take what was to be left to its workers, or the bucket of the reports failed."""

    reason = "unavailable"


class BudgetSpent(CloudError):
    """All invocations together have made as many deletions as they may in this window of time."""

    reason = "budget"


class BudgetUnknown(BudgetSpent):
    """The state table could not say whether one more deletion may be made, and then none is."""


class BackupLeft(CloudError):
    """The backup of a full-ECS image could not be deleted with it."""

    reason = "backup_left"


class Paused(CloudError):
    """The function is paused, or an operator has stopped all deletions."""

    reason = "paused"
    ends_run = True


class Busy(CloudError):
    """Another run does the same at this moment: it sweeps the project, or carries out the plan."""

    reason = "busy"


class Unexpected(CloudError):
    """Something that we do not understand; nothing is deleted on the strength of it."""

    reason = "unexpected"


class TurnedDown(Unexpected):
    """The cloud says that a request is wrong, or names something that it does not know: HTTP 400 or 404."""


class ListChanged(Unexpected):
    """A list changed while it was read: it has to be read anew, from its beginning."""
