"""Events of FunctionGraph, read by the observer in its own way, and which messages of a batch were published."""

import json
from collections.abc import Iterator

from tests.chaos.history import History, Invocation
from tests.chaos.observer.asked import Asked, Event, activated_by, asked_in
from tests.chaos.observer.reading import Json
from tests.chaos.observer.settings import Settings

BROKERS = ("KAFKA", "ROCKETMQ")


def read_event_there(event: Json, settings: Settings) -> Event:
    """Read an event; one of no known shape has the source `unknown`."""
    if not isinstance(event, dict):
        return Event("unknown", ())
    if event.get("trigger_type") == "TIMER":
        return Event("schedule", (asked_in(event.get("user_event") or settings.scheduled, settings),))
    if is_batch(event):
        return Event("queue", tuple(_read_batch(event, settings)))
    if "record" in event:
        return Event("topic", tuple(asked_in(one["smn"]["message"], settings) for one in event["record"]))
    if "cts" in event:
        return Event("lifecycle", (activated_by(event, settings),))
    return Event("direct", (asked_in(json.dumps(event), settings),))


def is_batch(event: Json) -> bool:
    """Whether an event is a batch of a broker."""
    return isinstance(event, dict) and event.get("trigger_type") in BROKERS


def _read_batch(event: Json, settings: Settings) -> Iterator[Asked]:
    for place, text in messages_in(event):
        yield asked_in(text, settings)._replace(message=place)


def messages_in(event: Json) -> Iterator[tuple[str, str]]:
    """The messages of a batch, with the place of each."""
    for record, one in enumerate(event["records"]):
        for number, text in enumerate(one["messages"]):
            yield f"records[{record}].messages[{number}]", text


def published_by(history: History, invocation: Invocation) -> frozenset[str]:
    """The messages of its batch that an invocation has published; if two have the same text, both count."""
    bodies = {
        text
        for told in history.handed_over
        if told.invocation == invocation.number
        for _, text in messages_in(json.loads(told.body)["requestPayload"])
    }
    return frozenset(place for place, text in messages_in(invocation.event) if text in bodies)
