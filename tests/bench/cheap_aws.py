"""A stand-in for AWS that answers at once: moto takes more time for its answers than a worker for all of its work.

It keeps secrets and items, and says of an object or a notice that it has it. It heeds no condition and no signature:
the tests ask moto for that.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]

TABLE, BUCKET, TOPIC = "state", "reports", "arn:aws:sns:eu-central-1:123456789012:notices"
EVERYTHING = {"REAPER_STATE_TABLE": TABLE, "REAPER_REPORT_BUCKET": BUCKET, "REAPER_NOTICE_TOPIC": TOPIC}
"""The settings of a function that has table, bucket and topic, as template.yaml makes them."""
PUBLISHED = "<PublishResponse><PublishResult><MessageId>0-0</MessageId></PublishResult></PublishResponse>"
CAPACITY = {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": 1}}


class CheapAws:
    """What is kept, and how often each operation was called. Each answer takes `delay` seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.secrets: dict[str, str] = {}
        self.items: dict[str, Json] = {}
        self.calls = Counter[str]()

    def answer(self, target: str, asked: Json) -> Json:
        """The answer to a call by one of AWS's JSON protocols."""
        operation = target.rpartition(".")[2]
        self.calls[operation] += 1
        if operation == "GetSecretValue":
            return {"SecretString": self.secrets[asked["SecretId"]]}
        if operation == "GetItem":
            item = self.items.get(asked["Key"]["id"]["S"])
            return CAPACITY | ({"Item": item} if item else {})
        if operation == "BatchGetItem":
            keys = [key["id"]["S"] for key in asked["RequestItems"][TABLE]["Keys"]]
            return {"Responses": {TABLE: [self.items[key] for key in keys if key in self.items]}, "UnprocessedKeys": {}}
        return CAPACITY | {"Attributes": self._updated(asked)}

    def _updated(self, asked: Json) -> Json:
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        item = self.items.setdefault(asked["Key"]["id"]["S"], {"id": asked["Key"]["id"]})
        expression = asked["UpdateExpression"]
        item |= {names[name]: values[value] for name, value in re.findall(r"(#\w+) = (:\w+)", expression)}
        for name, value in re.findall(r"ADD (#\w+) (:\w+)", expression):
            before = int(item.get(names[name], {"N": "0"})["N"])
            item[names[name]] = {"N": str(before + int(values[value]["N"]))}
        for name in re.findall(r"REMOVE (#\w+)", expression):
            item.pop(names[name], None)
        return item


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    kept: CheapAws

    def do_POST(self) -> None:
        body = self._body()
        if target := self.headers.get("X-Amz-Target"):
            self._send(json.dumps(self.kept.answer(target, json.loads(body))).encode())
        else:
            self.kept.calls["Publish"] += 1
            self._send(PUBLISHED.encode())

    def do_PUT(self) -> None:
        self.kept.calls["PutObject"] += 1
        self._body()
        self._send(b"")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _send(self, content: bytes) -> None:
        time.sleep(self.kept.delay)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
        pass


@contextmanager
def cheap_aws(delay: float = 0.0) -> Iterator[tuple[str, CheapAws]]:
    """The address of a stand-in, and what it keeps."""
    kept = CheapAws(delay)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_OurHandler", (_Handler,), {"kept": kept}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Vault:
    """Keeps secrets there, as a client of boto3 would; it is all that `Estate` needs of one."""

    class exceptions:  # noqa: N801 (its name there)
        ResourceNotFoundException = KeyError

    def __init__(self, kept: CheapAws) -> None:
        self._kept = kept

    def put_secret_value(self, **given: str) -> Mapping[str, str]:
        self._kept.secrets[given["SecretId"]] = given["SecretString"]
        return given
