"""From messages to results: which requests may be carried out, in which order, and what became of each message."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from handler.cloud.dialects import DIALECTS, ImageApi
from handler.errors import CloudError, Unavailable
from handler.model.message import Message, Received, Rejected
from handler.model.outcome import Objection, Outcome, Result
from handler.model.request import ApprovalRequest, DeletionRequest, Job, Request, SweepRequest, Target
from handler.rules.safety import RULES_OF_ACTIVATION, Facts, judge
from handler.work.approvals.opening import Approvals
from handler.work.batches.rounds import Bundle, carry_out_in_turns
from handler.work.handling import failed
from handler.work.judgement import refused
from handler.work.parallel import in_time
from handler.work.run import Run
from handler.work.sweeps import sweep

NEVER_ACTIVE = frozenset({"deactivated", "deleted", "killed", "pending_delete"})
"""The states of an image that does not become active by itself."""


class Reach(NamedTuple):
    """What the settings and the credentials can do. The project is empty if it could not be found out.

    `why_no_approvals` says why no plan can be approved, or only rehearsed, here; nothing if one can.
    """

    image_api: ImageApi
    project_id: str
    why_no_approvals: Callable[[bool], str]


def _backup(request: Request, reach: Reach) -> str:
    if request.delete_backup and not DIALECTS[reach.image_api].deletes_backups:
        return f"delete_backup: needs REAPER_IMAGE_API=ims, not {reach.image_api}"
    return ""


def _deactivation(request: Request, reach: Reach) -> str:
    if isinstance(request, SweepRequest) and request.deactivate and not DIALECTS[reach.image_api].deactivates:
        return f"sweep.deactivate: needs REAPER_IMAGE_API=glance, not {reach.image_api}"
    return ""


def _project(request: Request, reach: Reach) -> str:
    if reach.project_id and request.project_id not in {"", reach.project_id}:
        return f"project_id: the credentials are for project {reach.project_id}, not {request.project_id}"
    return ""


def _unchecked(request: Request, reach: Reach) -> str:
    # It has no image that could fail: a stack that is being created would pass with a project that is not ours.
    is_empty = isinstance(request, DeletionRequest) and not request.targets
    return "the credentials could not be tried now: ask again" if is_empty and not reach.project_id else ""


def _approval(request: Request, reach: Reach) -> str:
    return reach.why_no_approvals(request.dry_run) if isinstance(request, ApprovalRequest) else ""


CHECKS: tuple[Callable[[Request, Reach], str], ...] = (_backup, _deactivation, _project, _unchecked, _approval)
"""Each says why a request may not be carried out, or nothing; the first that says something decides."""


def problem_of(request: Request, reach: Reach) -> str:
    """Why a request may not be carried out with these settings or credentials, empty if it may."""
    return next((problem for check in CHECKS if (problem := check(request, reach))), "")


def admit(message: Message, reach: Reach) -> Message:
    """Turn down a request that asks for something that these settings or credentials can't do."""
    request = message.request
    if isinstance(request, Rejected):
        return message
    problem = problem_of(request, reach)
    return message._replace(request=Rejected(problem)) if problem else message


def results(received: Received, run: Run, approvals: Approvals) -> tuple[Result, ...]:
    """Carry out the requests, wave after wave; once a message has failed, the rest of its group is held back."""
    # A FIFO queue keeps its order only if all that comes after a failed message is returned to it, untouched.
    done: list[Result] = []
    broken: set[str] = set()
    for wave in received.waves():
        held = [message for message in wave if message.group in broken]
        done += [Result(message.id, None, held=True) for message in held]
        for message, result in _wave([message for message in wave if message not in held], run, approvals):
            done.append(result)
            if result.failed and message.group is not None:
                broken.add(message.group)
    return tuple(done)


def _wave(messages: list[Message], run: Run, approvals: Approvals) -> Iterator[tuple[Message, Result]]:
    """Deal with messages side by side: the images of all of them, in turns, then one sweep or plan after the other."""
    deletions = [message for message in messages if isinstance(message.request, DeletionRequest)]
    done = carry_out_in_turns(list(map(_bundle, deletions)), run, lambda place: _false_claim(deletions[place], run))
    outcomes = iter(done)
    for message in messages:
        request = message.request
        if isinstance(request, Rejected):
            yield message, Result(message.id, None, problem=request.problem)
        elif isinstance(request, DeletionRequest):
            yield message, Result(message.id, request, outcomes=tuple(next(outcomes)))
        elif claim := _false_claim(message, run):
            yield message, Result(message.id, request, outcomes=(claim,))
        elif isinstance(request, ApprovalRequest):
            yield message, approvals.carry_out(message, request)
        else:
            yield message, sweep(request, message.id, run)


def _bundle(message: Message) -> Bundle:
    request = message.request
    targets = request.targets if isinstance(request, DeletionRequest) else ()
    jobs = [Job(target, request, message_id=message.id) for target in targets if not isinstance(request, Rejected)]
    receives = message.receipt.receives if message.receipt else 1
    # CloudFormation gets its answer now, whatever it is.
    return Bundle(jobs=jobs, receives=receives, comes_once=message.call is not None)


def _false_claim(message: Message, run: Run) -> Outcome | None:
    """What became of the image that an event calls active, if that is not so; None if nothing keeps the request back.

    Its name decides which images go, and anyone who may send an event may write any name into it.
    """
    request = message.request
    if isinstance(request, Rejected) or request.activated is None:
        return None
    outcome = _unless_active(request.activated, run)
    if outcome:
        run.report(outcome, Job(request.activated, request, message_id=message.id))
    return outcome


def _unless_active(claimed: Target, run: Run) -> Outcome | None:
    try:
        image = in_time(lambda: run.cloud.image(claimed.image_id), run.deadline, run.progress)
        facts = Facts(project_id=run.cloud.project_id, now=run.now, expect=claimed.expect)
    except CloudError as error:
        run.note(error)
        return failed(claimed.image_id, error)
    if image is None:
        detail = "the event says that it has become active, but the cloud knows no such image"
        return Outcome(claimed.image_id, "refused", "changed", detail)
    objection = judge(image, facts, run.policy, RULES_OF_ACTIVATION)
    if objection:
        return refused(image, Objection(objection.reason, f"not as the event says: {objection.detail}"))
    # If an image was only accepted, the event says nothing of its state: it may still become active, or never will.
    if image.status == "active":
        return None
    if image.status in NEVER_ACTIVE:
        return refused(image, Objection("changed", f"the image is not active: status {image.status}"))
    return failed(image.id, Unavailable(f"the image is not active yet: status {image.status}"))
