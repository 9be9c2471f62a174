"""Names that fit, and outputs that lead somewhere."""

from typing import Any

from tests.stack.making import Stack
from tests.stack.resolving import Made, Resolver

LONGEST = "s" * 128
"""The longest name that CloudFormation takes for a stack."""
LIMITS = {
    ("AWS::AppConfig::Application", "Name"): 64,
    ("AWS::AppConfig::ConfigurationProfile", "Name"): 128,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::Events::EventBus", "Name"): 256,
    ("AWS::Events::EventBusPolicy", "StatementId"): 64,
    ("AWS::Lambda::Alias", "Name"): 128,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::Scheduler::ScheduleGroup", "Name"): 64,
}
"""The names that the template gives, and how long each may be. Source: the resource types' schemas."""
NAMING = {"Name", "QueueName", "DashboardName", "StatementId", "TableName", "RoleName", "LogGroupName", "AlarmName"}
NAMING |= {"ManagedPolicyName", "FunctionName"}


class Anything(dict[str, str]):
    """The attributes of a resource that nobody has made."""

    def __missing__(self, name: str) -> str:
        return f"arn:aws:x:eu-central-1:123456789012:{name}"


def names(stack: Stack) -> dict[tuple[str, str], list[str]]:
    """The names in the template of a stack, if it had the longest name of all."""
    found: dict[tuple[str, str], list[str]] = {}

    def note(logical: str, kind: str, properties: dict[str, Any]) -> Made:
        for name in NAMING & properties.keys():
            # Those of a version and the like name its function.
            if name != "FunctionName" or kind == "AWS::Lambda::Function":
                found.setdefault((kind, name), []).append(properties[name])
        return Made(logical, Anything())

    Resolver.of(stack.template, LONGEST, stack.parameters, note).make_all()
    return found


def test_every_name_fits_however_long_that_of_the_stack_is(stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        known = names(stack)
        assert len(known) >= 5
        long = [(key, name) for key, several in known.items() for name in several if len(name) > LIMITS[key]]
        assert long == []


def test_every_output_leads_to_something_that_is_there(stack: Stack) -> None:
    made = {value for one in stack.resolver.made.values() for value in (one.ref, *one.attributes.values())}
    outputs = {key: value for key, value in stack.outputs.items() if key != "DashboardUrl"}
    assert len(outputs) >= 14
    assert {key: value for key, value in outputs.items() if value not in made} == {}


def test_two_stacks_share_no_bucket_and_no_topic_unless_they_are_told_to(stacks: dict[str, Stack]) -> None:
    for output in ("ReportBucketName", "NoticeTopicArn"):
        assert len({stack.outputs[output] for stack in stacks.values()}) == len(stacks)


def test_every_queue_that_an_output_names_takes_messages(stack: Stack) -> None:
    sqs = stack.client("sqs")
    for key in ("QueueUrl", "DeadLetterQueueUrl", "ScheduledFailuresUrl", "LifecycleFailuresUrl"):
        assert sqs.get_queue_attributes(QueueUrl=stack.outputs[key], AttributeNames=["QueueArn"])["Attributes"]
