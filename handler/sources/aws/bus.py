"""Events of EventBridge: those of schedules, and lifecycle events, which are all others."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from handler.errors import InvalidRequest
from handler.model.message import LifecycleAction, Message, Waiting
from handler.model.request import Request
from handler.sources import activation
from handler.sources.parsing import message_of, read_json, valid
from handler.sources.schema import SUBJECTS, read_request
from handler.sources.surroundings import Surroundings

SCHEDULED = "Scheduled Event"


class BusEvent(BaseModel):
    """An event of EventBridge, or of its Scheduler, which sends the detail as a string."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any] | str


def is_event(event: Mapping[str, Any]) -> bool:
    """Whether this is an event of EventBridge."""
    return "detail-type" in event


def is_schedule(event: Mapping[str, Any]) -> bool:
    """Whether this is the event of a schedule."""
    return event.get("detail-type") == SCHEDULED


def read_bus(event: Mapping[str, Any], given: Surroundings) -> tuple[Message, ...]:
    """Read the single message of an event."""
    return (message_of(lambda: read_bus_event(event, given)),)


def waiting(event: Mapping[str, Any]) -> Waiting | LifecycleAction:
    """Auto Scaling, if the event comes from one of its lifecycle hooks; otherwise nobody."""
    detail = event.get("detail")
    # The detail may be anything here: this is read even if the request turns out to be wrong.
    if event.get("source") != "aws.autoscaling" or not isinstance(detail, dict):
        return Waiting.NOBODY
    known = [detail.get(key) for key in ("AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")]
    group, hook, token = (value if isinstance(value, str) else "" for value in known)
    return LifecycleAction(group=group, hook=hook, token=token) if group and hook and token else Waiting.NOBODY


def read_bus_event(event: Mapping[str, Any], given: Surroundings) -> Request:
    """Read the request that an event carries, or else the operator's request for it; raises InvalidRequest."""
    bus_event = valid(BusEvent, event)
    detail = bus_event.detail
    if isinstance(detail, str):
        detail = read_json(detail, "detail")
    if bus_event.detail_type == SCHEDULED and not detail:
        if not given.scheduled:
            message = "detail: is empty, and REAPER_SCHEDULED_REQUEST is not set"
            raise InvalidRequest(message)
        return read_request(read_json(given.scheduled, "REAPER_SCHEDULED_REQUEST"))
    # The one field of a lifecycle hook in which an operator can write anything.
    if "NotificationMetadata" in detail:
        return read_request(read_json(detail["NotificationMetadata"], "detail.NotificationMetadata"))
    # A detail that is a request is taken as one, even if it also looks like an activation.
    values = None if SUBJECTS & detail.keys() else activation.activated(bus_event.detail_type, detail)
    return read_request(detail) if values is None else _activation_request(values, given)


def _activation_request(values: Mapping[str, str], given: Surroundings) -> Request:
    if not given.lifecycle:
        message = f"detail: says that an image has become active, but {activation.TEMPLATE} is not set"
        raise InvalidRequest(message)
    return activation.request_for(values, given.lifecycle)
