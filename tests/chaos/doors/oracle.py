"""The promises that an event at a door may break, each judged without a line of `handler` but its tree of errors."""

import json
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from handler.errors import InvalidRequest, InvalidSettings, ReaperError, UnknownEvent
from tests.chaos.doors.asked import UUID, asked_for, everywhere, is_request, strict, swept
from tests.chaos.doors.callers import calls_in, is_of_queue
from tests.chaos.doors.failures import is_asynchronous, same
from tests.chaos.doors.world import ANSWERS, FUNCTIONGRAPH, LIFECYCLE, SCHEDULED, UNTOUCHABLE, Knock, Seen, World

Json = Any
TESTS = ("autoscaling:TEST_NOTIFICATION", "s3:TestEvent")
SECONDS, SECONDS_PER_MEGABYTE, SECONDS_PER_IMAGE, SECONDS_PER_RECORD = 0.5, 1.5, 0.02, 0.001
"""CPU time that an event may take: some seconds more than its reading are too many. A record has a line in the log."""
MEGABYTES, MEGABYTES_PER_MEGABYTE = 96, 40
"""Memory that an event may take, beyond itself: as JSON, an empty list of two letters has already sixty bytes."""


class Broken(AssertionError):
    """A promise that one event has broken."""

    promise: ClassVar[str]

    def __init__(self, knock: Knock, what: str) -> None:
        super().__init__(f"{self.promise}: {what[:300]}: {knock}")


class Deleted(Broken):
    promise = "an image is deleted only if a valid request asks for it"


class Escaped(Broken):
    promise = "nothing but the named errors comes out"


class Lost(Broken):
    promise = "a message that is no request goes back to its queue, or fails its batch"


class Untold(Broken):
    promise = "what no repetition can cure is handed over, once, if there is a place for it"


class Unanswered(Broken):
    promise = "CloudFormation gets its answer"


class Leaked(Broken):
    promise = "no secret is told"


class Garbled(Broken):
    promise = "what is told can be read by a machine, and forges nothing before a person"


class Slow(Broken):
    promise = "the time is bounded by the size of the event"


class Greedy(Broken):
    promise = "the memory is bounded by the size of the event"


def judge(knock: Knock, seen: Seen, world: World) -> None:
    """Raise the first promise that was broken."""
    for promise in (_deleted, _escaped, _leaked, _garbled, _lost, _handed_over, _unanswered, _slow):
        promise(knock, seen, world)


def permitted(knock: Knock, seen: Seen, world: World) -> set[str]:
    """The images that an event may delete, at most."""
    if knock.settings.get("REAPER_MODE", "delete") != "delete":
        return set()
    # What the runtime has read of a text is an event, even where JSON is stricter than Python.
    given = knock.text if seen.event is None else seen.event
    events = list(everywhere(given))
    found: set[str] = set()
    for value in (given, *_standing(knock, events)):
        found |= asked_for(value) | swept(value, world.ours)
    return (found | _activated(knock, events, world)) - UNTOUCHABLE


def _standing(knock: Knock, events: list[dict[str, Json]]) -> list[str]:
    """The operator's request, if there is an event of a schedule."""
    scheduled = any(
        event.get("detail-type") == "Scheduled Event" or event.get("trigger_type") == "TIMER" for event in events
    )
    return [knock.settings.get("REAPER_SCHEDULED_REQUEST", SCHEDULED)] if scheduled else []


def _activated(knock: Knock, events: list[dict[str, Json]], world: World) -> set[str]:
    """What the operator's template asks for, about each image that the event names by its id and its name."""
    template = knock.settings.get("REAPER_LIFECYCLE_REQUEST", LIFECYCLE)
    told = {item for event in events for item in event.values() if isinstance(item, str)}
    found: set[str] = set()
    for image in world.ours.values():
        if {image.id, image.name} <= told:
            name = str(image.name)
            given = {
                "name": name,
                "family": name.rpartition("-")[0] or name,
                "image_id": image.id,
                "owner": image.owner,
            }
            filled = re.sub(r"\{(name|family|image_id|owner)\}", lambda key: given[key[1]], template)  # noqa: B023
            found |= asked_for(filled) | swept(filled, world.ours)
    return found


def _deleted(knock: Knock, seen: Seen, world: World) -> None:
    wrong = seen.deleted - permitted(knock, seen, world) if seen.deletes else set()
    is_closed = knock.settings.get("REAPER_MODE", "delete") != "delete"
    if wrong or seen.deletes > len(seen.deleted) or (seen.changes and is_closed):
        raise Deleted(knock, f"{sorted(wrong)} by {seen.deletes} DELETEs")


def _escaped(knock: Knock, seen: Seen, _world: World) -> None:
    if '"run.fault"' in seen.printed or "unexpected: " in str(seen.answers):
        raise Escaped(knock, next((line for line in seen.printed.splitlines() if "run.fault" in line), "")[-300:])
    if knock.door.startswith("shell"):
        if seen.error is not None or seen.answer not in (0, 1, 2) or "Traceback" in seen.printed:
            raise Escaped(knock, f"{seen.error!r} and the exit code {seen.answer}")
        return
    named = (UnknownEvent, InvalidSettings) if is_of_queue(seen.event) else ReaperError
    is_ours = isinstance(seen.error, named) and not (isinstance(seen.error, InvalidSettings) and not knock.settings)
    if seen.error is not None and (not is_ours or (seen.deletes and is_of_queue(seen.event))):
        raise Escaped(knock, "".join(traceback.format_exception_only(seen.error)).strip())


def _leaked(knock: Knock, seen: Seen, world: World) -> None:
    told = (
        seen.printed
        + "".join(_texts_of(seen.error))
        + str(seen.answers)
        + "".join(json.dumps(json.loads(body)["responsePayload"]) for body in seen.failures)
        + (json.dumps(seen.answer, default=str) if seen.answer else "")
    )
    for secret in world.secrets:
        if secret in told:
            at = told.index(secret)
            raise Leaked(knock, told[max(at - 60, 0) : at + 20])


def _texts_of(error: BaseException | None) -> Iterator[str]:
    """The texts that a traceback of an error would show."""
    while error is not None:
        yield repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _garbled(knock: Knock, seen: Seen, _world: World) -> None:
    if knock.door.startswith("shell"):
        odd = [letter for letter in seen.printed if not letter.isprintable() and letter != "\n"]
        if odd:
            raise Garbled(knock, ascii(odd[:5]))
        return
    try:
        json.dumps(seen.answer, allow_nan=False)
        for line in seen.printed.splitlines():
            json.loads(line)
    except (TypeError, ValueError, RecursionError) as exc:
        raise Garbled(knock, f"{exc}: {seen.printed[:200]}") from None


def _lost(knock: Knock, seen: Seen, _world: World) -> None:
    if seen.error is not None:
        return
    if knock.door.startswith(FUNCTIONGRAPH):
        _lost_of_a_broker(knock, seen)
    if not is_of_queue(seen.event):
        return
    returned = {failure["itemIdentifier"] for failure in seen.answer["batchItemFailures"]}
    known = {record.get("messageId") for record in seen.event["Records"]}
    lost = {record["messageId"] for record in seen.event["Records"] if not _may_be_done(record)} - returned
    if lost or not returned <= known:
        raise Lost(knock, f"{sorted(lost)} of {sorted(known, key=str)}, of which {sorted(returned)} went back")


def _lost_of_a_broker(knock: Knock, seen: Seen) -> None:
    """A broker takes nothing back: what can't be carried out must be raised, where there is no place for it."""
    is_batch = isinstance(seen.event, dict) and seen.event.get("trigger_type") in {"KAFKA", "ROCKETMQ"}
    for record in seen.event["records"] if is_batch else ():
        for text in record["messages"]:
            if not is_request(strict(text)):
                raise Lost(knock, f"{str(text)[:100]!a} was read by nobody")


def _may_be_done(record: Mapping[str, Json]) -> bool:
    """Whether a message may count as done: a request, a call of CloudFormation, or a test of AWS's."""
    inside = list(everywhere(record.get("body")))
    empty = any(found.get("detail-type") == "Scheduled Event" or "detail" in found for found in inside)
    return empty or any(is_request(found) or "RequestType" in found or found.get("Event") in TESTS for found in inside)


def _handed_over(knock: Knock, seen: Seen, _world: World) -> None:
    has_place = "REAPER_FAILED_TO" in knock.settings
    if seen.failures and not (has_place and is_asynchronous(seen.event) and seen.error is None):
        raise Untold(knock, f"handed over, and {seen.error!r}")
    # Lambda can keep what is too deep to be written again.
    is_too_deep = "event.not_handed_over" in seen.printed and "nested too deeply" in seen.printed
    if has_place and is_asynchronous(seen.event) and isinstance(seen.error, InvalidRequest) and not is_too_deep:
        raise Untold(knock, f"not handed over: {seen.error!r}")
    for told in map(json.loads, seen.failures):
        answer = seen.answer if len(seen.failures) == 1 else None
        if not same(told["requestPayload"], seen.event) or not same(told["responsePayload"], answer):
            raise Untold(knock, f"{seen.failures}")


def _unanswered(knock: Knock, seen: Seen, world: World) -> None:
    if knock.door.startswith(("shell", FUNCTIONGRAPH)) or seen.event is None:
        return
    due = len(set(calls_in(seen, ANSWERS.replace("127.0.0.1:1/", world.address))))
    if len(seen.answers) < due:
        raise Unanswered(knock, f"{len(seen.answers)} answers to {due} calls: {seen.error!r}")
    for answer in seen.answers:
        if json.loads(answer)["Status"] not in {"SUCCESS", "FAILED"}:
            raise Unanswered(knock, str(answer))


def seconds_for(text: str) -> float:
    """The CPU time that an event may take."""
    images = min(len(UUID.findall(text)), 10_000)
    records = text.count('"eventSource"') + text.count('"EventSource"')
    own = SECONDS_PER_IMAGE * images + SECONDS_PER_RECORD * records
    return SECONDS + SECONDS_PER_MEGABYTE * len(text) / 1e6 + own


def _slow(knock: Knock, seen: Seen, world: World) -> None:
    most = seconds_for(knock.text)
    # The wall's clock is cheap to ask, but it also counts what a busy machine does for others.
    if seen.seconds > most and (used := world.cpu_time(knock)) > most:
        raise Slow(knock, f"{used:.1f} s for {len(knock.text)} characters")


def judge_memory(knock: Knock, peak: int) -> None:
    """Raise Greedy if an event took too many bytes."""
    most = MEGABYTES + MEGABYTES_PER_MEGABYTE * len(knock.text) / 1e6
    if peak / 1e6 > most:
        raise Greedy(knock, f"{peak / 1e6:.0f} MB for {len(knock.text)} characters")
