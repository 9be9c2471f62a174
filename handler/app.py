"""The entry point of Lambda: an event in, an answer out."""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

from collections.abc import Mapping
from typing import Any

from snapshot_restore_py import register_after_restore

from handler.compose.invocation import Context, handle, process, read
from handler.compose.warm import forget, load_settings, reporter
from handler.config import NAMESPACE, SERVICE, Settings
from handler.engine.aws.callbacks import answer_stack, complete_lifecycle_action
from handler.errors import ImagesFailed, ReaperError
from handler.model.masking import mask_loggers
from handler.model.message import LifecycleAction, Received, StackCall, Waiting
from handler.report.report import Report
from handler.sources.stack import NEVER_CREATED, is_stack_event, physical_id, read_stack_call


def lambda_handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 (an event may be any JSON)
    """Handle one event of any source: the only name that Lambda knows.

    Returns the report, or for a queue the messages that must come again. Raises InvalidSettings, UnknownEvent or
    InvalidRequest if nothing was begun, and ImagesFailed if a source that reads no answer must send the event again.
    """
    # Before anything that may fail: CloudFormation waits for an hour if it is not answered.
    if is_stack_event(event):
        return _handle_stack_call(read_stack_call(event), event, context)
    settings = load_settings()
    received = read(event, settings)
    return _answer(received, handle(received, context, settings), settings)


def _answer(received: Received, report: Report, settings: Settings) -> dict[str, Any]:
    """The answer to the source of the event."""
    # Never an exception to a queue: all messages would come again, also those that are done.
    if received.waiting is Waiting.QUEUE:
        return report.failures()
    # An asynchronous event is sent again only if the function raises.
    if received.waiting is not Waiting.CALLER and not report.ok:
        raise ImagesFailed(report.summary())
    if isinstance(received.waiting, LifecycleAction) and settings.complete_lifecycle_action == "on":
        _complete(received.waiting, settings)
    return report.answer()


def _handle_stack_call(call: StackCall, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Do what CloudFormation asks for, and answer it no matter what happens."""
    answer: dict[str, Any] = {}
    problem = ""
    try:
        # A resource that was never created has nothing to delete: its rollback must succeed even with wrong settings.
        if call.physical_resource_id != NEVER_CREATED:
            report = process(event, context, load_settings())
            answer, problem = report.answer(), "" if report.ok else report.summary()
    except ReaperError as exc:
        problem = f"{type(exc).__name__}: {exc}"
    except Exception as exc:  # noqa: BLE001 (the outermost edge: CloudFormation must get an answer)
        # Only its kind: the text of an error that nobody has foreseen may hold a secret.
        problem = f"unexpected: {type(exc).__name__}"
        reporter(SERVICE, NAMESPACE).bug(exc)
    seconds = context.get_remaining_time_in_millis() / 1000 - 1
    answer_stack(call, physical_id(call, failed=bool(problem)), problem, seconds)
    return answer


def _complete(action: LifecycleAction, settings: Settings) -> None:
    """Let Auto Scaling go on with the instance, now that everything that its event asked for is done."""
    if not complete_lifecycle_action(action, settings.aws):
        reporter(settings.service, settings.namespace).warn("lifecycle.over", hook=action.hook, group=action.group)


# With SnapStart, everything that is loaded and made up to here is part of a snapshot.
register_after_restore(forget)
mask_loggers()
coldstart.end()
