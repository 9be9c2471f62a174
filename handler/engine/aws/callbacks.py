"""The answers that services of AWS wait for: CloudFormation and Auto Scaling."""

import json

import requests
from urllib3.exceptions import HTTPError

from handler.connections.fenced import kind_of
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import PAUSE, TRIES, aws_session, post, refusal, succeeded
from handler.errors import AnswerNotDelivered, AwsFault
from handler.model.message import LifecycleAction, StackCall

LONGEST_REASON = 1000
LONGEST_ANSWER = 4096
"""Bytes that CloudFormation takes."""


def answer_stack(call: StackCall, physical_resource_id: str, problem: str = "", seconds: float = 10.0) -> None:
    """Tell CloudFormation how its request ended: SUCCESS, or FAILED with the problem. Takes at most `seconds`.

    Raises AnswerNotDelivered if the address does not take the answer. Source: AWS CloudFormation user guide, "Custom
    resource response objects".
    """
    answer = {
        "Status": "FAILED" if problem else "SUCCESS",
        "Reason": problem[:LONGEST_REASON],
        "PhysicalResourceId": physical_resource_id,
        "StackId": call.stack_id,
        "RequestId": call.request_id,
        "LogicalResourceId": call.logical_resource_id,
    }
    # Each try may take one share to connect and one to wait.
    share = max((seconds / TRIES - 2 * PAUSE) / 2, 0.1)
    try:
        response = _put(call.response_url, _fitting(answer), (share, share))
    # urllib3's own error comes through requests where an address can't be parsed.
    except (requests.RequestException, HTTPError) as exc:
        # The address is a secret: anyone who has it can answer in our place. The text of the error may show it, so that
        # only its kind is given, and `from None` keeps it out of the traceback.
        message = f"CloudFormation did not take the answer: {kind_of(exc)}"
        raise AnswerNotDelivered(message) from None
    if not succeeded(response):
        message = f"CloudFormation did not take the answer: HTTP {response.status_code}"
        raise AnswerNotDelivered(message)


def complete_lifecycle_action(action: LifecycleAction, access: AwsAccess) -> bool:
    """Tell Auto Scaling to go on with an instance; returns False if it is no longer waiting for that.

    Raises AnswerNotDelivered. Source: Amazon EC2 Auto Scaling API reference, CompleteLifecycleAction.
    """
    form = {
        "Action": "CompleteLifecycleAction",
        "Version": "2011-01-01",
        "AutoScalingGroupName": action.group,
        "LifecycleHookName": action.hook,
        "LifecycleActionToken": action.token,
        "LifecycleActionResult": "CONTINUE",
    }
    try:
        response = post("autoscaling", access, {"Accept": "application/json"}, form)
    except AwsFault as exc:
        message = f"the lifecycle action could not be completed: {exc}"
        raise AnswerNotDelivered(message) from exc
    if succeeded(response):
        return True
    # The hook has timed out, or has been completed by others: either way nobody is held up any more.
    if "No active Lifecycle Action found" in response.text:
        return False
    message = f"the lifecycle action could not be completed: {refusal('autoscaling', response)}"
    raise AnswerNotDelivered(message)


def _put(url: str, data: bytes, timeout: tuple[float, float]) -> requests.Response:
    with aws_session() as session:
        # The address is signed for an empty content type: with any other, the signature would be wrong.
        return session.put(url, data=data, headers={"Content-Type": ""}, timeout=timeout, allow_redirects=False)


def _fitting(answer: dict[str, str]) -> bytes:
    """The answer as JSON, with its reason cut to fit."""
    # Cut by trial: in JSON, one character may take up to twelve bytes.
    while len(body := json.dumps(answer).encode()) > LONGEST_ANSWER and answer["Reason"]:
        answer = {**answer, "Reason": answer["Reason"][:-50]}
    return body
