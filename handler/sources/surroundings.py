"""What a reader is given besides the event."""

from typing import NamedTuple


class Surroundings(NamedTuple):
    """What an event does not say: the operator and the engine do.

    `scheduled` and `lifecycle` are the operator's requests, as JSON, for events that carry none: those of schedules,
    and those of images that became active. If `answers_here`, CloudFormation may be answered at this machine.
    `failed_to` is where failed events go: what comes from there is not read again.
    """

    scheduled: str = ""
    lifecycle: str = ""
    answers_here: bool = False
    failed_to: str = ""
