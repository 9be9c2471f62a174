"""Stored plans: opened, checked and taken before anything of their event is done, and given back when it has ended."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, Self

from handler.clock import Deadline
from handler.engine.ports import Claim
from handler.errors import BudgetUnknown, CloudError, DeadlineReached, EngineFault, InvalidRequest
from handler.model.message import Message, Rejected
from handler.model.outcome import Outcome, Result
from handler.model.request import LONGEST_REASON, ApprovalRequest, DeletionRequest, Job, Request, Target, earliest
from handler.sources.plan_file import read_plan
from handler.work.approvals.carrying import carried_out
from handler.work.handling import failed
from handler.work.parallel import in_time
from handler.work.run import Progress, Run

SLACK = timedelta(minutes=5)
"""How far two clocks may differ: that of the run that made a plan, and that of the one that carries it out."""
PARTS = 4
"""Into how many parts the time that is left is cut, of which one is for reading and taking a plan."""
GIVING_BACK = 2.0
"""Seconds kept back for each plan that was taken, to give it back, or to note that it is applied."""


class _Opened(NamedTuple):
    """A plan that was opened: its requests as they are approved, and the claim to it, None in a rehearsal."""

    request: ApprovalRequest
    orders: tuple[DeletionRequest, ...]
    claim: Claim | None


class Approvals:
    """The approvals of one event. `event_id` is what its repetitions share, for those that come in no message.

    `check` says why a request may not be carried out, or nothing. As a context, it gives back every plan that was taken
    but not carried out.
    """

    def __init__(self, run: Run, event_id: str, check: Callable[[Request], str]) -> None:
        self._run = run
        self._event_id = event_id
        self._check = check
        # By the very message: where two approve the same plan, only one of them has a claim to it.
        self._found: list[tuple[Message, _Opened | CloudError]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _, found in self._found:
            if isinstance(found, _Opened) and found.claim:
                # Nothing is lost if this fails: a claim that nobody holds any more ends by itself.
                self._end(found.claim, applied=False)

    def admit(self, message: Message) -> Message:
        """Open and take the plan that a message approves; a Rejected stands in its place if it is turned down.

        What may pass, as a bucket that is away, turns nothing down: it becomes the outcome of the message.
        """
        request, event_id = message.request, message.id or self._event_id
        if not isinstance(request, ApprovalRequest):
            return message
        run, found = self._run, None
        try:
            found = self._opened_in_time(request, event_id)
        except InvalidRequest as error:
            return message._replace(request=Rejected(str(error)))
        except CloudError as error:
            run.note(error)
            self._found.append((message, error))
            return message
        if found.claim:
            run.deadline.keep_back(GIVING_BACK)
        message = message._replace(request=found.request)
        self._found.append((message, found))
        return message

    def carry_out(self, message: Message, request: ApprovalRequest) -> Result:
        """Carry out the plan that a message approves."""
        place = next(place for place, (known, _) in enumerate(self._found) if known is message)
        _, found = self._found.pop(place)
        if isinstance(found, CloudError):
            return Result(message.id, request, outcomes=(self._told(found, message, request),))
        jobs = [Job(target, order, message_id=message.id) for order in found.orders for target in order.targets]
        outcomes = carried_out(jobs, found.claim, self._run)
        applied = not any(outcome.failed for outcome in outcomes)
        problem = self._end(found.claim, applied=applied) if found.claim else ""
        if problem and applied:
            error = BudgetUnknown(f"the plan is carried out, but that could not be noted: {problem}")
            outcomes.append(self._told(error, message, request))
        return Result(message.id, request, outcomes=tuple(outcomes))

    def _opened_in_time(self, request: ApprovalRequest, event_id: str) -> _Opened:
        # Everything else of the event waits for this. A bucket that hangs may take no more than a part of the time.
        deadline = self._run.deadline.share(PARTS)
        try:
            return in_time(lambda: self._opened(request, event_id), deadline, Progress(0))
        except DeadlineReached as exc:
            self._run.deadline.check()
            message = "the plan could not be read in a quarter of the time that was left"
            raise EngineFault(message) from exc

    def _opened(self, request: ApprovalRequest, event_id: str) -> _Opened:
        """Read a plan and take it; raises InvalidRequest if it is turned down, CloudError if that is not known now."""
        self._run.deadline.check()
        if request.not_after and self._run.moment > request.not_after:
            message = f"not_after: the approval was good until {request.not_after.isoformat()}"
            raise InvalidRequest(message)
        orders = self._orders(request)
        request = request._replace(
            delete_backup=all(order.delete_backup for order in orders),
            not_after=earliest(self._run.moment + self._longest_life(), [request, *orders]),
        )
        # Last of all: what is turned down leaves no trace.
        claim = self._claimed(request, event_id) if self._run.armed and not request.dry_run else None
        return _Opened(request=request, orders=tuple(_as_approved(order, request) for order in orders), claim=claim)

    def _orders(self, request: ApprovalRequest) -> tuple[DeletionRequest, ...]:
        """The requests of the plan that a request approves, each of which may be carried out now."""
        bucket, key = self._run.bucket, request.plan
        content = bucket.get(key) if bucket else None
        if content is None:
            message = f"approve.plan: there is no {key}, or no right to read it"
            raise InvalidRequest(message)
        if hashlib.sha256(content).hexdigest() != request.sha256:
            message = f"approve.sha256: {key} is not what was reviewed: its digest is another one"
            raise InvalidRequest(message)
        orders = read_plan(content, key)
        for number, order in enumerate(orders):
            if problem := self._problem_of(order, request):
                message = f"{key}: plans[{number}].{problem}"
                raise InvalidRequest(message)
        return orders

    def _problem_of(self, order: DeletionRequest, request: ApprovalRequest) -> str:
        """Why a request of a plan is turned down, empty if it is not."""
        moment = self._run.moment
        if order.not_after is None:
            return "not_after: must be given"
        if moment > order.not_after:
            return f"not_after: the plan was good until {order.not_after.isoformat()}: make another one"
        if order.not_after > moment + self._longest_life():
            return f"not_after: {order.not_after.isoformat()} is further away than REAPER_PLAN_LIFE allows"
        if order.project_id != request.project_id:
            return f"project_id: must be that of the key, {request.project_id}"
        if order.dry_run:
            return "dry_run: a plan rehearses nothing: give it in the approval"
        return self._check(order)

    def _longest_life(self) -> timedelta:
        return self._run.plan_life + SLACK

    def _claimed(self, request: ApprovalRequest, event_id: str) -> Claim:
        if self._run.claim_plan is None:
            message = "approve: nothing here notes that a plan is carried out once"
            raise InvalidRequest(message)
        return self._run.claim_plan(request.sha256, event_id)

    def _end(self, claim: Claim, *, applied: bool) -> str:
        """Give a plan back, or note that it is applied; returns why that failed, or an empty string."""
        # Late threads may still wait for the answers to their DELETEs. Then the claim ends by itself, some time after.
        if self._run.progress.is_late:
            return "the run did not end in time"
        # Not the deadline of the run, which has kept time back for this, and may be over.
        left = self._run.deadline.left
        deadline = Deadline(lambda: left() + GIVING_BACK, reserve=0.0, shortest=0.0)
        try:
            return in_time(lambda: claim.end(applied=applied), deadline, Progress(0))
        except CloudError as error:
            # A late thread must not speak for this run in a later invocation.
            deadline.fence.cut()
            return str(error)

    def _told(self, error: CloudError, message: Message, request: ApprovalRequest) -> Outcome:
        outcome = failed("", error)
        self._run.report(outcome, Job(Target(""), request, message_id=message.id))
        return outcome


def _as_approved(order: DeletionRequest, request: ApprovalRequest) -> DeletionRequest:
    """A request of a plan, with what its approval says beside it: the log names who has asked, and who has approved."""
    both = f"{request.reason} (plan: {order.reason})" if request.reason and order.reason else ""
    return order._replace(
        dry_run=request.dry_run,
        reason=(both or request.reason or order.reason)[:LONGEST_REASON],
        not_after=request.not_after,
    )
