"""The calls that the functions really make, caught on their way to moto: each is allowed to the role that makes it."""

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
from tests.stack.rights import Call, allows, statements_of_role
from tests.stack.variants import GROUP, group
from tests.unit.conftest import Relay

ENGINE = Path(__file__).parents[2] / "handler/engine/aws"
OPERATIONS = {
    "AmazonSQS.ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "AmazonSQS.SendMessage": "sqs:SendMessage",
    "AmazonSQS.SendMessageBatch": "sqs:SendMessage",
    "CompleteLifecycleAction": "autoscaling:CompleteLifecycleAction",
    "DynamoDB_20120810.BatchGetItem": "dynamodb:BatchGetItem",
    "DynamoDB_20120810.GetItem": "dynamodb:GetItem",
    "DynamoDB_20120810.UpdateItem": "dynamodb:UpdateItem",
    "GET": "s3:GetObject",
    "PUT": "s3:PutObject",
    "Publish": "sns:Publish",
    "secretsmanager.GetSecretValue": "secretsmanager:GetSecretValue",
}
"""The operations that the code calls, and the right that each needs."""


def test_every_call_in_the_code_is_known_here() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ENGINE.rglob("*.py"))
    called = set(re.findall(r'"(\w+\.[A-Z][A-Za-z]+)"', text)) | set(re.findall(r'"Action": "(\w+)"', text))
    assert len(called) >= 5
    assert called - {"String.Array"} <= OPERATIONS.keys()


@pytest.fixture
def relay(aws: str) -> Iterator[Relay]:
    """Stands before moto's server, and keeps what it was sent."""
    relay = Relay(aws)
    with Server(relay) as server:
        relay.url = server.url
        yield relay


def made(request: Request, stack: Stack) -> Call:
    """What a request asks for, in IAM's words."""
    if "/s3/aws4_request" in request.headers["authorization"]:
        return Call(OPERATIONS[request.method], f"arn:aws:s3:::{request.path.removeprefix('/')}")
    if "x-amz-target" not in request.headers:
        form = parse_qs(request.body.decode())
        topic = form.get("TopicArn") or [group(form.get("AutoScalingGroupName", [""])[0], "0f1e2d3c")]
        return Call(OPERATIONS[form["Action"][0]], topic[0])
    body = json.loads(request.body)
    action = OPERATIONS[request.headers["x-amz-target"]]
    if "SecretId" in body:
        return Call(action, body["SecretId"])
    table = body.get("TableName") or next(iter(body.get("RequestItems", ())), "")
    name = table or body["QueueUrl"].rpartition("/")[2]
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
STORES, TELLS = "s3:PutObject", "sns:Publish"
COUNTS, COMPLETES = "dynamodb:UpdateItem", "autoscaling:CompleteLifecycleAction"
WORK: dict[str, Any] = {
    "a worker": ("full", "Queue", busy_worker, {COUNTS, PUTS_OFF, STORES}),
    "a sweep with workers": ("full", "Scheduled", good_night, {SENDS, STORES, TELLS}),
    "a sweep that fails": ("prod", "Scheduled", failed_night, {SENDS, STORES, TELLS}),
    "a hook": ("full", "Lifecycle", terminated, {COUNTS, COMPLETES, STORES, TELLS}),
    "a hook that fails": ("prod", "Lifecycle", failed_night, {SENDS, STORES, TELLS}),
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
    run(stack, f"{function}Function", event(stack, cloud), through=relay.url, seconds=16.0)
    calls = [made(request, stack) for request in relay.calls]
    assert {call.action for call in calls} >= expected | {"secretsmanager:GetSecretValue"}
    statements = statements_of_role(stack.client("iam"), stack.ref(f"{function}Role"))
    assert [call for call in calls if not allows(statements, call)] == []
