"""What an operator hears of a night: real runs of the handler, and the alarms of the stack that runs it."""

import time

import pytest

from tests.conftest import queue
from tests.fakecloud import FakeCloud
from tests.stack.alarms import Metrics, alarms_of, series_of
from tests.stack.conftest import Run
from tests.stack.engine import Engine
from tests.stack.making import Stack

NIGHT = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}
OWN = "ImageReaper"


@pytest.fixture
def engine(prod: Stack, run: Run) -> Engine:
    return Engine(prod, run)


# Two stacks in one account


def test_two_stacks_share_no_series_no_alarm_and_no_dashboard(stacks: dict[str, Stack]) -> None:
    watched = []
    for stack in stacks.values():
        alarms = alarms_of(stack).values()
        metrics = [each["MetricStat"]["Metric"] for one in alarms for each in one["Metrics"] if "MetricStat" in each]
        watched.append({series_of(metric) for metric in metrics} | {alarm["AlarmName"] for alarm in alarms})
        watched[-1] |= {stack.ref(one) for one in stack.of_type("AWS::CloudWatch::Dashboard")}
    assert sum(map(len, watched)) == len(set().union(*watched))


def test_a_deletion_in_one_stack_moves_no_alarm_of_another(
    stacks: dict[str, Stack], run: Run, cloud: FakeCloud
) -> None:
    account = Metrics()
    prod, staging = (Engine(stacks[name], run, account) for name in ("prod", "staging"))
    prod.has_run()
    done = prod.call("LifecycleFunction", {"image_ids": [cloud.add_image()]})
    assert (done.answer["counts"], prod.ringing(), staging.ringing()) == ({"deleted": 1}, [], [])
    moved = {series for series, values in account.values.items() if series.namespace == OWN and any(values)}
    assert moved
    for name in ("staging", "full"):
        alarms = alarms_of(stacks[name]).values()
        metrics = [each["MetricStat"]["Metric"] for one in alarms for each in one["Metrics"] if "MetricStat" in each]
        assert moved & {series_of(metric) for metric in metrics} == set(), name


def test_a_deletion_in_a_stack_that_is_not_armed_rings(stacks: dict[str, Stack], run: Run) -> None:
    """The alarm that must not go off for another stack does go off for its own."""
    staging = Engine(stacks["staging"], run)
    staging.metrics.add(OWN, "ImagesDeleted", 1, service="staging", source="queue")
    assert staging.ringing() == ["UnarmedDeletion"]


# One night, one alarm


def test_a_night_that_is_over_its_limit_is_one_alarm_and_one_entry_among_the_failures(
    engine: Engine, cloud: FakeCloud
) -> None:
    for number in range(5):
        cloud.add_image(f"ci-{number}")
    (once,) = engine.send("ScheduledFunction", NIGHT)
    assert (once.error, once.answer["ok"], len(cloud.dead)) == (None, False, 0)
    assert (engine.waiting("ScheduledFailures"), engine.ringing()) == (1, ["DeadLetter"])


def test_a_night_without_the_cloud_is_tried_again_and_is_one_alarm(engine: Engine, cloud: FakeCloud) -> None:
    cloud.fault("GET", "/images", status=500, times=None)
    cloud.add_image("ci-1")
    assert [bool(done.error) for done in engine.send("ScheduledFunction", NIGHT)] == [True, True]
    assert (engine.waiting("ScheduledFailures"), engine.ringing()) == (1, ["DeadLetter"])


def test_a_night_that_goes_well_rings_nothing(engine: Engine, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{number}") for number in range(2)]
    (once,) = engine.send("ScheduledFunction", NIGHT)
    assert (once.error, sorted(cloud.dead)) == (None, sorted(images))
    assert (engine.waiting("ScheduledFailures"), engine.ringing()) == (0, [])


def test_a_rehearsal_that_nobody_is_told_of_is_one_alarm(engine: Engine, cloud: FakeCloud, closed: str) -> None:
    cloud.add_image("ci-1")
    rehearsal = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}, "dry_run": True}
    (once,) = engine.send("ScheduledFunction", NIGHT | {"detail": rehearsal}, told=closed)
    assert (once.answer["ok"], once.answer["counts"]) == (True, {"would_delete": 1})
    assert (engine.waiting("ScheduledFailures"), engine.ringing()) == (0, ["Untold"])


def test_a_night_that_could_not_say_what_it_will_delete_deletes_nothing(
    engine: Engine, cloud: FakeCloud, closed: str
) -> None:
    cloud.add_image("ci-1")
    assert [bool(done.error) for done in engine.send("ScheduledFunction", NIGHT, told=closed)] == [True, True]
    assert (len(cloud.dead), engine.ringing()) == (0, ["DeadLetter", "Untold"])


def test_a_schedule_that_never_runs_is_missed_and_nothing_else(engine: Engine) -> None:
    assert engine.ringing() == ["Missed"]


# What rings, and what does not


def test_a_throttled_image_that_a_second_receive_deletes_rings_nothing(engine: Engine, cloud: FakeCloud) -> None:
    engine.has_run()
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=429, times=None)
    message = queue({"image_ids": [image]})
    message["Records"][0]["attributes"]["SentTimestamp"] = f"{time.time() * 1000:.0f}"
    assert engine.call("QueueFunction", message, seconds=6.0).returned == ["m0"]
    cloud.faults.clear()
    assert engine.call("QueueFunction", message).returned == []
    assert (list(cloud.dead), engine.ringing()) == ([image], [])


def test_a_direct_call_that_fails_rings_failed_and_nothing_else(engine: Engine, cloud: FakeCloud) -> None:
    engine.has_run()
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=403, times=None)
    done = engine.call("LifecycleFunction", {"image_ids": [image]})
    assert (done.answer["ok"], engine.ringing()) == (False, ["Failed"])


def test_a_message_that_goes_back_after_eleven_days_rings_before_it_is_lost(engine: Engine) -> None:
    engine.has_run()
    for days, expected in ((10, []), (12, ["NearEnd"])):
        message = queue("not JSON")
        message["Records"][0]["attributes"]["SentTimestamp"] = f"{(time.time() - days * 86_400) * 1000:.0f}"
        assert engine.call("QueueFunction", message).returned == ["m0"]
        assert engine.ringing() == expected


def test_a_run_that_takes_nearly_all_its_time_rings(engine: Engine) -> None:
    engine.has_run()
    for function, seconds in (("QueueFunction", 300), ("ScheduledFunction", 900), ("LifecycleFunction", 120)):
        metrics = Metrics()
        metrics.values |= engine.metrics.values
        short = Engine(engine.stack, engine._run, metrics)
        metrics.add("AWS/Lambda", "Duration", 0.89 * seconds * 1000, FunctionName=engine.stack.ref(function))
        assert short.ringing() == []
        metrics.add("AWS/Lambda", "Duration", 0.91 * seconds * 1000, FunctionName=engine.stack.ref(function))
        assert short.ringing() == ["NearTimeout"]


def test_what_is_handed_over_is_the_event_with_its_report(engine: Engine, cloud: FakeCloud) -> None:
    for number in range(5):
        cloud.add_image(f"ci-{number}")
    (once,) = engine.send("ScheduledFunction", NIGHT)
    assert engine.take("ScheduledFailures") == [{"requestPayload": NIGHT, "responsePayload": once.answer}]
