"""The lease of a project: only one sweep at a time may change its images."""

import random
from contextlib import suppress
from datetime import timedelta

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.held import HeldItem
from handler.errors import CloudError

KEPT = timedelta(days=30)
"""How long the item is kept after the last sweep. It may go then: a fence that begins anew has another holder."""
POLL = 4.0
"""Seconds between two tries to take the lease, at most."""
PATIENCE = 0.5
"""The share of the time that a run has left which it waits for another one. The rest is for its own sweep."""


class ProjectLease:
    """The lease of one project, for the sweeps of one run, one after the other. Safe for threads.

    `request_id` is that of the run: others are told whom they wait for.
    """

    def __init__(self, project_id: str, request_id: str, table: str, access: AwsAccess, deadline: Deadline) -> None:
        self._deadline = deadline
        self._item = HeldItem(
            key=f"lease/{project_id}",
            event=request_id,
            what="another sweep of the project is under way",
            kept=KEPT,
            table=table,
            access=access,
            now=deadline.now,
        )

    def take(self) -> None:
        """Take the lease, and wait while another run has it; raises Busy, or BudgetUnknown if nobody can tell.

        One whose run has died is free a minute after its last renewal.
        """
        until = self._deadline.now() + PATIENCE * self._deadline.left()
        while not (taken := self._item.take()).is_ours:
            busy = self._item.busy(taken.item)
            # Jitter, so that those who wait do not ask together.
            pause = random.uniform(POLL / 2, POLL)  # noqa: S311  # nosec B311 # it keeps no secret
            if self._deadline.now() + pause > until:
                raise busy
            self._deadline.pause(pause, busy)

    def hold(self) -> float:
        """The moment until which changes may be sent, renewed if need be.

        Raises Busy once another run has the lease, and BudgetUnknown if it could not be renewed in time; either ends
        the run.
        """
        return self._item.hold()

    def release(self) -> None:
        """Give the lease back, if this run has it; raises nothing: what can't be given back ends by itself."""
        with suppress(CloudError):
            self._item.give_back("", {})
