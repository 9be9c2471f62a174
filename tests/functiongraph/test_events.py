"""Every event of FunctionGraph through the open runtime: those that ask for something, and those that must not."""

import json
from typing import Any

import pytest

from tests.conftest import EVENTS
from tests.fakecloud import DEMO, FakeCloud
from tests.functiongraph.conftest import Begin
from tests.functiongraph.runtime import FAILURE, SUCCESS

DELETED = {"deleted": 1}
OF_THE_IMAGE = json.dumps({"image_ids": ["{image_id}"]})


def timer(user_event: str) -> dict[str, Any]:
    time = "2026-11-04T08:30:00+08:00"
    return {
        "version": "v1.0",
        "time": time,
        "trigger_type": "TIMER",
        "trigger_name": "Timer_001",
        "user_event": user_event,
    }


def topic(*requests: object) -> dict[str, Any]:
    records = [
        {
            "event_version": "1.0",
            "smn": {"topic_urn": "topicUrn", "type": "notification", "message": json.dumps(request), "subject": "s"},
            "event_subscription_urn": "functionUrn",
            "event_source": "smn",
        }
        for request in requests
    ]
    return {"record": records, "functionname": "image-reaper", "requestId": "7c307f6a"}


def batch(broker: str, *requests: object) -> dict[str, Any]:
    return {
        "event_version": "v1.0",
        "event_time": 1576737962,
        "trigger_type": broker,
        "region": "eu-de",
        "instance_id": "08fd3e1b",
        "records": [{"messages": [json.dumps(request) for request in requests], "topic_id": "topic-test"}],
    }


def trace(image_id: str, **changed: object) -> dict[str, Any]:
    return {
        "code": 0,
        "service_type": "IMS",
        "trace_name": "createImage",
        "trace_status": "normal",
        "trace_rating": "normal",
        "resource_id": image_id,
        "resource_name": "ci-1",
        "project_id": DEMO,
        "time": 1765788999507,
        "request": "",
        "response": "{}",
        **changed,
    }


def event_grid(told: dict[str, Any]) -> dict[str, Any]:
    return {"id": "4b26", "specversion": "1.0", "source": "HC.IMS", "type": "IMS:CloudTrace:ApiCall", "data": told}


FILES = {path.stem.removeprefix("functiongraph-"): path for path in EVENTS.glob("functiongraph-unknown-*.json")}
UNKNOWN: dict[str, Any] = {name: json.loads(path.read_text()) for name, path in FILES.items()} | {
    "iotda": {"resource": "device", "event": "create", "notify_data": {}},
    "nothing": {},
    "list": [],
    "text": '"image"',
}


def assert_deleted(done: Any, image_id: str, cloud: FakeCloud) -> None:  # noqa: ANN401 (what a call came to)
    assert done.code == SUCCESS, done.body
    assert done.body["counts"] == DELETED
    assert set(cloud.dead) == {image_id}


def test_a_direct_request_is_carried_out(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image()
    assert_deleted(begin().call({"image_ids": [image_id]}, agency), image_id, cloud)


def test_a_request_that_comes_as_a_text_is_carried_out(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image()
    assert_deleted(begin().call(json.dumps({"image_ids": [image_id]}), agency), image_id, cloud)


def test_a_timer_brings_its_request(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image()
    assert_deleted(begin().call(timer(json.dumps({"image_ids": [image_id]})), agency), image_id, cloud)


def test_a_timer_without_a_request_gets_the_operators(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image()
    runtime = begin(REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image_id]}))
    assert_deleted(runtime.call(timer(""), agency), image_id, cloud)


def test_each_record_of_a_topic_is_carried_out(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_ids = [cloud.add_image(), cloud.add_image()]
    done = begin().call(topic(*({"image_ids": [image_id]} for image_id in image_ids)), agency)
    assert (done.code, done.body["counts"]) == (SUCCESS, {"deleted": 2})
    assert set(cloud.dead) == set(image_ids)


@pytest.mark.parametrize("broker", ["KAFKA", "ROCKETMQ"])
def test_each_message_of_a_batch_is_carried_out(
    broker: str, begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    image_ids = [cloud.add_image(), cloud.add_image()]
    done = begin().call(batch(broker, *({"image_ids": [image_id]} for image_id in image_ids)), agency)
    assert done.code == SUCCESS
    assert set(cloud.dead) == set(image_ids)


def test_what_failed_of_a_batch_is_published_and_the_rest_is_done(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    image_id, urn = cloud.add_image(), cloud.add_topic()
    broken = {"image_ids": [image_id], "dryrun": True}
    done = begin(REAPER_FAILED_TO=urn).call(batch("KAFKA", {"image_ids": [image_id]}, broken), agency)
    assert done.code == SUCCESS
    assert set(cloud.dead) == {image_id}
    (published,) = cloud.topics[urn]
    assert "dryrun" in published["message"]


def test_what_failed_of_a_batch_fails_the_event_where_nothing_can_take_it(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    broken = {"image_ids": [cloud.add_image()], "dryrun": True}
    assert begin().call(batch("KAFKA", broken), agency).code == FAILURE
    assert not cloud.dead


@pytest.mark.parametrize("time", [1765788999, 1765788999507, "2016/12/08 11:07:28 GMT+08:00"], ids=str)
def test_a_trace_of_a_new_image_brings_the_operators_request(
    time: object, begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    image_id = cloud.add_image("ci-1")
    done = begin(REAPER_LIFECYCLE_REQUEST=OF_THE_IMAGE).call({"cts": trace(image_id, time=time)}, agency)
    assert_deleted(done, image_id, cloud)


def test_a_trace_through_event_grid_does_the_same(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image("ci-1")
    done = begin(REAPER_LIFECYCLE_REQUEST=OF_THE_IMAGE).call(event_grid(trace(image_id)), agency)
    assert_deleted(done, image_id, cloud)


@pytest.mark.parametrize("name", UNKNOWN)
def test_any_other_event_fails_and_asks_the_cloud_nothing(
    name: str, begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    cloud.add_image()
    done = begin(REAPER_LIFECYCLE_REQUEST=OF_THE_IMAGE).call(UNKNOWN[name], agency)
    assert done.code == FAILURE
    assert cloud.calls == []
