"""The lease of a project: a sweep that changes images has it from before it looks at them until its end."""

from contextlib import suppress

from handler.errors import CloudError
from handler.model.request import SweepRequest
from handler.work.parallel import in_time
from handler.work.run import Progress, Run


def with_lease(request: SweepRequest, run: Run) -> Run:
    """The run of a sweep, which changes nothing without the lease; a rehearsal needs none."""
    if run.lease is None or not run.armed or request.dry_run:
        return run._replace(lease=None)
    return run.while_held(run.lease.hold)


def give_back(run: Run) -> None:
    """Give the lease back at the end of a sweep, so that the next one need not wait; raises nothing."""
    # A thread that is late may still wait for the answer to a DELETE. Then the lease ends by itself, some time after.
    if run.lease is None or run.progress.is_late:
        return
    with suppress(CloudError):
        in_time(run.lease.release, run.deadline.beyond_halt(), Progress(0))
