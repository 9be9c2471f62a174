"""The events of EventBridge: a schedule's, and those of a lifecycle."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from handler.errors import InvalidRequest
from handler.model.message import LifecycleAction, Message, Waiting
from handler.model.request import Request
from handler.sources import activation
from handler.sources.parsing import message_of, read_json, valid
from handler.sources.schema import SUBJECTS, read_request

SCHEDULED = "Scheduled Event"


class StandingRequests(NamedTuple):
    """The operator's requests for events that bring none, as JSON: a schedule's, and one for an image become active."""

    scheduled: str
    lifecycle: str


class BusEvent(BaseModel):
    """An event of EventBridge, or of its Scheduler, which sends the detail as a string."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any] | str


def is_event(event: Mapping[str, Any]) -> bool:
    """Whether it is an event of EventBridge."""
    return "detail-type" in event


def is_schedule(event: Mapping[str, Any]) -> bool:
    """Whether it is an event of a schedule."""
    return event.get("detail-type") == SCHEDULED


def read_bus(event: Mapping[str, Any], standing: StandingRequests) -> tuple[Message, ...]:
    """Read the one message of an event."""
    return (message_of(lambda: read_bus_event(event, standing)),)


def waiting(event: Mapping[str, Any]) -> Waiting | LifecycleAction:
    """Auto Scaling, if this is an event of a lifecycle hook of its own; else nobody."""
    detail = event.get("detail")
    if event.get("source") != "aws.autoscaling" or not isinstance(detail, dict):
        return Waiting.NOBODY
    known = [detail.get(key) for key in ("AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")]
    group, hook, token = (value if isinstance(value, str) else "" for value in known)
    return LifecycleAction(group=group, hook=hook, token=token) if group and hook and token else Waiting.NOBODY


def read_bus_event(event: Mapping[str, Any], standing: StandingRequests) -> Request:
    """Read the request that an event brings, or that the operator has made for it. Raises InvalidRequest."""
    bus_event = valid(BusEvent, event)
    detail = bus_event.detail
    if isinstance(detail, str):
        detail = read_json(detail, "detail")
    if bus_event.detail_type == SCHEDULED and not detail:
        if not standing.scheduled:
            message = "detail: is empty, and REAPER_SCHEDULED_REQUEST is not set"
            raise InvalidRequest(message)
        return read_request(read_json(standing.scheduled, "REAPER_SCHEDULED_REQUEST"))
    if "NotificationMetadata" in detail:
        return read_request(read_json(detail["NotificationMetadata"], "detail.NotificationMetadata"))
    values = None if SUBJECTS & detail.keys() else activation.activated(bus_event.detail_type, detail)
    return read_request(detail) if values is None else _activation_request(values, standing)


def _activation_request(values: Mapping[str, str], standing: StandingRequests) -> Request:
    if not standing.lifecycle:
        message = f"detail: tells that an image has become active, and {activation.TEMPLATE} is not set"
        raise InvalidRequest(message)
    return activation.request_for(values, standing.lifecycle)
