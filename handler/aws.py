"""The few AWS calls that we make, over plain HTTP: no boto3, no botocore."""

import json

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from handler.errors import AnswerNotDelivered
from handler.model import StackCall

TIMEOUT = (2.0, 5.0)
LONGEST_REASON = 1000
LONGEST_ANSWER = 4096
"""Bytes that CloudFormation takes."""


def answer_stack(call: StackCall, physical_resource_id: str, problem: str = "") -> None:
    """Tell CloudFormation how its request ended: SUCCESS, or FAILED with the problem.

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
    retries = Retry(3, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods={"PUT"})
    try:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retries))
            # The address is signed for an empty content type.
            response = session.put(
                call.response_url,
                data=_fitting(answer),
                headers={"Content-Type": ""},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
    except requests.RequestException as exc:
        # The address is a secret: whoever has it can answer in our place.
        message = f"CloudFormation did not take the answer: {type(exc).__name__}"
        raise AnswerNotDelivered(message) from None
    if not requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
        message = f"CloudFormation did not take the answer: HTTP {response.status_code}"
        raise AnswerNotDelivered(message)


def _fitting(answer: dict[str, str]) -> bytes:
    """The answer as JSON, its reason cut to what there is room for."""
    while len(body := json.dumps(answer).encode()) > LONGEST_ANSWER and answer["Reason"]:
        answer = {**answer, "Reason": answer["Reason"][:-50]}
    return body
