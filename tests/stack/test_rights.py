"""The roles: every call that the code makes is allowed to the role that makes it, and nothing else is."""

import pytest

from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT
from tests.stack.rights import Call, allows, granted, statements_of_role
from tests.stack.variants import GROUP, PROJECT, TOPIC, group

ROLES = ("QueueRole", "ScheduledRole", "LifecycleRole")
NETWORK = (
    *(f"ec2:{verb}NetworkInterface" for verb in ("Create", "Delete")),
    *(f"ec2:{verb}PrivateIpAddresses" for verb in ("Assign", "Unassign")),
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
)
"""What Lambda does in the name of a function that joins subnets. Source: Lambda developer guide, "Giving Lambda
functions access to resources in an Amazon VPC"."""

VIA_S3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
"""What comes with a call of KMS that S3 makes in the name of a function; SNS does the same."""

every_role = pytest.mark.parametrize("role", ROLES)


def needed(stack: Stack, role: str) -> list[Call]:
    """The calls that a function makes, or Lambda for it."""
    name = role.removesuffix("Role")
    logs = stack.attribute(f"{name}LogGroup")
    calls = [Call(f"logs:{action}", logs) for action in ("CreateLogStream", "PutLogEvents")]
    of_items = ("GetItem", "BatchGetItem", "UpdateItem")
    calls += [Call(f"dynamodb:{action}", stack.attribute("StateTable")) for action in of_items]
    calls += OF_ROLE[role](stack) + of_the_secret(stack) + of_reports(stack)
    given = stack.parameters
    if "KmsKeyArn" in given:
        calls.append(Call("kms:Decrypt", str(given["KmsKeyArn"])))
    if given.get("FanOut") == "on":
        calls.append(Call("sqs:SendMessage", stack.attribute("Queue")))
    if "SubnetIds" in given:
        calls += [Call(action, "*") for action in NETWORK]
    if given.get("Tracing") == "Active":
        calls += [Call(f"xray:{action}", "*") for action in ("PutTraceSegments", "PutTelemetryRecords")]
    return calls


def of_the_secret(stack: Stack) -> list[Call]:
    """Where each project has a secret of its own, what any of them is called."""
    secret = str(stack.parameters["CredentialsSecretArn"])
    if "{project_id}" in secret:
        secret = secret.replace("{project_id}", "*") + "-??????"
    calls = [Call("secretsmanager:GetSecretValue", secret)]
    if key := stack.parameters.get("CredentialsKeyArn"):
        calls.append(Call("kms:Decrypt", str(key), {"kms:EncryptionContext:SecretARN": secret}))
    return calls


def of_reports(stack: Stack) -> list[Call]:
    """What a run leaves in the bucket, or reads there, and what it tells the topic."""
    files = f"arn:aws:s3:::{stack.outputs['ReportBucketName']}/runs/*"
    calls = [Call("s3:PutObject", files), Call("s3:GetObject", f"{files}/plan-*")]
    calls.append(Call("sns:Publish", stack.outputs["NoticeTopicArn"]))
    for key in (stack.parameters[name] for name in ("KmsKeyArn", "ReportKeyArn") if name in stack.parameters):
        calls += [Call(f"kms:{action}", str(key), VIA_S3) for action in ("GenerateDataKey", "Decrypt")]
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
    files = f"arn:aws:s3:::{stack.outputs['ReportBucketName']}/runs/2026-01-31/p/r"
    foreign = [
        Call("secretsmanager:GetSecretValue", secret.replace("image-reaper", "other")),
        Call("secretsmanager:PutSecretValue", secret),
        Call("sqs:SendMessage", stack.attribute("DeadLetterQueue")),
        Call("sqs:PurgeQueue", stack.attribute("Queue")),
        Call("dynamodb:PutItem", stack.attribute("StateTable")),
        Call("dynamodb:DeleteItem", stack.attribute("StateTable")),
        Call("lambda:InvokeFunction", stack.attribute("QueueFunction")),
        Call("s3:GetObject", f"{files}/report.json"),
        Call("s3:PutObject", files.replace("/runs/", "/other/")),
        Call("s3:DeleteObject", f"{files}/plan-0.json"),
        Call("sns:Publish", TOPIC),
        Call("kms:GenerateDataKey", str(stack.parameters.get("KmsKeyArn", "*"))),
        Call("autoscaling:CompleteLifecycleAction", group("other", "1")),
        Call("kms:Decrypt", str(stack.parameters.get("CredentialsKeyArn", "*"))),
        Call("ec2:CreateNetworkInterface", "*", {"lambda:SourceFunctionArn": stack.attribute("QueueFunction")}),
    ]
    assert [call for call in foreign if allows(statements, call)] == []


@every_role
def test_where_each_project_has_its_secret_a_role_may_read_those_and_no_other(many: Stack, role: str) -> None:
    statements = statements_of_role(many.client("iam"), many.ref(role))
    assert set(granted(statements)) == {(call.action, call.resource) for call in needed(many, role)}
    arns = {
        name: many.client("secretsmanager")
        .create_secret(Name=f"{role}{name}", SecretString="{}")["ARN"]
        .replace(role, "")
        for name in (f"image-reaper/{PROJECT}", "image-reaper", f"other/{PROJECT}", f"image-reaper-{PROJECT}")
    }
    may = {name for name, arn in arns.items() if allows(statements, Call("secretsmanager:GetSecretValue", arn))}
    assert may == {f"image-reaper/{PROJECT}"}
    context = {"kms:EncryptionContext:SecretARN": arns[f"image-reaper/{PROJECT}"]}
    key = str(many.parameters["CredentialsKeyArn"])
    assert allows(statements, Call("kms:Decrypt", key, context))
    assert not allows(statements, Call("kms:Decrypt", key, {"kms:EncryptionContext:SecretARN": arns["image-reaper"]}))


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
