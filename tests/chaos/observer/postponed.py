"""Turns and postponements: who gets a turn, and that nobody comes back before it makes sense, or is forgotten."""

import json
from collections.abc import Iterator, Mapping

from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case
from tests.chaos.observer.reading import Json

PASSING = frozenset({"over_limit", "throttled", "unavailable", "budget", "paused", "busy", "deadline"})
"""Reasons to fail that pass with time."""
FREE = frozenset({"image.refused", "image.already_gone"})
"""What becomes of images that cost none of the deletions of an invocation, unless their DELETE told it."""
LONGEST = 41_400
"""Seconds for which a message is put off at most."""


def check_turns(case: Case) -> None:
    """Check who got no turn, in a queue that has no order to keep."""
    asked = [
        one for one in case.event.asked if one.targets and one.group is None and not one.problem and not one.approves
    ]
    if case.returned is None:
        return
    without = [one for one in asked if got_no_turn(case, one)]
    for one in without:
        if _may_have_cost(case) + len(one.targets) <= case.settings.max_images:
            case.say("starved", f"message {one.message} got no turn, and there was room for it")
        larger = [two for two in asked if len(one.targets) < len(two.targets) <= case.settings.max_images]
        if served := [two.message for two in larger if two not in without and _lines(case, two)]:
            case.say("starved", f"message {one.message} got no turn, and {served}, which are larger, had theirs")
        if touched := sorted(_read_for_one(case, one)):
            case.say("touched", f"message {one.message} got no turn", touched[0])


def got_no_turn(case: Case, asked: Asked) -> bool:
    """Whether a message, which fits into the limit, is told to have been left alone."""
    lines = _lines(case, asked)
    is_over = all(one["message"] == "image.failed" and one.get("reason") == "over_limit" for one in lines)
    return len(lines) == len(asked.targets) <= case.settings.max_images and is_over


def _lines(case: Case, asked: Asked) -> list[dict[str, Json]]:
    return [one for one in case.outcomes if one.get("message_id") == asked.message]


def _may_have_cost(case: Case) -> int:
    """How many images may have counted as deletions: what was counted stays so, whatever is found out after that."""
    counted = case.deletes.keys() | {image_id for image_id, read in case.readings.items() if len(read) > 1}
    touched = [one for one in case.outcomes if one.get("reason") != "over_limit"]
    return sum(one["message"] not in FREE or one["image_id"] in counted for one in touched)


def _read_for_one(case: Case, asked: Asked) -> set[str]:
    """The images that nobody but a message can have had read; what servers use is read to see what they boot with."""
    read = _named_by_one(case, asked) & case.readings.keys()
    return {image_id for image_id in read if not any(case.index.spans(image_id))}


def _named_by_one(case: Case, asked: Asked) -> set[str]:
    """The images that only this message names, so that nobody else had to read them."""
    if any(one.sweep for one in case.event.asked):
        return set()
    others = {image_id for one in case.event.asked if one is not asked for image_id in one.targets}
    others |= {one.activated["image_id"] for one in case.event.asked if one.activated}
    return set(asked.targets) - others


def check_postponed(case: Case) -> None:
    """Check which messages were put off, and for how long."""
    put_off = dict(_put_off(case))
    for message, seconds in put_off.items():
        if case.returned is not None and message not in case.returned:
            case.say("put off", f"message {message} was put off, and is done")
        if not 0 <= seconds <= LONGEST:
            case.say("put off", f"message {message} was put off for {seconds} seconds")
    for asked in case.event.asked if case.returned is not None else ():
        _check_reasons(case, asked, put_off)
    _check_told(case, put_off)


def _check_told(case: Case, put_off: Mapping[str, int]) -> None:
    for message, seconds in _told(case):
        if put_off.get(message) not in {seconds, seconds // 2}:
            text = f"message {message} is told to be put off for {seconds} seconds: {put_off.get(message)}"
            case.say("put off", text)


def _check_reasons(case: Case, asked: Asked, put_off: Mapping[str, int]) -> None:
    failed = {one.get("reason") for one in _lines(case, asked) if one["message"] == "image.failed"}
    is_held = _says(case, "message.held", message_id=asked.message)
    if asked.message in put_off and not is_held and not failed & PASSING:
        case.say("put off for nothing", f"message {asked.message} failed for {sorted(map(str, failed))}")
    could_not = _says(case, "messages.not_put_off")
    may_be = any(one.get("messageId") == asked.message and one.get("receiptHandle") for one in _records(case))
    if may_be and asked.targets and failed & PASSING and asked.message not in put_off and not could_not:
        case.say("not put off", f"message {asked.message} failed for {sorted(map(str, failed))}")


def _says(case: Case, event: str, **fields: str) -> bool:
    """Whether the log has a line of an event, with these fields."""
    return any({"message": event, **fields}.items() <= line.said.items() for line in case.lines)


def _put_off(case: Case) -> Iterator[tuple[str, int]]:
    """The messages that SQS was told to hide, and for how many seconds; of several times, the last counts."""
    handles = {one.get("receiptHandle"): one.get("messageId") for one in _records(case)}
    for request in case.requests:
        if request.path.startswith("/aws") and b"VisibilityTimeout" in request.body:
            for entry in json.loads(request.body)["Entries"]:
                yield str(handles.get(entry["ReceiptHandle"])), int(entry["VisibilityTimeout"])


def _records(case: Case) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = case.invocation.event.get("Records", []) if case.event.source == "queue" else []
    return found


def _told(case: Case) -> Iterator[tuple[str, int]]:
    for line in case.lines:
        if line.said.get("message") == "messages.put_off":
            for one in line.said["messages"]:
                yield one["message_id"], one["seconds"]
