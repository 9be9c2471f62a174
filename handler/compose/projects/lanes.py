"""The shares of an invocation, a few side by side: while one project waits for its cloud, others go on."""

import gc
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from threading import Lock

from handler.clock import Deadline
from handler.compose.projects.shares import Share
from handler.model.message import Message, Rejected
from handler.model.request import ApprovalRequest, DeletionRequest
from handler.report.report import Report

MOST_LANES = 10
"""Projects that are dealt with side by side.

What a run begins with (a secret, a token, lists) is asked for one after the other. For each project alone, that would
take as long as its images do.
"""

MOST_APPROVED = 10_000
"""Images that an approved plan may hold: how many it does, nobody knows before it is read."""

CarryOut = Callable[[Share, Deadline], Report]


def lanes_for(shares: Sequence[Share], concurrency: int, most_deletions: int) -> int:
    """How many shares may be dealt with side by side.

    `concurrency` is how many requests may be under way at once, `most_deletions` how many images may be deleted.
    """
    messages = [message for share in shares for message in share.messages]
    # The shares of a FIFO queue are made one after the other, to keep the order of its groups.
    is_fifo = any(message.group is not None for message in messages)
    # What is too little for all goes to whole messages, which it can't if each takes what it finds.
    is_tight = sum(map(_deletions, messages)) > most_deletions
    return 1 if is_fifo or is_tight else max(1, min(len(shares), MOST_LANES, concurrency))


def _deletions(message: Message) -> int:
    """How many images a message may delete at most."""
    request = message.request
    if isinstance(request, Rejected):
        return 0
    if isinstance(request, DeletionRequest):
        return len(request.targets)
    if isinstance(request, ApprovalRequest):
        return MOST_APPROVED
    return 0 if request.projects else request.limit


def in_lanes(shares: Sequence[Share], lanes: int, deadline: Deadline, carry_out: CarryOut) -> list[Report]:
    """Carry out each share with a part of the time that is left; the reports, in the order of the shares.

    Raises what one of them has raised, once all have ended.
    """
    work = _Work(shares, lanes, deadline, carry_out)
    if lanes == 1:
        work.drive()
    else:
        with ThreadPoolExecutor(lanes, thread_name_prefix="project") as executor:
            ended = [executor.submit(work.drive) for _ in range(lanes)]
        for lane in ended:
            lane.result()
    if len(shares) > 1:
        # The connections that the runs leave count as few objects, and hold megabytes.
        gc.collect()
    return work.reports


class _Work:
    """Shares, and the reports on those that are done. Safe for threads."""

    def __init__(self, shares: Sequence[Share], lanes: int, deadline: Deadline, carry_out: CarryOut) -> None:
        self._waiting = deque(enumerate(shares))
        self._lanes = lanes
        self._deadline = deadline
        self._carry_out = carry_out
        self._done: dict[int, Report] = {}
        self._lock = Lock()

    @property
    def reports(self) -> list[Report]:
        """The reports, in the order of the shares."""
        return [report for _, report in sorted(self._done.items(), key=lambda one: one[0])]

    def drive(self) -> None:
        """Carry out shares until none is left."""
        while found := self._next():
            place, share, part = found
            report = self._carry_out(share, part)
            with self._lock:
                self._done[place] = report
                # All that one run has to tell stands in the answer as well.
                self._deadline.keep_back(part.reserve)

    def _next(self) -> tuple[int, Share, Deadline] | None:
        with self._lock:
            if not self._waiting:
                return None
            # A project whose cloud hangs must not cost those after it their time.
            part = self._deadline.share(ceil(len(self._waiting) / self._lanes))
            place, share = self._waiting.popleft()
            return place, share, part
