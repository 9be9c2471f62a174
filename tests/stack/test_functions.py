"""The functions: what each runs as, how often an event is tried, and where what failed goes."""

from typing import Any

import pytest

from tests.stack.making import Stack
from tests.stack.variants import BOUNDARY, FULL, LAYER, OWN_BUCKET, OWN_TOPIC, SECRET_FOR_EACH

FUNCTIONS = {"QueueFunction": 300, "ScheduledFunction": 900, "LifecycleFunction": 120}
"""The time that each is granted, in seconds."""
TRIED_AGAIN = {
    "ScheduledFunction": ("ScheduledFailures", 1, 3600),
    "LifecycleFunction": ("LifecycleFailures", 2, 21600),
}
"""Where an event goes that failed, how often it is tried again, and for how many seconds."""

every_function = pytest.mark.parametrize("function", FUNCTIONS)


def live(stack: Stack, function: str) -> dict[str, Any]:
    """What a function runs with: the version behind its alias."""
    known: dict[str, Any] = stack.client("lambda").get_function(FunctionName=stack.ref(function), Qualifier="live")
    return known


def test_there_is_no_other_function(stack: Stack) -> None:
    assert sorted(stack.of_type("AWS::Lambda::Function")) == sorted(FUNCTIONS)


@every_function
def test_a_function_runs_the_built_artifact_for_as_long_as_promised(stack: Stack, function: str) -> None:
    known = live(stack, function)["Configuration"]
    promised = ("python3.13", "handler.app.lambda_handler", ["arm64"], FUNCTIONS[function])
    assert (known["Runtime"], known["Handler"], known["Architectures"], known["Timeout"]) == promised
    assert known["MemorySize"] == stack.parameters.get("MemorySize", 512)


@every_function
def test_its_alias_names_a_version_that_holds_these_settings(stack: Stack, function: str) -> None:
    name, lambdas = stack.ref(function), stack.client("lambda")
    assert [alias["Name"] for alias in lambdas.list_aliases(FunctionName=name)["Aliases"]] == ["live"]
    known = lambdas.get_function_configuration(FunctionName=name, Qualifier="live")
    settings = stack.resolver.made["Settings"].ref
    assert (known["Version"], known["Description"]) == ("1", f"settings {settings}")


@every_function
def test_it_runs_as_a_role_of_its_own_that_only_lambda_may_take(stack: Stack, function: str) -> None:
    role = live(stack, function)["Configuration"]["Role"]
    others = [live(stack, other)["Configuration"]["Role"] for other in FUNCTIONS if other != function]
    assert role not in others
    document = stack.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    (statement,) = document["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")


@every_function
def test_its_environment_is_encrypted_with_the_key_that_was_given(stack: Stack, function: str) -> None:
    assert live(stack, function)["Configuration"].get("KMSKeyArn") == stack.parameters.get("KmsKeyArn")


@every_function
def test_it_joins_the_subnets_that_were_given(stack: Stack, function: str) -> None:
    network = live(stack, function)["Configuration"].get("VpcConfig", {})
    subnets, groups = (str(stack.parameters.get(name, "")) for name in ("SubnetIds", "SecurityGroupIds"))
    assert ",".join(network.get("SubnetIds", [])) == subnets
    assert ",".join(network.get("SecurityGroupIds", [])) == groups


@every_function
def test_it_has_the_layers_that_were_given(stack: Stack, function: str) -> None:
    layers = [layer["Arn"] for layer in live(stack, function)["Configuration"].get("Layers", [])]
    assert layers == ([LAYER] if "Layers" in stack.parameters else [])


@every_function
def test_it_is_traced_where_that_was_asked_for(stack: Stack, function: str) -> None:
    traced = live(stack, function)["Configuration"]["TracingConfig"]["Mode"]
    assert traced == stack.parameters.get("Tracing", "PassThrough")


@every_function
def test_concurrency_is_reserved_only_where_that_was_asked_for(stack: Stack, function: str) -> None:
    parameter = function.replace("Function", "ReservedConcurrency")
    reserved = live(stack, function).get("Concurrency", {}).get("ReservedConcurrentExecutions")
    assert str(reserved or "") == stack.parameters.get(parameter, "")


@every_function
def test_its_proxy_is_the_one_that_was_given(stack: Stack, function: str) -> None:
    known = stack.environment(function)
    expected = tuple(stack.parameters.get(name, "") for name in ("HttpsProxy", "NoProxy"))
    assert (known["HTTPS_PROXY"], known["NO_PROXY"]) == expected


@every_function
def test_its_service_is_the_stack_unless_a_name_was_given(stack: Stack, function: str) -> None:
    known = stack.environment(function)
    named = (known["POWERTOOLS_SERVICE_NAME"], known["POWERTOOLS_METRICS_NAMESPACE"])
    assert named == (stack.parameters.get("ServiceName", stack.name), "ImageReaper")


@every_function
def test_all_that_was_given_reaches_its_environment(stacks: dict[str, Stack], function: str) -> None:
    known = stacks["full"].environment(function)
    for parameter in ("Mode", "MaxImages", "Budget", "PlanLife", "MinAge", "KeepTag", "RequireTag", "InUseAlso"):
        assert str(FULL[parameter]) in known.values(), parameter
    assert known["REAPER_FANOUT_QUEUE_URL"] == stacks["full"].ref("Queue")


@every_function
def test_it_is_told_of_the_bucket_and_of_the_topic(stacks: dict[str, Stack], function: str) -> None:
    for stack in stacks.values():
        known = stack.environment(function)
        told = (known["REAPER_REPORT_BUCKET"], known["REAPER_NOTICE_TOPIC"])
        assert told == (stack.outputs["ReportBucketName"], stack.outputs["NoticeTopicArn"])
        assert (stack.name == "many") == (told == (OWN_BUCKET, OWN_TOPIC))


@every_function
def test_where_each_project_has_its_secret_the_request_says_which_it_is(many: Stack, function: str) -> None:
    known = many.environment(function)
    assert (known["REAPER_CREDENTIALS_SECRET"], known["REAPER_PROJECT_ID"]) == (SECRET_FOR_EACH, "")


@every_function
def test_its_lines_are_kept_as_long_as_promised(stack: Stack, function: str) -> None:
    config = stack.resolved(function, "LoggingConfig")
    logs = stack.client("logs").describe_log_groups(logGroupNamePrefix=config["LogGroup"])["logGroups"]
    (group,) = [one for one in logs if one["logGroupName"] == config["LogGroup"]]
    assert config["LogFormat"] == "Text"
    assert group["retentionInDays"] == stack.parameters.get("LogRetentionDays", 90)
    assert group.get("kmsKeyId") == stack.parameters.get("KmsKeyArn")


@every_function
def test_it_starts_from_a_snapshot_only_where_that_was_asked_for(stack: Stack, function: str) -> None:
    applied = stack.resolved(function, "SnapStart")["ApplyOn"]
    assert applied == stack.parameters.get("SnapStart", "None")


def test_every_role_keeps_within_the_boundary_that_was_given(stack: Stack) -> None:
    for role in stack.of_type("AWS::IAM::Role"):
        known = stack.client("iam").get_role(RoleName=stack.ref(role))["Role"]
        given = known.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        assert given == (BOUNDARY if stack.name == "full" else None), role


def test_the_worker_gets_ten_messages_at_a_time_and_gives_back_those_that_failed(stack: Stack) -> None:
    mapping = stack.client("lambda").get_event_source_mapping(UUID=stack.outputs["QueueMappingId"])
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (10, ["ReportBatchItemFailures"])
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == stack.parameters.get("MaximumConcurrency", 2)
    assert (mapping["State"], mapping["EventSourceArn"]) == ("Enabled", stack.attribute("Queue"))
    assert stack.resolved("QueueFunctionMessages", "FunctionName") == stack.outputs["QueueFunctionArn"]


@pytest.mark.parametrize("function", TRIED_AGAIN)
def test_an_event_that_failed_for_good_goes_to_its_queue_of_failures(stack: Stack, function: str) -> None:
    queue, retries, seconds = TRIED_AGAIN[function]
    name = {"FunctionName": stack.ref(function), "Qualifier": "live"}
    config = stack.client("lambda").get_function_event_invoke_config(**name)
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (retries, seconds)
    assert config["DestinationConfig"]["OnFailure"] == {"Destination": stack.attribute(queue)}
    assert stack.environment(function)["REAPER_FAILED_TO"] == stack.ref(queue)


def test_the_state_outlives_no_stack_and_no_window(stack: Stack) -> None:
    dynamodb, name = stack.client("dynamodb"), stack.outputs["StateTableName"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert (table["KeySchema"], table["AttributeDefinitions"]) == (
        [{"AttributeName": "id", "KeyType": "HASH"}],
        [{"AttributeName": "id", "AttributeType": "S"}],
    )
    assert stack.resolved("StateTable", "SSESpecification") == {"SSEEnabled": True}
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
