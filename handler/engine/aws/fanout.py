"""Fan-out: a long list of images becomes small requests, and these become messages for a queue of workers."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import aws_session, by_id, call
from handler.engine.aws.partitions import region_in
from handler.errors import AwsFault, CloudError
from handler.model.masking import beginning

SEND = "AmazonSQS.SendMessageBatch"
MOST = 10
"""Images in a request, and messages in a batch."""
# SQS now takes 1 MiB, but a queue may still be set to this.
MOST_BYTES = 262_144
"""Bytes in a message, and in all messages of a batch. Source: Amazon SQS API reference, SendMessageBatch."""
PAUSES = (0.0, 0.2, 0.4)
"""Seconds before each round of sending: a message that SQS could not take is sent again in the next."""
MOST_SILENT_BATCHES = 3
"""After this many batches in a row without an answer, the rest is not tried any more."""
TOO_LARGE = f"larger than the {MOST_BYTES} bytes that a message may have"
LONGEST_PROBLEM = 300


def requests_of(images: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cut a list of images, in its order, into requests that each fit into a message.

    `shared` are the fields that all requests have, such as `reason`; a field with an empty value is left out.
    """
    fields = {name: value for name, value in shared.items() if value}
    # Each image is counted with a comma, and the first of a request has none: so there is room for one more.
    comma = len(", ")
    room = MOST_BYTES + comma - len(_text({"images": [], **fields}))
    sizes = [len(_text(image)) + comma for image in images]
    return [{"images": [images[number] for number in group], **fields} for group in _packed(sizes, room)]


def enqueue(  # noqa: PLR0913, PLR0917 (all that sending needs)
    images: Sequence[Mapping[str, Any]],
    shared: Mapping[str, Any],
    queue_url: str,
    access: AwsAccess,
    deadline: Deadline | None = None,
    trace: str = "",
) -> list[str]:
    """Send images in requests of at most ten; returns for each image why it was not sent, empty if it was.

    `shared` are the fields that all requests have. What holds for the requests of `send` holds here as well.
    """
    requests = requests_of(images, shared)
    problems = send(requests, queue_url, access, deadline, trace)
    return [problem for request, problem in zip(requests, problems, strict=True) for _ in request["images"]]


def send(
    requests: Sequence[Mapping[str, Any]],
    queue_url: str,
    access: AwsAccess,
    deadline: Deadline | None = None,
    trace: str = "",
) -> list[str]:
    """Send each request as a message of its own; returns for each why it was not sent, empty if it was.

    `trace` is X-Ray's header, which ties the runs of the workers to this one. Raises nothing. If an answer is lost, a
    request may have been sent although a problem is returned for it.
    """
    # Sent twice is harmless: the second worker finds the image gone. Never sent, and reported as sent, is not.
    post = _Post([_text(request) for request in requests], queue_url, _at_queue(queue_url, access), deadline, trace)
    waiting = [number for number, body in enumerate(post.bodies) if len(body) <= MOST_BYTES]
    for pause in PAUSES:
        if waiting:
            time.sleep(pause)
        waiting = [number for batch in post.batches(waiting) for number in post.send(batch)]
    return post.problems


class _Post:
    """Messages for a queue, each with the problem that has kept it from being sent so far."""

    def __init__(
        self, bodies: list[str], queue_url: str, access: AwsAccess, deadline: Deadline | None, trace: str
    ) -> None:
        self.bodies = bodies
        # It does not count as part of the size of a message.
        self._attributes = {"MessageSystemAttributes": _traced(trace)} if trace else {}
        self._queue_url = queue_url
        self._access = access
        self._deadline = deadline
        self._silences = 0
        self._session = aws_session()
        # What is too large is never tried, and keeps this; every other message gets its own problem, or none.
        self.problems = [TOO_LARGE] * len(self.bodies)

    def batches(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Cut messages into batches that SQS takes."""
        for group in _packed([len(self.bodies[number]) for number in numbers], MOST_BYTES):
            yield [numbers[place] for place in group]

    def send(self, batch: Sequence[int]) -> list[int]:
        """Send one batch, and note what became of each message; returns those for which another try may help."""
        entries = [{"Id": str(number), "MessageBody": self.bodies[number], **self._attributes} for number in batch]
        try:
            if self._deadline:
                self._deadline.check()
            answer = self._ask({"QueueUrl": self._queue_url, "Entries": entries})
        # Not tried again here: `call` has done so already, and a run that has ended must send nothing more.
        except (AwsFault, CloudError) as exc:
            for number in batch:
                self.problems[number] = str(exc)
            return []
        sent, failed = by_id(answer, "Successful"), by_id(answer, "Failed")
        for number in batch:
            self.problems[number] = _why_not_sent(self.bodies[number], sent.get(str(number)), failed.get(str(number)))
        # What SQS calls the sender's fault would be refused again.
        blameless = (n for n in batch if failed.get(str(n), {}).get("SenderFault") is not True)
        return [number for number in blameless if self.problems[number]]

    def _ask(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Call SQS, unless it has been silent for too long."""
        if self._silences >= MOST_SILENT_BATCHES:
            message = f"not tried: sqs did not answer {MOST_SILENT_BATCHES} times in a row"
            raise AwsFault(message)
        try:
            answer = call("sqs", self._access, SEND, payload, "1.0", session=self._session)
        except AwsFault as exc:
            # A fault with a name is an answer, too: a queue that answers now and then is not given up.
            self._silences = 0 if exc.code else self._silences + 1
            raise
        self._silences = 0
        return answer


def _why_not_sent(body: str, sent: Mapping[str, Any] | None, failed: Mapping[str, Any] | None) -> str:
    """Why a message was not sent; empty only if SQS confirms this very body by its checksum."""
    if failed is not None:
        return beginning(f"sqs answered {failed.get('Code')}: {failed.get('Message')}", LONGEST_PROBLEM)
    if sent is None:
        return "sqs did not say what became of it"
    own = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return "" if sent.get("MD5OfMessageBody") == own else "sqs received something else"


def _packed(sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """Group things of these sizes, in order: at most ten that fit into the room together. Yields their places.

    A thing that does not fit even alone gets a group of its own.
    """
    group: list[int] = []
    taken = 0
    for place, size in enumerate(sizes):
        if group and (len(group) == MOST or taken + size > room):
            yield group
            group, taken = [], 0
        group.append(place)
        taken += size
    if group:
        yield group


def _traced(header: str) -> dict[str, Any]:
    """The attribute of a message that holds X-Ray's header. Source: Amazon SQS API reference, SendMessageBatch."""
    return {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}


def _text(value: Mapping[str, Any]) -> str:
    """JSON in ASCII."""
    # SQS refuses a message with certain characters that names may hold, but takes them as escapes.
    return json.dumps(value)


def _at_queue(queue_url: str, access: AwsAccess) -> AwsAccess:
    """The access in the region of a queue, and at the queue's own host unless the settings name another."""
    parts = urlsplit(queue_url)
    address = access.given_endpoint("sqs") or f"{parts.scheme}://{parts.netloc}"
    return replace(access, region=region_in(parts.hostname or "") or access.region, endpoints=(("sqs", address),))
