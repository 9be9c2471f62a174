"""CloudFormation: what it asks for is done, and it is told how that ended, whatever happens."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.compose.ending import Context
from handler.compose.warm import reporter
from handler.config.settings import NAMESPACE, SERVICE, is_in_lambda
from handler.engine.aws.callbacks import answer_stack
from handler.errors import AnswerNotDelivered, UnknownEvent
from handler.model.message import StackCall
from handler.report.report import Report
from handler.sources.aws.records import stack_calls
from handler.sources.aws.stack import is_never_created, physical_id
from handler.sources.surroundings import Surroundings

Calls = Mapping[str, StackCall]


def calls_in(event: object) -> Calls:
    """The calls of CloudFormation in an event, by the ids of their messages; an event that is a call has an empty id.

    Raises UnknownEvent if CloudFormation would have to be answered elsewhere than at AWS.
    """
    try:
        return stack_calls(event, Surroundings(answers_here=not is_in_lambda()))
    except UnknownEvent as error:
        reporter(SERVICE, NAMESPACE).warn("stack.unanswered", problem=str(error))
        raise


class Done(NamedTuple):
    """How an event ended: the report, or the error and what CloudFormation may be told of it."""

    report: Report | None = None
    error: Exception | None = None
    problem: str = ""


def answer_calls(event: Mapping[str, Any], calls: Calls, done: Done, context: Context) -> dict[str, Any]:
    """Answer the calls in an event that has ended, no matter how; returns the answer to the source of the event.

    Raises the error of a queue's event that held other messages as well, and AnswerNotDelivered for a direct call.
    """
    report = done.report
    problems = report.problems() if report else dict.fromkeys(calls, done.problem)
    # A direct call is rejected, or fails, as a whole; a message that is held back is answered when it comes again.
    ended = {
        message_id: call for message_id, call in calls.items() if not report or not message_id or message_id in problems
    }
    unanswered = _answer(ended, problems, context)
    if "" in calls:
        return report.answer() if report else {}
    if done.error and len(event["Records"]) > len(calls):
        raise done.error
    failed = {*(report.failed_messages if report else ())} - ended.keys() | unanswered
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}


def _answer(calls: Calls, problems: Mapping[str, str], context: Context) -> set[str]:
    """Answer each call; returns the messages of those that could not be."""
    unanswered = set()
    for number, (message_id, call) in enumerate(calls.items()):
        problem = problems.get(message_id, "")
        if is_never_created(call):
            problem = ""
            told = {"logical_id": call.logical_resource_id, "physical_id": call.physical_resource_id}
            reporter(SERVICE, NAMESPACE).warn("stack.never_created", stack=call.stack_id, **told)
        seconds = (context.get_remaining_time_in_millis() / 1000 - 1) / (len(calls) - number)
        try:
            answer_stack(call, physical_id(call, failed=bool(problem)), problem, seconds)
        except AnswerNotDelivered as error:
            if not message_id:
                raise
            reporter(SERVICE, NAMESPACE).warn("stack.unanswered", problem=str(error))
            unanswered.add(message_id)
    return unanswered
