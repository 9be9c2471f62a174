"""AWS for the tests: moto's server, which speaks the wire protocols of its services, and boto3 to look into it."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import requests
from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from moto.core.utils import unix_time_millis
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import sqs_backends

from tests.fakecloud import Server
from tests.fakecloud.api import Reply, Request

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG", "AWS_REGION": REGION}

Client = Any  # boto3 makes its clients at run time


class _Moto(DomainDispatcherApplication):
    """moto's program, which looks for the backend of a host only once."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._found = dict[str | None, Any]()

    def get_backend_for_host(self, host: str | None) -> Any:  # noqa: ANN401 (moto has no types for it)
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


class Moto:
    """moto, as the fake cloud's server asks it: its own server takes longer for a request than moto does.

    One request at a time: DynamoDB keeps a condition for all writers at once, and moto alone does not.
    """

    def __init__(self) -> None:
        self._program = _Moto()
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Reply:
        """Answer a request as WSGI has it (PEP 3333)."""
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            begun.append((status, headers))

        with self._lock:
            body = b"".join(self._program(_environ(request), start_response))
        status, headers = begun[-1]
        told = dict(headers)
        length = told.pop("Content-Length", None)
        # What HEAD tells is the length of what GET would send.
        told_length = int(length) if length and request.method == "HEAD" else None
        return Reply(int(status.split()[0]), told, body, length=told_length)


def _environ(request: Request) -> dict[str, Any]:
    base = urlsplit(request.base)
    headers = {name: value for name, value in request.headers.items() if name != "transfer-encoding"}
    # S3 tells names of metadata apart that WSGI does not. moto takes the true ones from this entry.
    odd = {environ_key_for_header(name): name for name in headers if should_preserve_original_header_name(name)}
    return {
        **{environ_key_for_header(name): value for name, value in headers.items()},
        PRESERVED_HEADER_NAMES_ENVIRON_KEY: odd,
        "CONTENT_LENGTH": str(len(request.body)),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.decoded_path,
        "QUERY_STRING": request.query,
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "REMOTE_ADDR": str(base.hostname),
        "SERVER_NAME": str(base.hostname),
        "SERVER_PORT": str(base.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a server for all services."""
    with Server(Moto()) as server:
        yield server.url


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


@cache
def client(service: str, moto: str) -> Client:
    """A client of a service; making one takes longer than most of what it is asked."""
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
