"""The hand-over: an event whose failure no repetition can cure goes to a queue, in the form that Lambda itself uses."""

from collections.abc import Mapping
from typing import Any

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.fanout import TOO_LARGE, send
from handler.engine.shortened import without_images


def hand_over(event: object, answer: Mapping[str, Any], queue_url: str, access: AwsAccess, deadline: Deadline) -> str:
    """Send an event and the report on it; returns why it was not sent, empty if it was. Raises nothing.

    The report goes without its images if it does not fit into a message with them. The two fields have the names that
    Lambda gives them in its own record of an event that it has given up, so that the event is found in one place.
    Source: AWS Lambda developer guide, "Retaining records of asynchronous invocations".
    """
    problem = ""
    for told in (answer, without_images(answer)):
        try:
            (problem,) = send([{"requestPayload": event, "responsePayload": told}], queue_url, access, deadline)
        except RecursionError:
            return "the event is nested too deeply to be written"
        if problem != TOO_LARGE:
            break
    return problem
