"""The fan-out: every image reaches the queue just as it was, or is told not to have."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.fanout import MOST_BYTES, requests_of, send
from handler.errors import DeadlineReached
from handler.model.request import DeletionRequest
from handler.sources.parsing import read_json
from handler.sources.schema import read_request
from tests.aws import KEYS, REGION, Client, client
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.faults import Fault
from tests.faults import Clock, closed_port, debug_urllib3, new_connections
from tests.unit.conftest import Relay
from tests.unit.test_aws import signature_by_botocore

ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/image-reaper"
EXOTIC = "".join(map(chr, range(32))) + "\x7f\x85\"'\\<&>\u2028\ufeff\ufffe\uffff\U0001f600\U0010ffff\u202e\xe4"

Json = dict[str, Any]


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.fixture
def queue(sqs: Client) -> Iterator[str]:
    url = sqs.create_queue(QueueName="workers")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def received(sqs: Client, queue: str) -> list[Json]:
    """Everything that waits in the queue, taken out of it."""
    found: list[Json] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return found


def to(url: str) -> AwsAccess:
    return replace(ACCESS, endpoints=(("sqs", url),))


def image(number: int, **expect: object) -> Json:
    return {"id": f"00000000-0000-4000-8000-{number:012}", "expect": {"name": f"ci-{number}"} | expect}


def requests_for(number: int) -> list[Json]:
    return [{"images": [image(n)], "reason": "nightly"} for n in range(number)]


def request_of(size: int) -> Json:
    """A request that is so many bytes long as a message."""
    return {"reason": "x" * (size - len(json.dumps({"reason": ""})))}


class Sqs:
    """SQS as it answers a batch; `failures` are what it says to the entries that it did not take, in their order."""

    def __init__(self, *failures: Json | None) -> None:
        self.batches: list[list[Json]] = []
        self.taken: list[Json] = []
        self.url = ""
        self._failures = iter(failures)

    def handle(self, request: Request) -> Reply:
        entries = request.json()["Entries"]
        self.batches.append([json.loads(entry["MessageBody"]) for entry in entries])
        answer: Json = {"Successful": [], "Failed": []}
        for entry in entries:
            failure = next(self._failures, None)
            kind = "Successful" if failure is None else "Failed"
            answer[kind].append({"Id": entry["Id"]} | (failure or self._take(entry["MessageBody"])))
        return json_reply(answer)

    def _take(self, body: str) -> Json:
        self.taken.append(json.loads(body))
        return {"MessageId": "m", "MD5OfMessageBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()}


def sent(sqs: Sqs, requests: list[Json]) -> list[str]:
    with Server(sqs) as server:
        return send(requests, QUEUE, to(server.url))


# Cutting


def test_a_request_holds_at_most_ten_images_and_what_all_of_them_share() -> None:
    shared = {"project_id": "p1", "delete_backup": True, "reason": "nightly"}
    found = requests_of([image(n) for n in range(25)], shared)
    assert [len(request["images"]) for request in found] == [10, 10, 5]
    assert [one for request in found for one in request["images"]] == [image(n) for n in range(25)]
    assert all({name: request[name] for name in shared} == shared for request in found)


def test_what_is_empty_is_left_out_and_each_request_can_be_read() -> None:
    for request in requests_of([image(n) for n in range(25)], {"project_id": "", "delete_backup": False, "reason": ""}):
        assert request.keys() == {"images"}
        assert isinstance(read_request(read_json(json.dumps(request), "body")), DeletionRequest)


def test_no_images_make_no_requests() -> None:
    assert requests_of([], {"reason": "nightly"}) == []
    assert send([], QUEUE, ACCESS) == []


@given(
    st.lists(st.builds(image, st.integers(0, 10**12 - 1), name=st.text() | st.just(255 * EXOTIC)), max_size=40),
    st.fixed_dictionaries({"reason": st.text(max_size=256)}),
)
def test_no_request_is_too_large_and_no_image_is_lost(images: list[Json], shared: Json) -> None:
    found = requests_of(images, shared)
    assert [one for request in found for one in request["images"]] == images
    assert all(len(json.dumps(request).encode()) <= MOST_BYTES for request in found)
    assert all(1 <= len(request["images"]) <= 10 for request in found)


def test_a_request_is_filled_to_the_last_byte() -> None:
    rest = len(json.dumps({"images": [image(1, name=""), image(2, name="")], "reason": "r"}))
    pair = [image(1, name="x" * 100_000), image(2, name="x" * (MOST_BYTES - rest - 100_000))]
    assert [len(json.dumps(request)) for request in requests_of(pair, {"reason": "r"})] == [MOST_BYTES]
    pair[1]["expect"]["name"] += "x"
    assert len(requests_of(pair, {"reason": "r"})) == 2


# Sending


@pytest.mark.slow("a hundred messages go through a real queue")
def test_a_hundred_messages_arrive_just_as_they_were_sent(sqs: Client, queue: str, moto: str) -> None:
    requests = requests_for(100)
    assert send(requests, queue, to(moto)) == [""] * 100
    assert sorted(received(sqs, queue), key=str) == sorted(requests, key=str)


def test_names_of_exotic_characters_arrive_just_as_they_were(sqs: Client, queue: str, moto: str) -> None:
    names = [(EXOTIC * 6)[:255], 255 * "\U0001f600", 255 * "\0", 255 * "\uffff", "\ud800"]
    requests = requests_of([image(number, name=name) for number, name in enumerate(names)], {"reason": EXOTIC})
    assert send(requests, queue, to(moto)) == [""]
    assert received(sqs, queue) == requests


def test_batches_go_out_in_order_and_hold_at_most_ten_messages() -> None:
    sqs, requests = Sqs(), requests_for(25)
    assert sent(sqs, requests) == [""] * 25
    assert [len(batch) for batch in sqs.batches] == [10, 10, 5]
    assert sqs.taken == requests


def test_batches_hold_no_more_bytes_than_sqs_takes() -> None:
    sqs = Sqs()
    requests = [request_of(size) for size in (MOST_BYTES, 1000, MOST_BYTES - 1000, 100_000, 100_001, 100_002)]
    assert sent(sqs, requests) == [""] * 6
    assert [len(batch) for batch in sqs.batches] == [1, 2, 2, 1]
    assert sqs.taken == requests


def test_a_message_that_is_too_large_is_told_and_the_others_are_sent() -> None:
    sqs, requests = Sqs(), [request_of(100), request_of(MOST_BYTES + 1), request_of(MOST_BYTES)]
    assert sent(sqs, requests) == ["", "larger than the 262144 bytes that a message may have", ""]
    assert sqs.taken == [requests[0], requests[2]]


# Failures

THEIRS = {"SenderFault": False, "Code": "InternalError", "Message": "try again"}
OURS = {"SenderFault": True, "Code": "InvalidParameterValue", "Message": "too long"}


def test_what_sqs_could_not_take_is_sent_again_and_nothing_else() -> None:
    sqs, requests = Sqs(None, THEIRS, None, THEIRS), requests_for(4)
    assert sent(sqs, requests) == [""] * 4
    assert sqs.batches == [requests, [requests[1], requests[3]]]


@pytest.mark.slow("the pauses between the attempts are real")
def test_what_sqs_never_takes_is_given_up_and_told() -> None:
    sqs, requests = Sqs(None, THEIRS, None, THEIRS, THEIRS), requests_for(3)
    assert sent(sqs, requests) == ["", "sqs answered InternalError: try again", ""]
    assert [len(batch) for batch in sqs.batches] == [3, 1, 1]


def test_what_sqs_will_never_take_is_not_sent_again() -> None:
    sqs, requests = Sqs(OURS, None), requests_for(2)
    assert sent(sqs, requests) == ["sqs answered InvalidParameterValue: too long", ""]
    assert len(sqs.batches) == 1


@pytest.mark.slow("the pauses between the attempts are real")
@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 400, "body": {"__type": "com.amazonaws.sqs#RequestThrottled"}, "times": 3}, "RequestThrottled"),
        ({"status": 400, "body": {"__type": "com.amazonaws.sqs#KmsDisabled", "message": "key"}}, "KmsDisabled"),
        ({"status": 403, "body": {"__type": "x#AccessDenied"}}, "sqs answered HTTP 403 "),
        ({"status": 500, "times": 3}, "sqs can't be reached: too many 500 error responses"),
        ({"status": 200, "body": "<html>"}, "something other than a JSON object"),
    ],
    ids=str,
)
def test_a_batch_that_fails_as_a_whole_does_not_keep_the_others_back(
    fault: Json, problem: str, sqs: Client, queue: str, relay: Relay
) -> None:
    requests = requests_for(25)
    relay.faults.add(Fault(**fault, skip=1))
    problems = send(requests, queue, to(relay.url))
    assert [problem in found for found in problems] == [False] * 10 + [True] * 10 + [False] * 5
    assert problems[:10] + problems[20:] == [""] * 15
    assert sorted(received(sqs, queue), key=str) == sorted(requests[:10] + requests[20:], key=str)


def test_a_run_that_fails_half_way_and_comes_again_loses_nothing(sqs: Client, queue: str, relay: Relay) -> None:
    requests = requests_for(50)
    relay.faults.add(Fault(status=403, skip=3, times=2))
    problems = send(requests, queue, to(relay.url))
    assert [bool(problem) for problem in problems] == [False] * 30 + [True] * 20
    assert sorted(received(sqs, queue), key=str) == sorted(requests[:30], key=str)
    assert send(requests, queue, to(relay.url)) == [""] * 50
    assert sorted(received(sqs, queue), key=str) == sorted(requests, key=str)


def test_an_answer_that_got_lost_sends_a_message_twice_rather_than_never(sqs: Client, queue: str, relay: Relay) -> None:
    relay.faults.add(Fault(status=None, cut=True))
    assert send(requests_for(10), queue, to(relay.url)) == [""] * 10
    assert sorted(received(sqs, queue), key=str) == sorted(requests_for(10) * 2, key=str)


MD5 = hashlib.md5(json.dumps(requests_for(1)[0]).encode(), usedforsecurity=False).hexdigest()


@pytest.mark.slow("the pauses between the attempts are real")
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Successful": None, "Failed": None},
        {"Successful": 1, "Failed": True},
        {"Successful": {"Id": "0", "MD5OfMessageBody": MD5}},
        {"Successful": ["0", None, []]},
        {"Successful": [{"Id": "1", "MD5OfMessageBody": MD5}]},
        {"Successful": [{"Id": "0"}]},
        {"Successful": [{"Id": "0", "MD5OfMessageBody": MD5[::-1]}]},
        {"Successful": [{"Id": "0", "MD5OfMessageBody": MD5}], "Failed": [{"Id": "0"}]},
        {"Successful": [{"Id": ["0"], "MD5OfMessageBody": MD5}]},
    ],
)
def test_only_what_sqs_says_that_it_has_counts_as_sent(answer: Json, cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=200, body=answer, times=None)
    problems = send(requests_for(1), QUEUE, to(f"{server.url}/sink/q"))
    assert problems[0]
    assert len(cloud.calls) == 3


def test_a_queue_that_is_not_there_is_told_for_each_message(moto: str) -> None:
    problems = send(requests_for(11), f"{moto}/123456789012/no-such-queue", to(moto))
    assert all("NonExistentQueue" in problem or "QueueDoesNotExist" in problem for problem in problems)
    assert len(problems) == 11


@pytest.mark.slow("the pauses between the attempts are real")
def test_a_queue_that_can_not_be_reached_is_told_for_each_message() -> None:
    with closed_port() as port:
        problems = send(requests_for(15), QUEUE, to(f"http://127.0.0.1:{port}"))
    assert problems == ["sqs can't be reached: connection refused"] * 15


@pytest.mark.slow("the pauses between the attempts are real")
def test_a_queue_that_stays_silent_is_not_asked_for_ever(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", cut=True, times=None)
    problems = send(requests_for(1000), QUEUE, to(f"{server.url}/sink/q"))
    assert problems[:30] == ["sqs can't be reached: the connection was cut"] * 30
    assert problems[30:] == ["not tried: sqs did not answer 3 times in a row"] * 970
    assert len(cloud.calls) == 9  # three batches, each tried three times


@pytest.mark.slow("the pauses between the attempts are real")
@pytest.mark.parametrize("answer", [{"status": 400, "body": {"__type": "x#KmsDisabled"}}, {"status": None}])
def test_a_queue_that_answers_now_and_then_is_asked_on(answer: Json, queue: str, relay: Relay) -> None:
    relay.faults.add(Fault(skip=6, **answer))
    relay.faults.add(Fault(cut=True, times=None))
    problems = send(requests_for(60), queue, to(relay.url))
    assert ["not tried" in problem for problem in problems] == [False] * 60
    assert len(relay.calls) == 16


def test_nothing_is_sent_past_the_deadline(cloud: FakeCloud, server: Server) -> None:
    problems = send(requests_for(20), QUEUE, to(f"{server.url}/sink/q"), Clock(0.5).deadline())
    assert problems == ["not reached before the deadline of the invocation"] * 20
    assert not cloud.calls


def test_a_run_that_was_ended_sends_nothing_more(cloud: FakeCloud, server: Server) -> None:
    deadline = Clock().deadline()
    deadline.halt(DeadlineReached("the invocation has ended"))
    assert send(requests_for(1), QUEUE, to(f"{server.url}/sink/q"), deadline) == ["the invocation has ended"]
    assert not cloud.calls


def test_without_keys_for_aws_nothing_is_sent(cloud: FakeCloud, server: Server) -> None:
    access = AwsAccess(REGION, endpoints=(("", f"{server.url}/sink/q"),))
    assert send(requests_for(1), QUEUE, access) == ["there are no AWS credentials in the environment"]
    assert not cloud.calls


# How it asks


def test_one_connection_serves_all_batches(queue: str, relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    debug_urllib3(caplog)
    assert send(requests_for(100), queue, to(relay.url)) == [""] * 100
    assert new_connections(caplog, relay.url.rpartition(":")[2]) == 1


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("sqs-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("sqs.eu-west-3.api.aws", "eu-west-3"),
        ("ap-southeast-2.queue.amazonaws.com", "ap-southeast-2"),
        ("vpce-0a1b2c3d-4e5f.sqs.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("vpce-abcdefab-12345678.sqs.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("queue.amazonaws.com", "from-settings"),
    ],
)
def test_the_queue_is_asked_at_its_own_host_and_in_its_own_region(host: str, region: str) -> None:
    queue = f"https://{host}/123456789012/image-reaper"
    with responses.RequestsMock() as mock:
        mock.post(f"https://{host}/", json={"__type": "x#AccessDenied"}, status=403)
        send(requests_for(1), queue, replace(ACCESS, region="from-settings"))
        request = mock.calls[0].request
    assert f"/{region}/sqs/aws4_request" in request.headers["Authorization"]
    assert json.loads(request.body or "")["QueueUrl"] == queue


def test_an_address_for_all_of_aws_wins_over_the_host_of_the_queue(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/all", status=403, body={"__type": "x#AccessDenied"})
    send(requests_for(1), QUEUE, replace(ACCESS, endpoints=(("", f"{server.url}/sink/all"),)))
    assert json.loads(cloud.calls[0].body)["QueueUrl"] == QUEUE


def test_the_request_is_signed_as_aws_s_own_library_does(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=403)
    send(requests_for(1), QUEUE, to(f"{server.url}/sink/q"))
    call = cloud.calls[0]
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert headers["x-amz-target"] == "AmazonSQS.SendMessageBatch"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["authorization"].endswith(f"Signature={signature_by_botocore(call, server.url, 'sqs')}")
