"""Postponement: messages of an SQS queue stay hidden for as long as we say, not for the visibility timeout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, by_id, call
from handler.errors import AwsFault
from handler.model.masking import beginning
from handler.model.message import Receipt

CHANGE = "AmazonSQS.ChangeMessageVisibilityBatch"
MOST = 10
"""Messages in one call. Source: Amazon SQS API reference, ChangeMessageVisibilityBatch."""
TOO_LONG = "InvalidParameterValue"
"""SQS's name for seconds that would end more than 12 hours after the receive."""
LONGEST_PROBLEM = 300

Step = tuple[Receipt, int]
"""A message, and the seconds from now on for which it stays hidden."""


class _Answer(NamedTuple):
    """What SQS says of one message: empty texts if it stays hidden as asked for."""

    code: str = ""
    problem: str = ""


def postpone(steps: Sequence[Step], access: AwsAccess) -> list[str]:
    """Keep messages hidden; returns for each why that failed, empty if it did not.

    If SQS says that a time is too long, half of it is tried once. Raises CloudError only if the fence of the run does.
    """
    with aws_session() as session:
        answers = dict(enumerate(_change(steps, access, session)))
        too_long = [place for place, answer in answers.items() if answer.code == TOO_LONG]
        halves = [(receipt, seconds // 2) for receipt, seconds in (steps[place] for place in too_long)]
        answers |= zip(too_long, _change(halves, access, session), strict=True)
    return [answer.problem for answer in answers.values()]


def _change(steps: Sequence[Step], access: AwsAccess, session: Session) -> list[_Answer]:
    answers: dict[int, _Answer] = {}
    for queue, places in _batches(steps):
        entries = [_entry(place, steps[place]) for place in places]
        answers |= zip(places, _asked(queue, entries, access.in_region_of(queue), session), strict=True)
    return [answers[place] for place in range(len(steps))]


def _batches(steps: Sequence[Step]) -> Iterator[tuple[str, list[int]]]:
    """The places of the messages, in batches that SQS takes, each with the ARN of its queue."""
    of_queue: dict[str, list[int]] = {}
    for place, (receipt, _) in enumerate(steps):
        of_queue.setdefault(receipt.queue, []).append(place)
    for queue, places in of_queue.items():
        for start in range(0, len(places), MOST):
            yield queue, places[start : start + MOST]


def _entry(place: int, step: Step) -> dict[str, Any]:
    return {"Id": str(place), "ReceiptHandle": step[0].handle, "VisibilityTimeout": step[1]}


def _asked(queue: str, entries: Sequence[Mapping[str, Any]], access: AwsAccess, session: Session) -> list[_Answer]:
    """Call SQS; returns what it says of each entry."""
    account, name = queue.split(":")[4:]
    payload = {"QueueUrl": f"{access.endpoint('sqs').rstrip('/')}/{account}/{name}", "Entries": entries}
    try:
        answer = call("sqs", access, CHANGE, payload, "1.0", session=session)
    except AwsFault as exc:
        return [_Answer(exc.code, str(exc))] * len(entries)
    # A 200 is not enough: it may hold failures, or come from a proxy.
    done, failed = by_id(answer, "Successful"), by_id(answer, "Failed")
    hidden = done.keys() - failed.keys()
    return [_Answer() if entry["Id"] in hidden else _failure(failed.get(entry["Id"])) for entry in entries]


def _failure(said: Mapping[str, Any] | None) -> _Answer:
    if said is None:
        return _Answer(problem="sqs did not say what became of it")
    problem = beginning(f"sqs answered {said.get('Code')}: {said.get('Message')}", LONGEST_PROBLEM)
    return _Answer(str(said.get("Code")), problem)
