"""Notices by SNS, against moto's server, which checks who sends them, and by SMN: cut to what a topic takes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from handler.compose.engines import aws, functiongraph
from handler.config.settings import Settings
from handler.engine.notices import CUT, LONGEST_SUBJECT, MOST_BYTES, sendable, subject_of, text_of
from handler.engine.ports import Notify
from handler.model.notice import Notice
from tests.aws import KEYS, REGION, checks, client, keys_for
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.faults import Clock, closed_port
from tests.unit.test_bucket import CLOUD
from tests.unit.there import There, there

__all__ = ["there"]

FAMILIES = ("ubuntu", "ubuntu-gpu", "w\xefn \U0001f408")
NOTICE = Notice(
    "image-reaper: 3 images of demo would go",
    "Three images would go.\n\n\xe4\xf6\xfc \U0001f408 & <b> + %41\n",
    {"project": DEMO, "kind": "plan", "family": FAMILIES},
)


class Topic:
    """A topic of SNS, and the queue that gets what is published there."""

    def __init__(self, moto: str) -> None:
        self._sns, self._sqs = client("sns", moto), client("sqs", moto)
        self.arn: str = self._sns.create_topic(Name="notices")["TopicArn"]
        self._queue: str = self._sqs.create_queue(QueueName="notices")["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:123456789012:notices"
        self._subscription = self._sns.subscribe(
            TopicArn=self.arn, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

    def filter_by(self, policy: dict[str, list[str]]) -> None:
        self._sns.set_subscription_attributes(
            SubscriptionArn=self._subscription, AttributeName="FilterPolicy", AttributeValue=json.dumps(policy)
        )

    def published(self) -> list[dict[str, Any]]:
        asked = {"QueueUrl": self._queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
        return [json.loads(message["Body"]) for message in self._sqs.receive_message(**asked).get("Messages", ())]

    def remove(self) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sns.delete_topic(TopicArn=self.arn)
        self._sqs.delete_queue(QueueUrl=self._queue)


@pytest.fixture
def topic(moto: str) -> Iterator[Topic]:
    topic = Topic(moto)
    yield topic
    topic.remove()


def by_sns(arn: str, environment: dict[str, str], clock: Clock | None = None) -> Notify:
    settings = Settings.from_env(CLOUD | {"REAPER_NOTICE_TOPIC": arn} | environment)
    notify = aws.notify(settings, (clock or Clock()).deadline())
    assert notify
    return notify


def at(moto: str) -> dict[str, str]:
    return KEYS | {"AWS_ENDPOINT_URL": moto}


# SNS


def test_without_the_setting_nobody_is_told() -> None:
    assert aws.notify(Settings.from_env(CLOUD), Clock().deadline()) is None


def test_a_notice_arrives_as_it_is_with_its_attributes(moto: str, topic: Topic) -> None:
    keys = keys_for(moto, ("sns:Publish", "*"))
    with checks(moto):
        assert by_sns(topic.arn, keys.environment() | {"AWS_ENDPOINT_URL_SNS": moto})(NOTICE) == ""
    (found,) = topic.published()
    assert (found["Subject"], found["Message"]) == (NOTICE.subject, NOTICE.text)
    assert found["MessageAttributes"] == {
        "project": {"Type": "String", "Value": DEMO},
        "kind": {"Type": "String", "Value": "plan"},
        "family": {"Type": "String.Array", "Value": json.dumps(FAMILIES)},
    }


@pytest.mark.parametrize(
    ("policy", "is_told"),
    [({"kind": ["plan"]}, True), ({"kind": ["deleted"]}, False)]
    + [({"family": [name]}, True) for name in FAMILIES]
    + [({"family": ["debian"]}, False), ({"project": [DEMO], "family": ["ubuntu"]}, True)],
)
def test_a_subscriber_may_filter(policy: dict[str, list[str]], is_told: bool, moto: str, topic: Topic) -> None:  # noqa: FBT001
    topic.filter_by(policy)
    assert by_sns(topic.arn, at(moto))(NOTICE) == ""
    assert len(topic.published()) == is_told


def test_who_may_not_publish_is_told_so(moto: str, topic: Topic) -> None:
    keys = keys_for(moto, ("sns:Subscribe", "*"))
    with checks(moto):
        problem = by_sns(topic.arn, keys.environment() | {"AWS_ENDPOINT_URL": moto})(NOTICE)
    assert "sns answered HTTP 403" in problem
    assert not [part for part in keys if part in problem]
    assert topic.published() == []


def test_wrong_keys_are_a_problem(moto: str, topic: Topic) -> None:
    keys = keys_for(moto, ("sns:Publish", "*"))
    with checks(moto):
        problem = by_sns(topic.arn, keys._replace(secret="x").environment() | {"AWS_ENDPOINT_URL": moto})(NOTICE)
    assert "sns answered HTTP 403" in problem
    assert topic.published() == []


def test_a_topic_that_is_not_there_is_a_problem(moto: str, topic: Topic) -> None:
    assert "sns answered HTTP 404" in by_sns(f"{topic.arn}-other", at(moto))(NOTICE)


def test_a_topic_is_asked_in_its_own_region(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", status=200, body="<MessageId>0-1</MessageId>")
    arn = "arn:aws:sns:us-east-1:123456789012:notices"
    assert by_sns(arn, at(server.url))(NOTICE) == ""
    assert "/us-east-1/sns/aws4_request" in cloud.calls[0].headers["Authorization"]


def test_what_is_empty_is_left_out(moto: str, topic: Topic) -> None:
    notice = Notice("", "text", {"project": "", "kind": "held", "family": (), "owner": ("", "a", "a")})
    assert by_sns(topic.arn, at(moto))(notice) == ""
    (found,) = topic.published()
    assert found["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "held"},
        "owner": {"Type": "String.Array", "Value": '["a"]'},
    }
    assert by_sns(topic.arn, at(moto))(NOTICE._replace(text="")) == ""
    assert NOTICE.subject in [each["Message"] for each in topic.published()]


def test_a_notice_that_is_too_large_is_cut(moto: str, topic: Topic) -> None:
    families = tuple(f"family-\xe4-{number}" for number in range(5000))
    line = "one of many lines \xe4\n"
    notice = Notice("subject " * 100, line * 20_000, {"kind": "plan"} | {f"family{n}": families for n in range(12)})
    assert by_sns(topic.arn, at(moto))(notice) == ""
    (found,) = topic.published()
    told = found["MessageAttributes"]
    sizes = [len(name) + len(value["Type"]) + len(value["Value"]) for name, value in told.items()]
    assert MOST_BYTES - 100 < len(found["Message"].encode()) + sum(sizes) + len(found["Subject"]) <= MOST_BYTES
    assert found["Message"].endswith(line.rstrip() + CUT)
    assert len(told) == 9
    assert json.loads(told["family1"]["Value"]) == list(families[: len(json.loads(told["family1"]["Value"]))])
    assert len(found["Subject"]) < 100


@pytest.mark.parametrize("body", ["", "<html>Log in</html>", "{}"])
def test_only_an_id_shows_that_a_notice_was_taken(body: str, cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", status=200, body=body)
    assert "sns answered HTTP 200" in by_sns("arn:aws:sns:eu-central-1:123456789012:n", at(server.url))(NOTICE)


@pytest.mark.parametrize("code", ["Throttling", "Throttled", "KMSThrottling"])
def test_sns_is_asked_again_when_it_wants_fewer_requests(code: str, cloud: FakeCloud, server: Server) -> None:
    wait = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
    cloud.fault("POST", status=400, body=wait, times=2)
    cloud.fault("POST", status=200, body="<MessageId>0-1</MessageId>")
    assert by_sns("arn:aws:sns:eu-central-1:123456789012:n", at(server.url))(NOTICE) == ""
    assert len(cloud.calls) == 3


@pytest.mark.slow("it is tried three times")
def test_an_sns_that_can_not_be_reached_is_a_problem() -> None:
    with closed_port() as port:
        notify = by_sns("arn:aws:sns:eu-central-1:123456789012:n", at(f"http://127.0.0.1:{port}"))
        assert notify(NOTICE) == "sns can't be reached: connection refused"


def test_nothing_is_told_once_the_time_is_over(cloud: FakeCloud, server: Server) -> None:
    notify = by_sns("arn:aws:sns:eu-central-1:123456789012:n", at(server.url), Clock(0.5))
    assert "deadline" in notify(NOTICE)
    assert cloud.calls == []


# What fits


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("plain", "plain"),
        ("  two\n\nlines\t\x00 \x1b[1m ", "two lines [1m"),
        ("\xe4\U0001f408\ud800", "???"),
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 96 + "..."),
        ("x" * 95 + " y" * 10, "x" * 95 + "..."),
        ("\n", ""),
    ],
    ids=ascii,
)
def test_a_subject_is_one_short_line_of_ascii(text: str, subject: str) -> None:
    assert subject_of(text) == subject
    assert len(subject) <= LONGEST_SUBJECT


def test_a_text_is_cut_after_a_whole_line_and_says_so() -> None:
    text = "first\nsecond \xe4\nthird\n" + "x" * 100
    assert text_of(text, 1000) == text
    assert text_of(text, len(text.encode())) == text
    assert text_of(text, len(CUT) + 22) == "first\nsecond \xe4\nthird" + CUT
    assert text_of(text, len(CUT) + 15) == "first" + CUT
    assert text_of("\xe4" * 100, len(CUT) + 3) == "\xe4" + CUT


def test_what_can_not_be_sent_becomes_a_question_mark() -> None:
    assert sendable("a\tb\n\x00\x0b\ud800\udc00\ufffe\xe4\U0001f408") == "a\tb\n?????\xe4\U0001f408"


# SMN


@pytest.fixture
def by_smn(there: There, clean_environment: pytest.MonkeyPatch) -> Notify:
    urn = there.cloud.add_topic()
    environment = there.environment() | {"REAPER_NOTICE_TOPIC": urn}
    clean_environment.setenv("HTTPS_PROXY", environment["HTTPS_PROXY"])
    _, settings = functiongraph.begin(there.context, environment)
    notify = functiongraph.notify(settings, Clock().deadline())
    assert notify
    return notify


def told(there: There) -> list[Mapping[str, Any]]:
    (messages,) = there.cloud.topics.values()
    return list(messages)


def test_a_notice_is_published_to_a_topic_of_smn(there: There, by_smn: Notify) -> None:
    assert by_smn(NOTICE) == ""
    assert told(there) == [
        {
            "subject": NOTICE.subject,
            "message": NOTICE.text,
            "message_attributes": [
                {"name": "project", "type": "STRING", "value": DEMO},
                {"name": "kind", "type": "STRING", "value": "plan"},
                {"name": "family", "type": "STRING_ARRAY", "value": ["ubuntu", "ubuntu_gpu", "w_n__"]},
            ],
        }
    ]


def test_attributes_are_cut_to_what_smn_takes(there: There, by_smn: Notify) -> None:
    families = ("", *(f"a-{'b' * 40}-{number}" for number in range(3)), *map(str, range(20)))
    assert by_smn(NOTICE._replace(attributes={"kind": "x" * 40, "empty": (), "family": families})) == ""
    (found,) = told(there)
    kind, family = found["message_attributes"]
    assert kind["value"] == "x" * 32
    assert family["value"] == [f"a_{'b' * 30}", *map(str, range(9))]


def test_a_notice_of_smn_is_cut_and_never_empty(there: There, by_smn: Notify) -> None:
    assert by_smn(Notice("", "line \xe4\n" * 50_000, NOTICE.attributes)) == ""
    assert by_smn(Notice("", "", {})) == ""
    large, empty = told(there)
    assert MOST_BYTES - 500 < len(large["message"].encode()) <= MOST_BYTES
    assert large["message"].endswith(CUT)
    assert [large["subject"], empty["subject"], empty["message"]] == ["image-reaper"] * 3


def test_an_smn_without_attributes_gets_the_notice_all_the_same(there: There, by_smn: Notify) -> None:
    there.cloud.fault("POST", "/publish$", status=400, body={"code": "SMN.0003", "message": "Invalid parameter."})
    assert by_smn(NOTICE) == ""
    assert told(there) == [{"subject": NOTICE.subject, "message": NOTICE.text}]


@pytest.mark.parametrize("status", [403, 404, 200])
def test_an_smn_that_takes_no_notice_is_a_problem(status: int, there: There, by_smn: Notify) -> None:
    there.cloud.fault("POST", "/publish$", status=status, body={"code": "SMN.0001"}, times=None)
    assert f"smn answered HTTP {status}" in by_smn(NOTICE)
    assert len(there.cloud.calls_of("POST")) == 1
    assert told(there) == []


def test_on_functiongraph_nobody_is_told_without_the_setting(there: There) -> None:
    _, settings = functiongraph.begin(there.context, there.environment())
    assert functiongraph.notify(settings, Clock().deadline()) is None
