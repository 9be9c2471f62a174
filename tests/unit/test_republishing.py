"""A broker takes no message back: what is good is done, and what failed is published, once."""

import json
from typing import Any

import pytest

from handler.compose import secret
from handler.compose.ending import LAST_CALLS, reserve_for
from handler.config.settings import Settings
from handler.config.signing import Runtime
from handler.engine.notices import MOST_BYTES
from handler.errors import ImagesFailed, UnknownEvent
from handler.model.message import Received, Waiting
from tests.conftest import UNKNOWN_ID, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.unit.there import There, kafka, there

__all__ = ["there"]

BROKERS = pytest.mark.parametrize("trigger", ["KAFKA", "ROCKETMQ"])


def ask(there: There, **fields: object) -> dict[str, Any]:
    return {"image_ids": [there.cloud.add_image()]} | fields


@BROKERS
def test_every_message_of_every_record_is_carried_out(there: There, trigger: str) -> None:
    event = kafka([ask(there), ask(there)], [ask(there)], trigger=trigger)
    run = there(event, REAPER_FAILED_TO=(topic := there.cloud.add_topic()))
    assert (run.error, run.answer["source"], run.answer["counts"]) == (None, "queue", {"deleted": 3})
    assert there.cloud.topics[topic] == []


@pytest.mark.slow("a thousand messages")
@BROKERS
def test_of_a_thousand_messages_one_broken_one_costs_no_other_and_is_published_once(there: There, trigger: str) -> None:
    request = ask(there)
    messages: list[object] = [request] * 1000
    messages[500] = "broken"
    topic = there.cloud.add_topic()
    run = there(kafka(messages, trigger=trigger), REAPER_FAILED_TO=topic)
    assert run.error is None
    assert sum(run.answer["counts"].values()) == 999
    (published,) = there.published(topic)
    assert [record["messages"] for record in published["request_payload"]["records"]] == [["broken"]]
    assert published["response_payload"]["rejected"].startswith("records[0].messages[500]: not JSON at line 1")


@pytest.mark.slow("an image is tried again")
def test_what_is_published_is_an_event_of_the_same_shape_with_what_failed_as_it_came(there: There) -> None:
    wrong, busy, good = ask(there, dryrun=True), ask(there), ask(there)
    there.cloud.fault("DELETE", busy["image_ids"][0], status=500, times=None)
    event, topic = kafka([good, wrong], [ask(there)], ["x", busy]), there.cloud.add_topic()
    run = there(event, REAPER_FAILED_TO=topic, seconds=9)
    assert (run.error, run.answer["ok"]) == (None, False)
    (published,) = there.published(topic)
    first, _, last = event["records"]
    kept = [first | {"messages": [json.dumps(wrong)]}, last | {"messages": ["x", json.dumps(busy)]}]
    assert published["request_payload"] == event | {"records": kept}
    told = published["response_payload"]
    assert (told["ok"], [outcome["outcome"] for outcome in told["outcomes"]]) == (False, ["failed"])
    assert "dryrun: unknown field" in told["rejected"]


@pytest.mark.slow("an image is tried again")
def test_what_was_published_can_be_sent_in_again_as_it_is(there: There) -> None:
    asked = ask(there)
    there.cloud.fault("DELETE", asked["image_ids"][0], status=500, times=None)
    topic = there.cloud.add_topic()
    there(kafka(["x", asked]), REAPER_FAILED_TO=topic, seconds=9)
    there.cloud.faults.clear()
    (published,) = there.published(topic)
    run = there(published["request_payload"], REAPER_FAILED_TO=topic)
    assert run.answer["counts"] == {"deleted": 1}
    assert [part["request_payload"]["records"][0]["messages"] for part in there.published(topic)[1:]] == [["x"]]


@pytest.mark.parametrize("messages", [None, "x", 7, {}], ids=repr)
def test_a_record_whose_messages_can_not_be_told_apart_fails_alone(there: There, messages: object) -> None:
    event, topic = kafka([ask(there)]), there.cloud.add_topic()
    odd = [{"messages": messages, "topic_id": "odd"}, {"topic_id": "none"}, None, "x"]
    run = there(event | {"records": [*event["records"], *odd]}, REAPER_FAILED_TO=topic)
    assert (run.error, run.answer["counts"]) == (None, {"deleted": 1})
    (published,) = there.published(topic)
    assert published["request_payload"]["records"] == odd


@pytest.mark.parametrize("message", [None, 7, True, [], {"image_ids": [UNKNOWN_ID]}], ids=repr)
def test_a_message_that_is_no_string_fails_alone(there: There, message: object) -> None:
    event, topic = kafka([ask(there)]), there.cloud.add_topic()
    event["records"][0]["messages"].append(message)
    assert there(event, REAPER_FAILED_TO=topic).answer["counts"] == {"deleted": 1}
    (published,) = there.published(topic)
    assert published["request_payload"]["records"][0]["messages"] == [message]


@pytest.mark.parametrize("records", [None, [], {}, "x", 7], ids=repr)
def test_a_batch_without_records_is_turned_down(there: There, records: object) -> None:
    run = there(kafka() | {"records": records})
    assert isinstance(run.error, UnknownEvent)
    assert "records: must be a list" in str(run.error)


def test_a_batch_whose_records_are_empty_is_done(there: There) -> None:
    assert there(kafka([], [])).answer["ok"] is True


def test_what_is_over_max_images_is_published(there: There) -> None:
    topic = there.cloud.add_topic()
    run = there(kafka([ask(there) for _ in range(5)]), REAPER_FAILED_TO=topic, REAPER_MAX_IMAGES="3")
    assert run.answer["counts"] == {"deleted": 3, "failed": 2}
    (published,) = there.published(topic)
    assert len(published["request_payload"]["records"][0]["messages"]) == 2


def test_a_paused_function_publishes_all_and_deletes_nothing(there: There) -> None:
    event, topic = kafka([ask(there), ask(there)]), there.cloud.add_topic()
    run = there(event, REAPER_FAILED_TO=topic, REAPER_MODE="paused")
    assert run.error is None
    assert [part["request_payload"] for part in there.published(topic)] == [event]
    assert not there.cloud.dead


# Each publication fits


def test_what_does_not_fit_into_one_publication_goes_in_several(there: There) -> None:
    messages = [f"{number} {'x' * 20_000}" for number in range(40)]
    topic = there.cloud.add_topic()
    run = there(kafka(messages[:15], messages[15:]), REAPER_FAILED_TO=topic)
    assert run.error is None
    parts = there.published(topic)
    assert len(parts) > 3
    assert all(len(one["message"].encode()) <= MOST_BYTES for one in there.cloud.topics[topic])
    told = [one for part in parts for record in part["request_payload"]["records"] for one in record["messages"]]
    assert told == messages


def test_a_report_that_does_not_fit_goes_without_its_images(there: There) -> None:
    requests = [{"image_ids": [f"00000000-0000-4000-8000-{n:04}{m:08}" for n in range(1000)]} for m in range(3)]
    there.cloud.fault("GET", "/v2/", status=403, times=None)
    topic = there.cloud.add_topic()
    there(kafka(requests), REAPER_FAILED_TO=topic, REAPER_MAX_IMAGES="5000")
    (published,) = there.published(topic)
    assert published["response_payload"]["outcomes"] == []
    assert published["response_payload"]["outcomes_in_log"] == 3000


def test_a_message_that_fits_into_no_publication_fails_the_batch_and_costs_no_other(there: There) -> None:
    event, topic = kafka([ask(there), "y" * 300_000, "z"]), there.cloud.add_topic()
    run = there(event, REAPER_FAILED_TO=topic)
    assert isinstance(run.error, ImagesFailed)
    assert "larger than a message may be" in str(run.error)
    assert len(there.cloud.dead) == 1
    assert [part["request_payload"]["records"][0]["messages"] for part in there.published(topic)] == [["z"]]


# If it can't be published


def test_without_a_topic_the_batch_fails_after_the_good_ones_are_done(there: There) -> None:
    run = there(kafka(["x", ask(there)]))
    assert isinstance(run.error, ImagesFailed)
    assert "1 of 2 messages failed" in str(run.error)
    assert "REAPER_FAILED_TO is not set" in str(run.error)
    assert len(there.cloud.dead) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_topic_that_takes_nothing_fails_the_batch_after_the_good_ones_are_done(there: There, status: int) -> None:
    topic = there.cloud.add_topic()
    there.cloud.fault("POST", "/publish", status=status, times=None)
    run = there(kafka(["x", ask(there)]), REAPER_FAILED_TO=topic)
    assert isinstance(run.error, ImagesFailed)
    assert f"smn answered HTTP {status}" in str(run.error)
    assert len(there.cloud.dead) == 1
    assert [line["count"] for line in run.logged("messages.not_published")] == [1]


def test_a_topic_that_is_not_there_fails_the_batch(there: There) -> None:
    topic = there.cloud.add_topic()
    run = there(kafka(["x"]), REAPER_FAILED_TO=topic + "-not")
    assert "smn answered HTTP 404" in str(run.error)


KEYSTONE = {"REAPER_AUTH": "keystone", "REAPER_MODE": "delete", "OS_REGION_NAME": ""}


def test_with_a_token_what_failed_is_published_where_the_catalogue_says(invoke_there_with: Invoke) -> None:
    cloud = FakeCloud("otc")
    cloud.catalog_with({"smn": "/smn"})
    topic = cloud.add_topic()
    with Server(cloud) as server:
        environment = cloud.env(server.url) | KEYSTONE | {"REAPER_FAILED_TO": topic}
        assert invoke_there_with(kafka(["x"]), environment).error is None
        assert len(cloud.topics[topic]) == 1
        cloud.more_services.clear()
        secret.forget()
        run = invoke_there_with(kafka(["x"]), environment)
    assert "the catalogue offers no smn" in str(run.error)


def test_no_token_goes_to_a_topic_where_it_can_be_read_on_its_way(invoke_there_with: Invoke) -> None:
    cloud = FakeCloud("otc")
    cloud.catalog_with({"smn": "/smn"})
    with Server(cloud) as server:
        edit = lambda body: json.loads(json.dumps(body).replace(f"{server.url}/smn", "http://smn.invalid"))  # noqa: E731
        cloud.fault("POST", "/auth/tokens", status=None, edit=edit, times=None)
        environment = cloud.env(server.url) | KEYSTONE | {"REAPER_FAILED_TO": cloud.add_topic()}
        run = invoke_there_with(kafka(["x"]), environment)
    assert "a token goes only to an https address" in str(run.error)


def test_an_event_that_is_nested_too_deeply_to_be_written_fails(there: There) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    event = kafka(["x"]) | {"odd": deep}
    run = there(event, REAPER_FAILED_TO=there.cloud.add_topic())
    assert "nested too deeply" in str(run.error)


def test_time_is_kept_back_to_publish(cloud: FakeCloud, server: Server) -> None:
    batch = Received(source="queue", messages=(), waiting=Waiting.BROKER)
    given = cloud.env(server.url) | {"OS_REGION_NAME": "eu-de", "REAPER_AUTH": "keystone"}
    there = Runtime(engine="functiongraph")
    kept = Settings.from_env(given | {"REAPER_FAILED_TO": "urn:smn:eu-de:p:failures"}, runtime=there)
    assert reserve_for(batch, kept) - reserve_for(batch, Settings.from_env(given, runtime=there)) == LAST_CALLS


def test_what_can_no_longer_be_published_in_time_fails_the_batch(there: There) -> None:
    topic = there.cloud.add_topic()
    run = there(kafka(["x"]), REAPER_FAILED_TO=topic, seconds=1.4)
    assert isinstance(run.error, ImagesFailed)
    assert "not reached before the deadline" in str(run.error)
    assert there.cloud.topics[topic] == []
