"""AWS for the tests: moto's server, which speaks the wire protocols of its services, and boto3 to look into it."""

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import boto3
import requests
from moto.core.utils import unix_time_millis
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sqs.models import sqs_backends
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG", "AWS_REGION": REGION}

Client = Any  # boto3 makes its clients at run time


class OneAtATime:
    """moto behind a lock: DynamoDB keeps a condition for all writers at once, and moto alone does not."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._app(environ, start_response))]


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a server for all services."""
    logging.getLogger("werkzeug").disabled = True
    server = make_server("127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Keys(NamedTuple):
    """The keys of a role that was assumed."""

    key: str
    secret: str
    token: str

    def environment(self) -> dict[str, str]:
        """The variables by which the handler gets them."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return {**dict(zip(names, self, strict=True)), "AWS_REGION": REGION}


def keys_for(moto: str, *statements: tuple[str, str]) -> Keys:
    """The keys of a role that may do these things, each an action and a resource, and nothing else.

    Only of objects of S3, moto knows which one an action is for; all else it holds to be for `*`.
    """
    iam, name = client("iam", moto), "reports"
    allowed = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    try:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=document)
    given = client("sts", moto).assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
    return Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


@contextmanager
def checks(moto: str) -> Iterator[None]:
    """Let moto check every signature, and what its IAM permits; by itself, it checks neither."""
    requests.post(f"{moto}/moto-api/reset-auth", data="0", timeout=30)
    try:
        yield
    finally:
        requests.post(f"{moto}/moto-api/reset-auth", data="inf", timeout=30)


class QueueTime:
    """The time of moto's queues, which passes on at will."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def millis(self) -> float:
        return unix_time_millis() + self._ahead

    def pass_on(self, seconds: float) -> None:
        self._ahead += seconds * 1000

    def pass_until_visible(self, url: str) -> bool:
        """Pass on until a message of a queue can be seen; whether there is one at all."""
        queue = sqs_backends["123456789012"][REGION].queues[url.rpartition("/")[2]]
        later = [message.visible_at for message in queue._messages if message.visible_at >= self.millis()]
        if later:
            self.pass_on((min(later) - self.millis()) / 1000 + 1)
        return bool(queue._messages)

    def let_come_again(self, url: str) -> None:
        """Let all messages that can be seen again come again, as they must before each receive."""
        # moto itself does so only one by one, and lets the last of a group pass the others.
        queue = sqs_backends["123456789012"][REGION].queues[url.rpartition("/")[2]]
        for message in queue._messages:
            if message.visible:
                queue.pending_messages.discard(message)


@contextmanager
def queue_time() -> Iterator[QueueTime]:
    """The time of moto's queues, in the hands of a test."""
    time = QueueTime()
    with patch("moto.sqs.models.unix_time_millis", time.millis):
        yield time


def client(service: str, moto: str) -> Client:
    return boto3.client(service, REGION, endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x")


@contextmanager
def state_table(name: str, moto: str) -> Iterator[Client]:
    """A table as template.yaml makes it; a client for it."""
    dynamodb = client("dynamodb", moto)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield dynamodb
    dynamodb.delete_table(TableName=name)
