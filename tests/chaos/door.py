"""Where the requests of one environment come in: each is written down, runs into its fault, and is answered."""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.chaos import faulty
from tests.chaos.bucket import Bucket, published
from tests.chaos.environment import Environment
from tests.chaos.history import HandedOver, History, Invocation, Moment
from tests.chaos.history import Request as Seen
from tests.chaos.inside import SLOW, Clock
from tests.chaos.land import Land
from tests.fakecloud.api import Reply, Request

Fault = Mapping[str, Any]
Json = Mapping[str, Any]
Do = Callable[[Sequence[Mapping[str, Any]]], None]
CLOUD = "http://cloud"
"""Stands in credentials for the address at which an environment finds the cloud."""
SECRET = "chaos/credentials"
IMAGE = re.compile(r"/images/([^/]+)")
SIGNED = re.compile(r"SDK-HMAC-SHA256 Access=([^,]+),")
WORKERS = "https://sqs.eu-central-1.amazonaws.com/123456789012/workers"
FAILURES = "https://sqs.eu-central-1.amazonaws.com/123456789012/failures"


@dataclass
class Aws:
    """What of AWS a function uses: a table, a bucket, a topic, a secret, queues: of workers, failures, its messages.

    `hide` puts a message off: the name of its queue, its handle, and seconds; it returns what is wrong.
    """

    secret: dict[str, str]
    send: Callable[[str], object]
    table: Callable[[Request], Reply]
    failures: list[HandedOver]
    bucket: Bucket
    hide: Callable[[str, str, int], str]
    refuses: bool = False
    """Whether the queue takes only every second message of the next batch."""

    def answer(self, kind: str, request: Request, invocation: int | None) -> Reply:
        """Carry out a request of an invocation."""
        if (answer := self._by_kind().get(kind)) is not None:
            return answer(request)
        return self._by_json(kind, request, invocation)

    def _by_kind(self) -> Mapping[str, Callable[[Request], Reply]]:
        """Who answers what does not hang on the invocation."""
        of_table = dict.fromkeys(("budget", "flag", "lease", "claim"), self.table)
        return {**of_table, "put": self.bucket.answer, "fetch": self.bucket.answer, "notice": published}

    def _by_json(self, kind: str, request: Request, invocation: int | None) -> Reply:
        asked = json.loads(request.body)
        if kind == "secret":
            text = json.dumps(self.secret).replace(CLOUD, request.base)
            return _json({"Name": SECRET, "SecretString": text})
        if kind == "hide":
            return _json(self._hidden(asked))
        sent = [(entry["Id"], entry["MessageBody"]) for entry in asked["Entries"]]
        failed, sent = (sent[::2], sent[1::2]) if self.refuses else ([], sent)
        self.refuses = False
        for _, body in sent:
            if asked["QueueUrl"] == FAILURES:
                self.failures.append(HandedOver(invocation, body))
            else:
                self.send(body)
        digests = [(one, hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()) for one, body in sent]
        entries = [{"Id": one, "MessageId": f"sent-{one}", "MD5OfMessageBody": digest} for one, digest in digests]
        refused = [{"Id": one, "SenderFault": False, "Code": "InternalError"} for one, _ in failed]
        return _json({"Successful": entries, "Failed": refused})

    def _hidden(self, asked: Mapping[str, Any]) -> Json:
        """Put messages off, as far as that can be."""
        queue, answer = asked["QueueUrl"].rpartition("/")[2], {"Successful": list[Json](), "Failed": list[Json]()}
        for entry in asked["Entries"]:
            problem = self.hide(queue, entry["ReceiptHandle"], entry["VisibilityTimeout"])
            told = {"Id": entry["Id"]} | ({"SenderFault": True, "Code": problem} if problem else {})
            answer["Failed" if problem else "Successful"].append(told)
        return answer


def _as_lambda_has_it(body: bytes) -> str:
    """What was published to the topic of failures, by the names that Lambda has for it."""
    told = json.loads(json.loads(body)["message"])
    return json.dumps(
        {"requestPayload": json.loads(told["request_payload"]), "responsePayload": told["response_payload"]}
    )


def _json(payload: object) -> Reply:
    return Reply(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(payload).encode())


@dataclass
class Door:
    """Stands before the cloud and AWS. `script` are the faults of the invocation under way."""

    environment: Environment
    land: Land
    aws: Aws
    history: History
    clock: Clock
    tick: Callable[[], Moment]
    do: Do
    changed: Callable[[str], None]
    """Is told of each image that a request may have changed."""
    tell: Callable[[str], None]
    script: list[Fault] = field(default_factory=list)
    invocation: Invocation | None = None
    held: threading.Event = field(default_factory=threading.Event)
    broken: list[BaseException] = field(default_factory=list)
    """What went wrong with the door itself."""
    _quiet: threading.Condition = field(default_factory=threading.Condition)
    _under_way: int = 0
    _passed: Counter[str] = field(default_factory=Counter)

    def begin(self, invocation: Invocation, script: Sequence[Fault]) -> None:
        """Let an invocation begin; whoever was held is let go."""
        self.held.set()
        self.held = threading.Event()
        self.wait_until_quiet()
        self.script, self.invocation, self._passed = list(script), invocation, Counter()

    def end(self) -> None:
        """Let it be over."""
        self.wait_until_quiet()
        self.invocation, self.script = None, []

    def wait_until_quiet(self) -> None:
        """Wait until no request is under way, but for those that are held."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._under_way, 30)

    def handle(self, request: Request) -> Reply:
        """Answer a request."""
        held, invocation = self.held, self.invocation
        with self._quiet:
            self._under_way += 1
        try:
            reply, is_held = self._handle(request)
        except BaseException as exc:
            # It is the world that is wrong: to the handler, it would only look like an answer that is lost.
            self.broken.append(exc)
            raise
        finally:
            with self._quiet:
                self._under_way -= 1
                self._quiet.notify_all()
        if is_held and invocation is not None:
            # Nobody else can let the time pass by which the invocation must end without this answer.
            self.clock.value = max(self.clock.value, invocation.begun.at + invocation.seconds)
            held.wait(30)
        return reply

    def _handle(self, request: Request) -> tuple[Reply, bool]:
        invocation = self.invocation
        printed = len(self.environment.printed()) if request.method in {"DELETE", "PUT", "PATCH"} else 0
        kind = faulty.kind_of(request)
        number, self._passed[kind] = self._passed[kind], self._passed[kind] + 1
        met = [one for one in self.script if faulty.meets(one, kind, number)]
        image_id = named[1] if (named := IMAGE.search(request.path)) else ""
        sent_at = self.clock.value
        for one in met:
            self._before(one, image_id)
        spoils = [one for one in met if one["what"] in faulty.SPOILERS]
        with self.land.turn:
            begun = self.tick()
            true = self._answer(kind, request) if all(map(faulty.reaches, spoils)) else Reply(0)
        told = true
        for one in spoils:
            told = faulty.spoilt(one, told)
        for one in met:
            self._after(one, image_id)
        is_held = any(one["what"] == "hold" for one in met)
        # Whoever waits for it never has an answer that is held.
        exchange = _Exchange(request, true, replace(told, cut=is_held or told.cut), sent_at)
        self._write(exchange, invocation, begun, printed)
        self.tell(_line(invocation, f"{kind}[{number}]", request, true, told))
        return told, is_held

    def _answer(self, kind: str, request: Request) -> Reply:
        if request.path.startswith(faulty.AWS):
            return self.aws.answer(kind, request, self.invocation.number if self.invocation else None)
        if request.path.startswith(faulty.SINK):
            # CloudFormation takes every answer, whatever the cloud is.
            return Reply(200)
        reply = self.land.answer(request)
        if kind == "publish" and reply.status == 200:
            number = self.invocation.number if self.invocation else None
            self.history.handed_over.append(HandedOver(number, _as_lambda_has_it(request.body)))
        if request.method != "GET" and (named := IMAGE.search(request.path)):
            self.changed(named[1])
        return reply

    def _before(self, fault: Fault, image_id: str) -> None:
        if fault["what"] == "kill":
            self.environment.kill()
        if fault["what"] == "part":
            self.aws.refuses = True
        if fault["what"] == "revoke":
            self.land.revoke()
        if fault["what"] == "before":
            self.do(_acts(fault, image_id))

    def _after(self, fault: Fault, image_id: str) -> None:
        if fault["what"] == "after":
            self.do(_acts(fault, image_id))
        if fault["what"] == "kill-after":
            self.environment.kill()
        if fault["what"] == "freeze":
            self.freeze(fault)

    def freeze(self, fault: Fault) -> None:
        """Freeze the environment for a while: what happens meanwhile. An answer waits for it."""
        self.environment.freeze()
        self.clock.value += fault.get("amount", 0.0)
        self.do(fault.get("do", ()))
        self.environment.thaw()
        if self.invocation is not None:
            self.invocation.frozen += fault.get("amount", 0.0)

    def _write(self, one: "_Exchange", invocation: Invocation | None, begun: Moment, printed: int) -> None:
        request, told = one.request, one.told
        seen = Seen(
            number=len(self.history.requests),
            begun=begun,
            answered=self.history.moment(self.clock.value + float(told.headers.get(SLOW, 0))),
            invocation=invocation.number if invocation else None,
            environment=self.environment.number,
            method=request.method,
            path=request.path,
            query=request.query,
            body=request.body,
            status=one.true.status,
            told=0 if told.cut or told.length is not None else told.status,
            whole=(told.status, told.body, told.cut, told.length) == (one.true.status, one.true.body, False, None),
            printed=printed,
            on_its_way=begun.at - one.sent_at,
            signed_by=found[1] if (found := SIGNED.match(request.headers.get("Authorization", ""))) else "",
        )
        self.history.requests.append(seen)


class _Exchange(NamedTuple):
    """A request, what the service answered, what was told, and when it was sent."""

    request: Request
    true: Reply
    told: Reply
    sent_at: float


def _acts(fault: Fault, image_id: str) -> list[Mapping[str, Any]]:
    """What happens meanwhile: what is done `here` is done with the very image that the request is about."""
    return [{**act, "among": [image_id]} if act.get("here") and image_id else act for act in fault.get("do", ())]


def _line(invocation: Invocation | None, place: str, request: Request, true: Reply, told: Reply) -> str:
    who = invocation.number if invocation else "-"
    fate = "cut" if told.cut else f"{told.status}"
    slow = f" after {told.headers[SLOW]} s" if SLOW in told.headers else ""
    return f"  {who} {place} {request.method} {request.path}?{request.query} {true.status}>{fate}{slow}"
