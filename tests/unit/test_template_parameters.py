"""What a stack can be told: the parameters, the rules for what only works together, and the names that come of them."""

import json
import re
from typing import Any

import pytest

from handler.config.settings import Settings
from handler.config.several import SECRETS
from tests.unit.cloudformation import Stack
from tests.unit.test_template import (
    COMMON,
    FAILED_TO,
    FUNCTIONS,
    KEY,
    OWN,
    PARAMETERS,
    TEMPLATE,
    behind,
    named_in,
    settings,
    stack,
    takes,
    variables,
)

TOPIC = "arn:aws:sns:eu-central-1:123456789012:"
LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:ca:"
SWEEP = '{"sweep": {"select": {"name": "ci-*"}}}'
EXAMPLES = {
    "ProjectPin": "9c53a566cb3443ab910cf0daebca90c4",
    "AlarmTopicArn": f"{TOPIC}alarms",
    "Budget": "200/1d",
    "ScheduledRequest": SWEEP,
    "ScheduleExpression": "rate(12 hours)",
    "InUseAlso": "volumes,images",
    "PlanLife": "2w",
    "MinAge": "30d",
    "KeepTag": "hold",
    "RequireTag": "ci",
    "AllowNames": "ci-*",
    "NoticeTopicArn": f"{TOPIC}notices",
    "ReportBucketName": "reports-of-ours",
    "ReportKeyArn": KEY,
    "CredentialsKeyArn": KEY,
    "MoreSettings": '{"REAPER_CONCURRENCY": "8", "OS_REGION_NAME": "eu-de"}',
    "SubnetIds": "subnet-0a1b,subnet-2c3d",
    "SecurityGroupIds": "sg-0a1b",
    "HttpsProxy": "http://proxy.example.com:3128",
    "NoProxy": ".amazonaws.com,10.0.0.0/8",
    "SenderArn": f"{TOPIC}senders",
    "SenderOrgId": "o-a1b2c3d4e5",
    "TopicArn": f"{TOPIC}requests",
    "ScheduleTimezone": "Europe/Berlin",
    "LifecycleRequest": '{"sweep": {"select": {"family": "{family}"}}}',
    "EventBusName": "default",
    "EventSource": "ours",
    "AutoScalingGroupName": "workers",
    "ServiceName": "mine",
    "Layers": f"{LAYER}1,{LAYER}22",
    "QueueReservedConcurrency": "4",
    "ScheduledReservedConcurrency": "1",
    "LifecycleReservedConcurrency": "0",
    "KmsKeyArn": KEY,
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
}
"""A value for each parameter that can hold any text. All of them together make a stack."""
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
WRONG = {
    "CredentialsSecretArn": [
        *("image-reaper", f"{SECRET}reaper", f"{SECRET}reaper-*", "arn:aws:s3:::bucket"),
        # These end as an ARN does, and Secrets Manager would look for another secret.
        *(f"{SECRET}{{project_id}}-AbCdEf", f"{SECRET}{{project_id}}-secret"),
        *(f"{SECRET}{{project}}", f"{SECRET}{{name}}/{{project_id}}", f"{SECRET}{{project_id}}*", "{project_id}"),
    ],
    "HttpsProxy": ["http://me:secret@proxy:3128", "proxy:3128", "socks5://proxy:1080", "http://proxy/path"],
    "Layers": [f"{LAYER}1, {LAYER}2", LAYER, ",".join(f"{LAYER}{n}" for n in range(6))],
    "LifecycleReservedConcurrency": ["-1", "1.5", "one"],
    "MinAge": ["", "30", "1m"],
    "NoticeTopicArn": [f"{TOPIC}notices.fifo", f"{TOPIC}*", "notices"],
    "ProjectPin": ["{project}", "{project_id}-1", "a b", "*"],
    "ReportBucketName": ["Reports", "a", "reports/runs", "arn:aws:s3:::reports", "-reports"],
    "NoProxy": ["a b", "*.example.com", "10.0.0.0/8,*.example.com"],
    "PermissionsBoundaryArn": ["boundary", "arn:aws:iam::123456789012:role/r"],
    "QueueReservedConcurrency": ["0", "1", "01", "2.5", "-2"],
    "SecurityGroupIds": ["sg-1,", "sg-1 sg-2", "subnet-1"],
    "SenderArn": [f"{TOPIC}*", f"{TOPIC}request?", "arn:aws:events:eu-central-1:123456789012:rule/*"],
    "SenderOrgId": ["a1b2c3d4e5", "o-1", "*"],
    "ServiceName": ["a b", 'a"b'],
    "SubnetIds": ["sg-1", "subnet-1;subnet-2"],
    "TopicArn": [f"{TOPIC}requests.fifo", "requests", "arn:aws:sqs:eu-central-1:123456789012:queue"],
}


def allows(name: str, value: str) -> bool:
    return re.search(PARAMETERS[name].get("AllowedPattern", ""), value) is not None


# The parameters


def test_no_parameter_is_unused() -> None:
    assert behind([TEMPLATE[part] for part in ("Resources", "Globals", "Outputs")]) == PARAMETERS.keys()


def test_the_twelve_parameters_to_understand_come_first_and_no_other_is_without_its_place() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert (groups[0]["Label"]["default"], len(groups[0]["Parameters"])) == ("First", 12)
    # The console shows them by group, `sam deploy --guided` in the order of the template.
    assert [name for group in groups for name in group["Parameters"]] == [*PARAMETERS]


def test_every_parameter_says_what_it_is_and_what_it_may_hold() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter["Description"], name
        assert "AllowedPattern" not in parameter or parameter["ConstraintDescription"], name
        assert allows(name, str(parameter.get("Default", EXAMPLES.get(name, "")))) or name == "CredentialsSecretArn"


def test_only_the_secret_has_to_be_given() -> None:
    assert [name for name, parameter in PARAMETERS.items() if "Default" not in parameter] == ["CredentialsSecretArn"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_right_value_is_taken(name: str) -> None:
    assert allows(name, EXAMPLES[name])


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused(name: str, value: str) -> None:
    assert not allows(name, value)


@pytest.mark.parametrize("name", ["reaper-AbCdEf", "{project_id}", "reaper/{project_id}/keys", "reaper-{project_id}"])
def test_a_secret_is_named_whole_or_by_what_each_project_puts_into_its_name(name: str) -> None:
    assert allows("CredentialsSecretArn", f"{SECRET}{name}")


# MoreSettings


@pytest.mark.parametrize("name", sorted(Settings.names()))
def test_more_settings_take_what_has_no_parameter_and_is_no_secret(name: str) -> None:
    """A variable of its own would win over the same setting there, without a word."""
    has_its_own = name in COMMON["Environment"]["Variables"] or name == FAILED_TO
    belongs_to_keys = name.startswith("HUAWEICLOUD_SDK_")
    assert takes(name) == (not has_its_own and not belongs_to_keys and name not in SECRETS)


@pytest.mark.parametrize(
    "text",
    [
        '{"REAPER_CONCURRENCY": 8}',
        '{"REAPER_CONCURRENCY": "8",}',
        '{"REAPER_CONCURRENCY": "8"',
        '{"REAPER_CONCURRENCY": "8"} ',
        '{"REAPER_CONCURRENCY": "8", "REAPER_MODE": "delete"}',
        '{"REAPER_CONCURRENCY": "\\u0038"}',
        '{"OS_REGION_NAME": "eu-de" "REAPER_CLOUD": "otc"}',
        "{}",
        "[]",
    ],
)
def test_more_settings_are_an_object_of_texts_and_of_nothing_else(text: str) -> None:
    assert not allows("MoreSettings", text)


def test_more_settings_reach_the_function() -> None:
    found = settings(**variables(MoreSettings=json.dumps({"REAPER_CONCURRENCY": "8", "REAPER_CLOUD": "huawei"})))
    assert (found.concurrency, found.cloud) == (8, "huawei")


# Versions


VERSIONED = {"VersionDescription", "ReservedConcurrentExecutions", "Events", "EventInvokeConfig"}
"""What of a function is in no version of it, or differs in every one."""
OTHERS = {
    name: next(str(value) for value in parameter["AllowedValues"] if value != parameter["Default"])
    if "AllowedValues" in parameter
    else str(parameter["Default"] + 1)
    for name, parameter in PARAMETERS.items()
    if name not in EXAMPLES and name != "CredentialsSecretArn"
}


def record_and_functions(**given: str) -> tuple[str, str]:
    """What is written down of the settings, and what is published of the functions."""
    made = stack(**given)
    [record] = made.resources("AWS::AppConfig::HostedConfigurationVersion").values()
    published = [{key: each for key, each in f.items() if key not in VERSIONED} for f in FUNCTIONS.values()]
    return record["Content"], json.dumps(made.resolved(published))


@pytest.mark.parametrize("name", [*EXAMPLES, *OTHERS])
def test_a_changed_parameter_makes_a_new_version_of_every_function_or_changes_none(name: str) -> None:
    """A version freezes its settings: Mode=paused would pause nothing. Lambda publishes none of what is the same."""
    network = dict.fromkeys(["SubnetIds", "SecurityGroupIds"], "") if "Ids" not in name else {}
    for before in ({**EXAMPLES, **OTHERS, name: stack().ref(name)}, {**EXAMPLES, **network, name: stack().ref(name)}):
        changed = before | {name: (EXAMPLES | OTHERS)[name]}
        record, functions = record_and_functions(**before)
        changed_record, changed_functions = record_and_functions(**changed)
        assert (record != changed_record) == (functions != changed_functions)


def test_a_pin_that_pins_nothing_makes_no_new_version() -> None:
    of_each = {"CredentialsSecretArn": f"{SECRET}{{project_id}}"}
    assert record_and_functions(**of_each) == record_and_functions(**of_each, ProjectPin="{project_id}")


def test_the_number_of_the_record_is_in_the_version_of_every_function() -> None:
    assert all("${Settings.VersionNumber}" in f["VersionDescription"]["Fn::Sub"] for f in FUNCTIONS.values())
    assert not [f for f in FUNCTIONS.values() if named_in(f["Timeout"])]


# What the functions are made of


def test_a_stack_joins_no_network_reserves_nothing_and_has_no_layer_unless_it_is_told_to() -> None:
    usual = stack().resolved([*FUNCTIONS.values()])
    assert not [f for f in usual if {"VpcConfig", "ReservedConcurrentExecutions", "Layers"} & f.keys()]
    assert [(f["SnapStart"], f["Tracing"]) for f in usual] == [({"ApplyOn": "None"}, "PassThrough")] * 3


def test_every_function_joins_the_network_and_has_the_layers() -> None:
    for function in stack(**EXAMPLES).resolved([*FUNCTIONS.values()]):
        network = {"SubnetIds": ["subnet-0a1b", "subnet-2c3d"], "SecurityGroupIds": ["sg-0a1b"]}
        assert (function["VpcConfig"], function["Layers"]) == (network, [f"{LAYER}1", f"{LAYER}22"])
    told = variables(**EXAMPLES)
    assert (told["HTTPS_PROXY"], told["NO_PROXY"]) == (EXAMPLES["HttpsProxy"], EXAMPLES["NoProxy"])


def test_each_function_reserves_for_itself() -> None:
    made = stack(**EXAMPLES)
    reserved = {name: made.resolved(f)["ReservedConcurrentExecutions"] for name, f in OWN.items()}
    assert reserved == {"QueueFunction": "4", "ScheduledFunction": "1", "LifecycleFunction": "0"}


# The rules


TOGETHER: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({"ScheduleState": "ENABLED"}, {"ScheduledRequest": SWEEP}, "ScheduledRequest"),
    ({"Mode": "delete"}, {"ProjectPin": "p"}, "ProjectPin"),
    ({"Auth": "aksk"}, {"ImageApi": "ims"}, "ImageApi ims"),
    ({"InUseAlso": "volumes", "InUseCheck": "off"}, {"InUseCheck": "on"}, "InUseCheck on"),
    ({"SubnetIds": "subnet-1"}, {"SecurityGroupIds": "sg-1"}, "SecurityGroupIds"),
    ({"SecurityGroupIds": "sg-1"}, {"SubnetIds": "subnet-1"}, "SubnetIds"),
    ({"NoProxy": "a"}, {"HttpsProxy": "http://p:1"}, "HttpsProxy"),
    ({"FanOut": "on", "FifoQueue": "true"}, {"FifoQueue": "false"}, "FifoQueue false"),
    ({"AutoScalingGroupName": "g"}, {"EventBusName": "default"}, "EventBusName"),
    ({"AlarmTopicArn": "t", "TopicArn": "t"}, {"TopicArn": "other"}, "TopicArn"),
    ({"AlarmTopicArn": "t", "SenderArn": "t"}, {"SenderArn": "other"}, "SenderArn"),
    ({"NoticeTopicArn": "t", "TopicArn": "t"}, {"TopicArn": "other"}, "TopicArn"),
    ({"NoticeTopicArn": "t", "SenderArn": "t"}, {"SenderArn": "other"}, "SenderArn"),
    ({"TopicArn": "t", "SenderArn": "t"}, {"SenderArn": ""}, "SenderArn"),
]


@pytest.mark.parametrize(("given", "cure", "named"), TOGETHER, ids=[" ".join(given) for given, _, _ in TOGETHER])
def test_what_only_works_together_is_refused_with_its_cure(
    given: dict[str, str], cure: dict[str, str], named: str
) -> None:
    [said] = stack(**given).refused()
    assert named in said
    assert stack(**(given | cure)).refused() == []


def test_every_rule_has_been_tried() -> None:
    said = {line for given, _, _ in TOGETHER for line in stack(**given).refused()}
    assertions = [each for rule in TEMPLATE["Rules"].values() for each in rule["Assertions"]]
    assert said == {each["AssertDescription"] for each in assertions}


def test_a_stack_may_be_given_nothing_or_everything() -> None:
    armed = {"Mode": "delete", "ScheduleState": "ENABLED", "DashboardState": "ENABLED", "Tracing": "Active"}
    assert (stack().refused(), stack(**(EXAMPLES | armed)).refused()) == ([], [])


# Names


NAMED = [
    ("AWS::AppConfig::Application", "Name", 64),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::Scheduler::ScheduleGroup", "Name", 64),
    ("AWS::Events::EventBus", "Name", 256),
    ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
]
"""The types whose resources are named, and how long the names may be. Source: the resource types' own schemas."""


@pytest.mark.parametrize(("kind", "field", "most"), NAMED)
def test_a_name_fits_however_long_the_name_of_the_stack_is(kind: str, field: str, most: int) -> None:
    given = {"FifoQueue": "true", "DashboardState": "ENABLED"}
    made = Stack(TEMPLATE, name="x" * 128, given=given, region="ap-southeast-1")
    lengths = {name: len(each[field]) for name, each in made.resources(kind).items() if field in each}
    assert lengths
    assert max(lengths.values()) <= most


def test_nothing_else_is_named() -> None:
    """CloudFormation makes names that fit, and that no other stack has."""
    known = {(kind, field) for kind, field, _ in NAMED} | {("AWS::AppConfig::ConfigurationProfile", "Name")}
    found: set[tuple[str, Any]] = {
        (each["Type"], field)
        for each in TEMPLATE["Resources"].values()
        for field in each["Properties"]
        if re.fullmatch(
            r"(Role|Table|LogGroup|Bucket|Topic|Policy|ManagedPolicy|Function|Alarm|Rule|Queue|Dashboard)?Name", field
        )
    }
    assert {each for each in found if not each[0].startswith("AWS::Lambda::Permission")} == known
