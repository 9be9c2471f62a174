"""The few AWS calls that we make, over plain HTTP: no boto3, no botocore."""

import json
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests_aws4auth import AWS4Auth
from urllib3.util import Retry

from handler.errors import AnswerNotDelivered, AwsFault
from handler.model import AwsAccess, LifecycleAction, StackCall

TIMEOUT = (2.0, 4.0)
"""Seconds to connect, and to wait."""
TRIES = 3
PAUSE = 0.2
"""Seconds before the second try; twice as long before the third."""
RETRIES = Retry(
    TRIES - 1,
    backoff_factor=PAUSE,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    respect_retry_after_header=False,  # it may ask for more time than there is
)
LONGEST_REASON = 1000
LONGEST_ANSWER = 4096
"""Bytes that CloudFormation takes."""
LONGEST_MESSAGE = 300


def answer_stack(call: StackCall, physical_resource_id: str, problem: str = "", seconds: float = 10.0) -> None:
    """Tell CloudFormation how its request ended: SUCCESS, or FAILED with the problem. Takes `seconds` at the most.

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
    share = max((seconds / TRIES - 2 * PAUSE) / 2, 0.1)  # each try may take one to connect and one to wait
    try:
        response = _put(call.response_url, _fitting(answer), (share, share))
    except requests.RequestException as exc:
        # The address is a secret: whoever has it can answer in our place.
        message = f"CloudFormation did not take the answer: {type(exc).__name__}"
        raise AnswerNotDelivered(message) from None
    if not _succeeded(response):
        message = f"CloudFormation did not take the answer: HTTP {response.status_code}"
        raise AnswerNotDelivered(message)


def complete_lifecycle_action(action: LifecycleAction, access: AwsAccess) -> bool:
    """Tell Auto Scaling to go on with an instance; False if it no longer waits for that.

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
        response = _post("autoscaling", access, {"Accept": "application/json"}, form)
    except AwsFault as exc:
        message = f"the lifecycle action could not be completed: {exc}"
        raise AnswerNotDelivered(message) from exc
    if _succeeded(response):
        return True
    if "No active Lifecycle Action found" in response.text:
        return False
    message = f"the lifecycle action could not be completed: {_refusal('autoscaling', response)}"
    raise AnswerNotDelivered(message)


def read_secret(name: str, access: AwsAccess) -> dict[str, Any]:
    """Read a secret, given by its name or ARN: the JSON object that its text holds.

    Raises AwsFault, which shows nothing of it. Source: AWS Secrets Manager API reference, GetSecretValue.
    """
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
    response = _post("secretsmanager", access.in_region_of(name), headers, json.dumps({"SecretId": name}).encode())
    if not _succeeded(response):
        raise AwsFault(_refusal("secretsmanager", response))
    try:
        secret = json.loads(response.json()["SecretString"])
    except (KeyError, RecursionError, TypeError, ValueError):
        secret = None
    if not isinstance(secret, dict):
        message = "the text of the secret is not a JSON object"
        raise AwsFault(message)
    return secret


def _post(
    service: str, access: AwsAccess, headers: Mapping[str, str], data: bytes | Mapping[str, str]
) -> requests.Response:
    """POST with a signature; raises AwsFault if there is no answer."""
    try:
        with _session() as session:
            return session.post(
                access.endpoint(service),
                data=data,
                headers=headers,
                auth=_signature(service, access, session),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
    except requests.RequestException as exc:
        message = f"{service} can't be reached: {type(exc).__name__}"
        raise AwsFault(message) from exc


def _put(url: str, data: bytes, timeout: tuple[float, float]) -> requests.Response:
    with _session() as session:  # the address is signed for an empty content type
        return session.put(url, data=data, headers={"Content-Type": ""}, timeout=timeout, allow_redirects=False)


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
    return session


def _signature(service: str, access: AwsAccess, session: requests.Session) -> AWS4Auth:
    """Signature version 4, with the keys of the function's role."""
    key, secret, token = access.access_key_id, access.secret_access_key, access.session_token
    if access.container_credentials_uri:
        key, secret, token = _keys_of_container(access, session)
    if not key or not secret:
        message = "there are no AWS credentials in the environment"
        raise AwsFault(message)
    return AWS4Auth(key, secret, access.region, service, session_token=token or None)


def _keys_of_container(access: AwsAccess, session: requests.Session) -> tuple[str, str, str]:
    """Ask the runtime for keys: with SnapStart there are none in the environment, since they would be too old there.

    Source: AWS SDKs and tools reference guide, "Container credential provider".
    """
    response = session.get(
        access.container_credentials_uri,
        headers={"Authorization": access.container_token} if access.container_token else {},
        timeout=TIMEOUT,
        allow_redirects=False,
    )
    try:
        keys = response.json()
        return str(keys["AccessKeyId"]), str(keys["SecretAccessKey"]), str(keys["Token"])
    except (KeyError, RecursionError, TypeError, ValueError):
        message = f"the runtime gave no AWS credentials: HTTP {response.status_code}"
        raise AwsFault(message) from None


def _succeeded(response: requests.Response) -> bool:
    """Whether it was done: a redirect is no success, since we follow none."""
    return bool(requests.codes.ok <= response.status_code < requests.codes.multiple_choices)


def _refusal(service: str, response: requests.Response) -> str:
    """What AWS says to a request that it turned down: no secret of ours stands in it."""
    return f"{service} answered HTTP {response.status_code} {' '.join(response.text.split())[:LONGEST_MESSAGE]}"


def _fitting(answer: dict[str, str]) -> bytes:
    """The answer as JSON, its reason cut to what there is room for."""
    while len(body := json.dumps(answer).encode()) > LONGEST_ANSWER and answer["Reason"]:
        answer = {**answer, "Reason": answer["Reason"][:-50]}
    return body
