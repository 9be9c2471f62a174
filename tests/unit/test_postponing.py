"""Postponing: SQS is told when a message makes sense again, and whatever comes of that, the message is returned."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any

import pytest

from handler.compose.ending import PUTTING_OFF
from handler.compose.postponing import deadline_for, put_off
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.postponement import postpone
from handler.errors import DeadlineReached
from handler.fence import pass_fence
from handler.model.message import Receipt
from handler.report.reporter import Reporter
from handler.work.batches.postponements import Postponement
from tests.aws import KEYS, REGION, client
from tests.conftest import Invocation, Invoke, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.faults import Fault, Faults
from tests.faults import dripping

ARN = "arn:aws:sqs:eu-central-1:123456789012:image-reaper"
ACCESS = AwsAccess("us-east-1", KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
TOO_LONG = {"SenderFault": True, "Code": "InvalidParameterValue", "Message": "too long"}
GONE = {"SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "gone"}

Json = dict[str, Any]
Run = Callable[..., Invocation]


class Sqs:
    """SQS as it answers a batch, in which it refuses each time that is longer than it allows, and each bad handle."""

    def __init__(self, most: int = 43_200) -> None:
        self.most = most
        self.asked: list[Json] = []
        self.requests: list[Request] = []
        self.faults = Faults()

    def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        self.asked.append(request.json())
        reply = json_reply(self._answer(request.json()["Entries"]))
        fault = self.faults.take(request)
        return fault.change(reply) if fault else reply

    def _answer(self, entries: list[Json]) -> Json:
        answer: Json = {"Successful": [], "Failed": []}
        for entry in entries:
            failure = (
                TOO_LONG
                if entry["VisibilityTimeout"] > self.most
                else GONE
                if entry["ReceiptHandle"] == "bad"
                else None
            )
            answer["Failed" if failure else "Successful"].append({"Id": entry["Id"]} | (failure or {}))
        return answer

    @property
    def hidden(self) -> list[int]:
        """The seconds that were asked for, in their order."""
        return [entry["VisibilityTimeout"] for asked in self.asked for entry in asked["Entries"]]


@pytest.fixture
def sqs() -> Sqs:
    return Sqs()


@pytest.fixture
def there(sqs: Sqs) -> Iterator[AwsAccess]:
    """The access to it."""
    with Server(sqs) as server:
        yield replace(ACCESS, endpoints=(("sqs", server.url),))


@pytest.fixture
def run(invoke: Invoke, there: AwsAccess) -> Run:
    """Invoke the function, which finds this SQS."""
    keys = KEYS | {"AWS_ENDPOINT_URL_SQS": dict(there.endpoints)["sqs"]}
    return lambda event, **settings: invoke(event, **(keys | settings))


def receipt(handle: str = "h", arn: str = ARN) -> Receipt:
    return Receipt(queue=arn, handle=handle, receives=1)


# The call


def test_a_message_stays_hidden_in_a_real_queue(moto: str) -> None:
    real = client("sqs", moto)
    url = real.create_queue(QueueName="postponed", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    arn = real.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    real.send_message(QueueUrl=url, MessageBody="{}")
    (message,) = real.receive_message(QueueUrl=url)["Messages"]
    access = replace(ACCESS, endpoints=(("", moto),))
    assert postpone([(receipt(message["ReceiptHandle"], arn), 100)], access) == [""]
    assert "Messages" not in real.receive_message(QueueUrl=url)
    real.delete_queue(QueueUrl=url)


def test_sqs_is_told_of_at_most_ten_messages_at_once_and_of_one_queue(sqs: Sqs, there: AwsAccess) -> None:
    steps = [(receipt(f"h{n}"), n) for n in range(12)] + [(receipt("x", ARN + "-2"), 99)]
    assert postpone(steps, there) == [""] * 13
    assert [len(asked["Entries"]) for asked in sqs.asked] == [10, 2, 1]
    assert sqs.hidden == [*range(12), 99]
    assert {asked["QueueUrl"].rpartition("/")[2] for asked in sqs.asked} == {"image-reaper", "image-reaper-2"}


@pytest.mark.parametrize(
    ("arn", "url"),
    [
        (ARN, "https://sqs.eu-central-1.amazonaws.com/123456789012/image-reaper"),
        ("arn:aws-cn:sqs:cn-north-1:1:q.fifo", "https://sqs.cn-north-1.amazonaws.com.cn/1/q.fifo"),
    ],
)
def test_the_address_of_the_queue_follows_from_its_arn(arn: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []

    def call(_service: str, access: AwsAccess, _target: str, payload: Json, *_: str, **__: object) -> Json:
        told.append((payload["QueueUrl"], access.endpoint("sqs")))
        return {"Successful": [{"Id": "0"}]}

    monkeypatch.setattr("handler.engine.aws.postponement.call", call)
    assert postpone([(receipt(arn=arn), 1)], ACCESS) == [""]
    assert told == [(url, "/".join(url.split("/")[:3]))]


def test_it_is_signed_for_the_region_of_the_queue(sqs: Sqs, there: AwsAccess) -> None:
    postpone([(receipt(), 1)], there)
    headers = sqs.requests[0].headers
    assert headers["X-Amz-Target"] == "AmazonSQS.ChangeMessageVisibilityBatch"
    assert f"/{REGION}/sqs/aws4_request" in headers["Authorization"]


def test_of_a_time_that_is_too_long_half_is_tried_once(sqs: Sqs, there: AwsAccess) -> None:
    sqs.most = 30_000
    problems = postpone([(receipt(), 41_400), (receipt(), 7), (receipt(), 70_000)], there)
    assert problems == ["", "", "sqs answered InvalidParameterValue: too long"]
    assert sqs.hidden == [41_400, 7, 70_000, 20_700, 35_000]


def test_half_is_tried_as_well_where_one_message_spoils_the_whole_call(sqs: Sqs, there: AwsAccess) -> None:
    sqs.faults.add(Fault(status=400, body={"__type": "com.amazonaws.sqs#InvalidParameterValue"}))
    assert postpone([(receipt(), 41_400), (receipt(), 8)], there) == ["", ""]
    assert sqs.hidden == [41_400, 8, 20_700, 4]


def test_what_fails_alone_is_told_alone(there: AwsAccess) -> None:
    problems = postpone([(receipt(), 1), (receipt("bad"), 2), (receipt(), 3)], there)
    assert problems == ["", "sqs answered ReceiptHandleIsInvalid: gone", ""]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Successful": None},
        {"Successful": {"Id": "0"}},
        {"Successful": ["0"]},
        {"Successful": [{"Id": "1"}]},
        {"Successful": [{"Id": ["0"]}]},
        {"Successful": [{"Id": "0"}], "Failed": [{"Id": "0"}]},
    ],
    ids=str,
)
def test_only_what_sqs_confirms_counts_as_put_off(answer: Json, sqs: Sqs, there: AwsAccess) -> None:
    sqs.faults.add(Fault(status=200, body=answer))
    assert postpone([(receipt(), 1)], there)[0]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 400, "body": {"__type": "x#QueueDoesNotExist"}}, "QueueDoesNotExist"),
        ({"status": 403, "body": {"__type": "x#AccessDenied"}}, "sqs answered HTTP 403"),
        ({"status": 200, "body": "<html>"}, "something other than a JSON object"),
    ],
    ids=str,
)
def test_what_fails_as_a_whole_is_told_for_each_message(fault: Json, problem: str, sqs: Sqs, there: AwsAccess) -> None:
    sqs.faults.add(Fault(**fault))
    assert [problem in told for told in postpone([(receipt(), 1)] * 3, there)] == [True] * 3


# The end of an invocation


def requests(cloud: FakeCloud, *counts: int) -> list[Json]:
    return [{"image_ids": [cloud.add_image() for _ in range(count)]} for count in counts]


def test_messages_without_a_turn_are_put_off_and_returned(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    done = run(queue(*requests(cloud, 2, 2, 2)), REAPER_MAX_IMAGES="2")
    assert done.returned == ["m1", "m2"]
    first, second = sqs.hidden
    assert 0 <= first <= 60 <= second <= 120
    (line,) = done.logged("messages.put_off")
    told = [{"message_id": f"m{n}", "seconds": sqs.hidden[n - 1], "reasons": ["over_limit"]} for n in (1, 2)]
    assert (line["level"], line["count"], line["messages"]) == ("WARNING", 2, told)


def test_what_is_done_or_failed_for_good_is_not_put_off(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    messages = requests(cloud, 1, 1)
    cloud.fault("DELETE", messages[0]["image_ids"][0], status=403, times=None)
    done = run(queue(*messages, "unreadable"))
    assert sorted(done.returned) == ["m0", "m2"]
    assert (sqs.asked, done.logged("messages.put_off"), done.logged("messages.not_put_off")) == ([], [], [])


def test_a_cap_that_holds_a_sweep_back_is_a_reason_of_its_own(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    requests(cloud, 3)
    sweep = {"sweep": {"select": {"status": "active"}, "limit": 2}}
    assert run(queue(sweep)).returned == ["m0"]
    assert sqs.asked == []
    run(queue(sweep | {"sweep": sweep["sweep"] | {"limit": 9, "limit_percent": 100}}), REAPER_MAX_IMAGES="1")
    assert len(sqs.hidden) == 1


def test_a_pause_is_waited_for(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    assert run(queue(*requests(cloud, 1)), REAPER_MODE="paused").returned == ["m0"]
    assert 1800 <= sqs.hidden[0] <= 1860


@pytest.mark.parametrize("status", [429, 503])
def test_a_cloud_that_is_away_is_waited_for(status: int, run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    cloud.fault("GET", "/images/", status=status, headers={"Retry-After": "100"}, times=None)
    assert run(queue(*requests(cloud, 1))).returned == ["m0"]
    assert 300 <= sqs.hidden[0] <= 360


def test_a_used_up_budget_is_waited_for(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    budget = {"REAPER_BUDGET": "0/1h", "REAPER_STATE_TABLE": "budget"}
    done = run(queue(*requests(cloud, 1)), **budget)
    (put_off,) = done.logged("messages.put_off")[0]["messages"]
    assert put_off["reasons"] == ["budget"]
    assert sqs.hidden[0] <= 3600 + 60


def test_the_rest_of_a_group_is_put_off_with_the_message_that_failed(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    event = queue(*requests(cloud, 1, 2, 1), fifo_groups=["b", "a", "a"])
    assert run(event, REAPER_MAX_IMAGES="1").returned == ["m1", "m2"]
    assert sqs.hidden[0] == sqs.hidden[1]


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "{}"}], ids=str)
def test_what_can_not_be_put_off_is_returned_with_a_warning(fault: Json, run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    sqs.faults.add(Fault(**fault))
    done = run(queue(*requests(cloud, 1, 1, 1)), REAPER_MAX_IMAGES="1")
    assert done.returned == ["m1", "m2"]
    (line,) = done.logged("messages.not_put_off")
    assert (line["level"], line["count"], line["messages"]) == ("WARNING", 2, ["m1", "m2"])
    assert "sqs" in line["problem"]


def test_other_sources_put_nothing_off(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    (request,) = requests(cloud, 2)
    assert run(request, REAPER_MAX_IMAGES="1").answer["ok"] is False
    assert sqs.asked == []


# Its time


@pytest.mark.slow("the deadline is real")
def test_messages_are_put_off_even_after_the_deadline(run: Run, sqs: Sqs, cloud: FakeCloud) -> None:
    with dripping() as endless:
        done = run(queue(*requests(cloud, 1)), seconds=4.0, REAPER_IMAGE_ENDPOINT=endless.url)
    assert done.returned == ["m0"]
    (line,) = done.logged("messages.put_off")
    assert line["messages"][0]["reasons"] == ["deadline"]
    assert len(sqs.hidden) == 1


class Warnings(Reporter):
    """Keeps what the operator is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, object]]] = []

    def warn(self, event: str, **fields: object) -> None:
        self.heard.append((event, fields))


LATE = [Postponement(message_id="m0", receipt=receipt(), seconds=60, reasons=("deadline",))]


def test_without_time_no_message_is_put_off_and_the_log_says_so() -> None:
    reporter, asked = Warnings(), list[object]()

    def ask(steps: object) -> list[str]:
        asked.append(steps)
        return [""]

    put_off(LATE, ask, deadline_for(lambda: 1.1, reserve=1.0), reporter)
    assert asked == []
    ((event, told),) = reporter.heard
    assert (event, told["count"]) == ("messages.not_put_off", 1)
    assert "deadline" in str(told["problem"])


def test_putting_off_takes_no_longer_than_the_time_kept_back_for_it() -> None:
    deadline = deadline_for(lambda: 900.0, reserve=1.0)
    assert PUTTING_OFF - 0.5 < deadline.left() <= PUTTING_OFF


def test_a_thread_that_is_late_sends_nothing_after_the_answer() -> None:
    answered, ended, held_back = Event(), Event(), list[str]()
    ours, theirs = socket.socketpair()

    def hang(_steps: object) -> list[str]:
        pass_fence(ours, sends=True)
        answered.wait()
        for send in (partial(ours.sendall, b"POST"), partial(pass_fence, theirs, sends=True)):
            try:
                send()
            except (BrokenPipeError, DeadlineReached) as error:
                held_back.append(type(error).__name__)
        ended.set()
        return [""]

    with ours, theirs:
        put_off(LATE, hang, deadline_for(lambda: 1.3, reserve=1.0), Warnings())
        answered.set()
        assert ended.wait(10)
    assert held_back == ["BrokenPipeError", "DeadlineReached"]
