"""Events as large as AWS lets them be, each large in another way: what takes time or memory beyond its size shows."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

from tests.chaos.doors.doorways import RECORDED, WRAPPED, in_queue, in_topic
from tests.chaos.doors.odd import in_strings
from tests.chaos.doors.oracle import judge, judge_memory
from tests.chaos.doors.world import ANSWERS, IMAGES, UNKNOWN, Knock, World

Json = Any
QUEUE, LAMBDA = 256_000, 6_000_000
"""Bytes that a message of SQS, and an event of Lambda, may have."""
_ID = next(iter(IMAGES))


def _call(**fields: Json) -> str:
    return json.dumps({**RECORDED["stack-delete"], **fields})


def _sweep(**select: Json) -> str:
    return json.dumps({"sweep": {"select": select, "limit_percent": 100}, "dry_run": True})


def _images(expect: Json, count: int) -> str:
    return json.dumps({"images": [{"id": UNKNOWN, "expect": expect} for _ in range(count)]})


def _words(count: int) -> list[str]:
    return [f"{number:x}" for number in range(count)]


REQUESTS: dict[str, Callable[[int], str]] = {
    "ids that are none": lambda n: json.dumps({"image_ids": [1] * (n // 3)}),
    "one id, again and again": lambda n: json.dumps({"image_ids": [UNKNOWN] * (n // 40), "dry_run": True}),
    "tags that are none": lambda n: _sweep(tags=[1] * (n // 3)),
    "tags": lambda n: _sweep(tags=_words(n // 8)),
    "properties that are none": lambda n: _sweep(properties=dict.fromkeys(_words(n // 10), 1)),
    "properties": lambda n: _sweep(properties=dict.fromkeys(_words(n // 12), "")),
    "names that can not be written": lambda n: _sweep(properties={f"{word}\ud800": "" for word in _words(n // 18)}),
    "unknown fields": lambda n: json.dumps({"image_ids": [_ID]} | dict.fromkeys(_words(n // 9), 1)),
    "one unknown field": lambda n: json.dumps({"image_ids": [_ID], "a" * n: 1}),
    "an unknown field of slashes": lambda n: json.dumps({"image_ids": [_ID], "/" * n + "?": 1}),
    "an unknown field of addresses": lambda n: json.dumps({"image_ids": [_ID], "a://b?" * (n // 6): 1}),
    "an unknown field that is an address": lambda n: json.dumps({"image_ids": [_ID], "%3a%2f%2f" + "a" * n: 1}),
    "an unknown field with a query": lambda n: json.dumps({"image_ids": [_ID], "%3f" * (n // 6) + "a" * (n // 2): 1}),
    "an unknown field of brackets": lambda n: json.dumps({"image_ids": [_ID], "[" * n + "?": 1}),
    "an unknown field of JSON": lambda n: json.dumps({"image_ids": [_ID], json.dumps(["?=", ["@"] * (n // 6)]): 1}),
    "an unknown field of backslashes": lambda n: json.dumps({"image_ids": [_ID], "\\" * (n // 2) + "//": 1}),
    "expectations that are none": lambda n: _images(dict.fromkeys(_words(30), 1), n // 400),
    "expectations of tags": lambda n: _images({"tags": ["a"] * (n // 5000)}, 900),
    "a reason": lambda n: json.dumps({"image_ids": [_ID], "reason": "a" * n}),
    "a project": lambda n: json.dumps({"image_ids": [_ID], "project_id": "a" * n}),
    "a name": lambda n: _sweep(name="*a" * (n // 2)),
    "an end": lambda n: json.dumps({"image_ids": [_ID], "not_after": "2" * n}),
    "an age": lambda n: _sweep(older_than="1" * n + "d"),
    "a fraction": lambda n: '{"sweep": {"select": {"name": "x"}, "limit_percent": 0.' + "1" * n + "}}",
    "a power": lambda n: '{"sweep": {"select": {"name": "x"}, "limit_percent": 1e' + "9" * n + "}}",
    "a number": lambda n: '{"sweep": {"select": {"name": "x"}, "limit": ' + "1" * n + "}}",
    "numbers": lambda n: '{"image_ids": [' + ",".join(["1" * 4300] * (n // 4300)) + "]}",
    "lists in lists": lambda n: "[" * n,
    "lists in lists in a field": lambda n: '{"image_ids": ' + "[" * (n // 2) + "]" * (n // 2) + "}",
    "objects in objects": lambda n: '{"a":' * (n // 5),
    "JSON in JSON": lambda n: in_strings({"image_ids": [_ID]}, max(n.bit_length() - 8, 1)),
    "small lists": lambda n: '{"reason": [' + ",".join(["[]"] * (n // 3)) + "]}",
    "blanks": lambda n: " " * n + '{"image_ids": 1}',
    "one key, again and again": lambda n: "{" + ",".join(['"a":1'] * (n // 6)) + "}",
    "an address of slashes": lambda n: _call(ResponseURL="/" * n),
    "an address of ats": lambda n: _call(ResponseURL="http://" + "@" * n),
    "an address of labels": lambda n: _call(ResponseURL="https://" + "a." * (n // 2) + "amazonaws.org/"),
    "an address of letters": lambda n: _call(ResponseURL="https://" + "a" * n),
    "a path": lambda n: _call(ResponseURL=ANSWERS.replace("stack?", "a" * n + "?")),
    "a stack": lambda n: _call(StackId="%3a%2f%2f" + "a" * n, RequestType="x"),
    "a resource": lambda n: _call(LogicalResourceId="a" * n),
    "properties of a resource": lambda n: _call(ResourceProperties=dict.fromkeys(_words(n // 10), "1")),
    "an envelope": lambda n: json.dumps({"detail-type": "a" * n, "detail": {}}),
    "an activated image": lambda n: json.dumps(
        {"detail-type": "Image Activated", "detail": {"name": "{name}*[-" * (n // 9), "image_id": _ID}}
    ),
    "an activated image with dashes": lambda n: json.dumps(
        {"detail-type": "Image Activated", "detail": {"name": "-" * n, "image_id": "a" * 9, "owner": "%3a%2f%2f"}}
    ),
    "tests": lambda n: json.dumps({"Event": "s3:TestEvent"} | dict.fromkeys(_words(n // 9), 1)),
}
"""What is large, by what it is called: a text of about so many characters."""


def _record(number: int, **fields: Json) -> Json:
    return {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": "{}", **fields}


def _records(n: int, most: int, **fields: Json) -> list[Json]:
    size = len(json.dumps(_record(10_000, **fields))) + 2
    return [_record(number, **fields) for number in range(min(n // size, most))]


FIFO = "arn:aws:sqs:eu-central-1:123456789012:a.fifo"
BATCHES: dict[str, Callable[[int], list[Json]]] = {
    "messages": lambda n: _records(n, 10_000),
    "messages that may be calls": lambda n: _records(n, 10_000, body='"\\u"'),
    "messages that may be calls, and one that is": lambda n: [
        *_records(n, 10_000, eventSource="", body="ResponseURL"),
        _record(99_999, body=_call()),
    ],
    "messages in one group": lambda n: _records(n, 10, eventSourceARN=FIFO, attributes={"MessageGroupId": "a"}),
    "notifications": lambda n: (
        [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": "{}"}}] * (n // 90)
    ),
    "sources": lambda n: [{"eventSource": word} for word in _words(n // 24)],
    "an odd source": lambda n: [{"eventSource": ["%3a%2f%2f" + "a" * n]}],
    "nothing": lambda n: [{}] * (n // 4),
}
"""Records, as many as a batch of SQS or an event may hold."""
KINDS = (*REQUESTS, *BATCHES)


def knock_of(kind: str, door: str, size: int) -> Knock | None:
    """A large event at a door; None where its envelope can't hold it."""
    if kind in BATCHES:
        return Knock(f"event of {kind}", json.dumps({"Records": BATCHES[kind](size)}))
    try:
        text = REQUESTS[kind](size)
        # What is an envelope already comes by itself, or through a queue.
        is_request = '"image_ids"' in text or '"images"' in text or '"sweep"' in text
        wrap = WRAPPED[door] if is_request else {"queue": in_queue, "topic": in_topic}.get(door, str)
        return Knock(f"{door}, {kind}", wrap(text))
    except (RecursionError, ValueError):
        return None


def weigh(knock: Knock, world: World) -> None:
    """Judge an event by its time, then once more by its memory: to count that takes time of its own."""
    judge(knock, world.deliver(knock), world)
    tracemalloc.start()
    try:
        world.deliver(knock)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    judge_memory(knock, peak)
