"""What Lambda gives a run, and a shell as well: the services of AWS.

What only a bucket, a topic or a state table needs is loaded where there is one: it would take a twentieth of a cold
start.
"""

import json
import math
from datetime import datetime
from functools import partial
from hashlib import sha256

from handler.clock import Deadline
from handler.cloud.identity.signing.access import Signing
from handler.compose.secret import forget_secret, own_settings, rotated
from handler.config.settings import Settings
from handler.engine.aws import fanout, handover, postponement
from handler.engine.aws.state import allowance as per_event
from handler.engine.aws.state.budget import Budget
from handler.engine.aws.state.stop import StopFlag
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
from handler.sources import shapes

__all__ = [
    "SHAPES",
    "allowance",
    "bucket",
    "claim_plan",
    "enqueue",
    "forget_secret",
    "hand_over",
    "heed_stop",
    "lease",
    "notify",
    "own_settings",
    "postpone",
    "remember",
    "rotated",
    "send",
    "spend",
    "why_no_approvals",
]

SHAPES = shapes.AWS


def allowance(received: Received, settings: Settings, event: str, now: datetime) -> Allowance | None:
    """What the event may delete, its repetitions included; None if it is never repeated, or there is no state table."""
    if not settings.state_table or not received.may_come_again:
        return None
    return per_event.Allowance(event, settings.max_images, settings.state_table, settings.aws, now)


def spend(settings: Settings, project_id: str, now: datetime, allowed: Allowance | None) -> Spend:
    """A function that takes a deletion out of the event's allowance, and then out of the project's budget."""
    budget = None
    if settings.budget is not None:
        limit, window = settings.budget
        budget = Budget(limit, window, settings.state_table, settings.aws, project_id, now)

    def take(image_id: str) -> None:
        # The budget last: it must not pay for a deletion that the event may not make.
        if allowed:
            allowed.take(image_id)
        if budget:
            budget.take()

    return take


def heed_stop(settings: Settings, deadline: Deadline) -> HeedStop:
    """A function that reads the stop flag, where there is a state table for it."""
    table = settings.state_table
    return StopFlag(table, settings.aws, deadline.now).heed if table else lambda: math.inf


def enqueue(settings: Settings, deadline: Deadline) -> Enqueue | None:
    """A function that leaves deletions to workers, if there is a queue for them."""
    if not (url := settings.fanout_queue_url):
        return None
    return partial(fanout.enqueue, queue_url=url, access=settings.aws, deadline=deadline, trace=settings.trace)


def send(settings: Settings, deadline: Deadline) -> Send | None:
    """A function that leaves whole requests to workers, if there is a queue for them."""
    if not (url := settings.fanout_queue_url):
        return None
    return partial(fanout.send, queue_url=url, access=settings.aws, deadline=deadline, trace=settings.trace)


def hand_over(settings: Settings, deadline: Deadline) -> HandOver | None:
    """A function that hands an event over, if there is a queue for that."""
    url = settings.failed_to
    # Without the trace: each redrive would take a message one hop further, until Lambda took it for a loop.
    return partial(handover.hand_over, queue_url=url, access=settings.aws, deadline=deadline) if url else None


def postpone(settings: Settings) -> Postpone:
    """A function that keeps messages of a queue hidden."""
    return partial(postponement.postpone, access=settings.aws)


def bucket(settings: Settings, deadline: Deadline) -> Bucket | None:
    """The bucket of the reports, if there is one."""
    if not (name := settings.report_bucket):
        return None
    from handler.engine.aws.reports.bucket import S3Bucket  # noqa: PLC0415 (see above)

    return S3Bucket(name, settings.aws, deadline)


def notify(settings: Settings, deadline: Deadline) -> Notify | None:
    """A function that sends notices, if there is a topic for them."""
    if not (arn := settings.notice_topic):
        return None
    from handler.engine.aws.reports import topic  # noqa: PLC0415 (see above)

    return partial(topic.notify, topic=arn, access=settings.aws, deadline=deadline)


def lease(settings: Settings, project_id: str, holder: str, deadline: Deadline) -> Lease | None:
    """What an armed sweep of a project must have, if there is a state table."""
    if not (table := settings.state_table):
        return None
    from handler.engine.aws.state.lease import ProjectLease  # noqa: PLC0415 (see above)

    return ProjectLease(project_id, holder, table, settings.aws, deadline)


def claim_plan(settings: Settings, _project_id: str, deadline: Deadline) -> ClaimPlan | None:
    """A function that takes an approved plan, if there is a state table. Its digest is that of one project's plan."""
    if not (table := settings.state_table):
        return None
    from handler.engine.aws.state import plans  # noqa: PLC0415 (see above)

    return partial(plans.claim_plan, table=table, access=settings.aws, plan_life=settings.plan_life, deadline=deadline)


def why_no_approvals(settings: Settings, dry_run: bool) -> str:  # noqa: FBT001 (a fact)
    """Why no plan can be approved with these settings, or only rehearsed; empty if one can."""
    if not settings.report_bucket:
        return "approve: needs REAPER_REPORT_BUCKET: the plan lies there"
    if not settings.state_table and settings.mode == "delete" and not dry_run:
        return "approve: needs REAPER_STATE_TABLE, which notes that a plan is carried out once"
    return ""


def remember(settings: Settings, project_id: str, now: datetime) -> Remember | None:
    """A function that remembers which images are in use, if there is a state table."""
    if not (table := settings.state_table):
        return None
    from handler.engine.aws.state.uses.memory import Memory  # noqa: PLC0415 (see above)

    return Memory(table, settings.aws, f"{project_id}/{_view(settings)}", now).remember


def _view(settings: Settings) -> str:
    """What these settings see of what is in use, as eight hex digits: where they look, and at what."""
    proof = settings.proof
    region = proof.region if isinstance(proof, Signing) else proof.region_name if proof else None
    where = [region, settings.image_endpoint, settings.compute_endpoint]
    return sha256(json.dumps([where, sorted(settings.in_use_also)]).encode()).hexdigest()[:8]
