"""The requests that stand in the settings: for schedules without a request of their own, and for new images."""

from collections.abc import Callable, Mapping

from handler.config.secret import PLACE, SECRET, is_per_project
from handler.errors import InvalidRequest, InvalidSettings
from handler.model.request import ApprovalRequest, Request, SweepRequest
from handler.rules.unused import why_unknown
from handler.sources import activation
from handler.sources.parsing import read_json
from handler.sources.schema import read_request

FANOUT_QUEUE = "REAPER_FANOUT_QUEUE_URL"
_STANDING_REQUESTS: Mapping[str, Callable[[str], Request]] = {
    "REAPER_SCHEDULED_REQUEST": lambda text: read_request(read_json(text, "REAPER_SCHEDULED_REQUEST")),
    activation.TEMPLATE: activation.check,
}


def check_standing_requests(given: Mapping[str, str]) -> None:
    """Refuse to start with a standing request that could never be carried out; raises InvalidSettings."""
    is_for_all = is_per_project(given.get(SECRET, ""))
    for name, read in _STANDING_REQUESTS.items():
        if not (text := given.get(name)):
            continue
        try:
            request = read(text)
            problem = unaddressed(request, is_for_all=is_for_all, has_queue=FANOUT_QUEUE in given)
            problem = problem or _why_not(request, given)
        except InvalidRequest as exc:
            problem = str(exc)
        if problem:
            # A text that is no JSON at all is called by the name of its setting already.
            raise InvalidSettings(problem if problem.startswith(f"{name}: ") else f"{name}: {problem}")


def _why_not(request: Request, given: Mapping[str, str]) -> str:
    """Why a request can't stand in the settings, empty if it can."""
    if isinstance(request, ApprovalRequest):
        return "approve: a plan is carried out once, after a person has looked at it: send the request itself"
    asks = isinstance(request, SweepRequest) and bool(request.select.unused_for)
    lacking = why_unknown(given.get("REAPER_STATE_TABLE", ""), given.get("REAPER_IN_USE_CHECK", "")) if asks else ""
    return f"sweep.select.unused_for: {lacking}" if lacking else ""


def unaddressed(request: Request, *, is_for_all: bool, has_queue: bool) -> str:
    """Why a request reaches no project with these settings; empty if it does.

    `is_for_all` says that each project has a secret of its own, `has_queue` that there is a queue of workers.
    """
    if isinstance(request, SweepRequest) and request.projects:
        return "" if has_queue else f"projects: needs {FANOUT_QUEUE}, a queue of workers, which is for AWS alone"
    if is_for_all and not request.project_id:
        return f"project_id: is missing: {SECRET} has one secret for each project ({PLACE} in its name)"
    return ""
