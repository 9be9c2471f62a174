"""The door of FunctionGraph: its events, each in every form that is known, and what is turned down."""

import copy
import json
import sys
from collections.abc import Iterator
from subprocess import run as start
from typing import Any

import pytest

from handler.errors import ImagesFailed, InvalidRequest, ReaperError, UnknownEvent
from tests.conftest import EVENTS, UNKNOWN_ID, Invoke, load_event
from tests.fakecloud import OTHER
from tests.unit.there import CTS, EVENTGRID, KAFKA, SMN, TIMER, There, smn, there, timer, trace

__all__ = ["there"]

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
FAMILY = json.dumps({"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 1}, "limit_percent": 100}})
Json = dict[str, Any]


# What each file does


ACTIVATED: Json = {"REAPER_LIFECYCLE_REQUEST": FAMILY}
DELETED_BY: dict[str, set[str]] = {
    "timer": {"519"},
    "smn": {"504"},
    "kafka": {"501", "502"},
    "rocketmq": {"503"},
    "cts": {"515", "516", "517", "518"},
    "eventgrid": {"515", "516", "517", "518"},
}
RAISED_BY: dict[str, tuple[type[Exception], str]] = {
    "timer-bad": (InvalidRequest, "dryrun: unknown field"),
    "kafka-bad": (ImagesFailed, "2 of 3 messages failed"),
    "unknown-apig": (UnknownEvent, "APIG"),
    "unknown-rabbitmq": (UnknownEvent, "nobody has documented its form"),
    "unknown-obs": (UnknownEvent, "OBS"),
    "unknown-lts": (UnknownEvent, "LTS"),
    "unknown-dds": (UnknownEvent, "DDS"),
    "unknown-gaussdb": (UnknownEvent, "GaussDB"),
    "unknown-dis": (UnknownEvent, "DIS"),
    "unknown-failure": (UnknownEvent, "an event that failed"),
}
PREFIX = "functiongraph-"
FILES = sorted(path.stem.removeprefix(PREFIX) for path in EVENTS.glob(f"{PREFIX}*.json"))


def seeded(there: There) -> There:
    there.cloud.seed(json.loads((EVENTS.parent / "tests/fakecloud/seed_demo.json").read_text()))
    return there


def dead(there: There) -> set[str]:
    return {image[-3:] for image in there.cloud.dead}


def test_every_event_file_of_functiongraph_is_known_here() -> None:
    assert sorted({**DELETED_BY, **RAISED_BY}) == FILES


@pytest.mark.parametrize("name", DELETED_BY)
def test_an_event_file_does_what_it_says(there: There, name: str) -> None:
    run = seeded(there)(load_event(PREFIX + name), **ACTIVATED)
    assert run.error is None
    assert dead(there) == DELETED_BY[name]


@pytest.mark.parametrize("name", RAISED_BY)
def test_an_event_file_that_is_wrong_is_turned_down_in_words(there: There, name: str) -> None:
    run = seeded(there)(load_event(PREFIX + name), **ACTIVATED)
    kind, words = RAISED_BY[name]
    assert type(run.error) is kind
    assert words in str(run.error)
    assert dead(there) == ({"502"} if name == "kafka-bad" else set())


@pytest.mark.parametrize("name", [*DELETED_BY, *RAISED_BY])
def test_lambda_turns_every_event_of_functiongraph_down(invoke: Invoke, name: str) -> None:
    assert isinstance(invoke(load_event(PREFIX + name), **ACTIVATED).error, UnknownEvent)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in EVENTS.glob("*.json") if not path.stem.startswith((PREFIX, "direct")))
)
def test_functiongraph_turns_every_event_of_aws_down(there: There, name: str) -> None:
    run = seeded(there)(load_event(name), **ACTIVATED)
    assert isinstance(run.error, UnknownEvent)
    assert not there.cloud.dead


# Any field of an envelope may be missing, null, or of another type


def places(value: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value inside an event."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*way, key)
        yield from places(item, (*way, key))


def changed(event: Json, way: tuple[str | int, ...], value: object) -> Json:
    event = copy.deepcopy(event)
    holder: Any = event
    for key in way[:-1]:
        holder = holder[key]
    if value is MISSING:
        del holder[way[-1]]
    else:
        holder[way[-1]] = value
    return event


MISSING = object()
WRONG = {"missing": MISSING, "null": None, "number": 7, "true": True, "text": "x", "list": [], "object": {}}
ENVELOPES = {"timer": TIMER, "smn": SMN, "kafka": KAFKA, "cts": CTS, "eventgrid": EVENTGRID}


@pytest.mark.slow("a run for each field of an event")
@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", ENVELOPES)
def test_a_field_that_is_wrong_ends_in_a_named_error_or_in_what_the_rest_asks_for(
    there: There, name: str, kind: str
) -> None:
    ways = list(places(ENVELOPES[name]))
    assert len(ways) >= 5
    for way in ways:
        renewed(there)
        run = there(changed(ENVELOPES[name], way, WRONG[kind]), **ACTIVATED)
        assert run.error is None or isinstance(run.error, ReaperError), (way, repr(run.error))
        assert dead(there) in (set(), *subsets(DELETED_BY[name])), way


def renewed(there: There) -> There:
    there.cloud.images.clear()
    there.cloud.dead.clear()
    return seeded(there)


def subsets(images: set[str]) -> list[set[str]]:
    return [images, *({image} for image in images)]


@pytest.mark.parametrize(
    "event", [[], [TIMER], "TIMER", "", None, 7, True, {}, {"trigger_type": "TIMER"} | SMN], ids=repr
)
def test_what_is_no_event_or_might_be_two_is_turned_down(there: There, event: object) -> None:
    assert isinstance(there(event).error, UnknownEvent)


PAIRS = [(first, second) for first in ENVELOPES for second in ENVELOPES if first < second]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_events_at_once_are_turned_down(there: There, first: str, second: str) -> None:
    for event in (ENVELOPES[first] | ENVELOPES[second], ENVELOPES[second] | ENVELOPES[first]):
        run = seeded(there)(event, **ACTIVATED)
        assert "two events at once" in str(run.error)
        assert isinstance(run.error, UnknownEvent)
    assert not there.cloud.dead


def test_an_event_of_eventgrid_with_a_list_of_others_in_it_is_none(there: There) -> None:
    run = seeded(there)(EVENTGRID | {"events": [EVENTGRID]}, **ACTIVATED)
    assert "two events at once, of EventGrid and several of EventGrid" in str(run.error)
    assert not there.cloud.dead


@pytest.mark.parametrize("field", ["image_ids", "images", "sweep", "dry_run", "delete_backup", "reason", "not_after"])
@pytest.mark.parametrize("name", ENVELOPES)
def test_a_field_of_a_request_beside_an_event_is_turned_down(there: There, name: str, field: str) -> None:
    run = seeded(there)(ENVELOPES[name] | {field: True}, **ACTIVATED)
    assert "two events at once, of " in str(run.error)
    assert "a request" in str(run.error)
    assert not there.cloud.dead


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_may_have_fields_that_nobody_knows(there: There, name: str) -> None:
    run = seeded(there)(ENVELOPES[name] | {"workflow": {"run": 7}, "project_id": OTHER}, **ACTIVATED)
    assert run.error is None
    assert dead(there) == DELETED_BY[name]


@pytest.mark.parametrize("trigger", ["OBS", "timer", "KAFKA ", "", 7, ["KAFKA"], {"KAFKA": 1}], ids=repr)
def test_another_trigger_is_turned_down_by_its_name(there: There, trigger: object) -> None:
    for event in (TIMER, KAFKA):
        run = there(event | {"trigger_type": trigger})
        assert isinstance(run.error, UnknownEvent)
        assert "trigger_type: is" in str(run.error)


# A request itself


def test_a_request_is_answered_with_its_report_also_if_an_image_failed(there: There) -> None:
    image, busy = there.cloud.add_image(), there.cloud.add_image()
    there.cloud.fault("DELETE", busy, status=500, times=None)
    run = there({"image_ids": [image, busy]}, seconds=8)
    assert (run.error, run.answer["ok"], run.answer["source"]) == (None, False, "direct")
    assert set(there.cloud.dead) == {image}


@pytest.mark.parametrize(
    "request_", [{"image_ids": [ID], "dryrun": True}, {"image_ids": ["x"]}, {"sweep": {}}], ids=str
)
def test_a_request_that_is_wrong_is_turned_down(there: There, request_: Json) -> None:
    there.cloud.add_image(id=ID)
    assert isinstance(there(request_).error, InvalidRequest)
    assert not there.cloud.dead


# The timer


EMPTY = {"missing": MISSING, "null": None, "empty": "", "an empty object": "{}"}


@pytest.mark.parametrize("text", EMPTY.values(), ids=list(EMPTY))
def test_a_timer_without_a_text_has_the_standing_request_carried_out(there: There, text: object) -> None:
    image = there.cloud.add_image()
    event = changed(TIMER, ("user_event",), text)
    run = there(event, REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image]}))
    assert (run.answer["source"], run.answer["counts"]) == ("schedule", {"deleted": 1})
    assert set(there.cloud.dead) == {image}


@pytest.mark.parametrize("text", EMPTY.values(), ids=list(EMPTY))
def test_without_a_standing_request_it_is_turned_down(there: There, text: object) -> None:
    run = there(changed(TIMER, ("user_event",), text))
    assert "REAPER_SCHEDULED_REQUEST is not set" in str(run.error)


@pytest.mark.parametrize("text", [0, False, 7, [], {}, {"image_ids": [ID]}, " ", "x", "[]", "null"], ids=repr)
def test_a_timer_with_anything_but_a_request_in_its_text_is_turned_down(there: There, text: object) -> None:
    image = there.cloud.add_image(id=ID)
    run = there(TIMER | {"user_event": text}, REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image]}))
    assert isinstance(run.error, InvalidRequest)
    assert not there.cloud.dead


def test_a_timer_fails_if_an_image_fails(there: There) -> None:
    image = there.cloud.add_image()
    there.cloud.fault("DELETE", image, status=500, times=None)
    assert isinstance(there(timer({"image_ids": [image]}), seconds=8).error, ImagesFailed)


# SMN


def test_every_record_of_a_topic_is_carried_out(there: There) -> None:
    images = [there.cloud.add_image() for _ in range(3)]
    run = there(smn(*({"image_ids": [image]} for image in images)))
    assert (run.answer["source"], run.answer["counts"]) == ("topic", {"deleted": 3})


def test_a_topic_with_one_record_of_another_kind_is_turned_down(there: There) -> None:
    image = there.cloud.add_image()
    event = smn({"image_ids": [image]})
    for other in ({"event_source": "obs"}, {"event_source": None}, {}, None, "smn"):
        run = there(event | {"record": [*event["record"], other]})
        assert "event_source must be smn in every record" in str(run.error)
    assert not there.cloud.dead


def test_what_comes_from_the_topic_of_failures_is_not_read_again(there: There) -> None:
    image, topic = there.cloud.add_image(), there.cloud.add_topic()
    run = there(smn({"image_ids": [image]}, topic=topic), REAPER_FAILED_TO=topic)
    assert isinstance(run.error, UnknownEvent)
    assert "REAPER_FAILED_TO" in str(run.error)
    assert (there.cloud.dead, there.cloud.topics[topic]) == ({}, [])


def test_a_notification_of_a_failure_is_not_read_again_from_any_topic(there: There) -> None:
    topic, failure = there.cloud.add_topic(), load_event("functiongraph-unknown-failure")
    run = there(smn(failure), REAPER_FAILED_TO=topic)
    assert isinstance(run.error, UnknownEvent)
    assert there.cloud.topics[topic] == []


@pytest.mark.parametrize("event", [timer, smn])
def test_what_no_repetition_can_cure_is_published_once_and_the_function_succeeds(there: There, event: Any) -> None:  # noqa: ANN401 (a function)
    image, topic = there.cloud.add_image(), there.cloud.add_topic()
    sent = event({"image_ids": [image], "dryrun": True})
    run = there(sent, REAPER_FAILED_TO=topic)
    assert run.error is None
    assert "dryrun: unknown field" in run.answer["rejected"]
    assert there.published(topic) == [{"request_payload": sent, "response_payload": run.answer}]
    assert not there.cloud.dead


@pytest.mark.parametrize(
    "fault", [{"status": 403}, {"status": 500}, {"cut": True}, {"status": 200, "body": "{}"}], ids=str
)
def test_what_can_not_be_published_fails(there: There, fault: Json) -> None:
    topic = there.cloud.add_topic()
    there.cloud.fault("POST", "/publish", times=None, **fault)
    run = there(timer({"image_ids": [UNKNOWN_ID], "dryrun": True}), REAPER_FAILED_TO=topic)
    assert isinstance(run.error, InvalidRequest)
    assert len(run.logged("event.not_handed_over")) == 1


def test_a_topic_that_is_busy_at_first_gets_it(there: There) -> None:
    topic = there.cloud.add_topic()
    there.cloud.fault("POST", "/publish", status=503, times=2)
    assert there(timer("x"), REAPER_FAILED_TO=topic).error is None
    assert len(there.cloud.topics[topic]) == 1


# Traces


@pytest.mark.parametrize(
    "changes",
    [
        {"time": 1762251900, "record_time": 1762251900},
        {"time": "2026/11/04 11:25:00 GMT+01:00"},
        {"request": {"name": "nightly-4"}, "response": {"job_id": "j"}},
        {"request": '{"name": "nightly-4"}', "response": ""},
        {"code": "200"},
        {"code": ""},
        {"code": None, "trace_rating": None},
        {"project_id": ""},
        {"project_id": None},
    ],
    ids=str,
)
def test_a_trace_may_have_its_times_codes_and_bodies_in_any_form(there: There, changes: Json) -> None:
    assert seeded(there)(trace(changes), **ACTIVATED).error is None
    assert dead(there) == DELETED_BY["cts"]


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_name": "deleteImage"},
        {"trace_name": "CREATEIMAGE"},
        {"service_type": "ECS"},
        {"trace_status": "warning"},
        {"trace_rating": "incident"},
        {"trace_status": ["normal"]},
        {"code": 400},
        {"code": "503"},
    ],
    ids=str,
)
def test_any_other_trace_asks_for_nothing(there: There, changes: Json) -> None:
    run = seeded(there)(trace(changes), **ACTIVATED)
    assert (run.error, run.answer["ok"], run.answer["outcomes"]) == (None, True, [])
    assert there.cloud.calls == []


@pytest.mark.parametrize(
    "resource",
    [None, "", "nightly-4", "urn:ims:eu-de:p:image:6cad483b-e281-4985-a345-7afef1f3c518", 7, ["x"]],
    ids=repr,
)
def test_a_trace_that_names_its_image_in_another_way_is_turned_down(there: There, resource: object) -> None:
    run = seeded(there)(trace({"resource_id": resource}), **ACTIVATED)
    assert isinstance(run.error, InvalidRequest)
    assert "image_id" in str(run.error)
    assert not there.cloud.dead


@pytest.mark.parametrize("project", [7, 0, False, [], {}, [OTHER]], ids=repr)
def test_a_trace_whose_project_is_no_string_is_turned_down(there: There, project: object) -> None:
    run = seeded(there)(trace({"project_id": project}), **ACTIVATED)
    assert isinstance(run.error, InvalidRequest)
    assert "project_id" in str(run.error)
    assert not there.cloud.dead


def test_a_trace_of_another_project_is_turned_down(there: There) -> None:
    for event in (trace({"project_id": OTHER}), EVENTGRID | {"data": EVENTGRID["data"] | {"project_id": OTHER}}):
        run = seeded(there)(event, **ACTIVATED)
        assert isinstance(run.error, InvalidRequest)
        assert OTHER in str(run.error)
    assert not there.cloud.dead


def test_a_trace_that_names_no_project_counts_only_for_an_image_of_ours(there: There) -> None:
    ours = seeded(there)(changed(CTS, ("cts", "project_id"), MISSING), **ACTIVATED)
    assert (ours.error, dead(there)) == (None, DELETED_BY["cts"])
    renewed(there).cloud.images[CTS["cts"]["resource_id"]].owner = OTHER
    run = there(changed(CTS, ("cts", "project_id"), MISSING), **ACTIVATED)
    assert set(run.outcomes.values()) <= {("refused", "changed"), ("refused", "not_owner")}
    assert not there.cloud.dead


@pytest.mark.parametrize("status", ["queued", "saving", "importing", "a state of tomorrow"])
def test_a_trace_of_an_image_that_is_not_active_yet_fails_so_that_it_comes_again(there: There, status: str) -> None:
    seeded(there).cloud.images[CTS["cts"]["resource_id"]].status = status
    run = there(CTS, **ACTIVATED)
    assert isinstance(run.error, ImagesFailed)
    assert "not active yet" in str(run.error)
    assert not there.cloud.dead
    there.cloud.images[CTS["cts"]["resource_id"]].status = "active"
    assert there(CTS, **ACTIVATED).error is None
    assert dead(there) == DELETED_BY["cts"]


@pytest.mark.parametrize("status", ["killed", "deactivated", "pending_delete"])
def test_a_trace_of_an_image_that_is_no_longer_active_deletes_nothing(there: There, status: str) -> None:
    seeded(there).cloud.images[CTS["cts"]["resource_id"]].status = status
    run = there(CTS, **ACTIVATED)
    assert set(run.outcomes.values()) == {("refused", "changed")}
    assert not there.cloud.dead


def test_a_trace_without_a_standing_request_is_turned_down(there: There) -> None:
    assert "REAPER_LIFECYCLE_REQUEST is not set" in str(there(CTS).error)


def test_several_events_of_eventgrid_are_carried_out_together(there: There) -> None:
    run = seeded(there)({"events": [EVENTGRID, EVENTGRID | {"data": CTS["cts"]}]}, **ACTIVATED)
    assert run.error is None
    assert dead(there) == DELETED_BY["cts"]


@pytest.mark.parametrize("events", [None, [], {}, "x"], ids=repr)
def test_an_empty_list_of_eventgrid_and_what_is_no_list_are_turned_down(there: There, events: object) -> None:
    assert "events: must be a list" in str(there({"events": events}, **ACTIVATED).error)


def test_a_standing_request_for_another_project_than_the_traces_is_turned_down(there: There) -> None:
    standing = json.dumps(json.loads(FAMILY) | {"project_id": OTHER})
    run = seeded(there)(CTS, REAPER_LIFECYCLE_REQUEST=standing)
    assert isinstance(run.error, InvalidRequest)
    assert not there.cloud.dead


@pytest.mark.parametrize("data", [None, "x", {}, {"bucket": "images"}, {"service_type": "IMS"}, [CTS["cts"]]], ids=str)
def test_an_event_of_eventgrid_that_is_no_trace_is_turned_down(there: There, data: object) -> None:
    for event in (EVENTGRID | {"data": data}, {"events": [EVENTGRID, EVENTGRID | {"data": data}]}):
        assert isinstance(there(event, **ACTIVATED).error, UnknownEvent)


# What it loads


def test_behind_this_door_is_nothing_of_aws() -> None:
    code = "import sys, handler.functiongraph; print(*sys.modules)"
    loaded = start([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()  # noqa: S603 (our own words)
    assert "handler.functiongraph" in loaded
    aws = {"requests_aws4auth", "snapshot_restore_py", "boto3", "handler.app", "handler.engine.aws.calls"}
    assert not aws & set(loaded)
