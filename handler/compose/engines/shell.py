"""What a shell gives a run: the services of AWS, and the shapes of every engine, so that any event can be tried."""

from handler.compose.engines.aws import (
    allowance,
    bucket,
    claim_plan,
    enqueue,
    forget_secret,
    hand_over,
    heed_stop,
    lease,
    notify,
    own_settings,
    postpone,
    remember,
    rotated,
    send,
    spend,
    why_no_approvals,
)
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

SHAPES = shapes.EVERYWHERE
