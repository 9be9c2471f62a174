"""How old is a message that its queue gets back? SQS does not say so of one that was received three times or more."""

import time
from typing import Any

import pytest

from handler.model.message import Message, Rejected, StackCall
from handler.model.outcome import Result
from handler.report.report import ages_of
from tests.conftest import Invocation, Invoke, queue
from tests.fakecloud import FakeCloud

PAUSED = {"REAPER_MODE": "paused"}
HOUR = 3600
CALL = StackCall("https://example.com", "s", "r", "Images", "p")
UNREADABLE = Message(Rejected("not JSON"), id="m", sent_at=1000.0)


def sent(event: dict[str, Any], *moments: float) -> dict[str, Any]:
    """The same event, with the moments at which its messages were sent, in seconds since 1970."""
    for record, moment in zip(event["Records"], moments, strict=True):
        record["attributes"]["SentTimestamp"] = f"{moment * 1000:.0f}"
    return event


def ages(run: Invocation) -> list[float]:
    return [age for blob in run.metrics for age in blob.get("MessageAge", [])]


def test_each_message_that_goes_back_tells_its_age_in_seconds(invoke: Invoke, cloud: FakeCloud) -> None:
    begun = time.time()
    bodies = [{"image_ids": [cloud.add_image()]} for _ in range(2)]
    run = invoke(sent(queue(*bodies), begun - HOUR, begun - 300 * HOUR), **PAUSED)
    took = time.time() - begun
    assert run.returned == ["m0", "m1"]
    first, second = sorted(ages(run))
    assert HOUR - 1 < first < HOUR + took + 1
    assert 300 * HOUR - 1 < second < 300 * HOUR + took + 1


def test_the_age_has_the_unit_and_the_dimensions_that_the_alarm_asks_for(invoke: Invoke, cloud: FakeCloud) -> None:
    (blob,) = invoke(queue({"image_ids": [cloud.add_image()]}), **PAUSED).metrics
    (metrics,) = blob["_aws"]["CloudWatchMetrics"]
    assert {"Name": "MessageAge", "Unit": "Seconds"} in metrics["Metrics"]
    assert (set(metrics["Dimensions"][0]), blob["source"]) == ({"service", "source"}, "queue")


def test_only_what_goes_back_has_an_age(invoke: Invoke, cloud: FakeCloud) -> None:
    begun = time.time()
    event = queue("not JSON", {"image_ids": [cloud.add_image()]})
    run = invoke(sent(event, begun - HOUR, begun - 9 * HOUR))
    assert run.returned == ["m0"]
    assert [age // HOUR for age in ages(run)] == [1]


def test_a_run_that_gives_nothing_back_tells_no_age(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(queue({"image_ids": [cloud.add_image()]}))
    assert (run.returned, ["MessageAge" in blob for blob in run.metrics]) == ([], [False])


def test_a_message_that_is_held_back_behind_another_has_an_age_too(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(queue("not JSON", {"image_ids": [cloud.add_image()]}, fifo_groups=["a", "a"]))
    assert (run.returned, len(ages(run))) == (["m0", "m1"], 2)


ODD: list[object] = [
    None,
    5,
    True,
    "",
    "x",
    "-1545082649183",
    "1545082649.183",
    "0" * 13,
    "1" * 30,
    "\u0661" * 13,
    [],
    {},
]


@pytest.mark.parametrize("moment", ODD, ids=repr)
def test_an_odd_moment_of_sending_gives_no_age_and_no_error(invoke: Invoke, cloud: FakeCloud, moment: object) -> None:
    image = cloud.add_image()
    event = queue("not JSON", {"image_ids": [image]})
    for record in event["Records"]:
        record["attributes"]["SentTimestamp"] = moment
    run = invoke(event)
    assert (run.error, run.returned, ages(run), list(cloud.dead)) == (None, ["m0"], [], [image])


@pytest.mark.parametrize("attributes", [None, {}, [], "x"], ids=repr)
def test_odd_attributes_give_no_age_and_no_error(invoke: Invoke, attributes: object) -> None:
    event = queue("not JSON")
    event["Records"][0]["attributes"] = attributes
    run = invoke(event)
    assert (run.error, run.returned, ages(run)) == (None, ["m0"], [])


def test_a_moment_that_has_not_come_yet_is_no_time_ago() -> None:
    assert ages_of([UNREADABLE], [Result("m", None, problem="not JSON")], moment=999.5) == (0.0,)


@pytest.mark.parametrize(
    ("result", "found"), [(Result("m", None, problem="x"), ()), (Result("m", None, held=True), (5,))]
)
def test_a_call_of_cloudformation_has_an_age_only_if_it_is_held_back(result: Result, found: tuple[float, ...]) -> None:
    assert ages_of([UNREADABLE._replace(call=CALL)], [result], moment=1005.0) == found
