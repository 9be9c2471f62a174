"""The file of a stored plan, read strictly: `{"plans": [<deletion request>, ...]}`."""

from typing import Any

from handler.errors import InvalidRequest
from handler.model.request import DeletionRequest
from handler.sources.parsing import read_json
from handler.sources.schema import read_deletion

LARGEST = 32_000_000
"""Bytes of a file that is read: a plan of 10,000 images has about ten million."""
MOST_VALUES = 3_000_000
"""Values in such a file."""


def read_plan(content: bytes, key: str) -> tuple[DeletionRequest, ...]:
    """Read the requests of a plan, in their order; raises InvalidRequest, naming each field that is wrong."""
    if len(content) > LARGEST:
        message = f"{key}: larger than the {LARGEST} bytes that a plan may have"
        raise InvalidRequest(message)
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        message = f"{key}: not in ASCII"
        raise InvalidRequest(message) from None
    payload = read_json(text, key, MOST_VALUES)
    plans = payload.get("plans")
    if payload.keys() != {"plans"} or not isinstance(plans, list) or not plans:
        message = f"{key}: must hold a list of plans, and nothing else"
        raise InvalidRequest(message)
    return tuple(_request(plan, f"{key}: plans[{number}]") for number, plan in enumerate(plans))


def _request(plan: Any, where: str) -> DeletionRequest:  # noqa: ANN401 (any JSON)
    try:
        if isinstance(plan, dict):
            return read_deletion(plan)
        problem = "must be a JSON object"
    except InvalidRequest as error:
        problem = str(error)
    message = f"{where}: {problem}"
    raise InvalidRequest(message)
