"""The ports of an engine: what a run asks of it, whichever it is."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from handler.model.history import History
from handler.model.message import Receipt
from handler.model.notice import Notice


class Allowance(Protocol):
    """What one event may delete, its repetitions included. Its methods may raise CloudError."""

    def take(self, image_id: str) -> None:
        """Take the deletion of an image out of the allowance."""

    def settle(self) -> str:
        """Give back what was not used; returns why this failed, or an empty string."""


Spend = Callable[[str], None]
"""Takes the deletion of an image out of the event's allowance and the budget, or raises CloudError."""

HeedStop = Callable[[], float]
"""Looks whether an operator has stopped all deletions; returns the moment until which they may go on.

Raises Paused if they are stopped, and another CloudError if that can't be found out. Either ends the run.
"""

HandOver = Callable[[object, Mapping[str, Any]], str]
"""Sends an event that no repetition can cure, with the report on it, to where a person finds it.

Returns why it was not sent, or an empty string. Raises nothing.
"""
TOO_LARGE = "the event is larger than a message may be"
"""Why an event was not sent, where a smaller one might be."""

Enqueue = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], list[str]]
"""Sends images, as a request names them, with the fields that all their requests share, to a queue of workers.

Returns for each image why it was not sent, or an empty string. May raise CloudError.
"""

Send = Callable[[Sequence[Mapping[str, Any]]], list[str]]
"""Sends requests to a queue of workers, each as a message of its own.

Returns for each request why it was not sent, or an empty string. May raise CloudError.
"""

Postpone = Callable[[Sequence[tuple[Receipt, int]]], list[str]]
"""Keeps messages of a queue hidden, each for so many seconds from now on.

Returns for each message why that failed, or an empty string. May raise CloudError.
"""


class Bucket(Protocol):
    """Where the reports of runs are kept. Safe for threads.

    A key has no part that is empty, `.` or `..`. Whatever the deadline of the bucket raises may be raised instead of
    EngineFault.
    """

    @property
    def name(self) -> str:
        """The name of the bucket."""

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file; raises EngineFault. A file that is there already, with the same key, is replaced."""

    def get(self, key: str) -> bytes | None:
        """Read a file, None if there is none, or none that we may read; raises EngineFault."""

    def page_of(self, key: str) -> str:
        """The address at which a person sees the file in the console of the cloud, empty if none is known."""

    def command_for(self, key: str) -> str:
        """The command with which a person fetches the file into the current folder."""


Notify = Callable[[Notice], str]
"""Sends a notice to a topic; returns why it was not sent, or an empty string. Raises nothing."""


class Lease(Protocol):
    """What only one run has at a time: an armed sweep of a project. Safe for threads."""

    def take(self) -> None:
        """Take it, and wait as long as it makes sense if another run has it; raises Busy, or BudgetUnknown."""

    def hold(self) -> float:
        """Renew it if need be; returns the moment until which changes may be sent.

        Raises Busy if another run has taken it, BudgetUnknown if it could not be renewed in time. Either ends the run.
        """

    def release(self) -> None:
        """Give it back; raises nothing."""


class Claim(Protocol):
    """The right to carry out a plan, which only one run has at a time. Safe for threads.

    If the same event has had all of the plan carried out before, nothing is left, and nothing may be sent.
    """

    @property
    def position(self) -> int:
        """How many images of the plan, from its first one on, earlier runs have dealt with."""

    def hold(self) -> float:
        """As a Lease does."""

    def reach(self, position: int) -> None:
        """Note how many images of the plan are dealt with; raises Busy, or BudgetUnknown."""

    def end(self, *, applied: bool) -> str:
        """Give the plan back, or note that all of it is done, once its last image was reached.

        Returns why that failed, or an empty string. Raises nothing.
        """


ClaimPlan = Callable[[str, str], Claim]
"""Takes a plan, by the digest of its file, for the event that approves it, by its id.

Raises Busy while another run carries it out, InvalidRequest if another event has had it carried out, BudgetUnknown if
nobody can tell.
"""

Remember = Callable[[Collection[str]], History]
"""Notes the ids of all that is in use now, and returns what is known of its use; raises BudgetUnknown."""
