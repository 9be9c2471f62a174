"""A sweep: survey the images of the project, hold the selected ones against the caps, and have them dealt with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from handler.errors import CloudError, EngineFault, OverLimit, Unexpected
from handler.model.image import Image
from handler.model.outcome import Decision, Objection, Outcome, Result, Survey
from handler.model.request import Expected, Job, SweepRequest, Target, earliest
from handler.rules.safety import UNFINISHED, is_upload
from handler.work.handling import failed
from handler.work.judgement import refused
from handler.work.parallel import TELLING, TELLING_LINE, carry_out, in_time
from handler.work.run import Run
from handler.work.survey.beginning import looked, not_noted
from handler.work.survey.lease import give_back, with_lease
from handler.work.survey.survey import MOST_OVER_CAP


class _Shares(NamedTuple):
    """Which of the selected images are left to workers, which are dealt with here, and which can't be named at all."""

    workers: Sequence[Image]
    here: Sequence[Image]
    nobody: Sequence[Image]


def sweep(request: SweepRequest, message_id: str, run: Run) -> Result:
    """Carry out a sweep: one outcome for each image that is selected, or that is marked but no longer selected."""
    leased = with_lease(request, run)
    try:
        return _swept(request, message_id, leased)
    finally:
        give_back(leased)


def _swept(request: SweepRequest, message_id: str, run: Run) -> Result:
    # The whole list is read before anything is deleted: Glance answers 400 where the marker of a page is gone, and the
    # caps can't be held against a part of the images.
    try:
        request, survey = in_time(lambda: looked(request, run), run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        return _reported(Survey(), [failed("", error)], request, message_id, run)
    if request.not_after and run.moment > request.not_after:
        return _reported(survey, _expired(survey, request.not_after), request, message_id, run)
    if problem := not_noted(survey, request, run):
        return _untouched(survey, problem, request, message_id, run)
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


def _untouched(survey: Survey, error: CloudError, request: SweepRequest, message_id: str, run: Run) -> Result:
    """Fail all images of a sweep, none of which was touched."""
    images = (*survey.selected, *survey.deselected)
    run.deadline.keep_back(TELLING * len(images))
    run.report_untouched(_jobs(images, request, message_id), error)
    return Result(
        message_id=message_id,
        request=request,
        outcomes=tuple(failed(image.id, error, image) for image in images),
        survey=survey,
    )


def _why(decision: Decision) -> str:
    return decision.objection.detail if decision.objection else ""


def over_limit(survey: Survey, request: SweepRequest) -> OverLimit | None:
    """Return the cap that the sweep would break, if any. An image that only waits for its day does not count."""
    are_selected = "is selected" if survey.changing == 1 else "are selected"
    # What waits, or was vetoed, is selected as well.
    what = are_selected if survey.changing == survey.selected_in_all else "would be changed"
    share = f"{survey.changing} of {survey.looked_at} image{'' if survey.looked_at == 1 else 's'} {what}"
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
    """Leave the images of a sweep to the workers of the queue."""
    # Just as they are now: what changes before a worker comes to it stays.
    expectations = [image.expectation() for image in images]
    until = earliest(run.now + run.plan_life, [request])
    outcomes = left_to_workers(_jobs(images, request, message_id), expectations, until, run)
    return [replace(outcome, image=image.without_record()) for outcome, image in zip(outcomes, images, strict=False)]


def left_to_workers(
    jobs: Sequence[Job], expectations: Sequence[Mapping[str, Any]], not_after: datetime, run: Run
) -> list[Outcome]:
    """Leave images to the workers of the queue, which make every check again, and report what became of each.

    The jobs are those of one request, and `expectations` their images as a request names them. After the moment
    `not_after`, a worker deletes nothing any more. An image that was not sent has failed.
    """
    enqueue = run.enqueue
    if enqueue is None or not jobs:
        return []
    request = jobs[0].request
    shared = {
        "project_id": run.cloud.project_id,
        "delete_backup": request.delete_backup,
        "reason": request.reason,
        "not_after": not_after.isoformat(timespec="seconds"),
    }
    # They have to be told one by one, and may be many thousand.
    run.deadline.keep_back(TELLING_LINE * len(jobs))

    def send() -> list[str]:
        for named in expectations:
            run.check_change(named["id"])
        # The list may have taken minutes to read.
        run.heed_stop()
        return enqueue(expectations, shared)

    try:
        problems = in_time(send, run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        run.report_untouched(jobs, error)
        return [_not_sent(named, error) for named in expectations]
    outcomes = [_left_to_worker(named, problem) for named, problem in zip(expectations, problems, strict=True)]
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


def _left_to_worker(named: Mapping[str, Any], problem: str) -> Outcome:
    if problem:
        return _not_sent(named, EngineFault(f"the queue did not take it: {problem}"))
    expect, detail = named["expect"], "left to a worker: sent to the queue"
    return Outcome(named["id"], "would_delete", detail=detail, name=expect.get("name"), size=expect.get("size"))


def _not_sent(named: Mapping[str, Any], error: CloudError) -> Outcome:
    expect = named["expect"]
    return replace(failed(named["id"], error), name=expect.get("name"), size=expect.get("size"))


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
