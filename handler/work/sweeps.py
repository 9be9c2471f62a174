"""A sweep: survey the images of the project, hold what is due against the caps, and have it done."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from handler.engine.aws import fanout
from handler.errors import CloudError, NotHandedOver, OverLimit
from handler.model.image import Image
from handler.model.outcome import Decision, Outcome, Result, Survey
from handler.model.request import Job, SweepRequest, Target
from handler.rules import marks, selection
from handler.work.deletion import Run, failed, heed
from handler.work.parallel import carry_out, in_time

MOST_TOLD = 1000
"""Images over the cap that get an outcome of their own; of more, only their number is told."""

PATIENCE = timedelta(days=3)
"""How long after its last day a marked image is left to workers."""

HandOver = Callable[[Sequence[Mapping[str, Any]]], list[str]]
"""Takes requests to the queue; gives for each why it did not arrive, or an empty text."""


class Sweeper(NamedTuple):
    """How sweeps are done: `hand_over` leaves deletions to others, `witness` is told what becomes of every image."""

    hand_over: HandOver | None = None
    witness: Callable[[Decision], None] = lambda _decision: None


def sweep(request: SweepRequest, message_id: str, run: Run, sweeper: Sweeper) -> Result:
    """Carry out a sweep: one outcome for each image that is selected, or has lost its mark."""
    try:
        survey = in_time(lambda: survey_of(run.cloud.images(), request, run, sweeper.witness), run)
    except CloudError as error:
        heed(error, run)
        return _told(Survey(), [failed("", error)], request, message_id, run)
    jobs = _jobs(survey.lapsed, request, message_id, lapsed=True)  # to save an image is no matter of caps
    if over := over_limit(survey, request, run):
        outcomes = [failed(image.id, over, image) for image in survey.selected[:MOST_TOLD]]
    else:
        handed, kept = _shared_out(survey, request, run, sweeper)
        outcomes = _handed_over(handed, request, run, sweeper)
        jobs += _jobs(kept, request, message_id)
    result = _told(survey, outcomes, request, message_id, run)
    return result._replace(outcomes=(*result.outcomes, *carry_out(jobs, run)))


def survey_of(images: Iterable[Image], request: SweepRequest, run: Run, witness: Callable[[Decision], None]) -> Survey:
    """Look at every image once; raises CloudError if not all of them could be seen."""
    selected, lapsed, stay, looked_at = [], [], Counter[str](), 0
    for decision in selection.decide(images, request, run.now):
        looked_at += 1
        witness(decision)
        if decision.objection is None:
            selected.append(decision.image)
            continue
        stay[decision.objection.reason] += 1
        if marks.has_lapsed(decision.image, request, run.now):
            lapsed.append(decision.image)
    return Survey(looked_at, tuple(selected), tuple(lapsed), tuple(sorted(stay.items())))


def over_limit(survey: Survey, request: SweepRequest, run: Run) -> OverLimit | None:
    """Say which cap the sweep would break. An image that waits out its grace does not count: nothing happens to it."""
    acts = sum(marks.acts_on(image, request, run.now) for image in survey.selected)
    share = f"{acts} of {survey.looked_at} images are selected"
    if acts > request.limit:
        return OverLimit(f"{share}, and limit is {request.limit}: none is deleted or marked")
    if acts * 100 > request.limit_percent * survey.looked_at:
        return OverLimit(f"{share}, and limit_percent is {request.limit_percent:g}: none is deleted or marked")
    return None


def _shared_out(
    survey: Survey, request: SweepRequest, run: Run, sweeper: Sweeper
) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """What is left to others, and what is done here: marks always are, and all of a rehearsal.

    So is a marked image that should be gone for some days: a worker refuses it, and only a sweep can set it free. So is
    what was marked through IMS, which does not promise that a veto changes what a worker is told to expect.
    """
    untold = request.grace and run.cloud.changes.tag_replaces
    if sweeper.hand_over is None or not run.armed or request.dry_run or untold:
        return (), survey.selected
    today = run.now.date()
    due = {
        image.id: image
        for image in survey.selected
        if marks.is_due(image, request, run.now) and today - (marks.stays_until(image) or today) <= PATIENCE
    }
    return tuple(due.values()), tuple(image for image in survey.selected if image.id not in due)


def _handed_over(images: Sequence[Image], request: SweepRequest, run: Run, sweeper: Sweeper) -> list[Outcome]:
    """Leave images to whoever reads the queue, who makes every check; what did not get there has failed."""
    hand_over = sweeper.hand_over
    if hand_over is None or not images:
        return []
    order = {"project_id": run.cloud.project_id, "delete_backup": request.delete_backup, "reason": request.reason}
    orders = fanout.requests_of([image.expectation() for image in images], order)
    try:
        problems = in_time(lambda: hand_over(orders), run)
    except CloudError as error:
        return [failed(image.id, error, image) for image in images]
    told = {image["id"]: problem for sent, problem in zip(orders, problems, strict=True) for image in sent["images"]}
    return [_left(image, told[image.id]) for image in images]


def _left(image: Image, problem: str) -> Outcome:
    if problem:
        error = NotHandedOver(f"the queue did not take it: {problem}")
        return failed(image.id, error, image)
    detail = "left to a worker: sent to the queue"
    return Outcome(image.id, "would_delete", detail=detail, name=image.name, size=image.size)


def _jobs(images: Iterable[Image], request: SweepRequest, message_id: str, *, lapsed: bool = False) -> list[Job]:
    return [Job(Target(image.id, _group(image, request)), request, message_id, lapsed) for image in images]


def _group(image: Image, request: SweepRequest) -> tuple[tuple[str, str | None], ...]:
    """What must not have changed since the list was read, so that the image is still in the groups it was found in."""
    if request.keep is None:
        return ()
    return (("name", image.name),) if request.keep.group_by == "name" else (("updated_at", image.updated_at),)


def _told(survey: Survey, outcomes: Sequence[Outcome], request: SweepRequest, message_id: str, run: Run) -> Result:
    """A result of outcomes that were not told as they came about."""
    for outcome in outcomes:
        run.tell(outcome, Job(Target(outcome.image_id), request, message_id))
    return Result(message_id, request, tuple(outcomes), survey=survey)
