"""The entry point, and the composition root: everything is built here, and only here."""

import gc
import warnings

gc.disable()  # what is loaded now stays: to look for garbage in it takes a twelfth of a cold start
warnings.filterwarnings("ignore", "Unable to find acceptable character detection")  # requests does without, so do we

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

from snapshot_restore_py import register_after_restore

from handler.clock import RESERVE, Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.dialects import DIALECTS
from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.identity import Identity
from handler.cloud.identity.keystone import KeystoneIdentity, Login, login_with
from handler.cloud.transport import Session, Transport, new_session
from handler.config import NAMESPACE, SERVICE, Settings
from handler.engine.aws import calls as aws
from handler.engine.aws import fanout
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.budget import Budget
from handler.errors import (
    CloudError,
    CredentialsRefused,
    DeadlineReached,
    ImagesFailed,
    InvalidSettings,
    Paused,
    ReaperError,
)
from handler.model.message import LifecycleAction, Received, StackCall, Waiting
from handler.model.outcome import Decision
from handler.model.request import Source, SweepRequest
from handler.report.report import Report, Reporter
from handler.sources import shapes, stack
from handler.work.deletion import Allowance, Run
from handler.work.dispatch import admit, mode_of, results, turn_down
from handler.work.in_use import Usage
from handler.work.parallel import in_time
from handler.work.sweeps import Sweeper

STACK_RESERVE = 10.0
"""Seconds kept back to answer CloudFormation, which waits for an hour where it gets no answer."""


class Context(Protocol):
    """What we need of Lambda's context."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime ends the invocation."""


def lambda_handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 (an event may be any JSON)
    """Handle one event of any source: the only name that Lambda knows.

    Gives the report, or for a queue the messages that must come again. Raises InvalidSettings, UnknownEvent or
    InvalidRequest where nothing was begun, and ImagesFailed where a caller that reads no answer must try again.
    """
    if stack.is_stack_event(event):
        return _handle_stack_event(event, context)
    settings = load_settings()
    received = read(event, settings)
    report = carry_out(received, context, settings)
    if received.waiting is Waiting.QUEUE:
        return report.failures()
    if received.waiting is not Waiting.CALLER and not report.ok:
        raise ImagesFailed(report.summary())
    if isinstance(received.waiting, LifecycleAction) and settings.complete_lifecycle_action == "on":
        _complete_lifecycle_action(received.waiting, settings)
    return report.answer()


def load_settings() -> Settings:
    """Read the settings, with the credentials that the secret held when it was first read."""
    return Settings.from_env(read=_secret)


def process(
    event: Any,  # noqa: ANN401 (an event may be any JSON)
    context: Context,
    settings: Settings,
    now: datetime | None = None,
    witness: Callable[[Decision], None] | None = None,
) -> Report:
    """Read an event and carry it out."""
    return carry_out(read(event, settings), context, settings, now, witness)


def read(event: Any, settings: Settings) -> Received:  # noqa: ANN401 (an event may be any JSON)
    """Read an event of any source; raises UnknownEvent."""
    return shapes.read_event(event, settings.scheduled_request, settings.lifecycle_request)


def carry_out(
    received: Received,
    context: Context,
    settings: Settings,
    now: datetime | None = None,
    witness: Callable[[Decision], None] | None = None,
) -> Report:
    """Do what was asked for, tell it in the log and in the metrics, and give it as a value.

    `now` is read from the clock unless it is given; `witness` is told what a sweep makes of every image.
    """
    reporter = _reporter(settings.service, settings.namespace)
    reserve = STACK_RESERVE if isinstance(received.waiting, StackCall) else RESERVE
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000, reserve=reserve)
    run = _build_run(settings, deadline, reporter, received.source, context.aws_request_id)
    run.now = now or run.now
    try:
        project_id = _connect(run, settings, received)
        run.spend = _build_budget(settings, project_id, run.now)
        admitted = received._replace(messages=tuple(admit(m, settings, project_id) for m in received.messages))
        turn_down(admitted, reporter, context.aws_request_id)
        done = results(admitted, run, _build_sweeper(settings, run, witness))
    finally:
        if run.late:  # what still runs keeps its connections, and its place in the queue for a token
            _access.cache_clear()
        deadline.halt(DeadlineReached("the invocation has ended"))
    report = Report(received.source, mode_of(settings, done), context.aws_request_id, project_id, done)
    reporter.finished(report)
    return report


def _handle_stack_event(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Do what CloudFormation asks for, and answer it whatever happens: it waits for an hour otherwise."""
    call = stack.read_stack_call(event)
    answer: dict[str, Any] = {}
    problem = ""
    try:
        if call.physical_resource_id != stack.NEVER_CREATED:  # else there is nothing, whatever the settings are
            report = process(event, context, load_settings())
            answer, problem = report.answer(), "" if report.ok else report.summary()
    except ReaperError as exc:
        problem = f"{type(exc).__name__}: {exc}"
    except Exception as exc:  # noqa: BLE001 (the outermost edge: whatever it is, CloudFormation must be told)
        problem = f"unexpected: {type(exc).__name__}"
        _reporter(SERVICE, NAMESPACE).fault(exc)
    seconds = context.get_remaining_time_in_millis() / 1000 - 1
    aws.answer_stack(call, stack.physical_id(call, failed=bool(problem)), problem, seconds)
    return answer


def _complete_lifecycle_action(action: LifecycleAction, settings: Settings) -> None:
    """Let Auto Scaling go on with the instance, now that everything is done that its event asked for."""
    if not aws.complete_lifecycle_action(action, settings.aws):
        _reporter(settings.service, settings.namespace).warn("lifecycle.over", hook=action.hook, group=action.group)


@lru_cache(maxsize=1)
def _secret(name: str, access: AwsAccess) -> dict[str, Any]:
    """The secret, which is read once in the life of the environment, and once more when it is refused."""
    return aws.read_secret(name, access)


@lru_cache(maxsize=1)
def _reporter(service: str, namespace: str) -> Reporter:
    return Reporter(service, namespace)


class _Access(NamedTuple):
    """The connections to the cloud, and who we are on them."""

    session: Session
    identity: Identity


@lru_cache(maxsize=1)
def _access(credentials: Credentials, connections: int, rotates: bool) -> _Access:  # noqa: FBT001 (a fact)
    """What outlives an invocation, and is dropped when the settings change."""
    session = new_session(connections, credentials.cacert or True)
    identity = KeystoneIdentity(
        login_with(credentials),
        session,
        interface=credentials.interface,
        region=credentials.region_name,
        rotate=partial(_rotated, credentials) if rotates else lambda: None,
    )
    return _Access(session, identity)


def _rotated(refused: Credentials) -> Login | None:
    """Read the secret again; None if it holds nothing else than what was refused."""
    _secret.cache_clear()
    try:
        credentials = load_settings().credentials
    except InvalidSettings as exc:
        message = f"the credentials were refused, and there are no others: {exc}"
        raise CredentialsRefused(message) from exc
    return None if credentials == refused else login_with(credentials)


def forget() -> None:
    """Begin anew after a snapshot was restored: what was made before it is out of date, and random numbers repeat."""
    _secret.cache_clear()
    _access.cache_clear()
    random.seed()


register_after_restore(forget)


def _build_cloud(settings: Settings, deadline: Deadline) -> Cloud:
    options = Options(
        image_api=settings.image_api,
        project_pin=settings.project_pin,
        image_endpoint=settings.image_endpoint,
        compute_endpoint=settings.compute_endpoint,
    )
    access = _access(settings.credentials, settings.concurrency, bool(settings.credentials_secret))
    return Cloud(Transport(access.session, access.identity, deadline), options)


def _build_run(settings: Settings, deadline: Deadline, reporter: Reporter, source: Source, request_id: str) -> Run:
    cloud = _build_cloud(settings, deadline)
    if DIALECTS[settings.image_api].is_discarded:
        reporter.warn("api.discarded", image_api=settings.image_api, advice="REAPER_IMAGE_API=glance or ims")
    return Run(
        cloud=cloud,
        deadline=deadline,
        policy=settings.policy,
        now=datetime.now(UTC),
        armed=settings.mode == "delete",
        usage=Usage(cloud, deadline, settings.in_use_also) if settings.in_use_check == "on" else None,
        concurrency=settings.concurrency,
        allowance=Allowance(settings.max_images),
        journal=partial(reporter.deleting, request_id, source),
        tell=partial(reporter.told, request_id, source),
        unforeseen=reporter.fault,
    )


def _build_budget(settings: Settings, project_id: str, now: datetime) -> Callable[[], None]:
    """What takes one deletion out of the project's budget, which need not be limited."""
    if settings.budget is None:
        return lambda: None
    limit, window = settings.budget
    return Budget(limit, window, settings.budget_table, settings.aws, project_id, now).take


def _build_sweeper(settings: Settings, run: Run, witness: Callable[[Decision], None] | None) -> Sweeper:
    url = settings.fanout_queue_url
    hand_over = partial(fanout.send, queue_url=url, access=settings.aws, deadline=run.deadline) if url else None
    return Sweeper(hand_over, witness or (lambda _decision: None))


def _connect(run: Run, settings: Settings, received: Received) -> str:
    """Give the project that we act for. If that can't be found out, every image of the run fails for that reason."""
    requests = received.requests
    if not requests:
        return ""
    try:
        if settings.mode == "paused":
            message = "REAPER_MODE is paused"
            raise Paused(message)
        return in_time(lambda: run.cloud.project_id, run)
    except CloudError as error:
        if not any(isinstance(request, SweepRequest) or request.targets for request in requests):
            raise  # with no image to fail, this is the only way to tell
        run.deadline.halt(error)
        return ""


gc.freeze()  # nor need it be looked through in any invocation
gc.enable()
