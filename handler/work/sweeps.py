"""A sweep: survey the images of the project, hold the selected ones against the caps, and have them dealt with."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from handler.errors import CloudError, EngineFault, OverLimit, Unexpected
from handler.model.image import Image
from handler.model.outcome import Decision, Objection, Outcome, Result, Survey
from handler.model.request import Expected, Job, SweepRequest, Target, earliest
from handler.rules.safety import UNFINISHED, is_upload
from handler.work.handling import failed
from handler.work.judgement import refused
from handler.work.parallel import TELLING, TELLING_LINE, carry_out, in_time
from handler.work.run import Run
from handler.work.survey.survey import MOST_OVER_CAP, surveyed


class _Shares(NamedTuple):
    """Which of the selected images are left to workers, which are dealt with here, and which can't be named at all."""

    workers: Sequence[Image]
    here: Sequence[Image]
    nobody: Sequence[Image]


def sweep(request: SweepRequest, message_id: str, run: Run) -> Result:
    """Carry out a sweep: one outcome for each image that is selected, or that is marked but no longer selected."""
    # The whole list is read before anything is deleted: Glance answers 400 where the marker of a page is gone, and the
    # caps can't be held against a part of the images.
    try:
        survey = in_time(lambda: surveyed(request, run), run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        return _reported(Survey(), [failed("", error)], request, message_id, run)
    if request.not_after and run.moment > request.not_after:
        return _reported(survey, _expired(survey, request.not_after), request, message_id, run)
    # Marks are taken off even if a cap would be broken: caps are for what is marked or deleted, not for what is saved.
    jobs, told = _jobs(survey.deselected, request, message_id, deselected=True), list[Outcome]()
    if over := over_limit(survey, request):
        outcomes = [failed(image.id, over, image) for image in survey.selected[:MOST_OVER_CAP]]
    else:
        shares = _shares(survey, request, run)
        outcomes = list(map(_nameless, shares.nobody))
        told = _queued(shares.workers, request, message_id, run)
        jobs += _jobs(shares.here, request, message_id)
    outcomes += [failed(each.image.id, Unexpected(_why(each)), each.image) for each in survey.unreadable]
    result = _reported(survey, outcomes, request, message_id, run)
    run.deadline.keep_back(TELLING * len(jobs))
    return result._replace(outcomes=(*result.outcomes, *told, *carry_out(jobs, run)))


def _why(decision: Decision) -> str:
    return decision.objection.detail if decision.objection else ""


def over_limit(survey: Survey, request: SweepRequest) -> OverLimit | None:
    """Return the cap that the sweep would break, if any. An image that only waits for its day does not count."""
    share = f"{survey.changing} of {survey.looked_at} images are selected"
    if survey.changing > request.limit:
        return OverLimit(f"{share}, and limit is {request.limit}: none is deleted or marked")
    if survey.changing * 100 > request.limit_percent * survey.looked_at:
        return OverLimit(f"{share}, and limit_percent is {request.limit_percent:g}: none is deleted or marked")
    return None


def _shares(survey: Survey, request: SweepRequest, run: Run) -> _Shares:
    """Divide the selected images between workers and this run; all of a rehearsal is done here."""
    nobody = [image for image in survey.selected if not image.has_uuid]
    leaves_work = run.enqueue is not None and run.armed and not request.dry_run
    # One that no message can carry would spoil the message for all others in it; of an upload, it would say too much.
    fit = (image for image in survey.for_workers if image.can_be_named and not is_upload(image, request.select.status))
    workers = list(fit) if leaves_work else []
    # A worker does itself what it may: in messages of ten images each, these would only come to another worker, which
    # would have to ask anew for all that this one knows.
    if run.is_worker and len(workers) <= run.progress.left:
        workers = []
    elsewhere = {image.id for image in (*nobody, *workers)}
    here = [image for image in survey.selected if image.id not in elsewhere]
    return _Shares(workers=workers, here=here, nobody=nobody)


def _queued(images: Sequence[Image], request: SweepRequest, message_id: str, run: Run) -> list[Outcome]:
    """Leave images to the workers of the queue, which make every check again, and report what became of each.

    An image that was not sent has failed.
    """
    enqueue = run.enqueue
    if enqueue is None or not images:
        return []
    shared = {
        "project_id": run.cloud.project_id,
        "delete_backup": request.delete_backup,
        "reason": request.reason,
        "not_after": earliest(run.now + run.plan_life, [request]).isoformat(timespec="seconds"),
    }
    # Just as they are now: what changes before a worker comes to it stays.
    expectations = [image.expectation() for image in images]
    jobs = _jobs(images, request, message_id)
    # They have to be told one by one, and may be many thousand.
    run.deadline.keep_back(TELLING_LINE * len(jobs))

    def send() -> list[str]:
        # The list may have taken minutes to read.
        run.heed_stop()
        return enqueue(expectations, shared)

    try:
        problems = in_time(send, run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        run.report_untouched(jobs, error)
        return [failed(image.id, error, image) for image in images]
    outcomes = [_left_to_worker(image, problem) for image, problem in zip(images, problems, strict=True)]
    for job, outcome in zip(jobs, outcomes, strict=True):
        run.report(outcome, job)
    run.deadline.keep_back(-TELLING_LINE * len(jobs))
    return outcomes


def _expired(survey: Survey, not_after: datetime) -> list[Outcome]:
    """Refuse every selected image: the sweep is not carried out any more, and neither are marks taken off."""
    objection = Objection("expired", f"the request was good until {not_after.isoformat()}")
    return [refused(image, objection) for image in survey.selected[:MOST_OVER_CAP]]


def _nameless(image: Image) -> Outcome:
    # Its address would be made of an id that may hold anything.
    return failed(image.id, Unexpected("its id is no UUID, so that it can't be named in a request"), image)


def _left_to_worker(image: Image, problem: str) -> Outcome:
    if problem:
        error = EngineFault(f"the queue did not take it: {problem}")
        return failed(image.id, error, image)
    detail = "left to a worker: sent to the queue"
    return Outcome(image.id, "would_delete", detail=detail, name=image.name, size=image.size)


def _jobs(images: Iterable[Image], request: SweepRequest, message_id: str, *, deselected: bool = False) -> list[Job]:
    return [
        Job(Target(image.id, _expected_to_stay(image, request)), request, message_id=message_id, deselected=deselected)
        for image in images
        if image.has_uuid
    ]


def _expected_to_stay(image: Image, request: SweepRequest) -> tuple[tuple[str, Expected], ...]:
    """What must be unchanged since the list was read: the groups of the image, and that nobody uploads it."""
    # In another group, it may be among the newest. A group by name depends on the name alone; where it depends on
    # tags or properties, the image must not have changed at all. That a tag moves `updated_at` is not said of IMS.
    unmoved: tuple[tuple[str, Expected], ...] = (
        ("status", image.status),
        ("updated_at", image.updated_at),
        ("tags", image.tags),
    )
    if is_upload(image, request.select.status):
        unmoved = unmoved[1:]
    if request.select.status in UNFINISHED or (request.keep and request.keep.group_by != "name"):
        return unmoved
    return (("name", image.name),) if request.keep else ()


def _reported(survey: Survey, outcomes: Sequence[Outcome], request: SweepRequest, message_id: str, run: Run) -> Result:
    """Report outcomes that were made here, and return them as a result."""
    for outcome in outcomes:
        run.report(outcome, Job(Target(outcome.image_id), request, message_id=message_id))
    return Result(message_id, request, outcomes=tuple(outcomes), survey=survey)
