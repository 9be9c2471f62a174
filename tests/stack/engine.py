"""What AWS does around a function of a stack: it repeats what failed, puts away what failed for good, and measures."""

import json
from typing import Any

from tests.conftest import Invocation
from tests.stack.alarms import Metrics, alarms_of
from tests.stack.making import Stack

Run = Any
"""The fixture: runs a function of a stack in this process."""


class Engine:
    """A stack at work. `metrics` may be those of several stacks in one account."""

    def __init__(self, stack: Stack, run: Run, metrics: Metrics | None = None) -> None:
        self.stack = stack
        self.metrics = metrics or Metrics()
        self._run = run
        for queue in stack.of_type("AWS::SQS::Queue"):
            self.take(queue)

    def call(self, function: str, event: object, **options: Any) -> Invocation:  # noqa: ANN401 (those of the fixture)
        """One invocation, for which somebody waits."""
        done: Invocation = self._run(self.stack, function, event, **options)
        name = self.stack.ref(function)
        self.metrics.add("AWS/Lambda", "Invocations", 1, FunctionName=name)
        self.metrics.add("AWS/Lambda", "Errors", done.error is not None, FunctionName=name)
        self.metrics.take(done)
        return done

    def send(self, function: str, event: object, **options: Any) -> list[Invocation]:  # noqa: ANN401 (as above)
        """An event for whose answer nobody waits: repeated while it fails, and at last put where failures go."""
        name = {"FunctionName": self.stack.ref(function), "Qualifier": "live"}
        config = self.stack.client("lambda").get_function_event_invoke_config(**name)
        tries: list[Invocation] = []
        while not tries or (tries[-1].error and len(tries) <= config["MaximumRetryAttempts"]):
            tries.append(self.call(function, event, **options))
        if tries[-1].error:
            self._put_away(config["DestinationConfig"]["OnFailure"]["Destination"], event)
        return tries

    def _put_away(self, destination: str, event: object) -> None:
        sqs = self.stack.client("sqs")
        url = sqs.get_queue_url(QueueName=destination.rpartition(":")[2])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"requestPayload": event}))

    def has_run(self) -> None:
        """The schedule has started its function, as every night."""
        self.metrics.add("AWS/Lambda", "Invocations", 1, FunctionName=self.stack.ref("ScheduledFunction"))

    def take(self, queue: str) -> list[Any]:
        """Take the messages out of a queue."""
        sqs, url, bodies = self.stack.client("sqs"), self.stack.ref(queue), []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def waiting(self, queue: str) -> int:
        """How many messages can be seen in a queue."""
        where = {"QueueUrl": self.stack.ref(queue), "AttributeNames": ["ApproximateNumberOfMessages"]}
        attributes: dict[str, str] = self.stack.client("sqs").get_queue_attributes(**where)["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def ringing(self) -> list[str]:
        """The alarms that go off by now."""
        for queue in self.stack.of_type("AWS::SQS::Queue"):
            name = {"QueueName": self.stack.attribute(queue, "QueueName")}
            self.metrics.add("AWS/SQS", "ApproximateNumberOfMessagesVisible", self.waiting(queue), **name)
        return sorted(name for name, alarm in alarms_of(self.stack).items() if self.metrics.lets_ring(alarm))
