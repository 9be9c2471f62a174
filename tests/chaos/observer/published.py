"""Batches of a broker, which takes nothing back: what failed is published as a part of the batch, or raised."""

import json
from collections import Counter
from collections.abc import Mapping

from tests.chaos.observer.case import Case
from tests.chaos.observer.on_functiongraph import is_batch, messages_in
from tests.chaos.observer.reading import Json

SECONDS = 25.0
"""With less time left than this, messages may stay unpublished: all tries together take as long."""


def check_keys(case: Case) -> None:
    """Check that an invocation has used the keys that it was given, and none of an earlier one."""
    for request in case.requests if case.invocation.access_key else ():
        if request.signed_by != case.invocation.access_key:
            case.say("keys", f"{request.method} {request.path} is signed with {request.signed_by or 'nothing'}")


def check_published(case: Case) -> None:
    """Check what an invocation has published of its batch."""
    if not is_batch(case.invocation.event):
        return
    told = [json.loads(one.body) for one in case.index.history.handed_over if one.invocation == case.invocation.number]
    if told and not case.settings.hands_over:
        case.say("published", "a message, although no topic is set")
    for one in told:
        _check_part(case, one["requestPayload"])
    _check_end(case, is_published=bool(told))


def _check_part(case: Case, part: Mapping[str, Json]) -> None:
    own = Counter(text for _, text in messages_in(case.invocation.event))
    texts = Counter(text for one in part["records"] for text in one["messages"])
    if not texts or texts - own:
        case.say("published", "a message that is not in the batch")
    if part.keys() != case.invocation.event.keys():
        case.say("published", "a part that could not be sent in again")


def _check_end(case: Case, *, is_published: bool) -> None:
    failed = any(one["message"] == "image.failed" for one in case.outcomes)
    failed = failed or any(one.problem for one in case.event.asked)
    if case.invocation.answer is not None and failed and not is_published:
        case.say("report", "something failed, and it was neither raised nor published")
    if case.invocation.error.startswith("ImagesFailed") and case.settings.hands_over and _could_publish(case):
        case.say("published", f"nothing, although nothing stood in the way: {case.invocation.error[:100]}")


def _could_publish(case: Case) -> bool:
    """Whether there was time to publish, and nothing was refused."""
    has_time = case.ended.at + SECONDS < case.begun.at + case.invocation.seconds and not case.invocation.frozen
    # Keys that were refused once are not tried again.
    is_refused = any(
        one.status == 401 or (one.path.endswith("/publish") and one.status != 200) for one in case.requests
    )
    return has_time and not is_refused and all(one.whole for one in case.requests)
