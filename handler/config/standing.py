"""The requests that stand in the settings: for schedules without a request of their own, and for new images."""

from collections.abc import Callable, Mapping

from handler.errors import InvalidRequest, InvalidSettings
from handler.model.request import ApprovalRequest, Request
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
                _check_stands(check(text))
        except InvalidRequest as exc:
            message = f"{name}: {exc}"
            raise InvalidSettings(message) from exc


def _check_stands(request: Request) -> None:
    if isinstance(request, ApprovalRequest):
        message = "approve: a plan is carried out once, after a person has looked at it: send the request itself"
        raise InvalidRequest(message)
