"""What the events of AWS look like: Powertools' models, of which only what is read here is required.

AWS leaves fields out (FIFO topics have no signature) and adds others, and neither makes a request wrong.
"""

from typing import Annotated, Any, Literal

from aws_lambda_powertools.utilities.parser.models import (
    CloudFormationCustomResourceBaseModel,
    EventBridgeModel,
    SnsNotificationModel,
    SnsRecordModel,
    SqsRecordModel,
)
from pydantic import BeforeValidator, Field


class QueueRecord(SqsRecordModel):
    """A message of an SQS queue."""

    receiptHandle: str = ""
    attributes: dict[str, Any] = Field(default_factory=dict)  # type: ignore[assignment]  # only MessageGroupId is read
    messageAttributes: dict[str, Any] = Field(default_factory=dict)
    md5OfBody: str = ""
    eventSourceARN: str = ""
    awsRegion: str = ""


class Notification(SnsNotificationModel):
    """A notification of an SNS topic."""

    TopicArn: str = ""
    UnsubscribeUrl: str | None = None  # type: ignore[assignment]  # not read
    SigningCertUrl: str | None = None  # type: ignore[assignment]  # not read
    MessageId: str = ""
    Timestamp: str = ""  # type: ignore[assignment]  # not read


def _an_object(value: object) -> object:
    """Powertools' own validator of notifications takes for granted that it gets one."""
    if not isinstance(value, dict):
        message = "must be an object"
        raise ValueError(message)  # noqa: TRY004 (what pydantic turns into a problem of the field)
    return value


class TopicRecord(SnsRecordModel):
    """A notification as SNS gives it to Lambda."""

    EventVersion: str = ""
    EventSubscriptionArn: str = ""
    Sns: Annotated[Notification, BeforeValidator(_an_object)]


class BusEvent(EventBridgeModel):
    """An event of EventBridge, or of its Scheduler."""

    version: str = ""
    id: str = ""
    source: str = ""
    account: str = ""
    time: str = ""  # type: ignore[assignment]  # not read
    region: str = ""
    resources: list[str] = Field(default_factory=list)
    detail: dict[str, Any] | str  # type: ignore[assignment]  # EventBridge Scheduler sends a string


class StackEvent(CloudFormationCustomResourceBaseModel):
    """A call of CloudFormation's for a custom resource."""

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    service_token: str = Field("", alias="ServiceToken")
    response_url: str = Field(alias="ResponseURL")  # type: ignore[assignment]  # signed: not one character may change
    stack_id: str = Field("", alias="StackId")
    request_id: str = Field("", alias="RequestId")
    logical_resource_id: str = Field("", alias="LogicalResourceId")
    physical_resource_id: str = Field("", alias="PhysicalResourceId")
    resource_type: str = Field("", alias="ResourceType")
    resource_properties: dict[str, Any] = Field(default_factory=dict, alias="ResourceProperties")
