"""The template knows the code: what it names is there, and what is there can be set, watched and found again."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from handler.cloud.identity.credentials import Credentials
from handler.config.settings import Settings
from handler.config.several import SETTINGS
from handler.errors import CloudError
from handler.model.request import DeletionRequest, Request, SweepRequest
from handler.sources.shapes import read_event
from tests.conftest import EVENTS
from tests.unit.cloudformation import Stack, parts, read

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
FAILED_TO = "REAPER_FAILED_TO"
OUR_BUS = "image-reaper-EventBus"
DAY = 24 * 60 * 60
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"
OF_A_NETWORK = {
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}
"""Source: the AWS managed policy AWSLambdaVPCAccessExecutionRole."""
POWERTOOLS = {"POWERTOOLS_LOG_LEVEL"}
"""What Powertools reads by itself."""
PROXIES = {"HTTPS_PROXY", "NO_PROXY"}
"""What requests reads by itself."""


TEMPLATE = read(ROOT / "template.yaml")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
COMMON: dict[str, Any] = TEMPLATE["Globals"]["Function"]


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in TEMPLATE["Resources"].items() if r["Type"] == kind}


OWN = resources("AWS::Serverless::Function")
FUNCTIONS = {name: COMMON | own for name, own in OWN.items()}
QUEUES = resources("AWS::SQS::Queue")
ENVIRONMENT: dict[str, Any] = COMMON["Environment"]["Variables"]
RULES_OF_EVENTS = {name: event["Properties"] for name, event in OWN["LifecycleFunction"]["Events"].items()}


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


def stack(**given: str) -> Stack:
    """A stack that was given the secret and these parameters."""
    return Stack(TEMPLATE, given={"CredentialsSecretArn": ARN} | given)


def variables(**given: str) -> dict[str, str]:
    """The environment of a function of such a stack."""
    return {name: str(value) for name, value in stack(**given).resolved(ENVIRONMENT).items()}


def settings(**changed: str) -> Settings:
    """The settings of a stack; `changed` are variables that its parameters set."""
    return Settings.from_env(variables() | changed, read=lambda _name, _access: IN_SECRET)


def takes(name: str) -> bool:
    """Whether MoreSettings takes a setting."""
    return re.fullmatch(PARAMETERS["MoreSettings"]["AllowedPattern"], json.dumps({name: "1"})) is not None


def events(kind: str) -> list[dict[str, Any]]:
    """The events of a kind that wake functions."""
    return [event for function in OWN.values() for event in function["Events"].values() if event["Type"] == kind]


def aliases() -> set[str]:
    return {field.alias for field in Settings.model_fields.values() if field.alias}


def failures(error: type[CloudError]) -> Iterator[str]:
    yield from filter(None, [getattr(error, "reason", "")])
    for kind in error.__subclasses__():
        yield from failures(kind)


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
    return bool(wanted == {"exists": True})


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


def rights(**given: str) -> dict[str, list[dict[str, Any]]]:
    """What the roles of the functions may do: the statements of each, with those of the policy that all have."""
    made = stack(**given)
    [policy] = made.resources("AWS::IAM::ManagedPolicy").values()
    shared = policy["PolicyDocument"]["Statement"]
    return {
        role: shared + [each for own in properties["Policies"] for each in own["PolicyDocument"]["Statement"]]
        for role, properties in made.resources("AWS::IAM::Role").items()
    }


def actions(statements: list[dict[str, Any]]) -> set[str]:
    listed = [each["Action"] if isinstance(each["Action"], list) else [each["Action"]] for each in statements]
    return {action for each in listed for action in each}


ALWAYS = {
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
    *("secretsmanager:GetSecretValue", "s3:PutObject", "s3:GetObject", "sns:Publish"),
}
FROM_THE_QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}


def test_no_role_may_do_more_than_its_function_needs() -> None:
    found = rights()
    assert {role: actions(statements) - ALWAYS for role, statements in found.items()} == {
        "QueueRole": FROM_THE_QUEUE,
        "ScheduledRole": {"sqs:SendMessage"},
        "LifecycleRole": {"sqs:SendMessage"},
    }
    assert not [each for statements in found.values() for each in statements if each["Resource"] == "*"]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({"FanOut": "on"}, {"sqs:SendMessage"}),
        ({"KmsKeyArn": KEY}, {"kms:Decrypt", "kms:GenerateDataKey"}),
        ({"ReportKeyArn": KEY}, {"kms:Decrypt", "kms:GenerateDataKey"}),
        ({"CredentialsKeyArn": KEY}, {"kms:Decrypt"}),
        ({"AutoScalingGroupName": "g", "EventBusName": "default"}, {"autoscaling:CompleteLifecycleAction"}),
        ({"Tracing": "Active"}, {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}),
        ({"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}, OF_A_NETWORK),
    ],
)
def test_a_right_that_a_parameter_needs_comes_with_the_parameter(given: dict[str, str], more: set[str]) -> None:
    usual, found = rights(), rights(**given)
    gained = {role: [each for each in found[role] if each not in usual[role]] for role in usual}
    who = {"LifecycleRole"} if "AutoScalingGroupName" in given else usual.keys()
    assert {role: actions(each) for role, each in gained.items() if each} == dict.fromkeys(who, more)


def granted(made: Stack, action: str) -> list[Any]:
    """What all functions may do something to."""
    [policy] = made.resources("AWS::IAM::ManagedPolicy").values()
    statements = policy["PolicyDocument"]["Statement"]
    return [each["Resource"] for each in statements if action in actions([each])]


def test_a_run_stores_below_one_folder_and_reads_nothing_but_plans() -> None:
    for given, name in (({}, "image-reaper-reportbucket"), ({"ReportBucketName": "ours"}, "ours")):
        made = stack(**given)
        assert granted(made, "s3:PutObject") == [f"arn:aws:s3:::{name}/runs/*"]
        assert granted(made, "s3:GetObject") == [f"arn:aws:s3:::{name}/runs/*/plan-*"]
        assert settings(**variables(**given)).report_bucket == name
        assert made.resolved(TEMPLATE["Outputs"]["ReportBucketName"]["Value"]) == name


def test_notices_go_to_the_one_topic_that_may_be_published_to() -> None:
    own = "arn:aws:sns:eu-central-1:123456789012:ours"
    for given, topic in (({}, own.replace("ours", "image-reaper-NoticeTopic")), ({"NoticeTopicArn": own}, own)):
        made = stack(**given)
        assert granted(made, "sns:Publish") == [topic]
        assert settings(**variables(**given)).notice_topic == topic
        assert made.resolved(TEMPLATE["Outputs"]["NoticeTopicArn"]["Value"]) == topic


def test_what_is_ones_own_is_not_made_as_well() -> None:
    made = stack(ReportBucketName="ours", NoticeTopicArn="arn:aws:sns:eu-central-1:123456789012:ours")
    kinds = ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy")
    assert [len(made.resources(kind)) for kind in kinds] == [0] * 4
    assert [len(stack().resources(kind)) for kind in kinds] == [1] * 4


def test_a_key_for_reports_serves_the_bucket_and_the_topic_alone() -> None:
    for name in ("KmsKeyArn", "ReportKeyArn"):
        statements = rights(**{name: KEY})["QueueRole"]
        [encrypts] = [each for each in statements if "kms:GenerateDataKey" in each["Action"]]
        assert (encrypts["Resource"], encrypts["Condition"]) == ([KEY], {"StringLike": {"kms:ViaService": VIA}})


VIA = ["s3.*", "sns.*"]
SECRETS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def test_a_secret_for_each_project_is_read_as_none_of_another_name_is() -> None:
    given = {"CredentialsSecretArn": f"{SECRETS}reaper/{{project_id}}/keys", "CredentialsKeyArn": KEY}
    made = stack(**given)
    pattern = f"{SECRETS}reaper/*/keys-??????"
    assert granted(made, "secretsmanager:GetSecretValue") == [pattern]
    [decrypts] = [each for each in rights(**given)["QueueRole"] if "kms:Decrypt" in actions([each])]
    assert decrypts["Condition"] == {"StringLike": {"kms:EncryptionContext:SecretARN": pattern}}
    assert variables(**given)["REAPER_CREDENTIALS_SECRET"] == given["CredentialsSecretArn"]


@pytest.mark.parametrize(
    ("name", "pin", "told"),
    [
        ("reaper/{project_id}", "{project_id}", ""),
        ("reaper/{project_id}", "9c53", "9c53"),
        ("reaper/{project_id}", "", ""),
        ("reaper-AbCdEf", "9c53", "9c53"),
        # There is no such project: nothing goes.
        ("reaper-AbCdEf", "{project_id}", "{project_id}"),
    ],
)
def test_only_a_secret_for_each_project_lets_a_request_say_which_project_it_is(name: str, pin: str, told: str) -> None:
    given = {"CredentialsSecretArn": f"{SECRETS}{name}", "ProjectPin": pin, "Mode": "delete"}
    assert variables(**given)["REAPER_PROJECT_ID"] == told
    assert (stack(**given).refused() == []) == bool(pin)


def test_the_journal_outlives_the_stack_and_what_guards_it_as_well() -> None:
    for name in ("ReportBucket", "ReportBucketPolicy"):
        made = TEMPLATE["Resources"][name]
        # What failed to be made holds nothing yet.
        assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_a_notice_never_comes_back_as_a_request() -> None:
    [policy] = stack().resources("AWS::SNS::TopicPolicy").values()
    [deny] = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "sns:Subscribe"]
    ways = ["image-reaper-Queue.Arn", *(f"image-reaper-{name}.Arn*" for name in OWN)]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"StringLike": {"sns:Endpoint": ways}})


def test_nobody_is_given_the_right_to_approve() -> None:
    """What approves is a request: who may send one is a matter of IAM."""
    kinds = ("AWS::Lambda::Permission", "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy")
    found = [*parts([stack().resources(kind) for kind in kinds])]
    assert [each for each in found if "AWS" in each.get("Principal", {}) or "lambda:InvokeFunction" in str(each)] == []
    attached = stack().resources("AWS::IAM::ManagedPolicy")["FunctionsPolicy"]
    assert not {"Users", "Groups"} & attached.keys()


def test_code_of_a_function_may_not_touch_network_interfaces() -> None:
    """Lambda does that in the name of the role; only requests of the function itself carry its ARN."""
    statements = rights(SubnetIds="subnet-1", SecurityGroupIds="sg-1")["QueueRole"]
    [interfaces] = [each for each in statements if "ec2:CreateNetworkInterface" in each["Action"]]
    assert interfaces["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


def test_every_function_has_its_rights_before_it_is_made() -> None:
    [policy] = resources("AWS::IAM::ManagedPolicy")
    assert all(TEMPLATE["Resources"][name]["DependsOn"] == policy for name in OWN)
    roles = [{"Ref": f["Role"]["Fn::GetAtt"].removesuffix(".Arn")} for f in OWN.values()]
    assert resources("AWS::IAM::ManagedPolicy")[policy]["Roles"] == roles


def test_every_role_has_the_boundary_that_the_account_asks_for() -> None:
    boundary = "arn:aws:iam::123456789012:policy/b"
    # SAM makes a role for the schedule, and for nothing else: the functions have theirs.
    makers = [*resources("AWS::IAM::Role").values(), *(event["Properties"] for event in events("ScheduleV2"))]
    made = [
        [stack(**given).resolved(maker) for maker in makers] for given in ({}, {"PermissionsBoundaryArn": boundary})
    ]
    assert [[role.get("PermissionsBoundary") for role in roles] for roles in made] == [[None] * 4, [boundary] * 4]


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
    assert ENVIRONMENT.keys() <= aliases() | credentials | POWERTOOLS | PROXIES | {SETTINGS}


def test_every_setting_of_the_code_has_its_parameter() -> None:
    others = {name for name in aliases() - {FAILED_TO} - ENVIRONMENT.keys() if not takes(name)}
    assert others == set()


def test_a_function_has_no_settings_of_its_own_but_where_it_hands_over_what_failed() -> None:
    """One record, Settings, serves them all: it holds parameters, and this one is made of none."""
    own = {name: f["Environment"]["Variables"] for name, f in OWN.items() if "Environment" in f}
    assert {name: each.keys() for name, each in own.items()} == {
        name: {FAILED_TO} for name in ("ScheduledFunction", "LifecycleFunction")
    }
    assert all(settings(**{FAILED_TO: stack().resolved(each[FAILED_TO])}).failed_to for each in own.values())


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
    table = TEMPLATE["Resources"]["StateTable"]
    assert "Condition" not in table
    assert table["Properties"]["TimeToLiveSpecification"]["AttributeName"] == "expires_at"
    for statements in rights().values():
        [may] = [each for each in statements if each["Resource"] == "image-reaper-StateTable.Arn"]
        assert may["Action"] == ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"]


def test_a_stack_with_nothing_but_a_secret_is_one_that_starts() -> None:
    assert settings().credentials_secret == ARN


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (name, v)
        for name, value in ENVIRONMENT.items()
        for parameter in behind(value)
        for v in PARAMETERS[parameter].get("AllowedValues", ())
        if value == {"Ref": parameter}
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
    ],
)
def test_a_parameter_offers_every_choice_of_the_code(parameter: str, field: str) -> None:
    assert set(PARAMETERS[parameter]["AllowedValues"]) == set(get_args(Settings.model_fields[field].annotation))


def test_what_is_secret_comes_from_the_secret_alone() -> None:
    assert not SECRET_FIELDS & ENVIRONMENT.keys()
    assert "Default" not in PARAMETERS["CredentialsSecretArn"]


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
    pattern = stack().resolved(RULES_OF_EVENTS[rule]["Pattern"])
    events = [json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json")) if "-bad" not in path.name]
    standing = json.dumps({"sweep": {"select": {"family": "{family}"}}})
    matched = [read_event(event, "", standing) for event in events if matches(pattern, event)]
    assert [(read.source, type(read.messages[0].request)) for read in matched] == [("lifecycle", request_)]


@pytest.mark.parametrize("rule", RULES_OF_EVENTS)
def test_every_rule_names_the_source_that_it_listens_to(rule: str) -> None:
    (source,) = RULES_OF_EVENTS[rule]["Pattern"]["source"]
    assert source == ("aws.autoscaling" if rule == "Termination" else {"Ref": "EventSource"})
    for event in (json.loads(path.read_text()) for path in EVENTS.glob("lifecycle*.json")):
        assert not matches(stack().resolved(RULES_OF_EVENTS[rule]["Pattern"]), event | {"source": "somebody.else"})


def test_the_source_of_events_can_be_neither_empty_nor_one_of_aws() -> None:
    pattern = PARAMETERS["EventSource"]["AllowedPattern"]
    assert re.fullmatch(pattern, PARAMETERS["EventSource"]["Default"])
    assert not [source for source in ("", "aws.ec2", "aws.", "a b", "*") if re.fullmatch(pattern, source)]


@pytest.mark.parametrize(
    ("name", "of_auto_scaling", "of_yours"),
    [("", OUR_BUS, OUR_BUS), ("default", "default", OUR_BUS), ("ours", "ours", "ours")],
)
def test_on_the_default_bus_only_auto_scaling_is_heard(name: str, of_auto_scaling: str, of_yours: str) -> None:
    made = stack(EventBusName=name)
    buses = {rule: made.resolved(event["EventBusName"]) for rule, event in RULES_OF_EVENTS.items()}
    assert buses == {"Termination": of_auto_scaling, "Requested": of_yours, "Activated": of_yours}
    assert made.resolved(TEMPLATE["Outputs"]["EventBusName"]["Value"]) == of_yours


def statements_of(made: Stack, policy: str) -> list[dict[str, Any]]:
    """What the policy of a queue says."""
    return list(made.resources("AWS::SQS::QueuePolicy")[policy]["PolicyDocument"]["Statement"])


def test_what_comes_from_a_topic_is_delivered_or_kept() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:requests"
    made = stack(TopicArn=topic)
    [subscription] = made.resources("AWS::SNS::Subscription").values()
    assert subscription == {
        "TopicArn": topic,
        "Region": "eu-central-1",
        "Protocol": "lambda",
        "Endpoint": "image-reaper-LifecycleFunction.Alias",
        "RedrivePolicy": {"deadLetterTargetArn": "image-reaper-LifecycleFailures.Arn"},
    }
    [permission] = made.resources("AWS::Lambda::Permission").values()
    assert (permission["FunctionName"], permission["SourceArn"]) == (subscription["Endpoint"], topic)
    [kept] = [each for each in statements_of(made, "LifecycleFailuresPolicy") if each["Sid"] == "FromTheTopic"]
    assert kept["Condition"] == {"ArnEquals": {"aws:SourceArn": topic}}


def test_a_topic_of_another_region_is_subscribed_to_there_where_our_queue_is_of_no_use() -> None:
    made = stack(TopicArn="arn:aws:sns:us-east-1:123456789012:requests")
    [subscription] = made.resources("AWS::SNS::Subscription").values()
    assert (subscription["Region"], "RedrivePolicy" in subscription) == ("us-east-1", False)


def test_without_a_topic_nothing_is_subscribed_and_nobody_else_is_let_in() -> None:
    made = stack()
    assert made.resources("AWS::SNS::Subscription") | made.resources("AWS::Lambda::Permission") == {}
    assert made.resources("AWS::Events::EventBusPolicy") == {}
    assert [each["Sid"] for each in statements_of(made, "QueuePolicy")] == ["OnlyOverTls"]
    assert [each["Sid"] for each in statements_of(made, "LifecycleFailuresPolicy")] == ["OnlyOverTls", "FromOurRules"]


@pytest.mark.parametrize(("bus", "is_ours"), [("", True), ("default", True), ("shared", False)])
def test_an_organization_may_send_to_the_queue_and_to_a_bus_that_is_ours(bus: str, is_ours: bool) -> None:  # noqa: FBT001 (of a table)
    made = stack(SenderOrgId="o-a1b2c3d4e5", EventBusName=bus, EventSource="theirs")
    [sending] = [each for each in statements_of(made, "QueuePolicy") if each["Sid"] == "FromTheOrganization"]
    of_them = {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}
    assert (sending["Action"], sending["Condition"]["StringEquals"]) == ("sqs:SendMessage", of_them)
    found = [each["Statement"] for each in made.resources("AWS::Events::EventBusPolicy").values()]
    putting = [(each["Action"], each["Resource"], each["Condition"]["StringEquals"]) for each in found]
    ours = ("events:PutEvents", f"{OUR_BUS}.Arn", of_them | {"events:source": "theirs"})
    assert putting == ([ours] if is_ours else [])


def test_a_principal_of_our_own_account_may_send_only_what_iam_lets_it_send() -> None:
    """The policy of a queue or a bus permits alone what comes from its own account, whatever the sender's says."""
    made = stack(SenderOrgId="o-a1b2c3d4e5")
    sending = [each for each in statements_of(made, "QueuePolicy") if each["Sid"] == "FromTheOrganization"]
    putting = [each["Statement"] for each in made.resources("AWS::Events::EventBusPolicy").values()]
    others = [each["Condition"]["StringNotEquals"] for each in sending + putting]
    assert others == [{"aws:PrincipalAccount": made.ref("AWS::AccountId")}] * 2


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


@pytest.mark.parametrize(("fifo", "ending"), [("false", ""), ("true", ".fifo")])
def test_the_dead_letter_queue_takes_from_its_queue_alone(fifo: str, ending: str) -> None:
    queues = stack(FifoQueue=fifo).resources("AWS::SQS::Queue")
    queue, dead = queues["Queue"], queues["DeadLetterQueue"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "image-reaper-DeadLetterQueue.Arn"
    assert dead["RedriveAllowPolicy"]["sourceQueueArns"][0].endswith(f":{queue['QueueName']}")
    assert queue["QueueName"].endswith(f"1234567db123{ending}")
    assert dead.get("QueueName", "").endswith(ending)


def test_a_message_may_wait_for_as_long_as_sqs_keeps_it() -> None:
    assert {name: queue["MessageRetentionPeriod"] for name, queue in QUEUES.items()} == dict.fromkeys(QUEUES, 14 * DAY)


def test_a_fifo_queue_takes_messages_of_eventbridge_and_a_standard_queue_is_told_nothing_of_it() -> None:
    queues = {fifo: stack(FifoQueue=fifo).resources("AWS::SQS::Queue") for fifo in ("false", "true")}
    asked = {name for name, queue in queues["true"].items() if queue.get("FifoQueue")}
    assert (asked, queues["true"]["Queue"]["ContentBasedDeduplication"]) == ({"Queue", "DeadLetterQueue"}, True)
    # SQS refuses a false one.
    assert not [part for part in parts(queues["false"]) if {"FifoQueue", "ContentBasedDeduplication"} & part.keys()]
