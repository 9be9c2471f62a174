"""The queue of what no repetition can cure: an SQS that takes every message, and what must have come into it."""

import hashlib
import json
from typing import Any

from tests.fakecloud.api import Reply, Request

Json = Any
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/failures"


class Failures:
    """Takes batches of messages, as SQS does, and puts others off; `bodies` are those that came."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def handle(self, request: Request) -> Reply:
        """Take a batch."""
        taken = [(entry["Id"], entry.get("MessageBody", "")) for entry in json.loads(request.body)["Entries"]]
        self.bodies += [body for _, body in taken if body]
        digests = [(one, hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()) for one, body in taken]
        entries = [{"Id": one, "MessageId": one, "MD5OfMessageBody": digest} for one, digest in digests]
        answer = {"Successful": entries, "Failed": []}
        return Reply(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer).encode())


def is_asynchronous(event: Json) -> bool:
    """Whether an event is of a source that reads no answer, and whose engine sends it again."""
    records = event.get("Records") if isinstance(event, dict) else None
    is_topic = isinstance(records, list) and any(
        isinstance(record, dict) and record.get("EventSource") == "aws:sns" for record in records
    )
    return is_topic or (isinstance(event, dict) and "detail-type" in event and "Records" not in event)


def same(first: Json, second: Json) -> bool:
    """Whether two values are the same as JSON, also where they hold a number that is none."""
    return json.dumps(first) == json.dumps(second)
