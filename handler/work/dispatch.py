"""From messages to results: which requests may be carried out, in which order, and what became of each message."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from handler.cloud.dialects import DIALECTS, ImageApi
from handler.config.standing import unaddressed
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
    """What the settings can do: which API deletes, whether each project has a secret, whether there are workers.

    `why_unknown` is what the settings lack for telling what was in use in the past, empty if they lack nothing.
    `why_no_approvals` says why no plan can be approved, or only rehearsed, here; nothing if one can.
    """

    image_api: ImageApi
    is_for_all: bool = False
    has_queue: bool = False
    why_unknown: str = ""
    why_no_approvals: Callable[[bool], str] = lambda _dry_run: ""


Deal = Callable[[list[Message]], Iterator[tuple[Message, Result]]]
"""Deals with messages side by side; yields what became of each, in their order."""


def _backup(request: Request, reach: Reach) -> str:
    if request.delete_backup and not DIALECTS[reach.image_api].deletes_backups:
        return f"delete_backup: needs REAPER_IMAGE_API=ims, not {reach.image_api}"
    return ""


def _deactivation(request: Request, reach: Reach) -> str:
    if isinstance(request, SweepRequest) and request.deactivate and not DIALECTS[reach.image_api].deactivates:
        return f"sweep.deactivate: needs REAPER_IMAGE_API=glance, not {reach.image_api}"
    return ""


def _unused(request: Request, reach: Reach) -> str:
    asks = isinstance(request, SweepRequest) and request.select.unused_for
    return f"sweep.select.unused_for: {reach.why_unknown}" if asks and reach.why_unknown else ""


def _address(request: Request, reach: Reach) -> str:
    return unaddressed(request, is_for_all=reach.is_for_all, has_queue=reach.has_queue)


def _approval(request: Request, reach: Reach) -> str:
    return reach.why_no_approvals(request.dry_run) if isinstance(request, ApprovalRequest) else ""


CHECKS: tuple[Callable[[Request, Reach], str], ...] = (_backup, _deactivation, _unused, _address, _approval)
"""Each says why a request may not be carried out, or nothing; the first that says something decides."""


def problem_of(request: Request, reach: Reach) -> str:
    """Why a request may not be carried out with these settings or credentials, empty if it may."""
    return next((problem for check in CHECKS if (problem := check(request, reach))), "")


def admit(message: Message, reach: Reach) -> Message:
    """Turn down a request that asks for something that these settings can't do."""
    request = message.request
    if isinstance(request, Rejected):
        return message
    problem = problem_of(request, reach)
    return message._replace(request=Rejected(problem)) if problem else message


def admit_to(project_id: str, message: Message) -> Message:
    """Turn down a request that is not for the project of the credentials, which is empty if nobody could tell it."""
    request = message.request
    if isinstance(request, Rejected):
        return message
    if project_id and request.project_id not in {"", project_id}:
        problem = f"project_id: the credentials are for project {project_id}, not {request.project_id}"
        return message._replace(request=Rejected(problem))
    # It has no image that could fail: a stack that is being created would pass with a project that is not ours.
    if isinstance(request, DeletionRequest) and not request.targets and not project_id:
        return message._replace(request=Rejected("the credentials could not be tried now: ask again"))
    return message


def results(received: Received, deal: Deal, broken: set[str]) -> tuple[Result, ...]:
    """Deal with messages, wave after wave; once a message has failed, the rest of its group is held back.

    `broken` are the groups of which a message has failed, also in an earlier run of the invocation; it is added to.
    """
    # A FIFO queue keeps its order only if all that comes after a failed message is returned to it, untouched.
    done: list[Result] = []
    for wave in received.waves():
        held = [message for message in wave if message.group in broken]
        done += [Result(message.id, None, held=True) for message in held]
        for message, result in deal([message for message in wave if message not in held]):
            done.append(result)
            if result.failed and message.group is not None:
                broken.add(message.group)
    return tuple(done)


def carry_out_wave(messages: list[Message], run: Run, approvals: Approvals) -> Iterator[tuple[Message, Result]]:
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
