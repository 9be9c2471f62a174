"""The entry point of Lambda: an event in, an answer out."""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

from typing import Any

from snapshot_restore_py import register_after_restore

from handler.compose.ending import Context
from handler.compose.engines import aws
from handler.compose.handover import HandedOver, handle_or_hand_over
from handler.compose.invocation import process, read
from handler.compose.secret import forget, load_settings
from handler.compose.stacks import Done, answer_calls, calls_in
from handler.compose.warm import reporter
from handler.config.settings import NAMESPACE, SERVICE, Settings
from handler.engine.aws.callbacks import complete_lifecycle_action
from handler.errors import ImagesFailed, ReaperError
from handler.model.masking import mask_loggers
from handler.model.message import LifecycleAction, Received, Waiting
from handler.report.report import Report


def lambda_handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 (an event may be any JSON)
    """Handle one event of any source: the only name that Lambda knows.

    Returns the report, or for a queue the messages that must come again. Raises InvalidSettings, UnknownEvent or
    InvalidRequest if nothing was begun, and ImagesFailed if a source that reads no answer must send the event again.
    Neither of the last two where the event was handed over.
    """
    # Before anything that may fail: CloudFormation waits for an hour if it is not answered.
    if calls := calls_in(event):
        return answer_calls(event, calls, _done(event, context), context)
    settings = load_settings()
    received = read(event, settings, aws)
    done = handle_or_hand_over(event, received, context, settings, aws)
    return done.answer if isinstance(done, HandedOver) else _answer(received, done, settings)


def _answer(received: Received, report: Report, settings: Settings) -> dict[str, Any]:
    """The answer to the source of the event."""
    # Never an exception to a queue: all messages would come again, also those that are done.
    if received.waiting is Waiting.QUEUE:
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in report.failed_messages]}
    # An asynchronous event is sent again only if the function raises.
    if received.waiting is not Waiting.CALLER and not report.ok:
        raise ImagesFailed(report.summary())
    if isinstance(received.waiting, LifecycleAction) and settings.complete_lifecycle_action == "on":
        _complete(received.waiting, settings)
    return report.answer()


def _done(event: Any, context: Context) -> Done:  # noqa: ANN401 (an event may be any JSON)
    """Do what an event asks for that CloudFormation waits for; raises nothing, since it must get its answer."""
    try:
        return Done(process(event, context, load_settings(), aws))
    except ReaperError as exc:
        return Done(error=exc, problem=f"{type(exc).__name__}: {exc}")
    except Exception as exc:  # noqa: BLE001 (the outermost edge)
        reporter(SERVICE, NAMESPACE).bug(exc)
        # Only its kind: the text of an error that nobody has foreseen may hold a secret.
        return Done(error=exc, problem=f"unexpected: {type(exc).__name__}")


def _complete(action: LifecycleAction, settings: Settings) -> None:
    """Let Auto Scaling go on with the instance, now that everything that its event asked for is done."""
    if not complete_lifecycle_action(action, settings.aws):
        reporter(settings.service, settings.namespace).warn("lifecycle.over", hook=action.hook, group=action.group)


# With SnapStart, everything that is loaded and made up to here is part of a snapshot.
register_after_restore(forget)
mask_loggers()
coldstart.end()
