"""SMN, the notification service: publishing to a topic. What was published stays in the state of the cloud.

Sources: SMN API reference, "Publishing a Message"; Huawei Cloud's SDK for Python, MessageAttribute. The codes of the
errors are partly a guess.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.fakecloud import ims
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import CloudError, Unauthorized
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

LONGEST_MESSAGE, LONGEST_SUBJECT = 256 * 1024, 512
MOST_VALUES = 10


def publish(visit: Visit) -> Reply:
    """Publish a message to a topic of the project."""
    if visit.args["project"] != visit.caller.project_id:
        return _error(visit.request, 403, "SMN.0001", "No permission to request resources.")
    topic = visit.state.topics.get(visit.args["topic"])
    if topic is None:
        return _error(visit.request, 404, "SMN.0011", "Topic not found.")
    message = _message(visit.request)
    if message is None:
        return _error(visit.request, 400, "SMN.0003", "Invalid parameter.")
    topic.append(message)
    return json_reply({"message_id": uuid4().hex, "request_id": visit.request.request_id.removeprefix("req-")})


def refuse(state: CloudState, request: Request, error: CloudError) -> Reply:
    """Put an error on the wire."""
    if isinstance(error, Unauthorized):
        return ims.unauthenticated(state, request)
    return _error(request, error.status, "SMN.0001", error.message)


def _message(request: Request) -> Mapping[str, Any] | None:
    """The message to publish; None if it can't be published: empty, too large, or its subject is too long."""
    try:
        payload = request.json()
    except ValueError:
        return None
    if not isinstance(payload, dict):
        return None
    message, subject = payload.get("message"), payload.get("subject", "")
    if not isinstance(message, str) or not isinstance(subject, str) or not message:
        return None
    fits = len(message.encode()) <= LONGEST_MESSAGE and len(subject.encode()) <= LONGEST_SUBJECT
    attributes = payload.get("message_attributes", [])
    return payload if fits and isinstance(attributes, list) and all(map(_is_attribute, attributes)) else None


def _is_attribute(found: object) -> bool:
    """Whether this is an attribute of a message by which a subscription may filter."""
    match found:
        case {"name": str(name), "type": "STRING", "value": str(value)}:
            return _is_name(name) and _is_value(value)
        case {"name": str(name), "type": "STRING_ARRAY", "value": list(values)}:
            is_set = 1 <= len(values) <= MOST_VALUES and len({*values}) == len(values)
            return _is_name(name) and is_set and all(map(_is_value, values))
        case _:
            return False


def _is_name(text: str) -> bool:
    return re.fullmatch(r"(?=.{1,32}$)[a-z0-9]+(_[a-z0-9]+)*", text) is not None


def _is_value(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_\u4e00-\u9fff]{1,32}", text) is not None


def _error(request: Request, status: int, code: str, message: str) -> Reply:
    return json_reply({"request_id": request.request_id.removeprefix("req-"), "code": code, "message": message}, status)
