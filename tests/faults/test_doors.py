"""The doors, knocked at by the hundred; and that the knocking finds what is wrong with a door."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from hypothesis import find
from pydantic import Field

from handler import app, functiongraph
from handler.compose import stacks
from handler.compose.handover import HandedOver, handle_or_hand_over
from handler.compose.invocation import handle
from handler.errors import InvalidRequest
from handler.shell.screen import closing
from handler.sources import parsing, schema
from handler.sources.aws import records
from handler.sources.parsing import Strict
from handler.sources.schema import Deletion, SweepOrder
from tests.chaos.doors import knock
from tests.chaos.doors.doorways import RECORDED, RIGHT, STANDING, WRAPPED, knocks_of, knocks_with
from tests.chaos.doors.heavy import KINDS, QUEUE, knock_of, weigh
from tests.chaos.doors.oracle import Garbled, Greedy, Slow, judge
from tests.chaos.doors.schemas import drawn, orders
from tests.chaos.doors.world import IMAGES, SIGNATURE, Knock, opened
from tests.conftest import queue

Patch = pytest.MonkeyPatch
FIRST = next(iter(IMAGES))

# What they reach, others cover: measured, they take three times as long.
pytestmark = [pytest.mark.slow("hundreds of events"), pytest.mark.no_cover]


def broken(events: int = 300, seed: int = 1) -> str:
    """The promises that were broken."""
    return "\n".join(knock(events, seed)[1])


# The doors hold


def test_every_event_is_tried_and_no_promise_is_broken() -> None:
    assert knock(400, 1) == (400, [])


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    first, again, other = (list[Knock]() for _ in range(3))
    for seed, seen in ((1, first), (1, again), (2, other)):
        knock(150, seed, seen.append)
    assert len(first) == 150
    assert first == again
    assert first != other


def test_a_right_request_gets_in_at_every_door_that_is_not_closed() -> None:
    with opened() as world:
        seen = {found.door: world.deliver(found) for found in knocks_of(json.dumps({"image_ids": [FIRST]}))}
    shut = {door for door, came in seen.items() if not came.deleted}
    assert {door for door in shut if not door.endswith(("paused", "dry-run", "new")) and "shell" not in door} == set()
    assert {*WRAPPED, *STANDING} <= seen.keys()


def test_what_is_right_breaks_no_promise_at_any_door() -> None:
    recorded = [found for event in RECORDED.values() for found in knocks_with(event)]
    right = [found for request in RIGHT for found in knocks_of(json.dumps(request))]
    with opened() as world:
        for found in (*recorded, *right):
            judge(found, world.deliver(found), world)


class _Tomorrow(Strict):
    """A model that the schema may have one day."""

    until_noon: bool = False
    rooms: list[Annotated[int, Field(ge=1, le=4)]]


def test_a_field_that_the_schema_gets_is_drawn_without_anybody_thinking_of_it() -> None:
    requests = drawn(_Tomorrow.model_json_schema(), {}, "")
    assert find(requests, lambda request: request.get("until_noon") is True)["rooms"] == [1]
    assert {Deletion, SweepOrder} <= set(orders())


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_takes_more_time_or_memory_than_its_size_allows(kind: str) -> None:
    with opened() as world:
        found = knock_of(kind, "queue", 60_000)
        assert found
        weigh(found, world)


# What is wrong is found


def test_an_error_that_nobody_has_named_is_found(monkeypatch: Patch) -> None:
    def read(text: str, _what: str) -> Any:  # noqa: ANN401 (any JSON)
        return json.loads(text)

    for module in (records, sys.modules["handler.sources.aws.bus"]):
        monkeypatch.setattr(module, "read_json", read)
    assert "nothing but the named errors comes out" in broken()


def test_a_message_of_a_broker_that_nobody_has_read_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(functiongraph, "publish_failed", lambda *_: None)
    assert "a message that is no request goes back" in broken(1500)


def test_a_log_of_events_with_their_addresses_is_found(monkeypatch: Patch) -> None:
    whole = stacks.calls_in

    def told(event: Any) -> Any:  # noqa: ANN401 (any JSON)
        print(json.dumps({"event": str(event)[-3000:]}))
        return whole(event)

    monkeypatch.setattr(app, "calls_in", told)
    assert "no secret is told" in broken()


def test_a_field_that_is_taken_although_nobody_knows_it_is_found(monkeypatch: Patch) -> None:
    def without_unknown(model: Any, payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any model)
        known = {field.alias or name for name, field in model.model_fields.items()}
        return parsing.valid(model, {key: value for key, value in payload.items() if key in known})

    monkeypatch.setattr(schema, "valid", without_unknown)
    assert "an image is deleted only if a valid request asks for it" in broken(1500, 2)


def test_a_rehearsal_that_deletes_is_found(monkeypatch: Patch) -> None:
    read = schema.read_deletion
    monkeypatch.setattr(schema, "read_deletion", lambda payload: read(payload)._replace(dry_run=False))
    assert "an image is deleted only if a valid request asks for it" in broken(1500, 1)


def test_an_answer_that_cloudformation_never_gets_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(stacks, "answer_stack", lambda *_: None)
    assert "CloudFormation gets its answer" in broken()


def test_a_message_that_is_taken_for_done_unread_is_found(monkeypatch: Patch) -> None:
    read = records._message_in

    def lenient(*given: Any) -> Any:  # noqa: ANN401 (what the reader is given)
        message = read(*given)
        return message if message and not hasattr(message.request, "problem") else None

    monkeypatch.setattr(records, "_message_in", lenient)
    assert "a message that is no request goes back" in broken()


def test_an_event_that_is_told_to_nobody_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(app, "handle_or_hand_over", lambda _event, *given: handle(*given))
    assert "what no repetition can cure is handed over" in broken()


def test_an_event_that_is_handed_over_and_raises_is_found(monkeypatch: Patch) -> None:
    def raises(*given: Any) -> Any:  # noqa: ANN401 (what it is given)
        if isinstance(done := handle_or_hand_over(*given), HandedOver):
            raise InvalidRequest(done.answer["rejected"])
        return done

    monkeypatch.setattr(app, "handle_or_hand_over", raises)
    assert "what no repetition can cure is handed over" in broken()


def test_a_line_that_is_forged_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(closing, "printable", str)
    event = queue("no request")
    event["Records"][0]["messageId"] = "\x1b[2J"
    found = Knock("shell, table", json.dumps(event))
    with opened() as world, pytest.raises(Garbled):
        judge(found, world.deliver(found), world)


def test_a_reader_that_looks_at_every_record_for_every_record_is_found(monkeypatch: Patch) -> None:
    read, whole = records._queue_message, list[Any]()

    def slowly(record: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401 (what the reader is given)
        whole.append(record)
        # In C, where a test whose coverage is measured is as fast as any.
        assert all(len(json.dumps(whole)) for _ in range(8))
        return read(record, *given, **named)

    monkeypatch.setattr(records, "_queue_message", slowly)
    found = knock_of("messages", "queue", QUEUE // 4)
    assert found
    with opened() as world, pytest.raises(Slow):
        weigh(found, world)


def test_a_reader_that_keeps_what_it_need_not_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(parsing, "LARGEST", 10**9)
    found = knock_of("tags that are none", "direct", 4 * QUEUE)
    assert found
    with opened() as world, pytest.raises((Greedy, Slow)):
        weigh(found, world)


def test_the_smallest_event_is_told(monkeypatch: Patch) -> None:
    def refuse(_payload: Any) -> Any:  # noqa: ANN401 (any JSON)
        raise KeyError(SIGNATURE)

    monkeypatch.setattr(sys.modules["handler.sources.shapes"], "read_request", refuse)
    told = broken(600)
    assert "KeyError" in told or "no secret is told" in told
    assert min(map(len, told.splitlines())) < 1000
