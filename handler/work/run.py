"""The run of one invocation: what it is given, and how far it has come."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock, Semaphore
from typing import NamedTuple, Protocol, Self

from handler.clock import Deadline
from handler.cloud.calls import Cloud
from handler.engine.ports import Bucket, ClaimPlan, Enqueue, HeedStop, Lease, Remember, Spend
from handler.errors import CloudError, OverLimit, Unanswered
from handler.model.image import Image
from handler.model.outcome import Decision, Outcome, Survey
from handler.model.request import Job, SweepRequest
from handler.rules.safety import Policy
from handler.work.uses.in_use import InUse

Observe = Callable[[Decision], None]
MOST_SILENCES = 3
"""After this many images in a row without an answer in time, the rest of the run is not tried any more."""


class Watch(Protocol):
    """Who watches a run while it goes on, as somebody at a terminal does.

    The threads of the run call it side by side. But for `before_change`, it must neither raise nor take long.
    """

    def begins(self, deadline: Deadline) -> None:
        """A run begins; halting its deadline ends it early."""

    def lists(self) -> None:
        """The list of images is read from its beginning."""

    def listed(self) -> None:
        """One more image of it was looked at."""

    def takes_on(self, images: int) -> None:
        """So many images are dealt with next."""

    def before_change(self, image_id: str, *, deletes: bool = True) -> None:
        """An image is about to be deleted, or left to a worker, or else marked; a CloudError keeps it as it is."""

    def settled(self, outcome: Outcome) -> None:
        """It is known what became of one more image."""


class _Tally:
    """How many images an invocation may delete, and how many its runs have deleted."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0
        self.lock = Lock()


class Progress:
    """How far a run has come. Safe for threads.

    `most_deletions` is how many images the invocation may delete, in all of its runs.
    """

    def __init__(self, most_deletions: int) -> None:
        self._tally = _Tally(most_deletions)
        self._silences = 0
        self._is_late = False
        self._lock = Lock()

    def of_another_run(self) -> "Progress":
        """The progress of another run of the same invocation, with a project and a cloud of its own."""
        other = Progress(self.most)
        other._tally = self._tally
        return other

    @property
    def most(self) -> int:
        """How many images one invocation may delete."""
        return self._tally.most

    @property
    def left(self) -> int:
        """How many images may still be deleted."""
        with self._tally.lock:
            return self._tally.most - self._tally.made

    @property
    def is_late(self) -> bool:
        """Whether work was still going on at the deadline."""
        return self._is_late

    def be_late(self) -> None:
        """Note that work is still going on at the deadline."""
        with self._lock:
            self._is_late = True

    def take_deletion(self) -> None:
        """Count a DELETE, or a rehearsed one, before it is made; raises OverLimit if the limit has been reached."""
        # Compared and counted under one lock: two threads must not both take the last one.
        with self._tally.lock:
            if self._tally.made >= self._tally.most:
                raise self.over_limit()
            self._tally.made += 1

    def over_limit(self) -> OverLimit:
        """The error of an image that is over the limit: another invocation may try it at once."""
        most = f"REAPER_MAX_IMAGES is {self.most}"
        return OverLimit(f"{most}: no more than that in one invocation; raise it for more", retry_after=0.0)

    def note(self, error: CloudError | None) -> bool:
        """Note how an image or a list ended; returns whether the service has been silent too often to go on."""
        # In a row: one image that takes long must not end the run, but a service that hangs must not cost a time-out
        # for every image.
        with self._lock:
            self._silences = self._silences + 1 if isinstance(error, Unanswered) else 0
            return self._silences >= MOST_SILENCES


class Run(NamedTuple):
    """What the work on the images of one invocation is given: the cloud, the rules, and where to report.

    `now` is the moment from which days and ages are counted. Unless `armed`, everything is a rehearsal. `in_use` knows
    which images are used; if it is None, nobody asks. `concurrency` is the number of images dealt with at once, and
    `slots` keeps that of all runs of an invocation within its limit; None if there is one run.

    `heed_stop` looks whether an operator has stopped all deletions; nobody asks where everything is a rehearsal.
    `spend` takes the deletion of an image out of the event's allowance and the budget, or raises CloudError. `journal`
    returns once the record of an image that is about to be deleted has been written down, or raises CloudError.
    `report` gets each outcome as soon as it is known. `report_untouched` gets the images that were not even looked at,
    since the run ended before or their message got no turn, with the reason. `report_bug` gets each error that is a bug
    in image-reaper. `observe` gets the decisions of a sweep, without the records of the images; of images that just
    stay, it gets the MOST_LISTED largest. It is None if nobody wants to know. `enqueue` leaves the deletions of a sweep
    to the workers of a queue; without it, they are made here. A run that `is_worker` has one of many projects from such
    a queue. `plan_life` is for how long they may be made, and for how long the plan of a rehearsal may be carried out.

    `bucket` keeps the reports and plans, `lease` is what an armed sweep must have, `claim_plan` takes an approved plan,
    and `remember` notes which images are in use; each is None if nothing here can do that. `report_unremembered` gets
    the error that kept a sweep from noting it, unless the sweep ends with it. `begin` notes what an armed sweep may
    change, before it changes anything, or raises CloudError; None where nothing is kept of a run. `watch` is who looks
    on, if anybody does.
    """

    cloud: Cloud
    deadline: Deadline
    progress: Progress
    policy: Policy
    now: datetime
    armed: bool
    in_use: InUse | None
    concurrency: int
    journal: Callable[[Image, Job], object]
    report: Callable[[Outcome, Job], None]
    report_untouched: Callable[[Sequence[Job], CloudError], None]
    report_bug: Callable[[BaseException], None]
    heed_stop: HeedStop
    spend: Spend
    observe: Observe | None
    enqueue: Enqueue | None
    plan_life: timedelta
    is_worker: bool = False
    slots: Semaphore | None = None
    bucket: Bucket | None = None
    lease: Lease | None = None
    claim_plan: ClaimPlan | None = None
    remember: Remember | None = None
    begin: Callable[[SweepRequest, Survey], None] | None = None
    report_unremembered: Callable[[CloudError], None] = lambda _error: None
    watch: Watch | None = None

    @property
    def moment(self) -> datetime:
        """The present moment, for what ends at one: a run may outlast it."""
        return self.now + timedelta(seconds=self.deadline.elapsed())

    def while_held(self, hold: Callable[[], float]) -> Self:
        """The same run, which deletes nothing after the moment that `hold` returns, or once it raises CloudError."""
        heed_stop = self.heed_stop
        return self._replace(heed_stop=lambda: min(heed_stop(), hold()))

    def check_change(self, image_id: str, *, deletes: bool = True) -> None:
        """Raise CloudError if the run has ended, or if whoever watches it keeps an image as it is."""
        self.deadline.check()
        if self.watch:
            self.watch.before_change(image_id, deletes=deletes)

    def rehearses(self, job: Job) -> bool:
        """Whether nothing may be changed for a job."""
        return job.request.dry_run or not self.armed

    def note(self, error: CloudError | None) -> None:
        """Note how an image or a list ended, and end the run if everything else would meet the same error."""
        is_silent = self.progress.note(error)
        if error is not None and (error.ends_run or is_silent):
            self.deadline.halt(error)
