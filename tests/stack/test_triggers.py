"""What starts the functions: the schedule, the rules, the topic, and who else may."""

import json
from typing import Any

import pytest

from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT
from tests.stack.rights import Call, allows, statements_of
from tests.stack.variants import GROUP, ORGANIZATION, TOPIC

AUTOSCALING = "LifecycleFunctionTermination"
KINDS = {"LifecycleFunctionRequested": "Image Deletion Requested", "LifecycleFunctionActivated": "Image Activated"}
"""The rules for events of ours, and the type of those that each hears."""
OURS = tuple(KINDS)
FUNCTIONS = ("QueueFunction", "ScheduledFunction", "LifecycleFunction")


def schedule(stack: Stack) -> dict[str, Any]:
    (logical,) = stack.of_type("AWS::Scheduler::Schedule")
    (group,) = stack.of_type("AWS::Scheduler::ScheduleGroup")
    where = {"Name": stack.ref(logical), "GroupName": stack.ref(group)}
    known: dict[str, Any] = stack.client("scheduler").get_schedule(**where)
    return known


def rule(stack: Stack, logical: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A rule, with its pattern read, and its only target."""
    arn = stack.attribute(logical)
    *bus, name = arn.partition(":rule/")[2].split("/")
    where = {"EventBusName": bus[0] if bus else "default"}
    known = stack.client("events").describe_rule(Name=name, **where)
    (target,) = stack.client("events").list_targets_by_rule(Rule=name, **where)["Targets"]
    return known | {"EventPattern": json.loads(known["EventPattern"])}, target


def policy(stack: Stack, function: str) -> list[Any]:
    """Who may invoke a function."""
    lambdas = stack.client("lambda")
    try:
        document = lambdas.get_policy(FunctionName=stack.ref(function))["Policy"]
    except lambdas.exceptions.ResourceNotFoundException:
        return []
    return list(statements_of(document))


def test_the_schedule_is_the_one_that_was_asked_for(stack: Stack) -> None:
    known, given = schedule(stack), stack.parameters
    assert known["ScheduleExpression"] == given.get("ScheduleExpression", "cron(30 3 * * ? *)")
    assert known["ScheduleExpressionTimezone"] == given.get("ScheduleTimezone", "UTC")
    assert known["State"] == given.get("ScheduleState", "DISABLED")
    assert known["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}


def test_the_schedule_starts_the_live_function_and_loses_no_run(stack: Stack) -> None:
    target = schedule(stack)["Target"]
    assert target["Arn"] == stack.outputs["ScheduledFunctionArn"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    assert target["DeadLetterConfig"] == {"Arn": stack.attribute("ScheduledFailures")}
    role = stack.client("iam").get_role(RoleName=target["RoleArn"].rpartition("/")[2])["Role"]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": ["scheduler.amazonaws.com"]}


def test_no_other_schedule_is_in_the_group_of_a_stack(stacks: dict[str, Stack]) -> None:
    groups = [schedule(stack)["GroupName"] for stack in stacks.values()]
    assert len(set(groups)) == len(stacks)
    assert "default" not in groups


def test_the_function_knows_the_event_that_scheduler_sends_by_itself(stack: Stack) -> None:
    assert "Input" not in schedule(stack)["Target"]
    given = stack.parameters.get("ScheduledRequest", "")
    assert stack.environment("ScheduledFunction")["REAPER_SCHEDULED_REQUEST"] == given


@pytest.mark.parametrize("logical", [AUTOSCALING, *OURS])
def test_a_rule_starts_the_live_hook_and_loses_no_event(stack: Stack, logical: str) -> None:
    _, target = rule(stack, logical)
    assert target["Arn"] == stack.outputs["LifecycleFunctionArn"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 21600}
    assert target["DeadLetterConfig"] == {"Arn": stack.attribute("LifecycleFailures")}


def test_auto_scaling_is_heard_only_where_its_hook_brings_a_request(stack: Stack) -> None:
    known, _ = rule(stack, AUTOSCALING)
    pattern = known["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (
        ["aws.autoscaling"],
        ["EC2 Instance-terminate Lifecycle Action"],
    )
    assert pattern["detail"]["NotificationMetadata"] == [{"prefix": "{"}]
    group = GROUP if "AutoScalingGroupName" in stack.parameters else {"exists": True}
    assert pattern["detail"]["AutoScalingGroupName"] == [group]
    completes = stack.environment("LifecycleFunction")["REAPER_COMPLETE_LIFECYCLE_ACTION"]
    assert completes == ("on" if "AutoScalingGroupName" in stack.parameters else "off")


@pytest.mark.parametrize(("logical", "kind"), KINDS.items())
def test_events_of_ours_are_heard_on_a_bus_of_the_stack_only(stack: Stack, logical: str, kind: str) -> None:
    known, _ = rule(stack, logical)
    source = stack.parameters.get("EventSource", "image-reaper")
    assert known["EventPattern"] == {"source": [source], "detail-type": [kind]}
    assert (known["EventBusName"], stack.outputs["EventBusName"]) == (stack.name, stack.name)


def test_every_rule_is_on_but_the_one_that_has_no_request(stack: Stack) -> None:
    states = {logical: rule(stack, logical)[0]["State"] for logical in (AUTOSCALING, *OURS)}
    asked = "ENABLED" if "LifecycleRequest" in stack.parameters else "DISABLED"
    assert states == {AUTOSCALING: "ENABLED", OURS[0]: "ENABLED", OURS[1]: asked}


def test_the_hook_may_be_started_by_the_rules_and_the_topic_of_its_stack_only(stack: Stack) -> None:
    rules = {stack.attribute(logical) for logical in (AUTOSCALING, *OURS)}
    topics = {TOPIC} if "TopicArn" in stack.parameters else set()
    statements = policy(stack, "LifecycleFunction")
    assert {statement["Action"] for statement in statements} == {"lambda:InvokeFunction"}
    # moto grants it on the function, and keeps what it was given.
    assert {statement["FunctionName"] for statement in statements} == {stack.outputs["LifecycleFunctionArn"]}
    sources = {statement["Principal"]["Service"]: set[str]() for statement in statements}
    for statement in statements:
        sources[statement["Principal"]["Service"]].add(statement["Condition"]["ArnLike"]["AWS:SourceArn"])
    assert sources == {"events.amazonaws.com": rules} | ({"sns.amazonaws.com": topics} if topics else {})


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_nothing_may_start_the_other_functions_by_their_policy(stack: Stack, function: str) -> None:
    assert policy(stack, function) == []


def test_the_topic_is_subscribed_and_what_it_could_not_deliver_is_kept(stacks: dict[str, Stack]) -> None:
    full, sns = stacks["full"], stacks["full"].client("sns")
    (subscription,) = full.of_type("AWS::SNS::Subscription")
    known = sns.get_subscription_attributes(SubscriptionArn=full.ref(subscription))["Attributes"]
    assert (known["TopicArn"], known["Protocol"], known["Endpoint"]) == (
        TOPIC,
        "lambda",
        full.outputs["LifecycleFunctionArn"],
    )
    assert json.loads(known["RedrivePolicy"]) == {"deadLetterTargetArn": full.attribute("LifecycleFailures")}
    assert stacks["staging"].of_type("AWS::SNS::Subscription") == []


def test_the_organization_may_put_events_of_our_source_on_the_bus(stacks: dict[str, Stack]) -> None:
    full = stacks["full"]
    bus = full.client("events").describe_event_bus(Name=full.outputs["EventBusName"])
    statements = statements_of(bus["Policy"])
    ours = {"aws:PrincipalOrgID": ORGANIZATION, "events:source": "ci.example.com"}

    def may(**changed: str) -> bool:
        given = ours | {key.replace("_", ":"): value for key, value in changed.items()}
        return allows(statements, Call("events:PutEvents", bus["Arn"], given, "999999999999"))

    assert may(aws_PrincipalAccount="999999999999")
    wrong = {"aws_PrincipalOrgID": "o-zzzzzzzzzz", "events_source": "aws.autoscaling", "aws_PrincipalAccount": ACCOUNT}
    assert not [key for key, value in wrong.items() if may(**{key: value})]
    default = stacks["staging"]
    assert "Policy" not in default.client("events").describe_event_bus(Name=default.outputs["EventBusName"])
