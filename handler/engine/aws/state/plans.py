"""The plans that were approved: each is carried out once, by one run at a time, which goes on where others stopped."""

import math
from datetime import timedelta

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.held import FREE, TAKE, HeldItem
from handler.engine.aws.state.items import Attributes, number, text
from handler.errors import CloudError, InvalidRequest
from handler.model.masking import beginning

KEPT_LONGER = timedelta(days=7)
"""For how much longer than a plan may be carried out its item is kept, from its last change on."""
TAKE_PLAN = f"{TAKE}, #position = if_not_exists(#position, :zero)"
NOT_APPLIED = f"attribute_not_exists(#applied_by) AND {FREE}"
APPLIED = ", #applied_by = :event"
LONGEST = 100
"""Characters that are shown of the id of an event."""


class PlanClaim:
    """The right to carry out a plan, as one run has it. Safe for threads.

    A plan that the same event has had carried out already has nothing left to do: it may change nothing.
    """

    def __init__(self, item: HeldItem, found: Attributes) -> None:
        self._item = item
        self._position = number(found, "position")
        self._is_applied = bool(text(found, "applied_by"))

    @property
    def position(self) -> int:
        """How many images of the plan, from its first one on, are dealt with."""
        return self._position

    def hold(self) -> float:
        """As that of `ProjectLease`."""
        return -math.inf if self._is_applied else self._item.hold()

    def reach(self, position: int) -> None:
        """Note how many images are dealt with; raises Busy once another run has the plan, or BudgetUnknown."""
        if not self._is_applied:
            self._item.write("#position = :position", {":position": {"N": str(position)}})
            self._position = position

    def end(self, *, applied: bool) -> str:
        """Give the plan back, or note that all of it is done; returns why that failed, or an empty string."""
        if self._is_applied:
            return ""
        try:
            given = self._item.give_back(APPLIED if applied else "", {":event": {"S": self._item.event}})
        except CloudError as error:
            return str(error)
        if given is None or given.is_ours:
            return ""
        # It was given back already, if the answer to the first try was lost.
        done = text(given.item, "applied_by") == self._item.event if applied else not text(given.item, "holder")
        return "" if done else str(self._item.busy(given.item))


def claim_plan(  # noqa: PLR0913 (a claim is all of these)
    digest: str, event: str, *, table: str, access: AwsAccess, plan_life: timedelta, deadline: Deadline
) -> PlanClaim:
    """Take a plan, by the digest of its file, for the event that approves it.

    Raises Busy while another run has it, InvalidRequest if another event has had it carried out, and BudgetUnknown if
    nobody can tell. The caller sees to it that no plan older than `plan_life` is carried out: then its item may go.
    """
    item = HeldItem(
        key=f"plan/{digest}",
        event=event,
        what="another run carries out the plan",
        kept=plan_life + KEPT_LONGER,
        table=table,
        access=access,
        now=deadline.now,
    )
    taken = item.take(TAKE_PLAN, NOT_APPLIED)
    if taken.is_ours or text(taken.item, "applied_by") == event:
        return PlanClaim(item, taken.item)
    if by := text(taken.item, "applied_by"):
        message = f"approve: the plan was carried out already, by event {beginning(by, LONGEST)}: make another plan"
        raise InvalidRequest(message)
    raise item.busy(taken.item)
