"""The requests that stand in the settings: for schedules without a request of their own, and for new images."""

from collections.abc import Callable, Mapping

from handler.errors import InvalidRequest, InvalidSettings
from handler.model.request import ApprovalRequest, Request, SweepRequest
from handler.rules.unused import why_unknown
from handler.sources import activation
from handler.sources.parsing import read_json
from handler.sources.schema import read_request

_STANDING_REQUESTS: Mapping[str, Callable[[str], Request]] = {
    "REAPER_SCHEDULED_REQUEST": lambda text: read_request(read_json(text, "the text")),
    activation.TEMPLATE: activation.check,
}


def check_standing_requests(given: Mapping[str, str]) -> None:
    """Refuse to start with a standing request that could never be carried out; raises InvalidSettings."""
    for name, check in _STANDING_REQUESTS.items():
        try:
            if text := given.get(name):
                _check_stands(check(text), given)
        except InvalidRequest as exc:
            message = f"{name}: {exc}"
            raise InvalidSettings(message) from exc


def _check_stands(request: Request, given: Mapping[str, str]) -> None:
    if isinstance(request, ApprovalRequest):
        message = "approve: a plan is carried out once, after a person has looked at it: send the request itself"
        raise InvalidRequest(message)
    asks = isinstance(request, SweepRequest) and bool(request.select.unused_for)
    if asks and (lacking := why_unknown(given.get("REAPER_STATE_TABLE", ""), given.get("REAPER_IN_USE_CHECK", ""))):
        message = f"sweep.select.unused_for: {lacking}"
        raise InvalidRequest(message)
