"""Secrets of AWS Secrets Manager."""

from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import call, json_object
from handler.errors import AwsFault


def read_secret(name: str, access: AwsAccess) -> dict[str, Any]:
    """Read a secret by its name or ARN; returns the JSON object that its text holds.

    Raises AwsFault, which shows nothing of the secret. Source: AWS Secrets Manager API reference, GetSecretValue.
    """
    target = "secretsmanager.GetSecretValue"
    answer = call("secretsmanager", access.in_region_of(name), target, {"SecretId": name}, "1.1")
    secret = json_object(answer.get("SecretString"))
    if secret is None:
        message = "the text of the secret is not a JSON object"
        raise AwsFault(message)
    return secret
