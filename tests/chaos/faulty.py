"""What goes wrong with a request on its way: the faults of a schedule, and what each does to an answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.chaos.inside import SLOW
from tests.fakecloud.api import Reply, Request

KINDS = (
    ("publish", "POST", r"/publish$"),
    ("token", "POST", r"/auth/tokens$"),
    ("delete", "DELETE", r"/images/[^/]+$"),
    ("tag", "PUT|DELETE|POST", r"/tags(/|$)"),
    ("action", "POST", r"/actions/"),
    ("change", "PATCH", r"/images/[^/]+$"),
    ("read", "GET", r"/images/[^/]+$"),
    ("members", "GET", r"/members$"),
    ("list", "GET", r"/images$|/cloudimages$"),
    ("servers", "GET", r"/servers(/detail)?$"),
    ("volumes", "GET", r"/volumes(/detail)?$"),
)
"""What is asked: the method, and how the path ends."""
OF_AWS = (
    ("DynamoDB_20120810.GetItem", "flag"),
    ("DynamoDB_20120810.", "budget"),
    ("secretsmanager.", "secret"),
    ("AmazonSQS.SendMessageBatch", "send"),
    ("AmazonSQS.ChangeMessageVisibilityBatch", "hide"),
)
"""What is asked of AWS, by how the name of the call begins."""
OF_BODIES = ((b'"lease/', "lease"), (b'"plan/', "claim"), (b"Action=Publish", "notice"))
"""What is asked of AWS, by what it names."""
AWS, SINK = "/aws", "/sink"
BUCKET = "/aws/chaos-reports/"
"""Where the objects of the bucket are."""
TOPIC = "arn:aws:sns:eu-central-1:123456789012:notices"
XML = "application/xml"
HTML = "<html><body><h1>{status}</h1>the gateway has a headache</body></html>"


def kind_of(request: Request) -> str:
    """What a request asks for."""
    if request.path.startswith(AWS):
        return _kind_of_aws(request)
    if request.path.startswith(SINK):
        return "sink"
    for kind, method, path in KINDS:
        if re.fullmatch(method, request.method) and re.search(path, request.path):
            return kind
    return "other"


def _kind_of_aws(request: Request) -> str:
    if request.path.startswith(BUCKET):
        return "put" if request.method == "PUT" else "fetch"
    if found := next((kind for sign, kind in OF_BODIES if sign in request.body), ""):
        return found
    target = request.headers.get("X-Amz-Target", "")
    return next((kind for name, kind in OF_AWS if target.startswith(name)), "aws")


def meets(fault: Mapping[str, Any], kind: str, number: int) -> bool:
    """Whether a fault is that of the request with this number among those of its kind; some last for several."""
    # What is sent to AWS is published on FunctionGraph.
    at = "publish" if kind == "publish" and fault["at"] == "send" else fault["at"]
    return bool(at == kind and 0 <= number - fault["nth"] < fault.get("times", 1))


def reaches(fault: Mapping[str, Any]) -> bool:
    """Whether the service is asked at all."""
    return fault["what"] not in {"cut", "status", "html", "throttle", "denied"}


def spoilt(fault: Mapping[str, Any], reply: Reply) -> Reply:
    """The answer that comes instead of the true one."""
    done: Reply = SPOILERS[fault["what"]](fault, reply)
    return done


def _status(fault: Mapping[str, Any], _: Reply) -> Reply:
    status = int(fault["amount"])
    body = json.dumps({"message": "no", "code": status, "__type": "InternalServerError"}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


def _html(fault: Mapping[str, Any], _: Reply) -> Reply:
    status = int(fault["amount"])
    return Reply(status, {"Content-Type": "text/html"}, HTML.format(status=status).encode())


def _denied(_: Mapping[str, Any], __: Reply) -> Reply:
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    return Reply(403, {"Content-Type": XML}, body)


def _throttle(fault: Mapping[str, Any], _: Reply) -> Reply:
    body = b'{"__type": "ProvisionedThroughputExceededException", "message": "slow down"}'
    return Reply(429, {"Content-Type": "application/json", "Retry-After": str(int(fault["amount"]))}, body)


def _slow(fault: Mapping[str, Any], reply: Reply) -> Reply:
    return replace(reply, headers={**reply.headers, SLOW: str(fault["amount"])})


def _length(_: Mapping[str, Any], reply: Reply) -> Reply:
    return replace(reply, length=len(reply.body) + 100)


def _repeat(_: Mapping[str, Any], reply: Reply) -> Reply:
    """A page in which the first entry comes once more."""
    try:
        page = json.loads(reply.body)
    except ValueError:
        return reply
    for entries in page.values() if isinstance(page, dict) else ():
        # Not the tags of an image: what was read would no longer be what is there, and that no client can know.
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            entries.append(entries[0])
    return replace(reply, body=json.dumps(page).encode())


SPOILERS: Mapping[str, Any] = {
    "cut": lambda _, reply: replace(reply, cut=True),
    "cut-after": lambda _, reply: replace(reply, cut=True),
    "half": lambda _, reply: replace(reply, cut="half"),
    "status": _status,
    "status-after": _status,
    "html": _html,
    "html-after": _html,
    "throttle": _throttle,
    "denied": _denied,
    "slow": _slow,
    "length": _length,
    "repeat": _repeat,
}
