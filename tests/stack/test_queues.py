"""The queues: no message is lost between them, and nobody else gets at one."""

import json
from typing import Any

import pytest

from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT
from tests.stack.rights import Call, allows, denies, statements_of
from tests.stack.variants import ORGANIZATION, SENDER, TOPIC

FAILURES = ("DeadLetterQueue", "ScheduledFailures", "LifecycleFailures")
QUEUES = ("Queue", *FAILURES)
FOURTEEN_DAYS = 14 * 24 * 3600
SNS, EVENTS = "sns.amazonaws.com", "events.amazonaws.com"

every_queue = pytest.mark.parametrize("queue", QUEUES)


def attributes(stack: Stack, queue: str) -> dict[str, Any]:
    """The attributes of a queue, with those that are JSON read."""
    found = stack.client("sqs").get_queue_attributes(QueueUrl=stack.ref(queue), AttributeNames=["All"])["Attributes"]
    return {key: json.loads(value) if value.startswith("{") else value for key, value in found.items()}


def may(stack: Stack, queue: str, caller: str, action: str = "sqs:SendMessage", **given: str) -> bool:
    """Whether the policy of a queue lets a caller do something, over TLS; keys have `_` instead of `:`."""
    known = attributes(stack, queue)
    keys = {"aws:SecureTransport": "true"} | {key.replace("_", ":"): value for key, value in given.items()}
    return allows(statements_of(known["Policy"]), Call(action, known["QueueArn"], keys, caller))


def test_there_is_no_other_queue(stack: Stack) -> None:
    assert sorted(stack.of_type("AWS::SQS::Queue")) == sorted(QUEUES)


def test_a_message_stays_hidden_for_six_times_as_long_as_its_worker_may_take(stack: Stack) -> None:
    worker = stack.client("lambda").get_function_configuration(FunctionName=stack.ref("QueueFunction"))
    assert int(attributes(stack, "Queue")["VisibilityTimeout"]) >= 6 * worker["Timeout"]


def test_a_message_that_was_received_five_times_becomes_a_dead_letter(stack: Stack) -> None:
    dead = attributes(stack, "DeadLetterQueue")["QueueArn"]
    assert attributes(stack, "Queue")["RedrivePolicy"] == {"deadLetterTargetArn": dead, "maxReceiveCount": 5}


def test_only_the_queue_of_requests_has_dead_letters(stack: Stack) -> None:
    source = attributes(stack, "Queue")["QueueArn"]
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [source]}
    assert stack.resolved("DeadLetterQueue", "RedriveAllowPolicy") == allowed
    for queue in FAILURES[1:]:
        assert stack.resolved(queue, "RedriveAllowPolicy") == {"redrivePermission": "denyAll"}


@every_queue
def test_every_queue_keeps_its_messages_for_fourteen_days(stack: Stack, queue: str) -> None:
    assert int(attributes(stack, queue)["MessageRetentionPeriod"]) == FOURTEEN_DAYS


@every_queue
def test_every_queue_is_encrypted(stack: Stack, queue: str) -> None:
    assert attributes(stack, queue)["SqsManagedSseEnabled"] == "true"


@every_queue
def test_nobody_gets_at_a_queue_without_tls(stack: Stack, queue: str) -> None:
    known = attributes(stack, queue)
    for action in ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue", "sqs:SetQueueAttributes"):
        plain = Call(action, known["QueueArn"], {"aws:SecureTransport": "false"}, caller=SNS)
        assert denies(statements_of(known["Policy"]), plain)


@every_queue
def test_no_stranger_may_send_to_a_queue_or_read_from_it(stack: Stack, queue: str) -> None:
    stranger = f"arn:aws:sns:eu-central-1:999999999999:{SENDER.rpartition(':')[2]}"
    for caller in (SNS, EVENTS, "s3.amazonaws.com", "999999999999"):
        assert not may(stack, queue, caller)
        assert not may(stack, queue, caller, aws_SourceArn=stranger, aws_PrincipalOrgID="o-zzzzzzzzzz")
    everything = {"aws_SourceArn": SENDER, "aws_PrincipalOrgID": ORGANIZATION}
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SetQueueAttributes"):
        assert not may(stack, queue, SNS, action, **everything)


def test_the_sender_and_the_organization_may_send_where_they_are_named(stacks: dict[str, Stack]) -> None:
    for name, named in (("full", True), ("staging", False)):
        assert may(stacks[name], "Queue", SNS, aws_SourceArn=SENDER) is named
        theirs = {"aws_PrincipalOrgID": ORGANIZATION, "aws_PrincipalAccount": "999999999999"}
        assert may(stacks[name], "Queue", "999999999999", **theirs) is named
        # Of its own account, IAM decides.
        assert not may(stacks[name], "Queue", ACCOUNT, **theirs | {"aws_PrincipalAccount": ACCOUNT})


def test_the_queue_of_the_lifecycle_hook_takes_only_what_could_not_be_delivered_to_it(stack: Stack) -> None:
    rules = [stack.attribute(rule) for rule in stack.of_type("AWS::Events::Rule")]
    assert len(rules) == 3
    assert all(may(stack, "LifecycleFailures", EVENTS, aws_SourceArn=rule) for rule in rules)
    other = rules[0].replace("/", "/other-", 1)
    assert not may(stack, "LifecycleFailures", EVENTS, aws_SourceArn=other)
    has_topic = bool(stack.parameters.get("TopicArn"))
    assert may(stack, "LifecycleFailures", SNS, aws_SourceArn=TOPIC) is has_topic


def test_a_fifo_queue_has_a_fifo_queue_of_dead_letters(stacks: dict[str, Stack]) -> None:
    ordered = stacks["ordered"]
    for queue in ("Queue", "DeadLetterQueue"):
        known = attributes(ordered, queue)
        assert (known["FifoQueue"], known["QueueArn"].endswith(".fifo")) == ("true", True)
    dead = attributes(ordered, "DeadLetterQueue")["QueueArn"]
    assert attributes(ordered, "Queue")["RedrivePolicy"] == {"deadLetterTargetArn": dead, "maxReceiveCount": 5}
