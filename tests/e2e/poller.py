"""What Lambda's event source mapping does with a queue, as its documentation says.

Source: AWS Lambda developer guide, "Handling errors for an SQS event source in Lambda".
"""

from collections.abc import Callable
from typing import Any

from tests.aws import Client, QueueTime

BATCH_SIZE = 10
ARN = "arn:aws:sqs:eu-central-1:123456789012:"

Message = dict[str, Any]
Function = Callable[[dict[str, Any]], object]
"""Gives the answer of the function, or raises what it raised."""


class Poller:
    """Feeds a function from a queue until the queue is empty; `time` passes while there is nothing to see in it."""

    def __init__(self, client: Client, url: str, function: Function, time: QueueTime) -> None:
        self._client = client
        self._url = url
        self._function = function
        self._time = time
        self.failed_batches = 0

    def drain(self, most: int) -> None:
        """Poll until nothing is left, at most so often: a message that comes again and again must not hang a test."""
        for _ in range(most):
            # Between looking and receiving, what stayed hidden too often goes to the dead letters.
            if not self.poll() and not self._time.pass_until_visible(self._url):
                return
        message = f"the queue is not empty after {most} batches"
        raise AssertionError(message)

    def poll(self, workers: int = 1) -> int:
        """Let workers receive a batch each at the same moment; the number of messages received."""
        batches = [messages for _ in range(workers) if (messages := self._receive())]
        for messages in batches:
            self._work(messages)
        return sum(map(len, batches))

    def _work(self, messages: list[Message]) -> None:
        """Invoke the function, and delete what succeeded: what failed is left alone, as Lambda leaves it."""
        ids = [message["MessageId"] for message in messages]
        try:
            failed = failures(self._function(_event(self._url, messages)), ids)
        except Exception:  # noqa: BLE001 (whatever it is, the batch comes again)
            failed = set(ids)
        self.failed_batches += failed == set(ids)
        self._delete([message for message in messages if message["MessageId"] not in failed])

    def _receive(self) -> list[Message]:
        self._time.let_come_again(self._url)
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH_SIZE,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def _delete(self, messages: list[Message]) -> None:
        if messages:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=_entries(messages))
            assert not answer.get("Failed")


def failures(answer: object, ids: list[str]) -> set[str]:
    """The messages that stay in the queue: none of them for an empty answer, all for one that makes no sense."""
    if answer is None or answer == {}:
        return set()
    items = answer.get("batchItemFailures", "missing") if isinstance(answer, dict) else "missing"
    if items is None:
        return set()
    if not isinstance(items, list):
        return set(ids)
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    return set(ids) if set(named) - set(ids) else {str(name) for name in named}


def _entries(messages: list[Message]) -> list[dict[str, Any]]:
    return [{"Id": str(number), "ReceiptHandle": m["ReceiptHandle"]} for number, m in enumerate(messages)]


def _event(url: str, messages: list[Message]) -> dict[str, Any]:
    arn = ARN + url.rpartition("/")[2]
    return {"Records": [_record(arn, message) for message in messages]}


def _record(arn: str, message: Message) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-central-1",
    }
