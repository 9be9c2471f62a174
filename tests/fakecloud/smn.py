"""SMN, the notification service: publishing to a topic. What was published stays in the state of the cloud.

Source: SMN API reference, "Publishing a Message"; the codes of its errors are partly a guess.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.fakecloud import ims
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.errors import CloudError, Unauthorized
from tests.fakecloud.state import CloudState
from tests.fakecloud.visit import Visit

LONGEST_MESSAGE, LONGEST_SUBJECT = 256 * 1024, 512


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
    return payload if fits else None


def _error(request: Request, status: int, code: str, message: str) -> Reply:
    return json_reply({"request_id": request.request_id.removeprefix("req-"), "code": code, "message": message}, status)
