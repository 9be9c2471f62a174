"""The events of FunctionGraph's timer, of SMN topics, and of the brokers Kafka and RocketMQ.

Sources: FunctionGraph user manual, "Supported event sources"; opentelekomcloud-community,
otc-functiongraph-python-runtime (fg-events).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from handler.errors import InvalidRequest, UnknownEvent
from handler.model.message import Message, Rejected
from handler.model.request import Request
from handler.sources.parsing import message_of, read_json
from handler.sources.schema import read_request
from handler.sources.surroundings import Surroundings

BROKERS = ("KAFKA", "ROCKETMQ")
NOTIFICATION = frozenset({"request_payload", "response_payload"})
"""The fields of FunctionGraph's own notification of an event that failed, and of ours."""
Event = Mapping[str, Any]


def is_timer(event: Event) -> bool:
    """Whether this is the event of a timer."""
    return event.get("trigger_type") == "TIMER"


def read_timer(event: Event, given: Surroundings) -> tuple[Message, ...]:
    """Read the request that a timer carries as a string, or else the operator's request for schedules."""
    return (message_of(lambda: _scheduled(event, given)),)


def _scheduled(event: Event, given: Surroundings) -> Request:
    text = event.get("user_event")
    # A timer that was made without a request sends an empty string, or none.
    request = {} if text is None or text == "" else read_json(text, "user_event")
    if request:
        return read_request(request)
    if not given.scheduled:
        message = "user_event: is empty, and REAPER_SCHEDULED_REQUEST is not set: one of them must hold a request"
        raise InvalidRequest(message)
    return read_request(read_json(given.scheduled, "REAPER_SCHEDULED_REQUEST"))


def is_topic(event: Event) -> bool:
    """Whether this is what SMN delivers."""
    return "record" in event


def problem_of_topic(event: Event) -> str:
    """What is wrong with records that are not all from SMN; empty if nothing is, or if this is another event."""
    if not is_topic(event):
        return ""
    records = event["record"]
    if not isinstance(records, list) or not records:
        return "record: must be a list of at least one record"
    # Nothing can be returned to a topic: one record of another kind makes the whole event an unknown one.
    others = [n for n, found in enumerate(records) if not isinstance(found, dict) or found.get("event_source") != "smn"]
    return f"record[{others[0]}]: event_source must be smn in every record" if others else ""


def read_topic(event: Event, given: Surroundings) -> tuple[Message, ...]:
    """Read the notification of each record; raises UnknownEvent for one that is about an event that failed."""
    return tuple(_notified(record.get("smn"), f"record[{n}].smn", given) for n, record in enumerate(event["record"]))


def _notified(smn: object, where: str, given: Surroundings) -> Message:
    told = smn if isinstance(smn, dict) else {}
    if given.failed_to and told.get("topic_urn") == given.failed_to:
        message = (
            f"{where}: comes from the topic of REAPER_FAILED_TO: the function must not listen to it; delete the trigger"
        )
        raise UnknownEvent(message)
    try:
        request = read_json(told.get("message"), f"{where}.message")
    except InvalidRequest as error:
        return Message(Rejected(str(error)))
    if NOTIFICATION & request.keys():
        message = f"{where}: is about an event that failed: send its request_payload again by hand"
        raise UnknownEvent(message)
    return message_of(lambda: read_request(request))


def is_batch(event: Event) -> bool:
    """Whether this is a batch of messages of a broker."""
    return event.get("trigger_type") in BROKERS


def problem_of_batch(event: Event) -> str:
    """What is wrong with a batch whose messages can't even be told apart; empty if nothing is."""
    records = event.get("records")
    is_wrong = is_batch(event) and not (isinstance(records, list) and records)
    return "records: must be a list of at least one record" if is_wrong else ""


def read_batch(event: Event, _given: Surroundings) -> tuple[Message, ...]:
    """Read each message of a batch. A record whose messages can't be told apart counts as one message, turned down."""
    return tuple(_in_batch(place, value) for place, value in _places(event))


def _in_batch(place: str, value: object) -> Message:
    if not place.endswith(".messages"):
        return message_of(lambda: read_request(read_json(value, place)))._replace(id=place)
    return Message(Rejected(f"{place}: must be a list of strings"), id=place)


def _places(event: Event) -> Iterator[tuple[str, Any]]:
    """Each message of a batch with its place in it, by which it is named: a broker gives it no id."""
    for number, record in enumerate(event["records"]):
        messages = record.get("messages") if isinstance(record, dict) else None
        where = f"records[{number}].messages"
        if isinstance(messages, list):
            yield from ((f"{where}[{place}]", message) for place, message in enumerate(messages))
        else:
            yield where, messages


def part_of(event: Event, messages: Collection[str]) -> dict[str, Any]:
    """The batch with only these of its messages, which can be sent in as an event of its own."""
    records = []
    for number, record in enumerate(event["records"]):
        where = f"records[{number}].messages"
        if where in messages:
            records.append(record)
        elif isinstance(record, dict) and isinstance(record.get("messages"), list):
            kept = [one for place, one in enumerate(record["messages"]) if f"{where}[{place}]" in messages]
            records += [record | {"messages": kept}] if kept else []
    return {**event, "records": records}
