"""Messages to results: what may be carried out, in which order, and what became of it."""

from collections.abc import Iterator
from itertools import islice

from handler.cloud.dialects import DIALECTS
from handler.config import Settings
from handler.errors import InvalidRequest
from handler.model.message import Message, Received, Rejected, Waiting
from handler.model.outcome import Result
from handler.model.request import DeletionRequest, Job, SweepRequest
from handler.report.report import Reporter
from handler.work.deletion import Run
from handler.work.parallel import carry_out
from handler.work.sweeps import Sweeper, sweep


def admit(message: Message, settings: Settings, project_id: str) -> Message:
    """Turn a request down that asks for what these settings or credentials can't give."""
    request = message.request
    if isinstance(request, Rejected):
        return message
    dialect = DIALECTS[settings.image_api]
    if request.delete_backup and not dialect.deletes_backups:
        problem = f"delete_backup: needs REAPER_IMAGE_API=ims, not {settings.image_api}"
        return message._replace(request=Rejected(problem))
    if isinstance(request, SweepRequest) and request.deactivate and not dialect.deactivates:
        problem = f"sweep.deactivate: needs REAPER_IMAGE_API=glance, not {settings.image_api}"
        return message._replace(request=Rejected(problem))
    if project_id and request.project_id not in {"", project_id}:
        problem = f"project_id: the credentials are for project {project_id}, not {request.project_id}"
        return message._replace(request=Rejected(problem))
    return message


def turn_down(received: Received, reporter: Reporter, request_id: str) -> None:
    """Log each request that is turned down. Only a queue can get it back alone: elsewhere the whole event fails."""
    problems = [message for message in received.messages if isinstance(message.request, Rejected)]
    for message in problems:
        reporter.rejected(request_id, received.source, _problem(message), message.id)
    if problems and received.waiting is not Waiting.QUEUE:
        reporter.count(received.source, (), len(problems))
        raise InvalidRequest("; ".join(map(_problem, problems)))


def results(received: Received, run: Run, sweeper: Sweeper) -> tuple[Result, ...]:
    """Carry the requests out, wave after wave; a message group whose message failed is left alone from there on."""
    done: list[Result] = []
    broken: set[str] = set()
    for wave in received.waves():
        held = [message for message in wave if message.group in broken]
        done += [Result(message.id, None, held=True) for message in held]
        for message, result in _wave([message for message in wave if message not in held], run, sweeper):
            done.append(result)
            if result.failed and message.group is not None:
                broken.add(message.group)
    return tuple(done)


def mode_of(settings: Settings, done: tuple[Result, ...]) -> str:
    """The mode that the images met: a request may rehearse where the function is armed."""
    asked = [result.request for result in done if result.request]
    rehearsed = settings.mode == "delete" and asked and all(request.dry_run for request in asked)
    return "dry-run" if rehearsed else settings.mode


def _wave(messages: list[Message], run: Run, sweeper: Sweeper) -> Iterator[tuple[Message, Result]]:
    """Deal with messages side by side: the images of all of them at once, then one sweep after the other."""
    readable = [(m.request, m.id) for m in messages if isinstance(m.request, DeletionRequest)]
    jobs = [Job(target, request, message_id) for request, message_id in readable for target in request.targets]
    outcomes = iter(carry_out(jobs, run))
    for message in messages:
        request = message.request
        if isinstance(request, Rejected):
            yield message, Result(message.id, None, problem=request.problem)
        elif isinstance(request, SweepRequest):
            yield message, sweep(request, message.id, run, sweeper)
        else:
            yield message, Result(message.id, request, tuple(islice(outcomes, len(request.targets))))


def _problem(message: Message) -> str:
    return message.request.problem if isinstance(message.request, Rejected) else ""
