"""A sweep: survey the images of the project, hold what is due against the caps, and have it done."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from handler.errors import CloudError, NotQueued, OverLimit
from handler.model.image import Image
from handler.model.outcome import Outcome, Result, Survey
from handler.model.request import Job, SweepRequest, Target
from handler.rules import selection
from handler.rules.mark_state import CHANGING, Mark, MarkState, state_of
from handler.work.deletion import failed
from handler.work.parallel import carry_out, in_time
from handler.work.run import Run

MOST_OVER_CAP = 1000
"""Images over the cap that get an outcome of their own; of more, only their number is reported."""

PATIENCE = timedelta(days=3)
"""How long after its last day a marked image is left to workers."""


class _Shares(NamedTuple):
    """Which of the selected images are left to workers, and which are dealt with here."""

    workers: Sequence[Image]
    here: Sequence[Image]


def sweep(request: SweepRequest, message_id: str, run: Run) -> Result:
    """Carry out a sweep: one outcome for each image that is selected, or is marked and no longer selected."""
    try:
        survey = in_time(lambda: survey_of(run.cloud.images(), request, run), run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        return _reported(Survey(), [failed("", error)], request, message_id, run)
    # Marks are taken off even where a cap holds: to save an image is no matter of caps.
    jobs = _jobs(survey.deselected, request, message_id, deselected=True)
    if over := over_limit(survey, request):
        outcomes = [failed(image.id, over, image) for image in survey.selected[:MOST_OVER_CAP]]
    else:
        shares = _shares(survey, request, run)
        outcomes = _queued(shares.workers, request, run)
        jobs += _jobs(shares.here, request, message_id)
    result = _reported(survey, outcomes, request, message_id, run)
    return result._replace(outcomes=(*result.outcomes, *carry_out(jobs, run)))


def survey_of(images: Iterable[Image], request: SweepRequest, run: Run) -> Survey:
    """Look at every image once; raises CloudError if not all of them could be seen."""
    selected, deselected, for_workers = list[Image](), list[Image](), list[Image]()
    stay, looked_at, changing = Counter[str](), 0, 0
    for decision in selection.decide(images, request, run.now):
        looked_at += 1
        run.observe(decision)
        if decision.objection:
            stay[decision.objection.reason] += 1
            if request.grace and state_of(decision.image, request, run.now).removable:
                deselected.append(decision.image)
            continue
        mark = state_of(decision.image, request, run.now)
        selected.append(decision.image)
        changing += mark.state in CHANGING
        if _is_for_workers(mark, run.now.date()):
            for_workers.append(decision.image)
    return Survey(
        looked_at=looked_at,
        selected=tuple(selected),
        deselected=tuple(deselected),
        stay=tuple(sorted(stay.items())),
        changing=changing,
        for_workers=tuple(for_workers),
    )


def over_limit(survey: Survey, request: SweepRequest) -> OverLimit | None:
    """Say which cap the sweep would break. An image that waits out its grace does not count: nothing happens to it."""
    share = f"{survey.changing} of {survey.looked_at} images are selected"
    if survey.changing > request.limit:
        return OverLimit(f"{share}, and limit is {request.limit}: none is deleted or marked")
    if survey.changing * 100 > request.limit_percent * survey.looked_at:
        return OverLimit(f"{share}, and limit_percent is {request.limit_percent:g}: none is deleted or marked")
    return None


def _is_for_workers(mark: Mark, today: date) -> bool:
    """Whether a worker may delete an image: marks are set here.

    One that should be gone for some days is dealt with here as well: a worker refuses it, and only a sweep can set it
    free.
    """
    return mark.state is MarkState.DUE and today - (mark.last_day or today) <= PATIENCE


def _shares(survey: Survey, request: SweepRequest, run: Run) -> _Shares:
    """Share the selected images out. All of a rehearsal is done here.

    So is what was marked through IMS, which does not promise that a veto changes what a worker is told to expect.
    """
    veto_is_silent = request.grace and run.cloud.changes.tag_replaces
    if run.enqueue is None or not run.armed or request.dry_run or veto_is_silent:
        return _Shares((), survey.selected)
    workers = {image.id for image in survey.for_workers}
    return _Shares(survey.for_workers, [image for image in survey.selected if image.id not in workers])


def _queued(images: Sequence[Image], request: SweepRequest, run: Run) -> list[Outcome]:
    """Leave images to whoever reads the queue, who makes every check; what did not get there has failed."""
    enqueue = run.enqueue
    if enqueue is None or not images:
        return []
    shared = {"project_id": run.cloud.project_id, "delete_backup": request.delete_backup, "reason": request.reason}
    expectations = [image.expectation() for image in images]
    try:
        problems = in_time(lambda: enqueue(expectations, shared), run.deadline, run.progress)
    except CloudError as error:
        return [failed(image.id, error, image) for image in images]
    return [_left_to_worker(image, problem) for image, problem in zip(images, problems, strict=True)]


def _left_to_worker(image: Image, problem: str) -> Outcome:
    if problem:
        error = NotQueued(f"the queue did not take it: {problem}")
        return failed(image.id, error, image)
    detail = "left to a worker: sent to the queue"
    return Outcome(image.id, "would_delete", detail=detail, name=image.name, size=image.size)


def _jobs(images: Iterable[Image], request: SweepRequest, message_id: str, *, deselected: bool = False) -> list[Job]:
    return [
        Job(Target(image.id, _expected_to_stay(image, request)), request, message_id=message_id, deselected=deselected)
        for image in images
    ]


def _expected_to_stay(image: Image, request: SweepRequest) -> tuple[tuple[str, str | None], ...]:
    """What must not have changed since the list was read, so that the image is still in the groups it was found in."""
    if request.keep is None:
        return ()
    return (("name", image.name),) if request.keep.group_by == "name" else (("updated_at", image.updated_at),)


def _reported(survey: Survey, outcomes: Sequence[Outcome], request: SweepRequest, message_id: str, run: Run) -> Result:
    """Report outcomes that were made here, and give them as a result."""
    for outcome in outcomes:
        run.report(outcome, Job(Target(outcome.image_id), request, message_id=message_id))
    return Result(message_id, request, outcomes=tuple(outcomes), survey=survey)
