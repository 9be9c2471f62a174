"""Publishing to a topic of SMN, by plain HTTP; what signs it is passed in.

Sources: Simple Message Notification, API reference, "Publishing a message"; its attributes: Huawei Cloud's SDK for
Python, MessageAttribute.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from handler.clock import Deadline
from handler.connections.fenced import FencedSession, kind_of
from handler.engine.notices import MOST_BYTES, subject_of, text_of, values_of
from handler.engine.ports import TOO_LARGE
from handler.engine.shortened import without_images
from handler.errors import CloudError
from handler.model.masking import beginning
from handler.model.notice import Notice

SUBJECT = "image-reaper: an event has failed"
SUBJECT_OF_NOTICE = "image-reaper"
"""For a notice without one, which SMN would not take."""
LONGEST_VALUE, MOST_VALUES = 32, 10
"""Characters in a value of an attribute, and values in one that has several."""
TURNED_DOWN = "smn answered HTTP 400 "
LONGEST_PROBLEM = 300
"""The most characters that are shown of what SMN answers."""
RETRIES = Retry(
    2,
    backoff_factor=0.2,
    status_forcelist=(429, 500, 502, 503, 504),
    # Any method: by itself, urllib3 does not repeat a POST. A message that comes twice does no harm.
    allowed_methods=None,
    respect_retry_after_header=False,  # it may ask for more time than there is
    raise_on_status=False,
)
_UNFIT = re.compile(r"[^A-Za-z0-9_]")


class Desk(NamedTuple):
    """Where messages are published: SMN's address, our project, what signs a request, and what masks its answer."""

    address: str
    project_id: str
    auth: AuthBase
    scrub: Callable[[str], str]
    verify: str | bool | None = True


def hand_over(
    event: object, answer: Mapping[str, Any], topic: str, desk: Callable[[], Desk], deadline: Deadline
) -> str:
    """Publish an event and the report on it; returns why they were not published, or an empty string. Raises nothing.

    The report goes without its images if the message would be too large with them. The fields have the same names as in
    FunctionGraph's own notification of an event that failed, and as there, the event is a string.
    """
    for told in (answer, without_images(answer)):
        try:
            message = json.dumps({"request_payload": json.dumps(event), "response_payload": told})
        except RecursionError:
            return "the event is nested too deeply to be written"
        if len(message) <= MOST_BYTES:
            return _published({"subject": SUBJECT, "message": message}, topic, desk, deadline)
    return TOO_LARGE


def notify(notice: Notice, topic: str, desk: Callable[[], Desk], deadline: Deadline) -> str:
    """Publish a notice; returns why it was not published, or an empty string. Raises nothing."""
    attributes = [_attribute(name, value) for name, value in notice.attributes.items() if values_of(value)]
    room = MOST_BYTES - len(json.dumps(attributes))
    subject = subject_of(notice.subject) or SUBJECT_OF_NOTICE
    message = {"subject": subject, "message": text_of(notice.text, room) or subject}
    problem = _published(message | {"message_attributes": attributes}, topic, desk, deadline)
    # Not every SMN has attributes, and a notice that nobody can filter is better than none.
    return _published(message, topic, desk, deadline) if problem.startswith(TURNED_DOWN) else problem


def _attribute(name: str, value: str | tuple[str, ...]) -> dict[str, Any]:
    """An attribute, with an underscore for all that its values can't hold."""
    values = list(dict.fromkeys(_UNFIT.sub("_", each)[:LONGEST_VALUE] for each in values_of(value)))[:MOST_VALUES]
    if isinstance(value, str):
        return {"name": name, "type": "STRING", "value": values[0]}
    return {"name": name, "type": "STRING_ARRAY", "value": values}


def _published(message: Mapping[str, Any], topic: str, desk: Callable[[], Desk], deadline: Deadline) -> str:
    try:
        at = desk()
        return _answered(_post(message, topic, at, deadline), at)
    except CloudError as exc:
        return str(exc)
    # Only the class of the error: its text may hold an address that is signed.
    except (requests.RequestException, HTTPError, ValueError) as exc:
        return f"smn can't be reached: {kind_of(exc)}"


def _post(message: Mapping[str, Any], topic: str, at: Desk, deadline: Deadline) -> requests.Response:
    address = f"{at.address.rstrip('/')}/v2/{at.project_id}/notifications/topics/{topic}/publish"
    with FencedSession(max_retries=RETRIES) as session:
        return session.post(
            address,
            data=json.dumps(message).encode(),
            headers={"Content-Type": "application/json"},
            auth=at.auth,
            verify=at.verify,
            timeout=deadline.timeout(),
            allow_redirects=False,
        )


def _answered(response: requests.Response, at: Desk) -> str:
    """Why a message was not published; empty only if SMN gave it an id."""
    try:
        found = response.json()
    except (RecursionError, ValueError):
        found = None
    if response.status_code == requests.codes.ok and isinstance(found, dict) and found.get("message_id"):
        return ""
    text = " ".join(at.scrub(response.text).split())
    return f"smn answered HTTP {response.status_code} {beginning(text, LONGEST_PROBLEM)}"
