"""The template knows the code: what it names is there, and what is there can be set, watched and found again."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from handler.cloud.identity.credentials import Credentials
from handler.config.settings import Settings
from handler.errors import CloudError
from handler.model.outcome import Outcome
from handler.model.request import DeletionRequest, Request, Source, SweepRequest
from handler.report.reporter import METRICS, Reporter
from handler.rules.safety import RULES
from handler.sources.shapes import read_event
from tests.conftest import EVENTS

ROOT = Path(__file__).parent.parent.parent
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:reaper-AbCdEf"
SECRET_FIELDS = {"OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_TOKEN"}
IN_SECRET = dict.fromkeys(SECRET_FIELDS, "s") | {
    "OS_AUTH_URL": "https://keystone.example/v3",
    "OS_USERNAME": "reaper",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_ID": "9c53a566cb3443ab910cf0daebca90c4",
    "OS_APPLICATION_CREDENTIAL_ID": "a",
    "OS_REGION_NAME": "eu-de",
    "HUAWEICLOUD_SDK_AK": "a",
    "HUAWEICLOUD_SDK_SK": "s",
    "HUAWEICLOUD_SDK_PROJECT_ID": "9c53a566cb3443ab910cf0daebca90c4",
}
RULE_REASONS = {rule.__name__.removeprefix("_") for rule in RULES}
FAILED_TO = "REAPER_FAILED_TO"
POWERTOOLS = {"POWERTOOLS_LOG_LEVEL"}
"""What Powertools reads by itself."""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are short for."""


def _long_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    return {key: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _long_form)
TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 (a SafeLoader)
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
COMMON: dict[str, Any] = TEMPLATE["Globals"]["Function"]


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in TEMPLATE["Resources"].items() if r["Type"] == kind}


OWN = resources("AWS::Serverless::Function")
FUNCTIONS = {name: COMMON | own for name, own in OWN.items()}
QUEUES = resources("AWS::SQS::Queue")
ALARMS = resources("AWS::CloudWatch::Alarm")
ENVIRONMENT: dict[str, Any] = COMMON["Environment"]["Variables"]
# All that the text stands for, less its only placeholder, which may be empty.
BODY = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"][0]
DASHBOARD: dict[str, Any] = json.loads(BODY.replace("${UnarmedDeletion}", ""))


def parts(value: object) -> Iterator[dict[str, Any]]:
    """Every object in a value, at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


def named_in(value: object) -> set[str]:
    """What a value refers to: parameters, resources, conditions."""
    found: set[str] = set()
    for part in parts(value):
        found |= {part[key] for key in ("Ref", "Condition") if isinstance(part.get(key), str)}
        if isinstance(part.get("Fn::If"), list):
            found.add(part["Fn::If"][0])
        if text := part.get("Fn::Sub"):
            found |= set(re.findall(r"\$\{(\w+)", text if isinstance(text, str) else text[0]))
    return found


def behind(value: object) -> set[str]:
    """The parameters that a value depends on, through conditions as well."""
    names = named_in(value)
    through = [TEMPLATE["Conditions"][name] for name in names & TEMPLATE["Conditions"].keys()]
    return (names & PARAMETERS.keys()) | (behind(through) if through else set())


def default(value: Any) -> str:  # noqa: ANN401 (any value of the template)
    """A variable as it is in a stack that was given nothing but the secret."""
    given = {"CredentialsSecretArn": ARN}
    if isinstance(value, dict) and "Fn::If" in value:
        return default(value["Fn::If"][2])
    if not isinstance(value, dict):
        return str(value)
    name = value["Ref"]
    # What refers to a resource is its name, or the address of a queue.
    in_place = f"https://sqs.eu-central-1.amazonaws.com/123456789012/{name}" if name in QUEUES else name
    return str(given.get(name) or PARAMETERS.get(name, {}).get("Default", in_place))


def settings(**changed: str) -> Settings:
    """The settings of a stack; `changed` are variables that its parameters set."""
    environment = {name: default(value) for name, value in ENVIRONMENT.items()} | changed
    return Settings.from_env(environment, read=lambda _name, _access: IN_SECRET)


def aliases() -> set[str]:
    return {field.alias for field in Settings.model_fields.values() if field.alias}


@pytest.fixture
def known_metrics(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Every metric that the code can write, found by letting it write them."""
    reasons = {"refused": RULE_REASONS, "failed": set(failures(CloudError))}
    outcomes = [Outcome("i", name, reason, latency=1) for name in METRICS for reason in reasons.get(name, {""})]  # type: ignore[arg-type]  # the keys are names of outcomes
    Reporter("s", "n").count("direct", outcomes, 1)
    written = json.loads(capsys.readouterr().out.splitlines()[0])
    return {metric["Name"] for metric in written["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def failures(error: type[CloudError]) -> Iterator[str]:
    yield from filter(None, [getattr(error, "reason", "")])
    for kind in error.__subclasses__():
        yield from failures(kind)


def alarm_metrics() -> list[dict[str, Any]]:
    """What alarms look at, of our own metrics."""
    metrics = [part["Metric"] for part in parts(ALARMS) if "Metric" in part]
    return [metric for metric in metrics if metric["Namespace"] == {"Ref": "MetricsNamespace"}]


def dashboard_metrics() -> list[str]:
    """What the dashboard searches for."""
    searches = [part["expression"] for part in parts(DASHBOARD) if "expression" in part]
    return [name for search in searches for name in re.findall(r'"(\w+)"', search.split("MetricName=")[1])]


def matches(pattern: Any, event: Any) -> bool:  # noqa: ANN401 (any JSON)
    """Whether EventBridge would take an event to match: as much of its language as the template speaks."""
    if isinstance(pattern, dict):
        return all(key in event and matches(wanted, event[key]) for key, wanted in pattern.items())
    return any(_matches_one(wanted, event) for wanted in pattern)


def _matches_one(wanted: Any, found: Any) -> bool:  # noqa: ANN401 (any JSON)
    if isinstance(wanted, str):
        return bool(wanted == found)
    if "prefix" in wanted:
        return str(found).startswith(wanted["prefix"])
    if "Fn::If" in wanted:
        return _matches_one(wanted["Fn::If"][2], found)
    return bool(wanted == {"exists": True} or default(wanted) == found)


# What it may do


def test_a_stack_rehearses_until_it_is_told_to_delete() -> None:
    assert (PARAMETERS["Mode"]["Default"], settings().mode) == ("dry-run", "dry-run")


def test_a_schedule_runs_only_once_it_is_enabled() -> None:
    assert PARAMETERS["ScheduleState"]["Default"] == "DISABLED"


def test_the_handler_of_every_function_is_there() -> None:
    for properties in FUNCTIONS.values():
        module, name = properties["Handler"].rsplit(".", 1)
        assert callable(getattr(import_module(module), name))


def test_the_functions_run_on_what_the_makefile_builds_for() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert f"PYTHON_VERSION ?= {COMMON['Runtime'].removeprefix('python')}\n" in makefile
    assert f"ARCH ?= {COMMON['Architectures'][0]}\n" in makefile


def test_no_role_may_do_more_than_its_function_needs() -> None:
    allowed = [part for part in parts(TEMPLATE["Resources"]) if part.get("Effect") == "Allow" and "Resource" in part]
    actions = {
        a for part in allowed for a in (part["Action"] if isinstance(part["Action"], list) else [part["Action"]])
    }
    assert actions == {
        *("logs:CreateLogStream", "logs:PutLogEvents"),
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"),
        "sqs:ChangeMessageVisibility",
        *("secretsmanager:GetSecretValue", "kms:Decrypt", "autoscaling:CompleteLifecycleAction", "dynamodb:UpdateItem"),
    }
    assert not [part for part in allowed if part["Resource"] == "*"]


def test_only_the_queue_worker_may_put_messages_off_and_only_those_of_its_queue() -> None:
    granted = {
        (name, json.dumps(part["Resource"]))
        for name, role in resources("AWS::IAM::Role").items()
        for part in parts(role)
        if "sqs:ChangeMessageVisibility" in part.get("Action", ())
    }
    assert granted == {("QueueRole", '{"Fn::GetAtt": "Queue.Arn"}')}


# Settings


def test_every_variable_is_one_that_the_code_reads() -> None:
    credentials = {f"OS_{name.upper()}" for name in Credentials.model_fields}
    assert ENVIRONMENT.keys() <= aliases() | credentials | POWERTOOLS


def test_every_setting_of_the_code_has_its_parameter() -> None:
    assert aliases() - {FAILED_TO} <= ENVIRONMENT.keys()


def test_a_function_has_no_settings_of_its_own_but_where_it_hands_over_what_failed() -> None:
    """One record, Settings, serves them all: it holds parameters, and this one is made of none."""
    own = {name: f["Environment"]["Variables"] for name, f in OWN.items() if "Environment" in f}
    assert {name: variables.keys() for name, variables in own.items()} == {
        name: {FAILED_TO} for name in ("ScheduledFunction", "LifecycleFunction")
    }
    assert all(settings(**{FAILED_TO: default(variables[FAILED_TO])}).failed_to for variables in own.values())


def test_what_is_handed_over_lies_where_lambda_leaves_what_failed() -> None:
    for function in (OWN["ScheduledFunction"], OWN["LifecycleFunction"]):
        queue = function["Environment"]["Variables"][FAILED_TO]["Ref"]
        role = TEMPLATE["Resources"][function["Role"]["Fn::GetAtt"].removesuffix(".Arn")]
        failed = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
        assert failed == {"Fn::GetAtt": f"{queue}.Arn"}
        may_send = [part["Resource"] for part in parts(role) if part.get("Action") == "sqs:SendMessage"]
        assert may_send == [failed]


def test_every_function_may_use_the_table_and_none_needs_a_budget_for_it() -> None:
    assert ENVIRONMENT["REAPER_STATE_TABLE"] == {"Ref": "StateTable"}
    policy, table = (TEMPLATE["Resources"][name] for name in ("StatePolicy", "StateTable"))
    assert "Condition" not in policy | table
    assert policy["Properties"]["Roles"] == [{"Ref": f"{kind}Role"} for kind in ("Queue", "Scheduled", "Lifecycle")]
    assert table["Properties"]["TimeToLiveSpecification"]["AttributeName"] == "expires_at"


def test_a_stack_with_nothing_but_a_secret_is_one_that_starts() -> None:
    assert settings().credentials_secret == ARN


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (name, v)
        for name, ref in ENVIRONMENT.items()
        for v in PARAMETERS.get(ref.get("Ref"), {}).get("AllowedValues", ())
    ],
)
def test_the_code_accepts_every_choice_that_a_parameter_offers(variable: str, value: str) -> None:
    assert settings(**{variable: value}).credentials_secret == ARN


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("Mode", "mode"),
        ("ImageApi", "image_api"),
        ("InUseCheck", "in_use_check"),
        ("AllowPlaintext", "allow_plaintext"),
    ],
)
def test_a_parameter_offers_every_choice_of_the_code(parameter: str, field: str) -> None:
    assert set(PARAMETERS[parameter]["AllowedValues"]) == set(get_args(Settings.model_fields[field].annotation))


def test_what_is_secret_comes_from_the_secret_alone() -> None:
    assert not SECRET_FIELDS & ENVIRONMENT.keys()
    assert "Default" not in PARAMETERS["CredentialsSecretArn"]


def test_no_parameter_is_unused() -> None:
    assert behind([TEMPLATE[part] for part in ("Resources", "Globals", "Outputs")]) == PARAMETERS.keys()


def test_every_parameter_has_its_description_and_its_place_among_the_groups() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)
    assert all(parameter["Description"] for parameter in PARAMETERS.values())


def test_a_changed_parameter_makes_a_new_version_of_every_function() -> None:
    """A version freezes its settings: Mode=paused would otherwise pause nothing."""
    text, derived = resources("AWS::AppConfig::HostedConfigurationVersion")["Settings"]["Content"]["Fn::Sub"]
    recorded = set(re.findall(r"\$\{(\w+)\}", text))
    of_functions = set().union(
        *(named_in(COMMON[key]) for key in ("Environment", "MemorySize", "KmsKeyArn", "SnapStart"))
    )
    # A condition alone, and not what it asks about: Lambda publishes no version of a function that did not change.
    assert recorded - derived.keys() == of_functions & PARAMETERS.keys()
    conditions = named_in(COMMON["Environment"]) & TEMPLATE["Conditions"].keys()
    assert {value["Fn::If"][0] for value in derived.values()} == conditions
    assert all("${Settings.VersionNumber}" in f["VersionDescription"]["Fn::Sub"] for f in FUNCTIONS.values())
    assert not [f for f in FUNCTIONS.values() if named_in(f["Timeout"])]


# Sources


def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_run() -> None:
    workers = [f for f in FUNCTIONS.values() if any(e["Type"] == "SQS" for e in f["Events"].values())]
    assert workers
    for function in workers:
        for event in (e["Properties"] for e in function["Events"].values() if e["Type"] == "SQS"):
            queue = QUEUES[event["Queue"]["Fn::GetAtt"].split(".")[0]]
            assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
            assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize(
    ("rule", "request_"),
    [("Termination", DeletionRequest), ("Requested", DeletionRequest), ("Activated", SweepRequest)],
)
def test_a_rule_matches_events_that_the_code_takes_for_requests(rule: str, request_: type[Request]) -> None:
    pattern = FUNCTIONS["LifecycleFunction"]["Events"][rule]["Properties"]["Pattern"]
    events = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json")) if "-bad" not in path.name]
    standing = json.dumps({"sweep": {"select": {"family": "{family}"}}})
    matched = [read_event(event, "", standing) for event in events if matches(pattern, event)]
    assert [(read.source, type(read.messages[0].request)) for read in matched] == [("lifecycle", request_)]


RULES_OF_EVENTS = {name: event["Properties"] for name, event in FUNCTIONS["LifecycleFunction"]["Events"].items()}


def resolved(value: Any, **given: str) -> Any:  # noqa: ANN401 (any value of the template)
    """A value of a stack with these parameters, as much of CloudFormation's language as the buses need."""
    if not isinstance(value, dict):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return given.get(argument, PARAMETERS.get(argument, {}).get("Default", f"the {argument}"))
    if function == "Condition":
        return resolved(TEMPLATE["Conditions"][argument], **given)
    if function == "Fn::If":
        return resolved(argument[1 if resolved({"Condition": argument[0]}, **given) else 2], **given)
    values = [resolved(item, **given) for item in argument]
    return any(values) if function == "Fn::Or" else values[0] == values[1]


@pytest.mark.parametrize("rule", RULES_OF_EVENTS)
def test_every_rule_names_the_source_that_it_listens_to(rule: str) -> None:
    (source,) = RULES_OF_EVENTS[rule]["Pattern"]["source"]
    assert source == ("aws.autoscaling" if rule == "Termination" else {"Ref": "EventSource"})
    for event in (json.loads(path.read_text()) for path in EVENTS.glob("lifecycle*.json")):
        assert not matches(RULES_OF_EVENTS[rule]["Pattern"], event | {"source": "somebody.else"})


def test_the_source_of_events_can_be_neither_empty_nor_one_of_aws() -> None:
    pattern = PARAMETERS["EventSource"]["AllowedPattern"]
    assert re.fullmatch(pattern, PARAMETERS["EventSource"]["Default"])
    assert not [source for source in ("", "aws.ec2", "aws.", "a b", "*") if re.fullmatch(pattern, source)]


@pytest.mark.parametrize(
    ("name", "of_auto_scaling", "of_yours"),
    [("", "the EventBus", "the EventBus"), ("default", "default", "the EventBus"), ("ours", "ours", "ours")],
)
def test_on_the_default_bus_only_auto_scaling_is_heard(name: str, of_auto_scaling: str, of_yours: str) -> None:
    buses = {rule: resolved(event["EventBusName"], EventBusName=name) for rule, event in RULES_OF_EVENTS.items()}
    assert buses == {"Termination": of_auto_scaling, "Requested": of_yours, "Activated": of_yours}
    assert resolved(TEMPLATE["Outputs"]["EventBusName"]["Value"], EventBusName=name) == of_yours


def test_what_an_asynchronous_run_failed_at_is_kept() -> None:
    asynchronous = {name: f for name, f in FUNCTIONS.items() if "SQS" not in {e["Type"] for e in f["Events"].values()}}
    assert asynchronous.keys() == {"ScheduledFunction", "LifecycleFunction"}
    for function in asynchronous.values():
        failed = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
        undelivered = [event["Properties"]["DeadLetterConfig"]["Arn"] for event in function["Events"].values()]
        assert {str(place) for place in (failed, *undelivered)} == {str(failed)}


def test_every_queue_is_encrypted_and_taken_from_over_tls_alone() -> None:
    guarded = {queue["Ref"] for policy in resources("AWS::SQS::QueuePolicy").values() for queue in policy["Queues"]}
    assert guarded == QUEUES.keys()
    assert all(queue["SqsManagedSseEnabled"] for queue in QUEUES.values())


def test_the_dead_letter_queue_takes_from_its_queue_alone() -> None:
    dead, name = QUEUES["DeadLetterQueue"], QUEUES["Queue"]["QueueName"]["Fn::Sub"]
    assert QUEUES["Queue"]["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": "DeadLetterQueue.Arn"}
    assert dead["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Sub"].endswith(f":{name}")
    assert dead["MessageRetentionPeriod"] > QUEUES["Queue"]["MessageRetentionPeriod"]


# Logs, alarms, dashboard


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_log_group_that_it_may_write_to_and_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    role = FUNCTIONS[name]["Role"]["Fn::GetAtt"].removesuffix(".Arn")
    assert TEMPLATE["Resources"][group]["Properties"]["RetentionInDays"]
    assert TEMPLATE["Resources"][group]["DeletionPolicy"] == "Retain"
    resources_of_role = [part.get("Resource") for part in parts(TEMPLATE["Resources"][role])]
    assert {"Fn::GetAtt": f"{group}.Arn"} in resources_of_role


def test_alarms_and_dashboard_name_metrics_that_the_code_writes(known_metrics: set[str]) -> None:
    assert {metric["MetricName"] for metric in alarm_metrics()} <= known_metrics
    assert set(dashboard_metrics()) == known_metrics


def test_an_alarm_adds_up_every_source() -> None:
    for name, alarm in ALARMS.items():
        metrics = [part["Metric"] for part in parts(alarm) if "Metric" in part]
        if not [metric for metric in metrics if metric in alarm_metrics()]:
            continue
        dimensions = [{d["Name"]: d["Value"] for d in metric["Dimensions"]} for metric in metrics]
        assert [d["source"] for d in dimensions] == list(get_args(Source)), name
        assert all(d.keys() == {"service", "source"} and d["service"] == {"Ref": "ServiceName"} for d in dimensions)


def test_an_alarm_asks_only_what_cloudwatch_lets_it() -> None:
    for alarm in ALARMS.values():
        expressions = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
        assert expressions == ["SUM(METRICS())"]
        assert len(alarm["Metrics"]) - len(expressions) <= 10
        assert alarm["AlarmActions"]["Fn::If"][1] == [{"Ref": "AlarmTopicArn"}]


def test_the_dashboard_shows_every_alarm() -> None:
    shown = set(re.findall(r"\$\{(\w+)\.Arn\}", BODY)) | {"UnarmedDeletionAlarm"}
    assert shown == ALARMS.keys()


def test_the_dashboard_searches_by_the_dimensions_that_metrics_have(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter("s", "n").count("direct", (), 0)
    written = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]
    searches = [part["expression"] for part in parts(DASHBOARD) if "expression" in part]
    start = f'SEARCH(\'{{"${{MetricsNamespace}}",{",".join(sorted(written))}}} service="${{ServiceName}}" MetricName=('
    assert searches
    assert not [search for search in searches if not search.startswith(start) or len(search) > 1024]
