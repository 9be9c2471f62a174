"""The alarms and the dashboard: they watch what the code and AWS really measure."""

import json
import re
from typing import Any

import pytest

from handler.report.reporter import LOST, METRICS
from tests.conftest import EVENTS, queue
from tests.fakecloud import FakeCloud, Server
from tests.stack.alarms import Metrics, Series, alarms_of, emitted, series_of
from tests.stack.conftest import Run
from tests.stack.making import Stack
from tests.stack.resolving import REGION
from tests.stack.variants import ALARM_TOPIC

NAMESPACE = "ImageReaper"
MEASURED = {
    "AWS/Lambda": {"Invocations", "Errors", "Throttles", "Duration", "DestinationDeliveryFailures"},
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    },
    "AWS/Scheduler": {"InvocationsFailedToBeSentToDeadLetterCount", "InvocationDroppedCount"},
    "AWS/Events": {"InvocationsFailedToBeSentToDlq", "InvocationsFailedToBeSentToDLQ"},
    "AWS/SNS": {"NumberOfNotificationsFailedToRedriveToDlq"},
}
"""What AWS itself measures. Source: the CloudWatch metrics of each service's guide."""


def event(name: str, server: Server) -> Any:  # noqa: ANN401 (any JSON)
    """A file of events/, its answer sent to the fake cloud."""
    read = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return read | {"ResponseURL": f"{server.url}/sink/cfn"} if "ResponseURL" in read else read


@pytest.fixture
def untold(stack: Stack, run: Run, cloud: FakeCloud, closed: str) -> set[Series]:
    """The series of rehearsals that nobody is told of, in the functions that sweep by themselves."""
    asked = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}, "dry_run": True}
    events = {"QueueFunction": queue(asked), "ScheduledFunction": {"detail-type": "Scheduled Event", "detail": asked}}
    cloud.add_image("ci-1", tags=["ci"])
    runs = [run(stack, function, each, told=closed) for function, each in events.items()]
    assert [(done.error, done.logged("run.finished")[0]["ok"]) for done in runs] == [(None, True)] * 2
    return {series for done in runs for series, _ in emitted(done)}


@pytest.fixture
def written(stack: Stack, run: Run, server: Server, untold: set[Series]) -> set[Series]:
    """The series that the functions write: one event of each source, and one message that goes back."""
    events = {
        "QueueFunction": [queue("not JSON")],
        "ScheduledFunction": [event("schedule", server)],
        "LifecycleFunction": [event(name, server) for name in ("topic", "lifecycle-custom", "stack-delete", "direct")],
    }
    runs = [run(stack, function, each) for function, several in events.items() for each in several]
    assert [done.error for done in runs] == [None] * 6
    return untold | {series for done in runs for series, _ in emitted(done)}


def watched(stack: Stack) -> set[Series]:
    """All that the alarms of a stack look at."""
    metrics = [metric for alarm in alarms_of(stack).values() for metric in alarm["Metrics"] if "MetricStat" in metric]
    return {series_of(metric["MetricStat"]["Metric"]) for metric in metrics}


def there(stack: Stack) -> dict[str, set[str]]:
    """What a dimension of AWS's own metrics may name."""
    return {
        "FunctionName": set(map(stack.ref, stack.of_type("AWS::Lambda::Function"))),
        "QueueName": {stack.attribute(one, "QueueName") for one in stack.of_type("AWS::SQS::Queue")},
        "ScheduleGroup": set(map(stack.ref, stack.of_type("AWS::Scheduler::ScheduleGroup"))),
        "RuleName": {stack.attribute(one).rpartition("/")[2] for one in stack.of_type("AWS::Events::Rule")},
        "EventBusName": {stack.outputs["EventBusName"]},
        "TopicName": {str(stack.parameters.get("TopicArn", "")).rpartition(":")[2]},
    }


def test_every_series_of_ours_that_an_alarm_names_is_one_that_the_code_writes(
    stack: Stack, written: set[Series]
) -> None:
    ours = {series for series in watched(stack) if series.namespace == NAMESPACE}
    assert len(ours) > 10
    assert ours - written == set()


def test_every_other_series_is_measured_of_something_that_is_there(stack: Stack) -> None:
    others = {series for series in watched(stack) if series.namespace != NAMESPACE}
    assert len(others) > 10
    known = there(stack)
    for series in others:
        assert series.name in MEASURED[series.namespace], series
        assert series.dimensions, series
        assert [name for name, value in series.dimensions if value not in known[name]] == [], series


def test_every_function_and_every_queue_is_watched(stack: Stack) -> None:
    named = {value for series in watched(stack) for _, value in series.dimensions}
    assert there(stack)["FunctionName"] | there(stack)["QueueName"] <= named


def test_an_alarm_is_about_its_own_stack_and_only_the_heartbeat_takes_silence_amiss(stack: Stack) -> None:
    alarms = alarms_of(stack)
    silent = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"}
    assert silent == ({"Missed"} if stack.parameters.get("ScheduleState") == "ENABLED" else set())
    assert ("UnarmedDeletion" in alarms) == (stack.parameters.get("Mode") != "delete")


def test_an_alarm_tells_the_topic_that_was_given_and_says_where_to_read_on(stack: Stack) -> None:
    expected = [ALARM_TOPIC] if "AlarmTopicArn" in stack.parameters else []
    for name, alarm in alarms_of(stack).items():
        assert (alarm["AlarmActions"], alarm["OKActions"], alarm["ActionsEnabled"]) == (expected, [], True), name
        assert f"OPERATIONS.md#alarm-{name.lower()}" in alarm["AlarmDescription"]


def test_the_thresholds_are_those_that_were_given(stack: Stack) -> None:
    alarms, given = alarms_of(stack), stack.parameters
    for name, parameter, otherwise in (
        ("Failed", "FailedThreshold", 0),
        ("Refused", "RefusalsThreshold", 100),
        ("QueueAge", "QueueAgeThreshold", 3600),
    ):
        assert alarms[name]["Threshold"] == given.get(parameter, otherwise)
    if "Missed" in alarms:
        assert alarms["Missed"]["EvaluationPeriods"] == given.get("HeartbeatHours", 26)


def test_no_alarm_looks_back_further_than_cloudwatch_does(stack: Stack) -> None:
    for name, alarm in alarms_of(stack).items():
        periods = {metric["MetricStat"]["Period"] for metric in alarm["Metrics"] if "MetricStat" in metric}
        assert len(periods) == 1, name
        (period,) = periods
        longest = 604_800 if period >= 3600 else 86_400
        assert period * alarm["EvaluationPeriods"] <= longest, name


def test_a_message_near_its_end_rings_while_there_is_time(stack: Stack) -> None:
    assert alarms_of(stack)["NearEnd"]["Threshold"] == 11 * 24 * 3600


def test_the_dashboard_shows_every_alarm_and_names_nothing_that_is_not_there(stacks: dict[str, Stack]) -> None:
    full = stacks["full"]
    (dashboard,) = full.of_type("AWS::CloudWatch::Dashboard")
    name = full.ref(dashboard)
    body = json.loads(full.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    widgets = [widget["properties"] for widget in body["widgets"]]
    shown = {alarm for widget in widgets for alarm in widget.get("alarms", [])}
    assert shown == {alarm["AlarmArn"] for alarm in alarms_of(full).values()}
    known = there(full)
    for row in [row for widget in widgets for row in widget.get("metrics", []) if isinstance(row[0], str)]:
        namespace, metric, *dimensions = [cell for cell in row if isinstance(cell, str)]
        assert metric in MEASURED[namespace]
        assert dimensions[1] in known[dimensions[0]]
    assert {widget["region"] for widget in widgets if "metrics" in widget} == {REGION}
    assert full.outputs["DashboardUrl"].endswith(f"#dashboards/dashboard/{name}")


def test_the_dashboard_searches_for_metrics_that_the_code_writes(stacks: dict[str, Stack], known: set[str]) -> None:
    full = stacks["full"]
    (dashboard,) = full.of_type("AWS::CloudWatch::Dashboard")
    text = full.client("cloudwatch").get_dashboard(DashboardName=full.ref(dashboard))["DashboardBody"]
    ours = "Images|Requests|Bytes|Delete|Backups|Message|Reports|Notices"
    searched = set(re.findall(rf'\(?\\"(?:MetricName=)?((?:{ours})\w+)\\"', text))
    assert len(searched) > 10
    assert {name.partition("_")[0] for name in searched} <= known
    assert set(re.findall(r'service=\\"([^"\\]+)\\"', text)) == {str(full.parameters["ServiceName"])}


@pytest.fixture
def known() -> set[str]:
    own = {"RequestsRejected", "BytesReclaimed", "DeleteLatency", "BackupsLeft", "MessageAge"}
    return {*METRICS.values(), *LOST.values()} | own


def test_a_stack_with_all_defaults_has_no_dashboard_to_pay_for(stacks: dict[str, Stack]) -> None:
    assert stacks["staging"].of_type("AWS::CloudWatch::Dashboard") == []
    assert "DashboardUrl" not in stacks["staging"].outputs


def test_each_series_that_an_alarm_names_can_make_it_go_off_by_itself(stack: Stack) -> None:
    for name, alarm in alarms_of(stack).items():
        if name == "Missed":
            continue
        for series in [series_of(each["MetricStat"]["Metric"]) for each in alarm["Metrics"] if "MetricStat" in each]:
            quiet, loud = Metrics(), Metrics()
            quiet.values, loud.values = {series: [0.0]}, {series: [1e9]}
            assert (quiet.lets_ring(alarm), loud.lets_ring(alarm)) == (False, True), (name, series)
