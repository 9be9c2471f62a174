"""The doors: how a request travels to each, in the envelopes of the recorded events."""

import copy
import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from tests.chaos.doors.failures import QUEUE
from tests.chaos.doors.world import ANSWERS, FUNCTIONGRAPH, IMAGES, Knock
from tests.conftest import EVENTS
from tests.fakecloud import DEMO

Json = Any
_FIRST = next(iter(IMAGES))
RECORDED: Mapping[str, Json] = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
"""Every event file, with an address for CloudFormation's answers that is in this world."""
for _event in RECORDED.values():
    if "ResponseURL" in _event:
        _event["ResponseURL"] = ANSWERS


_HERE = "the request stands here"


def _envelope(name: str, *way: str | int) -> str:
    """The text of a recorded event with a place for something else; of a queue's messages, only the first is kept."""
    event = copy.deepcopy(RECORDED[name])
    if name == "queue":
        del event["Records"][1:]
    for record in event.get("records", ()):
        del record["messages"][1:]
    holder = event
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = _HERE
    return json.dumps(event)


_ENVELOPES = {
    "queue": _envelope("queue", "Records", 0, "body"),
    "fifo": _envelope("queue-fifo", "Records", 0, "body"),
    "topic": _envelope("topic", "Records", 0, "Sns", "Message"),
    "bus": _envelope("lifecycle-custom", "detail"),
    "rule": _envelope("schedule", "detail"),
    "scheduler": _envelope("schedule-scheduler", "detail"),
    "hook": _envelope("lifecycle", "detail", "NotificationMetadata"),
    "stack": _envelope("stack-delete", "ResourceProperties"),
    "new stack": _envelope("stack-create", "ResourceProperties"),
    "timer": _envelope("functiongraph-timer", "user_event"),
    "smn": _envelope("functiongraph-smn", "record", 0, "smn", "message"),
    "kafka": _envelope("functiongraph-kafka", "records", 0, "messages", 0),
    "rocketmq": _envelope("functiongraph-rocketmq", "records", 0, "messages", 0),
}


def _holding(envelope: str, text: str) -> str:
    """An event that holds a request as JSON of its own."""
    return _ENVELOPES[envelope].replace(f'"{_HERE}"', text)


def _telling(envelope: str, text: str) -> str:
    """An event that holds a request as a text."""
    return _holding(envelope, json.dumps(text))


def in_queue(text: str) -> str:
    """A message of a standard queue."""
    return _telling("queue", text)


def in_topic(text: str) -> str:
    """A notification."""
    return _telling("topic", text)


def in_topic_of_queue(text: str) -> str:
    """A notification that a topic delivers to a queue."""
    return in_queue(json.dumps({"Type": "Notification", "MessageId": "1", "Message": text}))


def in_bus_of_queue(text: str) -> str:
    """An event of EventBridge, delivered to a queue."""
    return in_queue(_holding("bus", text))


def in_stack(text: str) -> str:
    """The properties of a custom resource that is deleted."""
    return _holding("stack", json.dumps(_as_texts(json.loads(text))))


def in_new_stack(text: str) -> str:
    """The same at its creation, which deletes nothing."""
    return _holding("new stack", json.dumps(_as_texts(json.loads(text))))


def in_stack_of_topic(text: str) -> str:
    """A call of CloudFormation through a topic."""
    return in_topic(in_stack(text))


def in_stack_of_queue(text: str) -> str:
    """A call of CloudFormation through a topic and a queue."""
    return in_topic_of_queue(in_stack(text))


def _as_texts(value: Json) -> Json:
    """Every value as a text, as CloudFormation makes it."""
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_texts(item) for item in value]
    return value if isinstance(value, str) else json.dumps(value)


WRAPPED: Mapping[str, Callable[[str], str]] = {
    "queue": in_queue,
    "fifo queue": partial(_telling, "fifo"),
    "queue of a topic": in_topic_of_queue,
    "topic": in_topic,
    "scheduler": partial(_telling, "scheduler"),
    "lifecycle hook": partial(_telling, "hook"),
    "queue of a bus": in_bus_of_queue,
    "rule": partial(_holding, "rule"),
    "bus": partial(_holding, "bus"),
    "stack": in_stack,
    "stack, new": in_new_stack,
    "stack of a topic": in_stack_of_topic,
    "stack of a queue": in_stack_of_queue,
    **{f"{FUNCTIONGRAPH} {name}": partial(_telling, name) for name in ("timer", "smn", "kafka", "rocketmq")},
    f"{FUNCTIONGRAPH} direct": str,
    "direct": str,
}
"""Every way in which a request may come to Lambda, and to FunctionGraph."""
RIGHT: tuple[Json, ...] = (
    {"image_ids": [_FIRST], "reason": "superseded", "dry_run": False},
    {"images": [{"id": _FIRST, "expect": {"name": "ci-build-101", "size": 1024, "tags": ["ci"]}}]},
    {"images": [{"id": _FIRST, "expect": {"name": "another"}}], "not_after": "2099-01-31"},
    {"image_ids": [_FIRST], "dry_run": True},
    {"sweep": {"select": {"tags": ["temporary"], "older_than": "1d"}, "limit": 25, "limit_percent": 50}},
    {"sweep": {"select": {"name": "ci-build-10*"}, "keep": {"newest": 1, "group_by": "name"}, "limit": 2}},
    {"sweep": {"select": {"family": "nightly"}, "grace": "7d"}, "project_id": DEMO},
)
"""Requests that are right, or nearly so: what one change makes of them tells most."""
KEPT = {"REAPER_FAILED_TO": QUEUE}
"""The setting with which a request that can't be carried out is handed over."""
CLOSED = ("paused", "dry-run")
"""The modes in which no door lets anything through."""
STANDING = {
    "REAPER_SCHEDULED_REQUEST": RECORDED["schedule-scheduler"],
    "REAPER_LIFECYCLE_REQUEST": RECORDED["lifecycle-activated"],
}
"""The settings that hold a request, and the event that is answered with it."""


def knocks_of(text: str) -> list[Knock]:
    """A request at every door there is. Where an envelope can't hold the text, since it is no JSON, nobody knocks."""
    knocks = [_at_the_shell(text)]
    for door, wrap in WRAPPED.items():
        with suppress(RecursionError, ValueError):
            knocks.append(Knock(door, wrap(text)))
    knocks += [Knock(f"{knocks[-1].door}, {mode}", knocks[-1].text, {"REAPER_MODE": mode}) for mode in CLOSED]
    kept = ("topic", "rule")
    knocks += [Knock(f"{one.door}, handed over", one.text, KEPT) for one in knocks if one.door in kept]
    return knocks + [
        Knock(name, json.dumps(event), {name: text}) for name, event in STANDING.items() if _fits_environment(text)
    ]


def knocks_with(event: Json) -> list[Knock]:
    """An event at the doors that take whole events: Lambda's in every mode, a queue, a topic, the shell."""
    text = json.dumps(event)
    closed = [Knock(f"event, {mode}", text, {"REAPER_MODE": mode}) for mode in CLOSED]
    through = [Knock("event in a queue", in_queue(text)), Knock("event in a topic", in_topic(text))]
    there = Knock(f"{FUNCTIONGRAPH} event", text)
    return [
        Knock("event", text),
        there,
        *through,
        *closed,
        Knock("event, handed over", text, KEPT),
        _at_the_shell(text),
    ]


def _at_the_shell(text: str) -> Knock:
    """A file for the shell, whose answer is a table or JSON; which, and in which mode, hangs on the text alone."""
    kind = ("shell", "shell, table", "shell, paused")[zlib.crc32(text.encode("utf-8", "surrogatepass")) % 3]
    return Knock(kind, text, {"REAPER_MODE": "paused"} if kind.endswith("paused") else {})


def _fits_environment(text: str) -> bool:
    """Whether a variable can hold the text: no zero byte, no half character, and not more than Lambda takes."""
    try:
        return "\x00" not in text and len(text.encode()) < 4096
    except UnicodeEncodeError:
        return False
