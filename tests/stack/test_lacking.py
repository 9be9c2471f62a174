"""What is not asked of moto is not there to be asked: the lists of `lacking.py` are no longer than they must be."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack.lacking import BY_API, COMPLETED, NOT_HELD
from tests.stack.making import Stack
from tests.stack.resolving import REGION

OF_CLOUDFORMATION = {
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::SQS::Queue",
}
"""The types that moto's CloudFormation makes."""


def function(stack: Stack) -> dict[str, Any]:
    known: dict[str, Any] = stack.client("lambda").get_function_configuration(FunctionName=stack.ref("QueueFunction"))
    # It answers "None" whatever was asked for.
    return known if known["SnapStart"]["ApplyOn"] != "None" else known | {"SnapStart": None}


def mapping(stack: Stack) -> dict[str, Any]:
    known = stack.client("lambda").get_event_source_mapping(UUID=stack.outputs["QueueMappingId"])
    return {"FunctionName": known["FunctionArn"] if known["FunctionArn"].endswith(":live") else None}


def table(stack: Stack) -> dict[str, Any]:
    known = stack.client("dynamodb").describe_table(TableName=stack.outputs["StateTableName"])["Table"]
    return {"SSESpecification": known.get("SSEDescription")}


def queue(stack: Stack) -> dict[str, Any]:
    where = {"QueueUrl": stack.outputs["DeadLetterQueueUrl"], "AttributeNames": ["All"]}
    known: dict[str, Any] = stack.client("sqs").get_queue_attributes(**where)["Attributes"]
    return known


def bucket_policy(stack: Stack) -> dict[str, Any]:
    """A policy that denies what comes over TLS only: whether moto lets pass what does not."""
    s3, name = stack.client("s3"), "conditions"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}
    condition = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    policy = {"Version": "2012-10-17", "Statement": [deny | condition]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    try:
        s3.put_object(Bucket=name, Key="k", Body=b"")
    except s3.exceptions.ClientError:
        return {}
    return {"PolicyDocument": policy}


HELD: dict[str, Callable[[Stack], dict[str, Any]]] = {
    "AWS::DynamoDB::Table": table,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::Function": function,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::SQS::Queue": queue,
}
"""What moto holds of each type of which it does not hold all."""


def test_every_type_is_made_by_cloudformation_or_listed(stacks: dict[str, Stack]) -> None:
    types = {resource["Type"] for stack in stacks.values() for resource in stack.template["Resources"].values()}
    assert types == BY_API.keys() | OF_CLOUDFORMATION
    assert COMPLETED.keys() <= OF_CLOUDFORMATION


def test_the_stack_of_cloudformation_holds_what_it_made(stack: Stack) -> None:
    resources = stack.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    expected = [one for kind in OF_CLOUDFORMATION for one in stack.of_type(kind)]
    assert sorted(resource["LogicalResourceId"] for resource in resources) == sorted(expected)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NOT_HELD.items() for name in names])
def test_what_a_test_may_read_from_the_template_is_not_in_moto(stacks: dict[str, Stack], kind: str, name: str) -> None:
    assert HELD[kind](stacks["full"]).get(name) is None
