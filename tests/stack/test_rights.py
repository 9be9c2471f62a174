"""The roles: every call that the code makes is allowed to the role that makes it, and nothing else is."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.conftest import queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Request
from tests.stack.conftest import Run
from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT, REGION
from tests.stack.rights import Call, allows, granted, statements_of_role
from tests.stack.variants import GROUP
from tests.unit.conftest import Relay

ENGINE = Path(__file__).parents[2] / "handler/engine/aws"
OPERATIONS = {
    "AmazonSQS.ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "AmazonSQS.SendMessage": "sqs:SendMessage",
    "AmazonSQS.SendMessageBatch": "sqs:SendMessage",
    "CompleteLifecycleAction": "autoscaling:CompleteLifecycleAction",
    "DynamoDB_20120810.GetItem": "dynamodb:GetItem",
    "DynamoDB_20120810.UpdateItem": "dynamodb:UpdateItem",
    "secretsmanager.GetSecretValue": "secretsmanager:GetSecretValue",
}
"""The operations that the code calls, and the right that each needs."""
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


def group(name: str, number: str = "*") -> str:
    """The ARN of an Auto Scaling group; a star stands for the id that AWS gives it."""
    return f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{number}:autoScalingGroupName/{name}"


def test_every_call_in_the_code_is_known_here() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ENGINE.rglob("*.py"))
    called = set(re.findall(r'"(\w+\.[A-Z][A-Za-z]+)"', text)) | set(re.findall(r'"Action": "(\w+)"', text))
    assert len(called) >= 5
    assert called <= OPERATIONS.keys()


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


# The calls that are really made


@pytest.fixture
def relay(aws: str) -> Iterator[Relay]:
    """Stands before moto's server, and keeps what it was sent."""
    relay = Relay(aws)
    with Server(relay) as server:
        relay.url = server.url
        yield relay


def made(request: Request, stack: Stack) -> Call:
    """What a request asks for, in IAM's words."""
    if "x-amz-target" not in request.headers:
        form = parse_qs(request.body.decode())
        return Call(OPERATIONS[form["Action"][0]], group(form["AutoScalingGroupName"][0], "0f1e2d3c"))
    body = json.loads(request.body)
    action = OPERATIONS[request.headers["x-amz-target"]]
    if "SecretId" in body:
        return Call(action, body["SecretId"])
    name = body.get("TableName") or body["QueueUrl"].rpartition("/")[2]
    arns = [each.attributes.get("Arn", "") for each in stack.resolver.made.values()]
    (arn,) = [arn for arn in arns if re.split("[:/]", arn)[-1] == name]
    return Call(action, arn)


def busy_worker(stack: Stack, cloud: FakeCloud) -> Any:  # noqa: ANN401 (any JSON)
    """A message that deletes an image, and one that is put off."""
    images = [cloud.add_image(f"ci-{name}", tags=["ci"]) for name in ("good", "throttled")]
    cloud.fault("DELETE", images[1], status=429, times=None)
    event = queue(*({"image_ids": [image]} for image in images))
    for record in event["Records"]:
        record["eventSourceARN"] = stack.attribute("Queue")
    return event


def failed_night(_stack: Stack, cloud: FakeCloud) -> Any:  # noqa: ANN401 (any JSON)
    """A sweep that is over its limit, and so is handed over."""
    for number in range(3):
        cloud.add_image(f"ci-{number}", tags=["ci"])
    return {"detail-type": "Scheduled Event", "detail": {"sweep": {"select": {"name": "ci-*"}, "limit": 1}}}


def good_night(_stack: Stack, cloud: FakeCloud) -> Any:  # noqa: ANN401 (any JSON)
    """A sweep that leaves its deletion to the workers."""
    for name in ("ci-1", "web-1"):
        cloud.add_image(name, tags=["ci"])
    return {"detail-type": "Scheduled Event", "detail": {"sweep": {"select": {"name": "ci-*"}}}}


def terminated(_stack: Stack, cloud: FakeCloud) -> Any:  # noqa: ANN401 (any JSON)
    """An instance of the group has ended, and its image goes."""
    detail = {
        "LifecycleActionToken": "87654321-4321-4321-4321-210987654321",
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": "delete-agent-images",
        "NotificationMetadata": json.dumps({"image_ids": [cloud.add_image("ci-1", tags=["ci"])]}),
    }
    return {"detail-type": "EC2 Instance-terminate Lifecycle Action", "source": "aws.autoscaling", "detail": detail}


SENDS, PUTS_OFF = "sqs:SendMessage", "sqs:ChangeMessageVisibility"
COUNTS, COMPLETES = "dynamodb:UpdateItem", "autoscaling:CompleteLifecycleAction"
WORK: dict[str, Any] = {
    "a worker": ("full", "Queue", busy_worker, {COUNTS, PUTS_OFF}),
    "a sweep with workers": ("full", "Scheduled", good_night, {SENDS}),
    "a sweep that fails": ("prod", "Scheduled", failed_night, {SENDS}),
    "a hook": ("full", "Lifecycle", terminated, {COUNTS, COMPLETES}),
    "a hook that fails": ("prod", "Lifecycle", failed_night, {SENDS}),
}


@pytest.mark.parametrize(("name", "function", "event", "expected"), WORK.values(), ids=WORK)
def test_what_a_function_asks_of_aws_while_it_works_is_allowed_to_its_role(  # noqa: PLR0913, PLR0917 (a world)
    name: str,
    function: str,
    event: Callable[[Stack, FakeCloud], Any],
    expected: set[str],
    stacks: dict[str, Stack],
    run: Run,
    cloud: FakeCloud,
    relay: Relay,
) -> None:
    stack = stacks[name]
    run(stack, f"{function}Function", event(stack, cloud), through=relay.url, seconds=8.0)
    calls = [made(request, stack) for request in relay.calls]
    assert {call.action for call in calls} >= expected | {"secretsmanager:GetSecretValue"}
    statements = statements_of_role(stack.client("iam"), stack.ref(f"{function}Role"))
    assert [call for call in calls if not allows(statements, call)] == []
