"""The doors, knocked at by the hundred; and that the knocking finds what is wrong with a door."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from handler import app
from handler.compose import stacks
from handler.errors import InvalidRequest
from handler.report.reporter import Reporter
from handler.sources import parsing, records, schema, stack
from handler.sources.schema import _Order
from tests.chaos.doors import knock, knocking
from tests.chaos.doors.heavy import KINDS, QUEUE, knock_of, weigh
from tests.chaos.doors.oracle import Broken, Greedy, Slow, judge
from tests.chaos.doors.schemas import drawn, orders
from tests.chaos.doors.world import ANSWERS, IMAGES, SIGNATURE, Knock, World, opened

Patch = pytest.MonkeyPatch
FIRST = next(iter(IMAGES))

pytestmark = pytest.mark.slow("hundreds of events")


def broken(events: int = 600, seed: int = 1) -> str:
    """The promises that were broken."""
    return "\n".join(knock(events, seed)[1])


# The doors hold


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_is_tried_and_no_promise_is_broken(seed: int) -> None:
    assert knock(700, seed) == (700, [])


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    first, again, other = (list[Knock]() for _ in range(3))
    for seed, seen in ((1, first), (1, again), (2, other)):
        knock(300, seed, seen.append)
    assert len(first) == 300
    assert first == again
    assert first != other


def test_every_door_is_knocked_at_and_lets_through_what_is_right(monkeypatch: Patch) -> None:
    seen: dict[str, set[str]] = {}

    def keep(door: Knock, came: Any, world: World) -> None:  # noqa: ANN401 (what was seen)
        seen.setdefault(door.door, set()).update(came.deleted)
        judge(door, came, world)

    monkeypatch.setattr(knocking, "judge", keep)
    assert knock(3000, 3)[1] == []
    closed = {door for door, deleted in seen.items() if not deleted}
    assert {door for door in closed if not door.endswith(("paused", "dry-run", "new"))} == set()
    assert len(seen) > 20


def test_a_field_that_the_schema_gets_is_drawn_without_anybody_thinking_of_it() -> None:
    class Tomorrow(_Order):
        until_noon: bool = False

    assert Tomorrow in orders()
    found = drawn(Tomorrow.model_json_schema(), {}, "")
    assert any("until_noon" in found.example() for _ in range(50))
    _Order.__subclasses__()


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_takes_more_time_or_memory_than_its_size_allows(kind: str) -> None:
    with opened() as world:
        for door in ("queue", "direct"):
            if found := knock_of(kind, door, QUEUE):
                weigh(found, world)


# What is wrong is found


def test_an_error_that_nobody_has_named_is_found(monkeypatch: Patch) -> None:
    def read(text: str, _what: str) -> Any:  # noqa: ANN401 (any JSON)
        return json.loads(text)

    for module in (records, sys.modules["handler.sources.bus"]):
        monkeypatch.setattr(module, "read_json", read)
    assert "nothing but the named errors comes out" in broken()


def test_a_log_of_events_with_their_addresses_is_found(monkeypatch: Patch) -> None:
    whole = stacks.calls_in

    def told(event: Any) -> Any:  # noqa: ANN401 (any JSON)
        print(json.dumps({"event": str(event)[-3000:]}))
        return whole(event)

    monkeypatch.setattr(app, "calls_in", told)
    assert f"no secret is told: {SIGNATURE}"[:20] in broken()


def test_a_field_that_is_taken_although_nobody_knows_it_is_found(monkeypatch: Patch) -> None:
    def without_unknown(model: Any, payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any model)
        known = {field.alias or name for name, field in model.model_fields.items()}
        return parsing.valid(model, {key: value for key, value in payload.items() if key in known})

    monkeypatch.setattr(schema, "valid", without_unknown)
    assert "an image is deleted only if a valid request asks for it" in broken(2000)


def test_a_rehearsal_that_deletes_is_found(monkeypatch: Patch) -> None:
    read = schema.read_deletion
    monkeypatch.setattr(schema, "read_deletion", lambda payload: read(payload)._replace(dry_run=False))
    assert "an image is deleted only if a valid request asks for it" in broken(2000)


def test_an_answer_that_cloudformation_never_gets_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(stacks, "answer_stack", lambda *_: None)
    assert "CloudFormation gets its answer" in broken()


def test_a_message_that_is_taken_for_done_unread_is_found(monkeypatch: Patch) -> None:
    read = records._message_in

    def lenient(*given: Any) -> Any:  # noqa: ANN401 (what the reader is given)
        message = read(*given)
        return message if message and not hasattr(message.request, "problem") else None

    monkeypatch.setattr(records, "_message_in", lenient)
    assert "a message that is no request goes back to its queue" in broken()


def test_a_line_that_is_forged_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(sys.modules["handler.__main__"], "printable", str)
    assert "forges nothing before a person" in broken(3000)


def test_a_reader_that_looks_at_every_record_for_every_record_is_found(monkeypatch: Patch) -> None:
    calls = records._may_name

    def slowly(key: str, value: object) -> bool:
        return all(calls(key, value) for _ in range(2000)) and calls(key, value)

    monkeypatch.setattr(records, "_may_name", slowly)
    found = knock_of("messages that may be calls", "queue", QUEUE)
    assert found
    with opened() as world, pytest.raises(Slow):
        weigh(found, world)


def test_a_reader_that_keeps_what_it_need_not_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(parsing, "LARGEST", 10**9)
    found = knock_of("tags that are none", "queue", QUEUE)
    assert found
    with opened() as world, pytest.raises(Greedy):
        weigh(found, world)


def test_the_smallest_event_is_told(monkeypatch: Patch) -> None:
    def refuse(_payload: Any) -> Any:  # noqa: ANN401 (any JSON)
        raise KeyError(SIGNATURE)

    monkeypatch.setattr(sys.modules["handler.sources.shapes"], "read_request", refuse)
    told = broken()
    assert "KeyError" in told or "no secret is told" in told
    assert min(map(len, told.splitlines())) < 300
