"""The ports of the engine, as the settings equip a run with them."""

from datetime import datetime
from functools import partial

from handler.clock import Deadline
from handler.config import Settings
from handler.engine.aws import fanout, postponement
from handler.engine.aws.budget import Budget
from handler.engine.ports import Enqueue, Postpone, Spend


def spend(settings: Settings, project_id: str, now: datetime) -> Spend:
    """A function that takes one deletion out of the project's budget; without a budget, it does nothing."""
    if settings.budget is None:
        return lambda: None
    limit, window = settings.budget
    return Budget(limit, window, settings.budget_table, settings.aws, project_id, now).take


def enqueue(settings: Settings, deadline: Deadline) -> Enqueue | None:
    """A function that leaves deletions to workers, if there is a queue for them."""
    url = settings.fanout_queue_url
    return partial(fanout.enqueue, queue_url=url, access=settings.aws, deadline=deadline) if url else None


def postpone(settings: Settings) -> Postpone:
    """A function that keeps messages of a queue hidden."""
    return partial(postponement.postpone, access=settings.aws)
