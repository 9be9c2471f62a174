"""What a run of one project begins with: the settings of the project, and the access to its cloud."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Semaphore
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud.identity.identity import Nobody
from handler.cloud.places.session import new_session
from handler.compose.ending import Context
from handler.compose.engines.engine import Engine
from handler.compose.projects.kept import Access
from handler.compose.warm import access_to_cloud
from handler.config.settings import Settings
from handler.engine.ports import Allowance
from handler.errors import AwsFault, CloudError, Denied, InvalidSettings, Paused, Unavailable
from handler.model.message import Received
from handler.model.outcome import Decision
from handler.report.report import OwnRules
from handler.report.reporter import Reporter
from handler.work.dispatch import Reach
from handler.work.parallel import in_time
from handler.work.run import Progress, Watch

Observe = Callable[[Decision], None]

PAUSED = "REAPER_MODE is paused"
LASTING = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",
        "MalformedSecret",
        "ResourceNotFoundException",
        "ValidationException",
    }
)
"""What AWS says of a secret that can't be read before somebody changes something.

Source: AWS Secrets Manager API reference, GetSecretValue.
"""


OF_THE_RUN = ("mode", "notice_topic", "report_bucket", "state_table", "failed_to", "fanout_queue_url")
"""What a project has in common with its invocation: for a rehearsal, a shell has other settings than its variables."""


class Shared(NamedTuple):
    """What the runs of an invocation share.

    `has_others` says that there is more than one, `concurrency` how many images each may deal with at once, and `slots`
    keeps all of them together within the limit. `progress` counts the deletions of all. `reach` is what the settings
    can do.
    """

    context: Context
    settings: Settings
    engine: Engine
    reporter: Reporter
    allowance: Allowance | None
    now: datetime
    observe: Observe | None
    has_others: bool
    concurrency: int
    slots: Semaphore
    progress: Progress
    reach: Reach
    broken: set[str]
    """The groups of a FIFO queue of which a message has failed."""
    watch: Watch | None = None

    @property
    def request_id(self) -> str:
        """The id of the invocation."""
        return self.context.aws_request_id

    @property
    def own_rules(self) -> OwnRules:
        """What the operator has set for every request, as a report tells it."""
        settings = self.settings
        return OwnRules(
            mode=settings.mode,
            policy=settings.policy,
            in_use_check=settings.in_use_check == "on",
            in_use_also=settings.in_use_also,
        )


@contextmanager
def reached(
    project_id: str, part: Received, shared: Shared, deadline: Deadline, progress: Progress
) -> Iterator[tuple[Settings, Access]]:
    """The settings of a project, and the access to its cloud: one that says why there is none, if there is none."""
    settings, engine = shared.settings, shared.engine
    found = _own_settings(project_id, part, shared, deadline, progress) if project_id else settings
    if isinstance(found, CloudError):
        yield settings, Access(new_session(1, verify=True), Nobody(found))
        return
    with access_to_cloud(found, engine.rotated, engine.forget_secret) as access:
        yield found, access


def _own_settings(
    project_id: str, part: Received, shared: Shared, deadline: Deadline, progress: Progress
) -> Settings | CloudError:
    """The settings of a project that has a secret of its own, or why there are none."""
    # A paused function asks nobody, and connecting will say so.
    if shared.settings.mode == "paused":
        return Paused(PAUSED)
    try:
        found = in_time(lambda: shared.engine.own_settings(project_id), deadline, progress)
        return found.model_copy(update={name: getattr(shared.settings, name) for name in OF_THE_RUN})
    except CloudError as error:
        return error
    except InvalidSettings as error:
        if not (part.fails_one_by_one or shared.has_others):
            raise
        fault = error.__cause__
        may_pass = isinstance(fault, AwsFault) and fault.code not in LASTING
        return Unavailable(str(error)) if may_pass else Denied(str(error))
