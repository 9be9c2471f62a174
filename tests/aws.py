"""AWS for the tests: moto's server, which speaks the wire protocols of its services, and boto3 to look into it."""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
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
