"""The few AWS calls that we make, over plain HTTP: no boto3, no botocore."""

import json

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from handler.errors import AnswerNotDelivered
from handler.model import StackCall

TIMEOUT = (2.0, 5.0)
LONGEST_REASON = 1000
"""Characters; CloudFormation takes 4096 bytes for the whole answer."""


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
                data=json.dumps(answer).encode(),
                headers={"Content-Type": ""},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            response.raise_for_status()
    except requests.RequestException as exc:
        # The address is a secret: whoever has it can answer in our place.
        message = f"CloudFormation did not take the answer: {type(exc).__name__}"
        raise AnswerNotDelivered(message) from None
