"""How long a message is put off: until another try makes sense, and so that messages come back one by one. Pure.

Every receive of a message counts, and after some it ends among the dead letters. So one that failed only because of the
others in its batch, or because of the moment, must come again neither too early nor together with those others.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from handler.model.message import Message, Receipt
from handler.model.outcome import Outcome, Result

LONGEST = 41_400.0
"""Most seconds for which a message is put off. SQS takes 12 hours, but counts them from the receive, not from now."""
GROWTH, MOST_GROWTHS = 4, 3
"""How many times as long a message is put off after each further receive, and how many times that grows."""
AFTER_A_FAULT, AFTER_A_PAUSE = 300.0, 1800.0
"""Seconds after the first receive, where the cloud or another run was in the way, and where the function is paused."""
SHORTEST_GAP, GAP_IN_RUNS = 60.0, 4.0
"""Seconds between two messages after the first receive: at least these, and so many times what this run took."""
REASONS = frozenset({"over_limit", "deadline", "throttled", "unavailable", "budget", "paused", "busy"})
"""Reasons to fail that pass with time; `over_limit` does so unless it is the cap of a sweep."""


class Postponement(NamedTuple):
    """A message that is put off: for how many seconds, and why."""

    message_id: str
    receipt: Receipt
    seconds: int
    reasons: tuple[str, ...]


def postponements(
    messages: Sequence[Message], results: Sequence[Result], ran: float, draw: Callable[[], float]
) -> list[Postponement]:
    """The messages that are put off; all others stay hidden for as long as their queue says.

    `ran` is how many seconds the run took, `draw` draws a number from 0 to 1. In a FIFO queue, what is held back is put
    off for just as long as the message of its group that failed, so that their order stays.
    """
    by_id = {result.message_id: result for result in results}
    # CloudFormation has its answer at once, and its message is done then, however that ended.
    others = [message for message in messages if message.call is None]
    known = [(message, message.receipt, by_id[message.id]) for message in others if message.receipt]
    failed = [(message, receipt, passing) for message, receipt, result in known if (passing := _passing(result))]
    found: list[Postponement] = []
    of_group: dict[str, Postponement] = {}
    for place, (message, receipt, passing) in enumerate(failed):
        timing = _Timing(ran=ran, receives=receipt.receives, messages=len(failed))
        seconds, reasons = timing.seconds(passing, place + draw()), sorted({outcome.reason for outcome in passing})
        found.append(Postponement(message_id=message.id, receipt=receipt, seconds=seconds, reasons=tuple(reasons)))
        if message.group is not None:
            of_group[message.group] = found[-1]
    held = [(message, receipt, of_group.get(message.group or "")) for message, receipt, result in known if result.held]
    return found + [one._replace(message_id=message.id, receipt=receipt) for message, receipt, one in held if one]


def _passing(result: Result) -> list[Outcome]:
    """The images of a message whose failure passes with time."""
    failed = [outcome for outcome in result.outcomes if outcome.failed and outcome.reason in REASONS]
    return [outcome for outcome in failed if outcome.reason != "over_limit" or outcome.retry_after is not None]


class _Timing(NamedTuple):
    """When a message comes again: the run took `ran` seconds, and this is one of so many messages to put off."""

    ran: float
    receives: int
    messages: int

    def seconds(self, passing: Sequence[Outcome], place: float) -> int:
        """Seconds for which the message at a place is put off."""
        span = min(max(SHORTEST_GAP, GAP_IN_RUNS * self.ran) * self._growth() * self.messages, LONGEST / 2)
        # Only a budget names a moment before which a try is in vain. All else is a guess, and may be shortened to leave
        # room for the whole span.
        latest = LONGEST if any(outcome.reason == "budget" for outcome in passing) else LONGEST - span
        base = min(max(map(self._wait, passing)), latest)
        return math.ceil(base + min(span, LONGEST - base) * place / self.messages)

    def _wait(self, outcome: Outcome) -> float:
        """Seconds until it makes sense to try an image again."""
        # The next invocation has a limit and a deadline of its own.
        if outcome.reason in {"over_limit", "deadline"}:
            return 0.0
        if outcome.reason == "budget" and outcome.retry_after is not None:
            return max(outcome.retry_after - self.ran, 0.0)
        first = AFTER_A_PAUSE if outcome.reason == "paused" else AFTER_A_FAULT
        return max(first * self._growth(), outcome.retry_after or 0.0)

    def _growth(self) -> int:
        # It lengthens the span as well: messages of many batches may have met again.
        return int(GROWTH ** min(self.receives - 1, MOST_GROWTHS))
