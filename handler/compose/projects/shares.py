"""Which messages are for whom: an invocation is cut into shares, one for each run. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from handler.model.message import Message, Rejected
from handler.model.request import SweepRequest


class Share(NamedTuple):
    """Messages for one run. `project_id` is empty where all credentials are for one project, and None for no cloud."""

    project_id: str | None
    messages: tuple[Message, ...]


def shares_of(messages: Sequence[Message], *, is_for_all: bool) -> list[Share]:
    """Cut messages into shares, to be dealt with one after the other; there is at least one share.

    `is_for_all` says that each project has credentials of its own. A project has one share, and more only where a group
    of a FIFO queue has messages of several projects: they are dealt with in their order.
    """
    shares, waiting = list[Share](), list(messages)
    while waiting:
        whose, own, others = _whose(waiting[0], is_for_all=is_for_all), list[Message](), list[Message]()
        passed = set[str]()
        for message in waiting:
            is_own = _whose(message, is_for_all=is_for_all) == whose and message.group not in passed
            (own if is_own else others).append(message)
            if message.group is not None and not is_own:
                passed.add(message.group)
        shares.append(Share(whose, tuple(own)))
        waiting = others
    return shares or [Share(None if is_for_all else "", ())]


def _whose(message: Message, *, is_for_all: bool) -> str | None:
    request = message.request
    # What was turned down needs no credentials; it stays beside the others where it is in nobody's way.
    if isinstance(request, Rejected):
        return None if is_for_all else ""
    if isinstance(request, SweepRequest) and request.projects:
        return None
    return request.project_id if is_for_all else ""
