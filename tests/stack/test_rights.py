"""The roles: every call that the code makes is allowed to the role that makes it, and nothing else is."""

import pytest

from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT
from tests.stack.rights import Call, allows, granted, statements_of_role
from tests.stack.variants import GROUP, group

ROLES = ("QueueRole", "ScheduledRole", "LifecycleRole")
NETWORK = (
    *(f"ec2:{verb}NetworkInterface" for verb in ("Create", "Delete")),
    *(f"ec2:{verb}PrivateIpAddresses" for verb in ("Assign", "Unassign")),
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
)
"""What Lambda does in the name of a function that joins subnets. Source: Lambda developer guide, "Giving Lambda
functions access to resources in an Amazon VPC"."""

every_role = pytest.mark.parametrize("role", ROLES)


def needed(stack: Stack, role: str) -> list[Call]:
    """The calls that a function makes, or Lambda for it."""
    name = role.removesuffix("Role")
    logs = stack.attribute(f"{name}LogGroup")
    calls = [Call(f"logs:{action}", logs) for action in ("CreateLogStream", "PutLogEvents")]
    calls += [Call(f"dynamodb:{action}", stack.attribute("StateTable")) for action in ("GetItem", "UpdateItem")]
    calls += OF_ROLE[role](stack)
    given, secret = stack.parameters, str(stack.parameters["CredentialsSecretArn"])
    calls.append(Call("secretsmanager:GetSecretValue", secret))
    if "CredentialsKeyArn" in given:
        context = {"kms:EncryptionContext:SecretARN": secret}
        calls.append(Call("kms:Decrypt", str(given["CredentialsKeyArn"]), context))
    if "KmsKeyArn" in given:
        calls.append(Call("kms:Decrypt", str(given["KmsKeyArn"])))
    if given.get("FanOut") == "on":
        calls.append(Call("sqs:SendMessage", stack.attribute("Queue")))
    if "SubnetIds" in given:
        calls += [Call(action, "*") for action in NETWORK]
    if given.get("Tracing") == "Active":
        calls += [Call(f"xray:{action}", "*") for action in ("PutTraceSegments", "PutTelemetryRecords")]
    return calls


def worker(stack: Stack) -> list[Call]:
    actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
    return [Call(f"sqs:{action}", stack.attribute("Queue")) for action in actions]


def sweeper(stack: Stack) -> list[Call]:
    return [Call("sqs:SendMessage", stack.attribute("ScheduledFailures"))]


def hook(stack: Stack) -> list[Call]:
    calls = [Call("sqs:SendMessage", stack.attribute("LifecycleFailures"))]
    if "AutoScalingGroupName" in stack.parameters:
        calls.append(Call("autoscaling:CompleteLifecycleAction", group(GROUP)))
    return calls


OF_ROLE = {"QueueRole": worker, "ScheduledRole": sweeper, "LifecycleRole": hook}


@every_role
def test_a_role_may_make_each_call_that_its_function_makes(stack: Stack, role: str) -> None:
    statements = statements_of_role(stack.client("iam"), stack.ref(role))
    calls = needed(stack, role)
    assert len(calls) >= 6
    assert [call for call in calls if not allows(statements, call)] == []


@every_role
def test_a_role_may_make_no_other_call(stack: Stack, role: str) -> None:
    statements = statements_of_role(stack.client("iam"), stack.ref(role))
    expected = {(call.action, call.resource) for call in needed(stack, role)}
    assert set(granted(statements)) == expected


@every_role
def test_a_role_may_do_nothing_to_what_is_not_its_own(stack: Stack, role: str) -> None:
    statements = statements_of_role(stack.client("iam"), stack.ref(role))
    secret = str(stack.parameters["CredentialsSecretArn"])
    foreign = [
        Call("secretsmanager:GetSecretValue", secret.replace("image-reaper", "other")),
        Call("secretsmanager:PutSecretValue", secret),
        Call("sqs:SendMessage", stack.attribute("DeadLetterQueue")),
        Call("sqs:PurgeQueue", stack.attribute("Queue")),
        Call("dynamodb:PutItem", stack.attribute("StateTable")),
        Call("dynamodb:DeleteItem", stack.attribute("StateTable")),
        Call("lambda:InvokeFunction", stack.attribute("QueueFunction")),
        Call("autoscaling:CompleteLifecycleAction", group("other", "1")),
        Call("kms:Decrypt", str(stack.parameters.get("CredentialsKeyArn", "*"))),
        Call("ec2:CreateNetworkInterface", "*", {"lambda:SourceFunctionArn": stack.attribute("QueueFunction")}),
    ]
    assert [call for call in foreign if allows(statements, call)] == []


def test_the_star_in_a_right_is_the_id_of_one_group_only(stacks: dict[str, Stack]) -> None:
    full = stacks["full"]
    statements = statements_of_role(full.client("iam"), full.ref("LifecycleRole"))
    assert allows(statements, Call("autoscaling:CompleteLifecycleAction", group(GROUP, "930d940e")))
    others = (group("web-2", "930d940e"), group(GROUP, "930d940e").replace(ACCOUNT, "999999999999"))
    assert [arn for arn in others if allows(statements, Call("autoscaling:CompleteLifecycleAction", arn))] == []


def test_the_schedule_may_start_its_function_and_put_away_what_it_could_not_deliver(stack: Stack) -> None:
    (schedule,) = stack.of_type("AWS::Scheduler::Schedule")
    statements = statements_of_role(stack.client("iam"), stack.ref(f"{schedule}Role"))
    target = stack.outputs["ScheduledFunctionArn"]
    expected = {("lambda:InvokeFunction", target), ("sqs:SendMessage", stack.attribute("ScheduledFailures"))}
    assert set(granted(statements)) == expected
