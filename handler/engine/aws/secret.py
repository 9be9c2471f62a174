"""Secrets of AWS Secrets Manager."""

import binascii
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, call, json_object
from handler.errors import AwsFault

MALFORMED = "MalformedSecret"
"""Our own name for what is wrong with a secret that AWS has given us."""


def read_secret(name: str, access: AwsAccess, session: Session | None = None) -> dict[str, Any]:
    """Read a secret by its name or ARN; returns the JSON object that it holds, as a text or as the bytes of a file.

    `session` is for connections that are kept, where many secrets are read. Raises AwsFault, which shows nothing of the
    secret. Source: AWS Secrets Manager API reference, GetSecretValue.
    """
    target = "secretsmanager.GetSecretValue"
    answer = call("secretsmanager", access.in_region_of(name), target, {"SecretId": name}, "1.1", session=session)
    secret = json_object(_content(answer))
    if secret is None:
        message = 'the secret is not a JSON object, such as {"OS_AUTH_URL": "https://..."}'
        raise AwsFault(message, code=MALFORMED)
    return secret


def _content(answer: dict[str, Any]) -> str | bytes | None:
    text, binary = answer.get("SecretString"), answer.get("SecretBinary")
    if isinstance(text, str):
        # Windows writes a mark at the beginning of a file; in bytes, Python's JSON takes it by itself.
        return text.removeprefix("\ufeff")
    try:
        return binascii.a2b_base64(binary) if isinstance(binary, str) else None
    except binascii.Error:
        return None
