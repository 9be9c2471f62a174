"""The observer on events that are repeated: what was counted, what was handed over, and what has raised."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.chaos.history import HandedOver
from tests.chaos.observer.judging import judge_world
from tests.unit.test_observer import ID, IMAGES, OTHER, SOUND, Step, Tale, later, telling, told, void

Json = Any
EVENT: Json = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {"image_ids": [ID]}}
WRONG: Json = EVENT | {"detail": {"dryrun": True}}
WITH_BOTH = {"REAPER_STATE_TABLE": "state", "REAPER_FAILED_TO": "queue"}
FAILS: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("failed", "over_limit")}

BUDGET: Mapping[str, Step] = {**FAILS, "told": telling("failed", "budget")}


def counting(tale: Tale) -> None:
    tale.ask("POST", "/aws", body=b'{"Key": {"id": {"S": "event/1"}}}')


def handing(report: Json = None, event: Json = None, times: int = 1, **fields: Json) -> Step:
    """Hand the event over, and answer."""

    def finish(tale: Tale) -> None:
        assert tale.started
        number = tale.started.number
        tale.ask("POST", "/aws", body=b"requestPayload", **fields)
        tale.finish()
        answer = tale.history.invocations[-1].answer
        body = {"requestPayload": event or tale.event, "responsePayload": report or answer}
        tale.history.handed_over += [HandedOver(number, json.dumps(body))] * times

    return finish


def raising(finish: Step = Tale.finish, error: str = "ImagesFailed: 1 of 1") -> Step:
    def step(tale: Tale) -> None:
        finish(tale)
        tale.history.invocations[-1].answer, tale.history.invocations[-1].error = None, error

    return step


def event_with(event: Json = EVENT, settings: Json = WITH_BOTH, **steps: Step) -> set[str]:
    return told(event, settings, **steps).promises()


def test_an_event_that_was_not_counted_before_its_deletion_is_found() -> None:
    assert event_with(before_delete=counting) == set()
    assert event_with() == event_with(before_told=counting) == {"cap"}
    assert event_with(settings={"REAPER_STATE_TABLE": ""}) == set()


def test_what_was_handed_over_or_has_raised_is_right() -> None:
    assert event_with(**FAILS, finish=handing()) == set()
    assert event_with(**FAILS, finish=raising(), settings={"REAPER_FAILED_TO": ""}) == set()
    assert event_with(**BUDGET, finish=raising()) == set()


def test_what_has_neither_raised_nor_was_handed_over_is_found() -> None:
    assert event_with(**FAILS) == {"report"}


def test_what_was_handed_over_and_raised_or_twice_is_found() -> None:
    assert event_with(**FAILS, before_told=later(40), finish=raising(handing())) == {"handed over"}
    assert event_with(**FAILS, finish=handing(times=2)) == {"handed over"}
    assert event_with(**FAILS, finish=raising(handing(times=2, whole=False))) == set()


def test_what_no_repetition_can_cure_and_has_raised_all_the_same_is_found() -> None:
    assert event_with(**FAILS, finish=raising()) == {"handed over"}
    assert event_with(**FAILS, before_told=later(40), finish=raising()) == set()


def test_what_may_get_better_and_was_handed_over_is_found() -> None:
    assert event_with(**BUDGET, finish=handing()) == {"handed over"}


@pytest.mark.parametrize("changed", [{"event": EVENT | {"detail": {}}}, {"report": {"ok": False}}])
def test_a_message_that_holds_something_else_is_found(changed: Json) -> None:
    assert event_with(**FAILS, finish=handing(**changed)) == {"handed over"}


def test_what_may_not_be_handed_over_and_was_is_found() -> None:
    assert event_with({"image_ids": [ID]}, **FAILS, finish=handing()) == {"handed over"}
    assert event_with(**FAILS, finish=handing(), settings={"REAPER_FAILED_TO": ""}) == {"handed over"}


def test_a_request_that_was_turned_down_is_handed_over_or_found() -> None:
    for event, promises in ((WRONG, set()), (EVENT, {"turned down", "handed over"})):
        tale = Tale(event, Tale().settings | WITH_BOTH)
        tale.begin()
        tale.end()
        answer = {"ok": False, "counts": {}, "outcomes": [], "rejected": "dryrun: unknown field"}
        tale.history.invocations[-1].answer = answer
        body = {"requestPayload": event, "responsePayload": answer}
        tale.history.handed_over.append(HandedOver(0, json.dumps(body)))
        assert tale.promises() == promises


def repeated(most: str, *, died: bool = False) -> set[str]:
    """Two runs of one event, each of which deletes an image."""
    event = EVENT | {"detail": {"image_ids": [ID, OTHER]}}
    tale = told(event, WITH_BOTH | {"REAPER_MAX_IMAGES": most}, before_delete=counting)
    first = tale.history.invocations[-1]
    first.first, first.died = first.number, died
    tale.image(SOUND._replace(id=OTHER))
    tale.begin()
    counting(tale)
    tale.ask("DELETE", f"{IMAGES}/{OTHER}", 204)
    tale.end()
    tale.history.invocations[-1].first = first.number
    return {violation.text for violation in judge_world(tale.history) if violation.promise == "cap"}


def test_runs_that_delete_more_than_one_may_are_found() -> None:
    assert repeated("2") == set()
    assert repeated("1") == {"2 images in all its runs, and 1 are allowed"}


def test_a_run_that_deletes_after_one_that_died_is_found() -> None:
    assert repeated("9", died=True) == {"an earlier run died, and had told nobody what it has deleted"}
