"""What the events of AWS look like, as far as they are read here: nothing else in them can make a request wrong.

AWS leaves fields out (FIFO topics have no signature) and adds others. Powertools has models of it all, but making those
takes longer than all that a warm function does with an event.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Envelope(BaseModel):
    """Made when it is first needed: an event needs two of them at the most."""

    model_config = ConfigDict(defer_build=True, frozen=True)


class QueueRecord(_Envelope):
    """A message of an SQS queue."""

    event_source: Literal["aws:sqs"] = Field(alias="eventSource")
    body: str


class Notification(_Envelope):
    """A notification of an SNS topic."""

    type: Literal["Notification"] = Field(alias="Type")
    message: str = Field(alias="Message")


class TopicRecord(_Envelope):
    """A notification as SNS gives it to Lambda."""

    notification: Notification = Field(alias="Sns")


class BusEvent(_Envelope):
    """An event of EventBridge, or of its Scheduler, which sends the detail as a string."""

    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any] | str


class StackEvent(_Envelope):
    """A call of CloudFormation's for a custom resource."""

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    resource_properties: dict[str, Any] = Field(default_factory=dict, alias="ResourceProperties")
