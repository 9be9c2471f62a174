"""Who waits for an answer to an event: a queue, and CloudFormation, whichever way its calls come."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.doors.asked import strict
from tests.chaos.doors.world import Seen

Json = Any


def is_of_queue(event: Json) -> bool:
    """Whether an event is a batch of a queue, in which one message of the queue is enough."""
    records = event.get("Records") if isinstance(event, dict) else None
    return (
        isinstance(records, list)
        and all(isinstance(record, dict) for record in records)
        and any(record.get("eventSource") == "aws:sqs" for record in records)
    )


def calls_in(seen: Seen, address: str) -> Iterator[str]:
    """The calls that had to be answered by now, by the ids of their messages."""
    if is_of_queue(seen.event):
        if seen.error is not None:
            return
        returned = {failure["itemIdentifier"] for failure in seen.answer["batchItemFailures"]}
        for record in seen.event["Records"]:
            is_read = record.get("eventSource") == "aws:sqs" and record["messageId"] not in returned
            if is_read and _is_call(_unwrapped(strict(record.get("body"))), address):
                yield record["messageId"]
    elif _is_call(_through_topic(seen.event), address):
        yield ""


def _through_topic(event: Json) -> Json:
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
        return event
    sns = records[0].get("Sns")
    if records[0].get("EventSource") != "aws:sns" or not isinstance(sns, dict) or sns.get("Type") != "Notification":
        return event
    return _unwrapped(strict(sns.get("Message")))


def _unwrapped(value: Json) -> Json:
    while isinstance(value, dict) and value.get("Type") == "Notification":
        value = strict(value.get("Message"))
    return value


def _is_call(value: Json, address: str) -> bool:
    return isinstance(value, dict) and "RequestType" in value and value.get("ResponseURL") == address
