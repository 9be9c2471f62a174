"""The seam between a run and the engine that runs the function."""

from datetime import datetime
from typing import Protocol

from handler.clock import Deadline
from handler.compose.warm import Proof
from handler.config.settings import Settings
from handler.engine.ports import (
    Allowance,
    Bucket,
    ClaimPlan,
    Enqueue,
    HandOver,
    HeedStop,
    Lease,
    Notify,
    Postpone,
    Remember,
    Send,
    Spend,
)
from handler.model.message import Received
from handler.sources.shapes import Table


class Engine(Protocol):
    """What an engine gives the runs of a function. A module of this folder is one; each door knows its own."""

    @property
    def SHAPES(self) -> Table:  # noqa: N802 (a constant of the module)
        """The shapes that an event may have here."""

    def own_settings(self, project_id: str) -> Settings:
        """The settings of a project that has a secret of its own; raises InvalidSettings."""

    def rotated(self, settings: Settings, refused: Proof) -> Proof | None:
        """What takes the place of credentials that were refused; None if nothing does. May raise CloudError."""

    def forget_secret(self, settings: Settings) -> None:
        """Have the next invocation read the secret anew: the authorities in it may have been replaced."""

    def allowance(self, received: Received, settings: Settings, event: str, now: datetime) -> Allowance | None:
        """What the event may delete, its repetitions included; None if nothing counts that."""

    def spend(self, settings: Settings, project_id: str, now: datetime, allowed: Allowance | None) -> Spend:
        """A function that takes a deletion out of the event's allowance, and then out of the project's budget."""

    def heed_stop(self, settings: Settings, deadline: Deadline) -> HeedStop:
        """A function that looks whether an operator has stopped all deletions."""

    def enqueue(self, settings: Settings, deadline: Deadline) -> Enqueue | None:
        """A function that leaves deletions to workers, if there is a queue for them."""

    def send(self, settings: Settings, deadline: Deadline) -> Send | None:
        """A function that leaves whole requests to workers, if there is a queue for them."""

    def hand_over(self, settings: Settings, deadline: Deadline) -> HandOver | None:
        """A function that hands an event over, if there is a queue or topic for that."""

    def postpone(self, settings: Settings) -> Postpone:
        """A function that keeps messages of a queue hidden."""

    def bucket(self, settings: Settings, deadline: Deadline) -> Bucket | None:
        """The bucket of the reports, if there is one."""

    def notify(self, settings: Settings, deadline: Deadline) -> Notify | None:
        """A function that sends notices, if there is a topic for them."""

    def lease(self, settings: Settings, project_id: str, holder: str, deadline: Deadline) -> Lease | None:
        """What an armed sweep of a project must have, if something can keep it."""

    def claim_plan(self, settings: Settings, project_id: str, deadline: Deadline) -> ClaimPlan | None:
        """A function that takes an approved plan, if something can note that it is carried out once."""

    def why_no_approvals(self, settings: Settings, dry_run: bool) -> str:  # noqa: FBT001 (a fact)
        """Why no plan can be approved here, or, with `dry_run`, only rehearsed; empty if one can."""

    def remember(self, settings: Settings, project_id: str, now: datetime) -> Remember | None:
        """A function that remembers which images are in use, if something can keep that."""
