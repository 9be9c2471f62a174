"""A call to AWS over plain HTTP, signed: no boto3, no botocore."""

import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import requests
from requests_aws4auth import AWS4Auth
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from handler.connections.fenced import FencedSession, kind_of
from handler.engine.answers import code_in
from handler.engine.aws.access import AwsAccess
from handler.errors import AwsFault
from handler.model.masking import beginning

TIMEOUT = (2.0, 4.0)
"""Seconds to connect, and to wait."""
TRIES = 3
PAUSE = 0.2
"""Seconds before the second try; twice as long before the third."""
RETRIES = Retry(
    TRIES - 1,
    backoff_factor=PAUSE,
    status_forcelist=(429, 500, 502, 503, 504),
    # Any method: by itself, urllib3 does not repeat a POST. Every call that is made here may be made twice.
    allowed_methods=None,
    respect_retry_after_header=False,  # it may ask for more time than there is
)
LONGEST_MESSAGE = 300
MOST_CONNECTIONS = 128
"""Connections that a session keeps open: one for each thread that may ask at once."""
THROTTLED = frozenset(
    {
        *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "ThrottlingException"),
        *("KMSThrottling", "Throttled", "Throttling"),
    }
)
"""AWS's names for asking for fewer requests. They come with an HTTP 400, which the retries above do not see."""
SIGNED = ("x-amz-security-token", "Authorization")
"""The headers of a request that are secret."""
Session = requests.Session
"""Connections that are kept from call to call: over a new one, a call takes 25 times the CPU time."""


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

    Raises AwsFault, also for an answer that is not a JSON object. If an answer is lost, the operation is called again,
    and so may be carried out twice. Source: Smithy, "AWS JSON 1.0 protocol".
    """
    headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
    body = json.dumps(payload).encode()
    response = patiently(lambda: post(service, access, headers, body, session))
    if not succeeded(response):
        raise AwsFault(refusal(service, response), code=_code(response), answer=json_object(response.content))
    answer = json_object(response.content)
    if answer is None:
        message = f"{service} answered HTTP {response.status_code} with something other than a JSON object"
        raise AwsFault(message)
    return answer


def patiently(ask: Callable[[], requests.Response]) -> requests.Response:
    """Ask AWS, and up to twice more if it wants fewer requests; returns its last answer."""
    response = ask()
    for pause in (PAUSE * 2**n for n in range(TRIES - 1)):
        if _code(response) not in THROTTLED:
            break
        time.sleep(random.uniform(pause / 2, pause))  # noqa: S311  # nosec B311 # it keeps no secret
        response = ask()
    return response


def post(
    service: str,
    access: AwsAccess,
    headers: Mapping[str, str],
    data: bytes | Mapping[str, str],
    kept: Session | None = None,
) -> requests.Response:
    """POST with a signature; raises AwsFault if there is no answer."""
    connections: AbstractContextManager[Session] = aws_session() if kept is None else nullcontext(kept)
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
    # A key that no header may hold, as one that ends in a line break, is a ValueError whose text shows it.
    except (requests.RequestException, HTTPError, ValueError) as exc:
        message = f"{service} can't be reached: {kind_of(exc)}"
        raise AwsFault(message) from None


def aws_session() -> Session:
    """Connections that may be kept, and shared between threads."""
    return FencedSession(max_retries=RETRIES, pool_maxsize=MOST_CONNECTIONS)


def _signature(service: str, access: AwsAccess) -> AWS4Auth:
    """Signature version 4, with the keys of the function's role."""
    key, secret, token = keys_of(access)
    return AWS4Auth(key, secret, access.region, service, session_token=token or None)


def keys_of(access: AwsAccess) -> tuple[str, str, str]:
    """The access key, its secret key and the session token that are valid now; raises AwsFault if there are none."""
    key, secret, token = access.access_key_id, access.secret_access_key, access.session_token
    if access.container_credentials_uri:
        key, secret, token = _keys_of_container(access)
    if not key or not secret:
        message = "there are no AWS credentials in the environment"
        raise AwsFault(message)
    return key, secret, token


def _keys_of_container(access: AwsAccess) -> tuple[str, str, str]:
    """Ask the runtime for keys: with SnapStart there are none in the environment, since they would be out of date.

    Source: AWS SDKs and tools reference guide, "Container credential provider".
    """
    try:
        response = _answer_of_container(access)
    # Only its kind, and `from None`: the address that hands out keys may be as good as a key.
    except (requests.RequestException, HTTPError, ValueError) as exc:
        message = f"the runtime gave no AWS credentials: {kind_of(exc)}"
        raise AwsFault(message) from None
    try:
        keys = response.json()
        return str(keys["AccessKeyId"]), str(keys["SecretAccessKey"]), str(keys["Token"])
    except (KeyError, RecursionError, TypeError, ValueError):
        message = f"the runtime gave no AWS credentials: HTTP {response.status_code}"
        raise AwsFault(message) from None


def _answer_of_container(access: AwsAccess) -> requests.Response:
    with aws_session() as session:
        # No proxy of the environment: it could not reach the runtime, and would see the token for the keys.
        session.trust_env = False
        return session.get(
            access.container_credentials_uri,
            headers={"Authorization": access.container_token} if access.container_token else {},
            timeout=TIMEOUT,
            allow_redirects=False,
        )


def succeeded(response: requests.Response) -> bool:
    """Whether a call succeeded. A redirect is no success, since none is followed."""
    return bool(requests.codes.ok <= response.status_code < requests.codes.multiple_choices)


def _code(response: requests.Response) -> str:
    """AWS's name for an error, without its namespace; empty if there is no error, or no name for it."""
    if succeeded(response):
        return ""
    kind = (json_object(response.content) or {}).get("__type")
    return kind.rpartition("#")[2] if isinstance(kind, str) else code_in(response.content)


def json_object(text: object) -> dict[str, Any] | None:
    """The JSON object that a text holds, None if it holds anything else."""
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else None
    except (RecursionError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def by_id(answer: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The entries of one kind in the answer to a batch."""
    entries = answer.get(kind)
    found = entries if isinstance(entries, list) else []
    return {str(entry.get("Id")): entry for entry in found if isinstance(entry, dict)}


def refusal(service: str, response: requests.Response) -> str:
    """What AWS says about a request that it turned down, which shows no secret of ours."""
    text = " ".join(response.text.split())
    # What we have sent may be repeated, in JSON with slashes that are escaped.
    for sent in filter(None, map(response.request.headers.get, SIGNED)):
        text = text.replace(sent, "***").replace(sent.replace("/", "\\/"), "***")
    return f"{service} answered HTTP {response.status_code} {beginning(text, LONGEST_MESSAGE)}"
