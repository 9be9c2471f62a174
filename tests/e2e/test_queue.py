"""Redelivery, partial failure and dead letters, with a queue that speaks SQS and a poller that acts as Lambda's."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random
from typing import Any

import pytest

from tests.aws import KEYS, Client, client
from tests.conftest import Invoke
from tests.e2e.conftest import Feed, Start
from tests.e2e.poller import Function, Poller, failures
from tests.fakecloud import FakeCloud

FIFO = {"suffix": ".fifo", "FifoQueue": "true", "ContentBasedDeduplication": "true"}
RECEIVES = 4
IDS = ["a", "b"]
UNREADABLE = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    '{"image_ids": []}',
    '{"image_ids": ["../x"]}',
    "не json",
    '{"image_ids": 7}',
]

Queues = Callable[..., tuple[str, str]]


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.fixture
def queues(sqs: Client, request: pytest.FixtureRequest) -> Iterator[Queues]:
    """Make a queue and its dead-letter queue; their addresses."""
    made: list[str] = []

    def make(suffix: str = "", **attributes: str) -> tuple[str, str]:
        name = f"q{abs(hash(request.node.name))}"
        dead = sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
        attributes |= {"VisibilityTimeout": "720", "RedrivePolicy": redrive}
        url = sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"]
        made.extend((url, dead))
        return url, dead

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


@dataclass
class Traffic:
    """Messages of every kind, and what must become of them."""

    bodies: list[str] = field(default_factory=list)
    dying: set[str] = field(default_factory=set)
    passing: set[str] = field(default_factory=set)
    staying: set[str] = field(default_factory=set)
    unprocessable: Counter[str] = field(default_factory=Counter)


def request_of(image_id: str, number: int = 0) -> str:
    return json.dumps({"image_ids": [image_id], "reason": f"nightly, \u00e4 {number}"}, ensure_ascii=bool(number % 2))


def mixed(cloud: FakeCloud, size: int) -> Traffic:
    """Of 20 messages 9 are good, 3 duplicates, 2 refused, 2 fail for a while, 1 fails for ever, 3 make no sense."""
    traffic, share = Traffic(), size // 20
    good = [cloud.add_image() for _ in range(9 * share)]
    passing = [cloud.add_image() for _ in range(2 * share)]
    refused = [cloud.add_image(protected=True) for _ in range(2 * share)]
    hopeless = [cloud.add_image() for _ in range(share)]
    for image_id in passing:
        cloud.fault("DELETE", image_id, status=403, times=RECEIVES - 1)
    for image_id in hopeless:
        cloud.fault("DELETE", image_id, status=403, times=None)
    images = [*good, *good[: 3 * share], *refused, *passing, *hopeless]
    unreadable = [
        f"{body} " * bool(body) + str(n) * (not body) for n, body in enumerate(islice(cycle(UNREADABLE), 3 * share))
    ]
    traffic.bodies = [request_of(image_id, n) for n, image_id in enumerate(images)] + unreadable
    traffic.dying, traffic.passing, traffic.staying = {*good, *passing}, set(passing), {*refused, *hopeless}
    traffic.unprocessable = Counter(traffic.bodies[-4 * share :])
    Random(size).shuffle(traffic.bodies)
    return traffic


def send(sqs: Client, url: str, bodies: list[str]) -> None:
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def send_group(sqs: Client, url: str, group: str, bodies: list[str]) -> None:
    for number, body in enumerate(bodies):
        unique = f"{group}-{number}"
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=unique)


def in_groups(traffic: Traffic) -> list[list[str]]:
    """The messages in groups of five, in which none waits so often for others that it is given up itself.

    At most one of a group fails for a while, in any place of it, and the last of each never succeeds.
    """
    last = [body for body in traffic.bodies if body in traffic.unprocessable]
    passing = [body for body in traffic.bodies if not traffic.passing.isdisjoint(images_in([body]))]
    others = iter([body for body in traffic.bodies if body not in traffic.unprocessable and body not in passing])
    groups = [[*islice(others, 3 if number < len(passing) else 4), body] for number, body in enumerate(last)]
    for number, body in enumerate(passing):
        groups[number].insert(number % 4, body)
    return groups


def images_in(bodies: list[str]) -> list[str]:
    return re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", "".join(bodies))


def killed(cloud: FakeCloud) -> list[str]:
    """The images that were deleted, in the order in which they were."""
    return [call.path.rpartition("/")[2] for call in cloud.calls_of("DELETE") if call.status == 204]


def empty(sqs: Client, url: str) -> Counter[str]:
    """The bodies of all messages of a queue."""
    bodies: Counter[str] = Counter()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies.update(message["Body"] for message in messages)
    return bodies


def check(sqs: Client, urls: tuple[str, str], cloud: FakeCloud, traffic: Traffic) -> None:
    assert set(cloud.dead) == traffic.dying
    assert set(cloud.images) == traffic.staying
    assert empty(sqs, urls[1]) == traffic.unprocessable
    counts = sqs.get_queue_attributes(QueueUrl=urls[0], AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")
    deletions = Counter((call.path.rpartition("/")[2], call.status) for call in cloud.calls_of("DELETE"))
    assert {image_id: n for (image_id, status), n in deletions.items() if status == 204} == dict.fromkeys(
        traffic.dying, 1
    )
    assert {status for _, status in deletions} == {204, 403}


def in_process(invoke: Invoke, **settings: str) -> Function:
    def function(event: dict[str, Any]) -> object:
        run = invoke(event, **settings)
        if run.error:
            raise run.error
        return run.answer

    return function


def test_of_a_thousand_mixed_messages_each_ends_where_it_should(
    sqs: Client, queues: Queues, cloud: FakeCloud, invoke: Invoke, poller: Feed
) -> None:
    urls, traffic = queues(), mixed(cloud, 1000)
    feed = poller(urls[0], in_process(invoke))
    for start in range(0, len(traffic.bodies), 50):  # they keep coming, while those before them come again
        send(sqs, urls[0], traffic.bodies[start : start + 50])
        for _ in range(5):
            feed.poll()
    feed.drain(most=1000)
    check(sqs, urls, cloud, traffic)


def test_so_does_each_of_five_hundred_in_the_groups_of_a_fifo_queue_and_in_its_order(
    sqs: Client, queues: Queues, cloud: FakeCloud, invoke: Invoke, poller: Feed
) -> None:
    urls, traffic = queues(**FIFO), mixed(cloud, 500)
    feed, groups = poller(urls[0], in_process(invoke)), in_groups(traffic)
    for number, group in enumerate(groups):
        send_group(sqs, urls[0], f"g{number}", group)
        if number % 10 == 9:
            for _ in range(5):
                feed.poll()
    feed.drain(most=1000)
    check(sqs, urls, cloud, traffic)
    times, order = Counter(images_in(traffic.bodies)), killed(cloud)
    asked = [[i for i in images_in(group) if i in traffic.dying and times[i] == 1] for group in groups]
    assert sum(map(len, asked)) > 150
    assert sum(map(len, groups)) == 500
    assert asked == [sorted(image_ids, key=order.index) for image_ids in asked]


def test_the_deployed_function_deals_with_mixed_messages_the_same_way(
    sqs: Client, queues: Queues, cloud: FakeCloud, start: Start, poller: Feed
) -> None:
    urls, traffic, runtime = queues(), mixed(cloud, 100), start()
    send(sqs, urls[0], traffic.bodies)
    poller(urls[0], lambda event: runtime.invoke(event).value).drain(most=200)
    check(sqs, urls, cloud, traffic)


def test_a_function_without_settings_leaves_every_message_intact(
    sqs: Client, queues: Queues, cloud: FakeCloud, invoke: Invoke, poller: Feed
) -> None:
    urls, bodies = queues(), [request_of(cloud.add_image(), n) for n in range(20)]
    send(sqs, urls[0], bodies)
    poller(urls[0], in_process(invoke, REAPER_MODE="?")).drain(most=20)
    assert empty(sqs, urls[1]) == Counter(bodies)
    assert len(cloud.images) == 20


def test_a_group_of_a_fifo_queue_keeps_its_order_though_messages_fail(
    sqs: Client, queues: Queues, cloud: FakeCloud, invoke: Invoke, poller: Feed
) -> None:
    url, dead = queues(**FIFO)
    groups = {f"g{number}": [cloud.add_image() for _ in range(6)] for number in range(4)}
    for position in range(6):
        for group, image_ids in groups.items():
            sqs.send_message(QueueUrl=url, MessageBody=request_of(image_ids[position]), MessageGroupId=group)
    for image_ids in groups.values():
        cloud.fault("DELETE", image_ids[2], status=403, times=2)
    poller(url, in_process(invoke)).drain(most=100)
    order = killed(cloud)
    assert {group: [i for i in order if i in image_ids] for group, image_ids in groups.items()} == groups
    assert not empty(sqs, dead)


BURSTS = {"ten of 100 images": (10, 100), "forty of 10 images, in four batches at once": (40, 10)}


@pytest.fixture
def burst(sqs: Client, queues: Queues, cloud: FakeCloud, invoke: Invoke, poller: Feed) -> Callable[[int, int], Poller]:
    """Send messages of so many images, each of which is as large as an invocation may be."""

    def begin(messages: int, images: int) -> Poller:
        url = queues()[0]
        bodies = [json.dumps({"image_ids": [cloud.add_image() for _ in range(images)]}) for _ in range(messages)]
        send(sqs, url, bodies)
        aws = KEYS | {"AWS_ENDPOINT_URL": sqs.meta.endpoint_url}
        return poller(url, in_process(invoke, REAPER_MAX_IMAGES=str(images), **aws))

    return begin


@pytest.mark.parametrize(("messages", "images"), BURSTS.values(), ids=list(BURSTS))
def test_of_messages_that_each_fill_an_invocation_none_dies_because_they_came_together(
    messages: int, images: int, cloud: FakeCloud, burst: Callable[[int, int], Poller]
) -> None:
    feed = burst(messages, images)
    assert feed.poll(workers=4) == messages
    assert len(cloud.dead) == images * messages // 10
    feed.drain(most=2 * messages)
    assert (len(cloud.dead), cloud.images) == (messages * images, {})


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_empty_answer_means_that_all_is_done(answer: object) -> None:
    assert failures(answer, IDS) == set()


MALFORMED: list[object] = ["", 7, {"x": 1}, {"batchItemFailures": "a"}] + [
    {"batchItemFailures": [item]} for item in ("a", {}, {"itemIdentifier": ""}, {"itemIdentifier": "c"}, {"id": "a"})
]


@pytest.mark.parametrize("answer", MALFORMED, ids=str)
def test_an_answer_that_makes_no_sense_means_that_nothing_is_done(answer: object) -> None:
    assert failures(answer, IDS) == set(IDS)


def test_an_answer_that_names_messages_means_that_the_others_are_done() -> None:
    assert failures({"batchItemFailures": [{"itemIdentifier": "b"}]}, IDS) == {"b"}
