"""How a sweep begins: what it looks at, once it has the lease, and what it says that it may change."""

from handler.errors import CloudError
from handler.model.outcome import Survey
from handler.model.request import SweepRequest
from handler.work.parallel import in_time
from handler.work.run import Run
from handler.work.survey.survey import surveyed
from handler.work.uses.memory import with_history


def looked(request: SweepRequest, run: Run) -> tuple[SweepRequest, Survey]:
    """Take the lease, and survey the project; the request then knows what was in use. Raises CloudError."""
    if run.lease:
        run.lease.take()
    request = with_history(request, run)
    return request, surveyed(request, run)


def not_noted(survey: Survey, request: SweepRequest, run: Run) -> CloudError | None:
    """Have it noted what an armed sweep may change, before it changes anything; returns why that failed, if it did."""
    begin = run.begin
    is_rehearsal = request.dry_run or not run.armed
    if begin is None or is_rehearsal or not (survey.selected or survey.deselected):
        return None
    try:
        in_time(lambda: begin(request, survey), run.deadline, run.progress)
    except CloudError as error:
        run.note(error)
        return error
    return None
