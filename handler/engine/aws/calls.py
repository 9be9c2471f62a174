"""The few AWS calls that we make, over plain HTTP: no boto3, no botocore."""

import json
import random
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests_aws4auth import AWS4Auth
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from handler.engine.aws.access import AwsAccess
from handler.errors import AnswerNotDelivered, AwsFault
from handler.model.message import LifecycleAction, StackCall

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
MOST_CONNECTIONS = 128
"""Connections that a session keeps open: one for each thread that may ask at once."""
THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "ThrottlingException"}
)
"""What AWS calls it when it asks for fewer requests, with an HTTP 400 that says nothing of that."""
Session = requests.Session
"""Connections that are kept from call to call: a new one costs 25 times the work."""


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
    except (requests.RequestException, HTTPError) as exc:  # urllib3's own where an address can't be parsed
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
    target = "secretsmanager.GetSecretValue"
    answer = call("secretsmanager", access.in_region_of(name), target, {"SecretId": name}, "1.1")
    secret = _json_object(answer.get("SecretString"))
    if secret is None:
        message = "the text of the secret is not a JSON object"
        raise AwsFault(message)
    return secret


def call(  # noqa: PLR0913 (a call is all of these)
    service: str,
    access: AwsAccess,
    target: str,
    payload: Mapping[str, Any],
    version: str,
    *,
    session: Session | None = None,
) -> dict[str, Any]:
    """Call an operation, such as `DynamoDB_20120810.UpdateItem`, by one of AWS's JSON protocols, `1.0` or `1.1`.

    Raises AwsFault, also for an answer that is no JSON object. Where the answer got lost it is called again, so that it
    may be done twice. Source: Smithy, "AWS JSON 1.0 protocol".
    """
    headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
    body = json.dumps(payload).encode()
    response = _post(service, access, headers, body, session)
    for pause in (PAUSE * 2**n for n in range(TRIES - 1)):
        if _code(response) not in THROTTLED:
            break
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 (spreads the load, keeps no secret)
        response = _post(service, access, headers, body, session)
    if not _succeeded(response):
        raise AwsFault(_refusal(service, response), code=_code(response))
    answer = _json_object(response.content)
    if answer is None:
        message = f"{service} answered HTTP {response.status_code} with something else than a JSON object"
        raise AwsFault(message)
    return answer


def _post(
    service: str,
    access: AwsAccess,
    headers: Mapping[str, str],
    data: bytes | Mapping[str, str],
    kept: Session | None = None,
) -> requests.Response:
    """POST with a signature; raises AwsFault if there is no answer."""
    connections: AbstractContextManager[Session] = new_session() if kept is None else nullcontext(kept)
    try:
        with connections as session:
            return session.post(
                access.endpoint(service),
                data=data,
                headers=headers,
                auth=_signature(service, access),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
    except (requests.RequestException, HTTPError) as exc:
        message = f"{service} can't be reached: {type(exc).__name__}"
        raise AwsFault(message) from exc


def _put(url: str, data: bytes, timeout: tuple[float, float]) -> requests.Response:
    with new_session() as session:  # the address is signed for an empty content type
        return session.put(url, data=data, headers={"Content-Type": ""}, timeout=timeout, allow_redirects=False)


def new_session() -> Session:
    """Connections that may be kept, and shared between threads."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=RETRIES, pool_maxsize=MOST_CONNECTIONS))
    return session


def _signature(service: str, access: AwsAccess) -> AWS4Auth:
    """Signature version 4, with the keys of the function's role."""
    key, secret, token = access.access_key_id, access.secret_access_key, access.session_token
    if access.container_credentials_uri:
        key, secret, token = _keys_of_container(access)
    if not key or not secret:
        message = "there are no AWS credentials in the environment"
        raise AwsFault(message)
    return AWS4Auth(key, secret, access.region, service, session_token=token or None)


def _keys_of_container(access: AwsAccess) -> tuple[str, str, str]:
    """Ask the runtime for keys: with SnapStart there are none in the environment, since they would be too old there.

    It is asked directly: no proxy reaches it, or may see its token. Source: AWS SDKs and tools reference guide,
    "Container credential provider".
    """
    with new_session() as session:
        session.trust_env = False
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


def _code(response: requests.Response) -> str:
    """AWS's name for what is wrong, without the namespace; empty if nothing is, or if it has none."""
    kind = "" if _succeeded(response) else (_json_object(response.content) or {}).get("__type")
    return kind.rpartition("#")[2] if isinstance(kind, str) else ""


def _json_object(text: object) -> dict[str, Any] | None:
    """The JSON object that a text holds, None if it holds anything else."""
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else None
    except (RecursionError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _refusal(service: str, response: requests.Response) -> str:
    """What AWS says to a request that it turned down: no secret of ours stands in it."""
    return f"{service} answered HTTP {response.status_code} {' '.join(response.text.split())[:LONGEST_MESSAGE]}"


def _fitting(answer: dict[str, str]) -> bytes:
    """The answer as JSON, its reason cut to what there is room for."""
    while len(body := json.dumps(answer).encode()) > LONGEST_ANSWER and answer["Reason"]:
        answer = {**answer, "Reason": answer["Reason"][:-50]}
    return body
