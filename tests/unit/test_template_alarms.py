"""Who runs a stack is told: its logs, alarms, dashboard and outputs, and that no other stack has a share in them."""

import json
import re
from typing import Any, get_args

import pytest

from handler.errors import CloudError
from handler.model.outcome import Outcome
from handler.model.request import Source
from handler.report.reporter import LOST, METRICS, Reporter
from handler.rules.safety import RULES
from tests.unit.cloudformation import Stack, parts
from tests.unit.test_template import ARN, DAY, FUNCTIONS, QUEUES, TEMPLATE, failures, resources, stack
from tests.unit.test_template_parameters import EXAMPLES

RULE_REASONS = {rule.__name__.removeprefix("_") for rule in RULES}
ALARMS = resources("AWS::CloudWatch::Alarm")
SEARCH = re.compile(
    r'SEARCH\(\'\{"ImageReaper",service,source\} service="([^"]+)" MetricName=\((.+)\)\', \'\w+\', 300\)'
)
FULL = EXAMPLES | {"FifoQueue": "true", "ScheduleState": "ENABLED", "DashboardState": "ENABLED"}


def alarms(made: Stack) -> dict[str, dict[str, Any]]:
    return made.resources("AWS::CloudWatch::Alarm")


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at: each metric with its namespace, its name and its dimensions."""
    stats = [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
    return [each | {d["Name"]: d["Value"] for d in each["Dimensions"]} for each in stats]


def series(made: Stack) -> set[str]:
    """Every series that an alarm of a stack looks at."""
    return {json.dumps(metric, sort_keys=True) for alarm in alarms(made).values() for metric in metrics(alarm)}


def dashboard(made: Stack) -> dict[str, Any]:
    [board] = made.resources("AWS::CloudWatch::Dashboard").values()
    return dict(json.loads(board["DashboardBody"]))


def searches(made: Stack) -> list[str]:
    return [part["expression"] for part in parts(dashboard(made)) if "expression" in part]


@pytest.fixture
def known_metrics(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Every metric that the code can write, found by letting it write them."""
    reasons = {"refused": RULE_REASONS, "failed": set(failures(CloudError))}
    outcomes = [Outcome("i", name, reason, latency=1) for name in METRICS for reason in reasons.get(name, {""})]  # type: ignore[arg-type]  # the keys are names of outcomes
    reporter = Reporter("s", "n")
    reporter.count("direct", outcomes, 1, ages=[1])
    for event in LOST:
        reporter.told(event, "direct")
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    blobs = [each["_aws"] for each in written if "_aws" in each]
    return {metric["Name"] for blob in blobs for metric in blob["CloudWatchMetrics"][0]["Metrics"]}


# Logs


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_log_group_that_it_may_write_to_and_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    role = FUNCTIONS[name]["Role"]["Fn::GetAtt"].removesuffix(".Arn")
    assert TEMPLATE["Resources"][group]["Properties"]["RetentionInDays"]
    assert TEMPLATE["Resources"][group]["DeletionPolicy"] == "Retain"
    resources_of_role = [part.get("Resource") for part in parts(TEMPLATE["Resources"][role])]
    assert {"Fn::GetAtt": f"{group}.Arn"} in resources_of_role


# Alarms


def test_two_stacks_share_no_series_no_dashboard_and_no_name() -> None:
    given = FULL | {"CredentialsSecretArn": ARN, "ServiceName": "", "Mode": "dry-run"}
    staging, production = (Stack(TEMPLATE, name=name, given=given) for name in ("staging", "production"))
    assert not series(staging) & series(production)
    assert not set(searches(staging)) & set(searches(production))
    boards = [
        each.resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardName"] for each in (staging, production)
    ]
    elsewhere = Stack(TEMPLATE, name="staging", given=given, region="eu-west-1")
    boards += [elsewhere.resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardName"]]
    assert len({*boards}) == 3


def test_a_service_of_ones_own_goes_into_the_metrics_and_to_all_that_look_for_them() -> None:
    made = stack(ServiceName="mine", DashboardState="ENABLED")
    own = [
        metric for alarm in alarms(made).values() for metric in metrics(alarm) if metric["Namespace"] == "ImageReaper"
    ]
    assert {metric["service"] for metric in own} == {"mine"}
    assert {found[1] for search in searches(made) if (found := SEARCH.fullmatch(search))} == {"mine"}


def test_alarms_and_dashboard_name_metrics_that_the_code_writes(known_metrics: set[str]) -> None:
    looked_at = [metric for alarm in alarms(stack()).values() for metric in metrics(alarm)]
    assert {metric["MetricName"] for metric in looked_at if metric["Namespace"] == "ImageReaper"} <= known_metrics
    searched = [found[2] for search in searches(stack(DashboardState="ENABLED")) if (found := SEARCH.fullmatch(search))]
    assert {name for names in searched for name in re.findall(r"\w+", names)} - {"OR"} == known_metrics


SERVED = {"queue", "topic", "schedule", "lifecycle"}
"""The sources whose failures a queue keeps: DeadLetter tells of them."""


@pytest.mark.parametrize(
    ("alarm", "names", "sources"),
    [
        ("Refused", ["ImagesRefused"], {*get_args(Source)}),
        ("UnarmedDeletion", ["ImagesDeleted"], {*get_args(Source)}),
        ("Failed", ["ImagesFailed", "RequestsRejected"], {*get_args(Source)} - SERVED),
        ("NearEnd", ["MessageAge"], {"queue"}),
        # The sources that sweep while nobody waits. Bucket and topic are the same for all.
        ("Untold", ["ReportsNotStored", "NoticesNotSent"], {"queue", "schedule"}),
    ],
)
def test_an_alarm_adds_up_every_source_that_nothing_else_watches(
    alarm: str, names: list[str], sources: set[str]
) -> None:
    found = metrics(alarms(stack())[f"{alarm}Alarm"])
    assert [(metric["MetricName"], metric["source"]) for metric in found] == [
        (name, source) for name in names for source in get_args(Source) if source in sources
    ]


def test_what_a_queue_of_failures_keeps_raises_one_alarm() -> None:
    """Of the scheduled run and of the lifecycle hook: no second one counts their errors or failed images."""
    errors = metrics(alarms(stack())["ErrorsAlarm"])
    assert [metric["FunctionName"] for metric in errors] == ["image-reaper-QueueFunction"]
    depths = metrics(alarms(stack())["DeadLetterAlarm"])
    assert {metric["QueueName"] for metric in depths} == {
        f"image-reaper-{name}.QueueName" for name in QUEUES if name != "Queue"
    }


@pytest.mark.parametrize(
    ("state", "hours", "there"), [("ENABLED", 26, True), ("ENABLED", 0, False), ("DISABLED", 26, False)]
)
def test_a_run_that_does_not_come_is_missed_where_runs_are_expected(state: str, hours: int, there: bool) -> None:  # noqa: FBT001 (of a table)
    found = alarms(stack(ScheduleState=state, HeartbeatHours=str(hours)))
    assert ("MissedAlarm" in found) == there
    if there:
        [metric] = metrics(found["MissedAlarm"])
        assert (metric["MetricName"], metric["FunctionName"]) == ("Invocations", "image-reaper-ScheduledFunction")
        assert found["MissedAlarm"]["TreatMissingData"] == "breaching"
        assert int(found["MissedAlarm"]["EvaluationPeriods"]) == hours


def test_a_heartbeat_is_no_longer_than_an_alarm_looks_back() -> None:
    """Seven days. Source: CloudWatch API reference, PutMetricAlarm."""
    [period] = {part["Period"] for part in parts(ALARMS["MissedAlarm"]) if "Period" in part}
    assert period * TEMPLATE["Parameters"]["HeartbeatHours"]["MaxValue"] <= 7 * DAY


def test_the_metrics_of_the_schedule_are_those_of_a_group_of_its_own() -> None:
    [event] = [e for e in FUNCTIONS["ScheduledFunction"]["Events"].values() if e["Type"] == "ScheduleV2"]
    assert event["Properties"]["GroupName"] == {"Ref": "ScheduleGroup"}
    groups = [metric.get("ScheduleGroup") for metric in metrics(alarms(stack())["UndeliveredAlarm"])]
    assert groups == [None, None, "image-reaper-ScheduleGroup"]


def test_a_run_is_near_its_end_at_nine_tenths_of_the_timeout_of_its_function() -> None:
    alarm = alarms(stack())["NearTimeoutAlarm"]
    said = {query["Id"]: query["Expression"] for query in alarm["Metrics"] if "Expression" in query}
    names = {query["Id"]: metrics({"Metrics": [query]})[0] for query in alarm["Metrics"] if "MetricStat" in query}
    for id_, metric in names.items():
        function = FUNCTIONS[metric["FunctionName"].removeprefix("image-reaper-")]
        assert said.pop(f"{id_}Share") == f"{id_} / {function['Timeout'] * 1000}"
    assert said == {"total": f"MAX([{', '.join(f'{id_}Share' for id_ in names)}])"}
    assert (len(names), alarm["Threshold"]) == (len(FUNCTIONS), 0.9)


def test_a_message_is_near_its_end_three_days_before_its_queue_drops_it() -> None:
    assert alarms(stack())["NearEndAlarm"]["Threshold"] == QUEUES["Queue"]["MessageRetentionPeriod"] - 3 * DAY


def test_an_alarm_asks_only_what_cloudwatch_lets_it() -> None:
    for name, alarm in ALARMS.items():
        returned = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
        assert returned == ["total"], name
        assert len([query for query in alarm["Metrics"] if "MetricStat" in query]) <= 10
        assert alarm["AlarmActions"]["Fn::If"][1] == [{"Ref": "AlarmTopicArn"}]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_to_do_and_where_to_read_on(name: str) -> None:
    said, _, where = ALARMS[name]["AlarmDescription"].rpartition(" OPERATIONS.md#")
    assert re.fullmatch(r"[A-Z].+: .+\.", said)
    assert where == f"alarm-{name.removesuffix('Alarm').lower()}"


@pytest.mark.parametrize("given", [{}, {"ScheduleState": "ENABLED"}, FULL], ids=["default", "scheduled", "full"])
def test_the_alarms_of_an_idle_stack_cost_less_than_four_dollars_a_month(given: dict[str, str]) -> None:
    """0.10 USD for each metric. Source: the price list of CloudWatch."""
    assert sum(len(metrics(alarm)) for alarm in alarms(stack(**given)).values()) < 40


# The dashboard


def test_a_dashboard_is_made_and_paid_for_only_when_it_is_asked_for() -> None:
    assert TEMPLATE["Parameters"]["DashboardState"]["Default"] == "DISABLED"
    assert stack().resources("AWS::CloudWatch::Dashboard") == {}
    assert TEMPLATE["Outputs"]["DashboardUrl"]["Condition"] == TEMPLATE["Resources"]["Dashboard"]["Condition"]


@pytest.mark.parametrize("mode", ["dry-run", "delete"])
@pytest.mark.parametrize("schedule", ["ENABLED", "DISABLED"])
def test_the_dashboard_shows_every_alarm_that_there_is(mode: str, schedule: str) -> None:
    made = stack(Mode=mode, ScheduleState=schedule, DashboardState="ENABLED")
    [shown] = [widget["properties"]["alarms"] for widget in dashboard(made)["widgets"] if widget["type"] == "alarm"]
    assert {*shown} == {f"image-reaper-{name}.Arn" for name in alarms(made)}


def test_the_dashboard_searches_by_the_dimensions_that_metrics_have(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter("s", "n").count("direct", (), 0)
    written = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]
    assert sorted(written) == ["service", "source"]
    found = searches(stack(DashboardState="ENABLED"))
    assert found
    assert not [search for search in found if not SEARCH.fullmatch(search) or len(search) > 1024]


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_the_dashboard_is_opened_in_the_console_of_its_partition(partition: str, region: str, host: str) -> None:
    made = Stack(TEMPLATE, partition=partition, region=region)
    url = made.resolved(TEMPLATE["Outputs"]["DashboardUrl"]["Value"])
    assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/")


# Outputs


def test_what_the_commands_of_an_emergency_need_is_an_output() -> None:
    outputs = {name: each["Value"] for name, each in TEMPLATE["Outputs"].items()}
    # SAM names what it makes of an event after the function and the event.
    assert outputs["QueueMappingId"] == {"Ref": "QueueFunctionMessages"}
    assert FUNCTIONS["QueueFunction"]["Events"]["Messages"]["Type"] == "SQS"
    assert outputs["StateTableName"] == {"Ref": "StateTable"}
