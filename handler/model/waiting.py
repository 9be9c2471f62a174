"""Who waits for an answer to an event, and what must be known to give it."""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class StackCall:
    """What CloudFormation must be told about when its request is done; whoever has the address may answer."""

    response_url: str = field(repr=False)
    stack_id: str
    request_id: str
    logical_resource_id: str
    physical_resource_id: str


class LifecycleAction(NamedTuple):
    """What Auto Scaling waits for before it goes on with an instance."""

    group: str
    hook: str
    token: str
