"""Turns: what one invocation may delete goes to whole messages, the smallest first."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.work.batches.turns import Room, Turn, Waiter, next_turns
from tests.conftest import Invoke, queue
from tests.fakecloud import DEMO, FakeCloud

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(cloud: FakeCloud) -> Ask:
    """A request for as many images, new ones."""

    def make(count: int, *, protected: bool = False) -> dict[str, Any]:
        return {"image_ids": [cloud.add_image(protected=protected) for _ in range(count)]}

    return make


def given_to(sizes: list[int], left: int, most: int = 100, width: int = 16) -> list[Turn]:
    return next_turns([Waiter(size) for size in sizes], Room(most=most, left=left, width=width))


def reads(cloud: FakeCloud, request: dict[str, Any]) -> int:
    """How often the images of a request were read."""
    return sum(call.path.rpartition("/")[2] in request["image_ids"] for call in cloud.calls_of("GET"))


@pytest.mark.parametrize(
    ("sizes", "left", "turns"),
    [
        ([60, 30, 40], 100, [(1, 30), (2, 40)]),
        ([60, 30, 40], 29, []),
        ([100], 100, [(0, 100)]),
        ([5, 5, 5], 10, [(0, 5), (1, 5)]),
        ([1000, 1], 100, [(1, 1)]),
        ([1000, 500], 40, [(1, 40)]),
        ([1000], 3, [(0, 16)]),
        ([1000], 0, []),
        ([101, 60], 50, [(0, 50)]),
        ([0], 100, []),
        ([], 100, []),
    ],
    ids=str,
)
def test_turns_go_to_whole_messages_and_what_they_leave_to_a_larger_one(
    sizes: list[int], left: int, turns: list[tuple[int, int]]
) -> None:
    assert given_to(sizes, left) == turns


def test_of_messages_of_one_size_the_one_that_came_most_often_is_first() -> None:
    waiters = [Waiter(5, 0, receives) for receives in (1, 4, 2)]
    assert next_turns(waiters, Room(most=5, left=5, width=1)) == [(1, 5)]


@given(st.lists(st.integers(0, 1000), max_size=10), st.integers(0, 300), st.data())
def test_turns_come_to_an_end_and_never_go_beyond_what_is_left(
    sizes: list[int], most: int, data: st.DataObject
) -> None:
    waiters, left = [Waiter(size) for size in sizes], most
    while turns := next_turns(waiters, Room(most=most, left=left, width=1)):
        assert sum(turn.images for turn in turns) <= left
        for place, images in turns:
            waiters[place] = waiters[place]._replace(done=waiters[place].done + images)
            left -= data.draw(st.integers(0, images))
    assert all(waiter.done in {0, waiter.images} for waiter in waiters if waiter.images <= most)
    assert left < min((w.images for w in waiters if w.done < w.images <= most), default=most + 1)


def test_a_message_that_gets_no_turn_is_not_touched(invoke: Invoke, cloud: FakeCloud, ask: Ask) -> None:
    requests = [ask(3), ask(2), ask(4)]
    run = invoke(queue(*requests), REAPER_MAX_IMAGES="5")
    assert run.returned == ["m2"]
    (line,) = run.logged("images.untouched")
    assert (line["message_id"], line["reason"], line["image_ids"]) == ("m2", "over_limit", requests[2]["image_ids"])
    assert [reads(cloud, request) for request in requests] == [3, 2, 0]


def test_the_smallest_messages_are_done_first(invoke: Invoke, ask: Ask) -> None:
    run = invoke(queue(ask(3), ask(1), ask(2)), REAPER_CONCURRENCY="1")
    assert [line["message_id"] for line in run.logged("image.deleted")] == ["m1", *["m2"] * 2, *["m0"] * 3]


def test_of_two_of_one_size_the_one_that_has_come_before_is_done_first(invoke: Invoke, ask: Ask) -> None:
    event = queue(ask(2), ask(2))
    event["Records"][1]["attributes"]["ApproximateReceiveCount"] = "2"
    assert invoke(event, REAPER_MAX_IMAGES="2").returned == ["m0"]


def test_a_message_larger_than_the_limit_takes_what_the_others_leave_and_goes_on(
    invoke: Invoke, cloud: FakeCloud, ask: Ask
) -> None:
    large = ask(12)
    event = queue(large, ask(2), ask(1))
    runs = [invoke(event, REAPER_MAX_IMAGES="5", REAPER_CONCURRENCY="1") for _ in range(3)]
    assert [run.returned for run in runs] == [["m0"], ["m0"], []]
    assert [len(run.logged("image.deleted")) for run in runs] == [5, 5, 5]
    assert not cloud.images


def test_what_stays_or_is_gone_costs_nothing_so_that_more_messages_get_a_turn(invoke: Invoke, ask: Ask) -> None:
    gone = ask(4)
    invoke(gone)
    run = invoke(queue(gone, ask(4, protected=True), ask(5), ask(1)), REAPER_MAX_IMAGES="6")
    assert run.returned == []
    assert run.metric("ImagesDeleted") == 6


@pytest.mark.parametrize("settings", [{"REAPER_MODE": "dry-run"}, {}], ids=str)
def test_turns_are_rehearsed_as_well(settings: dict[str, str], invoke: Invoke, cloud: FakeCloud, ask: Ask) -> None:
    requests = [ask(count) | {"dry_run": True} for count in (3, 2)]
    run = invoke(queue(*requests), REAPER_MAX_IMAGES="4", **settings)
    assert (run.returned, run.metric("ImagesWouldDelete")) == (["m0"], 2)
    assert reads(cloud, requests[0]) == 0


def test_a_fifo_queue_keeps_its_order_whatever_the_sizes(invoke: Invoke, cloud: FakeCloud, ask: Ask) -> None:
    first, second, other = ask(4), ask(1), ask(2)
    run = invoke(queue(first, second, other, fifo_groups=["a", "a", "b"]), REAPER_MAX_IMAGES="4")
    assert run.returned == ["m0", "m1"]
    assert [line["message_id"] for line in run.logged("message.held")] == ["m1"]
    assert set(cloud.dead) == set(other["image_ids"])


@pytest.mark.parametrize(("most", "returned"), [("1", []), ("0", ["m0", "m1"])])
def test_a_false_claim_costs_nothing_and_is_checked_only_when_its_message_gets_a_turn(
    most: str, returned: list[str], invoke: Invoke, cloud: FakeCloud, ask: Ask
) -> None:
    claimed = cloud.add_image("prod-db")
    event = {"detail-type": "Image Activated", "detail": {"name": "ci-7", "image_id": claimed, "owner": DEMO}}
    template = json.dumps({"image_ids": ["{image_id}"]})
    run = invoke(queue(event, ask(1)), REAPER_MAX_IMAGES=most, REAPER_LIFECYCLE_REQUEST=template)
    assert (run.returned, reads(cloud, {"image_ids": [claimed]})) == (returned, int(most))
    assert claimed in cloud.images
