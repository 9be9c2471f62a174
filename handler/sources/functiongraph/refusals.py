"""Events that FunctionGraph may deliver but that are turned down, each with its reason: no open doors, and no loops."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handler.sources.functiongraph.envelopes import BROKERS, NOTIFICATION
from handler.sources.parsing import shown
from handler.sources.schema import REQUEST_FIELDS

Event = Mapping[str, Any]
_TRIGGERS = ("TIMER", *BROKERS)


class Refusal(NamedTuple):
    """An event that is turned down: how it is recognised, and why."""

    is_one: Callable[[Event], bool]
    why: str


def _has(*keys: str) -> Callable[[Event], bool]:
    return lambda event: any(key in event for key in keys)


def _is_of(source: str) -> Callable[[Event], bool]:
    return lambda event: any(record.get("event_source") == source for record in _records(event))


def _records(event: Event) -> list[dict[str, Any]]:
    records = event.get("records")
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


REFUSALS = (
    Refusal(
        _has(*NOTIFICATION, "request_context", "response_context"),
        "a notification of an event that failed: send its request_payload again by hand, or it would go in a loop",
    ),
    Refusal(
        _has("requestContext", "httpMethod", "pathParameters", "queryStringParameters", "isBase64Encoded"),
        "an APIG event: the function can't know who called",
    ),
    Refusal(
        lambda event: event.get("trigger_type") == "RABBITMQ",
        "a RABBITMQ event: nobody has documented its form; use KAFKA, ROCKETMQ or SMN",
    ),
    Refusal(_has("Records"), "Records of OBS or of AWS: an object in a bucket asks for nothing here"),
    Refusal(
        _has("detail-type", "RequestType", "ResponseURL"),
        "an event of AWS, which comes from no source of FunctionGraph",
    ),
    Refusal(_has("lts"), "an LTS event: a line of a log asks for nothing here"),
    Refusal(_is_of("dds"), "a DDS event: a change in a database asks for nothing here"),
    Refusal(_is_of("gauss_mongo"), "a GaussDB(for Mongo) event: a change in a database asks for nothing here"),
    Refusal(_has("ShardID", "StreamName"), "a DIS event: records of a stream are not read; use KAFKA or SMN"),
    Refusal(_has("notify_data"), "an IoTDA event: a device asks for nothing here"),
)


MARKS = {
    "user_event": "a timer",
    "record": "SMN",
    "records": "a broker",
    "cts": "CTS",
    "events": "several of EventGrid",
    "specversion": "EventGrid",
    # A project may stand in an envelope, too.
    **dict.fromkeys(REQUEST_FIELDS - {"project_id"}, "a request"),
}
"""Fields that only one kind of event has."""


def problem_of(event: Event) -> str:
    """Why an event is turned down; empty if it is not."""
    if why := next((refusal.why for refusal in REFUSALS if refusal.is_one(event)), ""):
        return why
    trigger = event.get("trigger_type", "TIMER")
    if trigger not in _TRIGGERS:
        told = shown(trigger) if isinstance(trigger, str) else "no string"
        return f"trigger_type: is {told}, not one of {', '.join(_TRIGGERS)}"
    # Which of the two is meant can't be guessed.
    kinds = {MARKS[key] for key in MARKS.keys() & event.keys()}
    if "trigger_type" in event:
        kinds.add("a timer" if trigger == "TIMER" else "a broker")
    return f"two events at once, of {' and '.join(sorted(kinds))}" if len(kinds) > 1 else ""
