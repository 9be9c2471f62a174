"""The memory of uses: nothing counts as unused that was in use, or that nobody has watched, whatever happens to it."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.uses import reading
from handler.engine.aws.state.uses.memory import KEPT, Memory
from handler.engine.aws.state.uses.packing import DIGITS
from handler.errors import BudgetUnknown
from handler.model.history import LONGEST_MEMORY, History, Unused
from handler.model.request import Select
from handler.rules.unused import why_not_unused
from tests.aws import KEYS, REGION, Client, state_table
from tests.examples import image
from tests.fakecloud.faults import Fault
from tests.faults import closed_port
from tests.unit.conftest import Relay

TABLE = "state"
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
START = datetime(2026, 11, 1, 3, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
A, B, C = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "abc")
WATCHED = {"id": {"S": "watched/p1"}}

Look = Callable[..., History]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def look(relay: Relay, table: Client) -> Look:  # noqa: ARG001 (it is there)
    """A look on a day after the first one, at which these ids are in use."""

    def look_once(days: float, *ids: str) -> History:
        return memory(relay.url, now=START + days * DAY).remember(ids)

    return look_once


def memory(url: str, table: str = TABLE, scope: str = "p1", now: datetime = START) -> Memory:
    return Memory(table, replace(ACCESS, endpoints=(("", url),)), scope, now)


def is_unused(history: History, days: float, age: timedelta, image_id: str = A) -> bool:
    """Whether an old image was unused for so long, some days after the first look."""
    select = Select(unused_for=Unused(age, history))
    return not why_not_unused(image(id=image_id, created_at=START - 999 * DAY), select, START + days * DAY)


def item(table: Client, key: str) -> dict[str, Any]:
    found: dict[str, Any] = table.get_item(TableName=TABLE, Key={"id": {"S": key}})["Item"]
    return found


def targets(relay: Relay) -> list[str]:
    return [call.headers["X-Amz-Target"].rpartition(".")[2] for call in relay.calls]


# Looks one after the other


@pytest.mark.slow("a month of looks, each of eighteen requests")
def test_an_image_is_unused_only_for_as_long_as_somebody_has_looked(look: Look) -> None:
    for day in range(31):
        history = look(day)
        assert history.since == START
        assert is_unused(history, day, 30 * DAY) == (day == 30)


@pytest.mark.slow("two weeks of looks, each of eighteen requests")
def test_a_use_counts_until_the_end_of_its_day(look: Look) -> None:
    history = look(0)
    for day in range(13):
        history = look(day, *[A] * (day == 3))
        assert is_unused(history, day, 5 * DAY, B) == (day >= 5)
        assert is_unused(history, day, 5 * DAY) == (day >= 9)
    assert history.last == {A: (START + 3 * DAY).date()}
    for hours in (20.9, 21.0):
        assert is_unused(history, 3 + hours / 24, HOUR, A) == (hours > 21.9)
        assert is_unused(history, 3 + hours / 24 + 1 / 24, HOUR, A) == (hours == 21.0)


@pytest.mark.slow("six looks, each of eighteen requests")
@pytest.mark.parametrize(
    ("gap", "is_one"),
    [(2 * DAY, False), (2 * DAY + HOUR, False), (2 * DAY + HOUR + SECOND, True), (3 * DAY, True), (999 * DAY, True)],
)
def test_after_two_days_without_a_look_everything_is_unknown_again(look: Look, gap: timedelta, is_one: bool) -> None:  # noqa: FBT001
    for day in range(5):
        look(day, A)
    assert (look(4 + gap / DAY).since > START + 4 * DAY) == is_one


def test_what_was_unknown_stays_so_after_the_next_look(look: Look) -> None:
    history = [look(day) for day in (0, 1, 4, 5, 6)][-1]
    assert history.since == START + 4 * DAY
    assert is_unused(history, 6, 2 * DAY)
    assert not is_unused(history, 6, 3 * DAY)


def test_what_is_in_use_now_is_told(look: Look) -> None:
    history = look(0, A, "no uuid")
    assert history.in_use == {A, "no uuid"}
    assert not look(1).in_use


@pytest.mark.parametrize("spelled", [str.upper, str.lower])
def test_an_id_is_the_same_in_any_case(look: Look, spelled: Callable[[str], str]) -> None:
    look(0, A)
    history = look(1)
    assert not is_unused(history, 1, DAY, spelled(A))
    assert is_unused(look(2), 2, DAY, spelled(A))


def test_an_image_that_is_used_by_the_id_of_its_server_counts_as_used(look: Look) -> None:
    snapshot = image(id=B, created_at=START - DAY, record={"instance_uuid": A.upper()})
    assert why_not_unused(snapshot, Select(unused_for=Unused(HOUR, look(0, A))), START) == "it is in use"
    assert "on 2026-11-01" in why_not_unused(snapshot, Select(unused_for=Unused(DAY, look(1))), START + DAY)


def test_of_what_is_no_uuid_nobody_knows(look: Look) -> None:
    history = look(0)
    for found in (image(id="x"), image(record={"instance_uuid": "none"})):
        assert why_not_unused(found, Select(unused_for=Unused(HOUR, history)), START + DAY) == "its use is unknown"


def test_each_project_has_a_memory_of_its_own(look: Look, relay: Relay) -> None:
    look(0, A)
    assert memory(relay.url, scope="p2").remember(()).last == {}


# What goes wrong


@pytest.mark.parametrize("key", ["watched/p1", *(f"used/p1/{digit}" for digit in "0af")])
def test_what_was_lost_makes_everything_unknown(look: Look, table: Client, key: str) -> None:
    for day in range(3):
        look(day, A)
    table.delete_item(TableName=TABLE, Key={"id": {"S": key}})
    for day in (3, 4):
        assert look(day).since == START + 3 * DAY


@pytest.mark.slow("five looks, each of eighteen requests, for each damage")
@pytest.mark.parametrize("key", ["watched/p1", *(f"used/p1/{digit}" for digit in "0af")])
@pytest.mark.parametrize(
    "damage",
    [
        {"images": {"B": b"x"}, "last": {"S": "x"}},
        {"images": {"S": "x"}, "last": {"BOOL": True}},
        {"images": {"NULL": True}, "last": {"N": "1e30"}},
        {"since": {"S": "1"}, "last": {"N": "99999999999999"}},
        {"since": {"N": "99999999999999"}, "last": {"N": "-99999999999999"}},
        {"expires_at": {"S": "1"}},
        {"expires_at": {"N": "1"}},
    ],
)
def test_what_can_not_be_read_makes_everything_unknown_and_is_made_anew(
    look: Look, table: Client, key: str, damage: dict[str, Any]
) -> None:
    for day in range(3):
        look(day, A)
    table.put_item(TableName=TABLE, Item=item(table, key) | damage)
    assert [look(day).since for day in (3, 4)] == [START + 3 * DAY] * 2


@pytest.mark.parametrize("version", [None, {"N": "1"}, {"NULL": True}])
def test_what_somebody_else_has_written_is_written_anew(look: Look, table: Client, version: dict[str, Any]) -> None:
    look(0, A)
    other = {key: value for key, value in item(table, "used/p1/a").items() if key != "version"}
    table.put_item(TableName=TABLE, Item=other | ({"version": version} if version else {}))
    look(1)
    look(1.5, A)
    assert look(1.6).last == {A: (START + 1.5 * DAY).date()}


@pytest.mark.parametrize("back", [0.5, 1.5, 10.0])
def test_a_clock_that_was_wrong_makes_nothing_unused(look: Look, back: float) -> None:
    for day in range(20):
        look(day, *[A] * (day == 15))
    history = look(19 - back)
    assert history.since >= START + (19 - back) * DAY - SECOND
    assert not is_unused(history, 19 - back, HOUR)
    assert look(19).since >= START + (19 - back) * DAY - SECOND


def test_a_clock_that_was_ahead_hides_no_gap(look: Look) -> None:
    look(0)
    look(5)
    assert look(1).since >= START + 5 * DAY
    assert look(4).since >= START + 5 * DAY


def test_what_another_look_notes_in_a_run_that_began_later_is_no_wrong_clock(look: Look) -> None:
    look(0)
    look(1 + 600 / 86_400)
    assert look(1).since == START


def test_a_look_that_is_overtaken_does_not_go_back(look: Look, table: Client) -> None:
    look(0)
    look(1 + 600 / 86_400)
    before = item(table, "watched/p1")["last"]
    look(1)
    assert item(table, "watched/p1")["last"] == before


@pytest.mark.slow("three looks, each of eighteen requests, for each step")
@pytest.mark.parametrize("step", range(18))
@pytest.mark.parametrize("gap", [1, 4])
def test_a_look_that_dies_at_any_step_makes_nothing_unused(look: Look, relay: Relay, step: int, gap: int) -> None:
    look(0, A)
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None, skip=step))
    with pytest.raises(BudgetUnknown):
        look(gap, B)
    relay.faults.clear()
    history = look(gap + 0.01)
    assert history.since > START or gap == 1
    for image_id in (A, B)[: 1 if step < 13 else 2]:
        assert not is_unused(history, gap + 0.01, DAY, image_id)


@pytest.mark.parametrize("lost", ["a", "b"])
def test_a_look_that_dies_after_it_has_made_a_lost_item_anew_does_not_hide_that(
    look: Look, relay: Relay, table: Client, lost: str
) -> None:
    for day in range(5):
        look(day, A, B)
    table.delete_item(TableName=TABLE, Key={"id": {"S": f"used/p1/{lost}"}})
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None, skip=17))
    with pytest.raises(BudgetUnknown):
        look(5)
    relay.faults.clear()
    assert look(5.1).since == START + 5 * DAY


def test_two_looks_at_once_lose_no_use(look: Look, relay: Relay) -> None:
    look(0)
    # Just before the first look writes down that A is in use, another one writes down B and C.
    ids = [f"a{number:07}-0000-4000-8000-000000000000" for number in range(3)]
    relay.faults.add(Fault(status=None, then=lambda: look(1, *ids[1:])))
    assert look(1, ids[0]).last.keys() == set(ids)
    assert look(2).last == dict.fromkeys(ids, (START + DAY).date())


def test_a_look_that_others_keep_overtaking_ends(look: Look, relay: Relay, table: Client) -> None:
    look(0)

    def overtake() -> None:
        table.put_item(TableName=TABLE, Item=item(table, "used/p1/a") | {"version": {"S": str(uuid.uuid4())}})

    relay.faults.add(Fault(status=None, then=overtake, times=None))
    with pytest.raises(BudgetUnknown, match=r"others have written used/p1/a 5 times in between"):
        look(0.1, A)


def test_an_answer_that_was_lost_changes_nothing(look: Look, relay: Relay) -> None:
    for skip in (1, 8, 17):
        relay.faults.add(Fault(status=503, apply=True, skip=skip))
    assert look(0, A, B).since == START
    relay.faults.clear()
    assert look(1).last.keys() == {A, B}


@pytest.mark.parametrize("body", [{}, {"message": "welcome"}, {"Responses": 1}, {"Responses": {}}, b"<html>", b"[]"])
@pytest.mark.parametrize("skip", [0, 1, 17])
def test_an_answer_that_may_be_of_somebody_else_is_none(
    look: Look, relay: Relay, body: dict[str, Any] | bytes, skip: int
) -> None:
    relay.faults.add(Fault(status=200, body=body, skip=skip))
    with pytest.raises(BudgetUnknown, match="what is in use could not be remembered: dynamodb answered"):
        look(0, A)


def test_a_table_that_can_not_be_reached_is_an_error() -> None:
    with closed_port() as port, pytest.raises(BudgetUnknown, match="dynamodb can't be reached"):
        memory(f"http://127.0.0.1:{port}").remember(())


def test_a_table_without_capacity_is_asked_again_for_what_it_has_not_read(look: Look, relay: Relay) -> None:
    look(0, A, B)

    def less(answer: dict[str, Any]) -> dict[str, Any]:
        items = answer["Responses"][TABLE]
        unread = {"Keys": [{"id": each["id"]} for each in items[1:]], "ConsistentRead": True}
        return answer | {"Responses": {TABLE: items[:1]}, "UnprocessedKeys": {TABLE: unread}}

    relay.faults.add(Fault(status=None, edit=less, times=2))
    relay.calls.clear()
    history = look(1)
    assert (history.since, set(history.last)) == (START, {A, B})
    asked = [json.loads(call.body)["RequestItems"][TABLE]["Keys"] for call in relay.calls[:3]]
    assert [len(keys) for keys in asked] == [17, 16, 15]


def test_what_a_table_does_not_read_at_all_is_not_taken_for_lost(
    look: Look, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAUSE", 0.01)
    look(0, A)
    unread = {"Keys": [WATCHED], "ConsistentRead": True}
    relay.faults.add(Fault(status=200, body={"Responses": {TABLE: []}, "UnprocessedKeys": {TABLE: unread}}, times=None))
    with pytest.raises(BudgetUnknown, match="has read only 0 of 17 items"):
        look(1)


def test_a_table_of_another_region_is_asked_there(relay: Relay) -> None:
    arn = "arn:aws:dynamodb:us-west-2:123456789012:table/state"
    relay.faults.add(Fault(status=200, body={"Responses": {arn: []}, "UnprocessedKeys": {}}))
    relay.faults.add(Fault(status=400, body={"__type": "x#AccessDeniedException"}))
    with pytest.raises(BudgetUnknown):
        memory(relay.url, arn).remember(())
    read, written = relay.calls
    assert list(json.loads(read.body)["RequestItems"]) == [json.loads(written.body)["TableName"]] == [arn]
    assert all("/us-west-2/dynamodb/" in call.headers["Authorization"] for call in relay.calls)


# What it costs, and how much it holds


def test_a_look_at_which_nothing_is_new_reads_once_and_writes_once(look: Look, relay: Relay) -> None:
    look(0, A, B)
    assert targets(relay) == ["BatchGetItem"] + 17 * ["UpdateItem"]
    for hour in range(1, 4):
        relay.calls.clear()
        look(hour / 24, A, B)
        assert targets(relay) == ["BatchGetItem", "UpdateItem"]
    relay.calls.clear()
    look(5 / 24, B, C)
    assert targets(relay) == ["BatchGetItem", "UpdateItem", "UpdateItem"]


def test_it_is_read_as_it_is_now_and_not_as_it_was(look: Look, relay: Relay) -> None:
    look(0)
    assert json.loads(relay.calls[0].body)["RequestItems"][TABLE]["ConsistentRead"] is True


def test_every_item_expires_some_days_after_the_last_look(look: Look, table: Client) -> None:
    look(0, A)
    look(1)
    items = table.scan(TableName=TABLE)["Items"]
    assert {each["id"]["S"] for each in items} == {"watched/p1", *(f"used/p1/{digit}" for digit in DIGITS)}
    ends = {datetime.fromtimestamp(int(each["expires_at"]["N"]), UTC) for each in items}
    assert ends == {datetime(2026, 11, 2, tzinfo=UTC) + KEPT}


def test_twenty_thousand_images_are_remembered(look: Look) -> None:
    ids = [str(uuid.uuid4()) for _ in range(20_000)]
    look(0, *ids)
    history = look(1, *ids[:10_000])
    assert history.last.keys() == set(ids)
    assert [is_unused(history, 1, DAY, ids[place]) for place in (0, 15_000)] == [False, False]


@pytest.mark.slow("thousands of ids")
def test_more_ids_than_an_item_holds_are_an_error_and_not_forgotten(look: Look, table: Client) -> None:
    look(0, A)
    ids = [f"a{str(uuid.uuid4())[1:]}" for _ in range(26_000)]
    with pytest.raises(BudgetUnknown, match=r"26001 ids of used/p1/a .* more than an item can hold"):
        look(1, *ids)
    assert "last" in item(table, "watched/p1")
    assert look(2.5).since > START + 2 * DAY


def test_a_use_of_a_year_ago_is_known_as_long_as_somebody_may_ask_for_it(look: Look, table: Client) -> None:
    look(0, A)
    days = LONGEST_MEMORY.days
    for day, is_known in ((days, True), (days + 1, True), (days + 20, False)):
        for each in table.scan(TableName=TABLE)["Items"]:
            last = int((START + day * DAY).timestamp())
            as_of_then = {"expires_at": {"N": str(last + 600_000)}, "last": {"N": str(last)}}
            table.put_item(TableName=TABLE, Item=each | as_of_then)
        history = look(day + 1)
        assert (A in history.last) == is_known
        assert is_unused(history, day, LONGEST_MEMORY) == (day > days)


def test_what_is_stored_is_compact(look: Look, table: Client) -> None:
    look(0, *[f"a{str(uuid.uuid4())[1:]}" for _ in range(1000)])
    images = item(table, "used/p1/a")["images"]["B"]
    assert len(images) < 17_000
    assert base64.b64encode(images)
