"""A custom resource: only what we have created is deleted, and only AWS is answered, whichever way it comes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from handler.errors import UnknownEvent
from handler.sources.aws.stack import read_stack_call
from handler.sources.shapes import read_event
from tests.conftest import UNKNOWN_ID, Invoke, queue
from tests.fakecloud import FakeCloud, Server
from tests.growth import grows_as_its_input
from tests.unit.test_stack import CREATED, stack_event

Event = dict[str, Any]
Wrap = Callable[[Event], Event]

NOT_OURS: list[object] = [
    *("mystack-Images-1A2B3C4D5E6F", "", None, "image-reaper/never-created", "image-reaper/BuildImages"),
    *("image-reaper/BuildImages/", "image-reaper//x", "image-reaper/Other/x", "image-reaper/BuildImagesX/y"),
    *("Image-Reaper/BuildImages/x", "image-reaper/buildimages/x", " image-reaper/BuildImages/x", "BuildImages/x"),
    *(7, ["image-reaper/BuildImages/x"], {"image-reaper/BuildImages/x": 1}),
]
OF_AWS = [
    "https://cloudformation-custom-resource-response-euc1.s3.eu-central-1.amazonaws.com/arn%3Aaws?X-Amz-Signature=x",
    "https://cloudformation-custom-resource-response-cnn1.s3.cn-north-1.amazonaws.com.cn/a?b",
    "https://s3.amazonaws.com:443/a?b",
    "https://S3.EU-CENTRAL-1.AMAZONAWS.COM/a?b",
    "https://b.s3.eusc-de-east-1.amazonaws.eu/a?b",
    "https://b.s3.us-iso-east-1.c2s.ic.gov/a?b",
]
OF_OTHERS = [
    *(
        "http://s3.amazonaws.com/SECRETa?b",
        "ftp://s3.amazonaws.com/a?SECRET",
        "//s3.amazonaws.com/a?SECRET",
        "SECRET",
        "",
    ),
    *(
        "https://amazonaws.com.evil.example/a?SECRET",
        "https://evilamazonaws.com/a?SECRET",
        "https://evil.example/a?SECRET",
    ),
    *("https://s3.amazonaws.com./a?SECRET", "https://s3.amazonaws.com:8443/a?SECRET", "https://amazonaws.com/a?SECRET"),
    *("https://u:SECRET@s3.amazonaws.com/a", "https://s3.amazonaws.com@evil.example/a?SECRET"),
    *("https://u:SECRET?x@s3.amazonaws.com/a", "https://u:SECRET#x@evil.example/a"),
    f"https://u:a/SECRET{'x' * 200}@evil.example/a",
    *("https://evil.example/s3.amazonaws.com/?SECRET", "https://evil.example#s3.amazonaws.com/SECRET"),
    *("https://evil.example\\.amazonaws.com/a?SECRET", "https://s3.amazonaws.com\\@evil.example/a?SECRET"),
    *(
        "https://s3.ama\u017fonaws.com/a?SECRET",
        "https://s3.\uff41mazonaws.com/a?SECRET",
        "https://\u212a.amazonaws.com/?SECRET",
    ),
    *(
        "https://s3.amazonaws.com\n.evil.example/a?SECRET",
        " https://s3.amazonaws.com/a?SECRET",
        "https://s3.amazonaws.com",
    ),
    *(
        "https://169.254.169.254/latest?SECRET",
        "https://[::1]/a?SECRET",
        "https://s3.amazonaws.com%2eevil.example/?SECRET",
    ),
    *("https://.amazonaws.com/a?SECRET", "https://a..amazonaws.com/a?SECRET", "https://s3.amazonaws.com:/a?SECRET"),
]
HERE = ["http://127.0.0.1:8080/sink?x", "http://localhost/x", "https://[::1]:9/x", "https://127.0.0.1/x"]
NEARLY_HERE = [
    "http://127.0.0.1.evil.example/x",
    "http://localhost.evil.example/x",
    "http://u@localhost/x",
    "http://127.0.0.1:80@evil.example/",
    "http://0.0.0.0/x",
    "http://10.0.0.1/x",
]


def notification(event: Event) -> Event:
    return {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(event)}


def topic(event: Event) -> Event:
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification(event)}]}


WAYS: dict[str, Wrap] = {
    "direct": lambda event: event,
    "topic": topic,
    "queue": queue,
    "topic to queue": lambda event: queue(notification(event)),
    "topic to topic": lambda event: topic(notification(event)),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


def answers(cloud: FakeCloud) -> list[tuple[str, str]]:
    told = [json.loads(body) for body in cloud.sink["cfn"]]
    return [(answer["Status"], answer["PhysicalResourceId"]) for answer in told]


@pytest.mark.parametrize("physical_id", NOT_OURS, ids=repr)
@pytest.mark.parametrize(
    "settings", [{}, {"REAPER_MODE": "armed"}, {"OS_PASSWORD": "wr0ng-passw0rd"}], ids=["", "m", "p"]
)
def test_the_deletion_of_what_we_never_created_deletes_nothing_and_succeeds(
    invoke: Invoke, cloud: FakeCloud, server: Server, physical_id: object, settings: Mapping[str, str]
) -> None:
    image = cloud.add_image()
    event = stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": [image]})
    run = invoke(event | {"PhysicalResourceId": physical_id}, **settings)
    assert [status for status, _ in answers(cloud)] == ["SUCCESS"]
    assert [call.method for call in cloud.calls] == ["PUT"]
    assert len(run.logged("stack.never_created")) == 1


@ways
def test_a_deletion_without_a_physical_id_deletes_nothing(
    invoke: Invoke, cloud: FakeCloud, server: Server, way: Wrap
) -> None:
    event = stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": [cloud.add_image()]})
    del event["PhysicalResourceId"]
    invoke(way(event))
    assert (answers(cloud), cloud.dead) == ([("SUCCESS", "image-reaper/never-created")], {})


def test_a_run_from_a_shell_reads_no_deletion_of_what_we_never_created() -> None:
    event = stack_event("Delete", OF_AWS[0], {"image_ids": [UNKNOWN_ID]}) | {"PhysicalResourceId": "mystack-Images-1"}
    assert read_event(event).requests == []


@ways
def test_a_custom_resource_is_carried_out_and_answered_whichever_way_it_comes(
    invoke: Invoke, cloud: FakeCloud, server: Server, way: Wrap
) -> None:
    image, url = cloud.add_image(), f"{server.url}/sink/cfn?x"
    for kind in ("Create", "Delete"):
        assert invoke(way(stack_event(kind, url, {"image_ids": [image]}))).error is None
    created = f"image-reaper/BuildImages/{stack_event('Create', url, {})['RequestId']}"
    assert (answers(cloud), set(cloud.dead)) == ([("SUCCESS", created), ("SUCCESS", CREATED)], {image})


@pytest.mark.parametrize("way", ["topic", "queue", "topic to queue", "topic to topic"])
@pytest.mark.parametrize("key", ["ResponseURL", "RequestType"])
def test_a_custom_resource_whose_keys_are_spelled_in_numbers_is_answered_as_well(
    invoke: Invoke, cloud: FakeCloud, server: Server, way: str, key: str
) -> None:
    image = cloud.add_image()
    event = WAYS[way](stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": [image]}))
    (record,) = event["Records"]
    holder, field = (record, "body") if "body" in record else (record["Sns"], "Message")
    slashes = "\\" * (2 if "to" in way.split() else 1)
    holder[field] = holder[field].replace(key, key.replace("e", f"{slashes}u0065"))
    assert invoke(event).error is None
    assert (answers(cloud), set(cloud.dead)) == ([("SUCCESS", CREATED)], {image})


@ways
@pytest.mark.parametrize(
    "wrong",
    [({"image_ids": "x"}, {}), ({"image_ids": [UNKNOWN_ID]}, {"REAPER_MODE": "armed"})],
    ids=["properties", "settings"],
)
def test_a_custom_resource_that_fails_is_told_so_whichever_way_it_comes(
    invoke: Invoke, cloud: FakeCloud, server: Server, way: Wrap, wrong: tuple[Event, Mapping[str, str]]
) -> None:
    properties, settings = wrong
    run = invoke(way(stack_event("Delete", f"{server.url}/sink/cfn?x", properties)), **settings)
    assert answers(cloud) == [("FAILED", CREATED)]
    assert (run.error, run.answer.get("batchItemFailures", [])) == (None, [])


def test_calls_among_other_messages_are_answered_and_the_others_come_again_if_they_failed(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    mine, other = cloud.add_image(), cloud.add_image()
    call = stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": [mine]})
    batch = queue(notification(call), {"image_ids": [other]}, "bad", notification(call | {"PhysicalResourceId": "x"}))
    assert invoke(batch).returned == ["m2"]
    assert ({status for status, _ in answers(cloud)}, set(cloud.dead)) == ({"SUCCESS"}, {mine, other})
    assert len(answers(cloud)) == 2


def test_a_call_is_not_answered_as_failed_because_others_came_with_it(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    mine = [cloud.add_image() for _ in range(3)]
    call = stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": mine})
    batch = queue({"image_ids": [cloud.add_image()]}, notification(call))
    assert invoke(batch, REAPER_MAX_IMAGES="3").returned == ["m0"]
    assert ({status for status, _ in answers(cloud)}, set(cloud.dead)) == ({"SUCCESS"}, set(mine))


def test_a_call_in_a_queue_whose_answer_is_not_taken_comes_again(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    cloud.fault("PUT", "/sink/cfn", status=403, times=None)
    call = stack_event("Delete", f"{server.url}/sink/cfn?x", {"image_ids": [cloud.add_image()]})
    run = invoke(queue(notification(call)))
    assert (run.returned, len(cloud.dead)) == (["m0"], 1)
    assert server.url not in run.printed


@pytest.mark.parametrize("url", OF_AWS)
def test_an_address_of_aws_is_answered(url: str) -> None:
    assert read_stack_call(stack_event("Create", url, {}), answers_here=False).response_url == url


@pytest.mark.parametrize("url", [*OF_OTHERS, *NEARLY_HERE], ids=ascii)
@pytest.mark.parametrize("answers_here", [False, True])
def test_any_other_address_is_not_answered_and_its_secrets_are_not_told(url: str, answers_here: bool) -> None:  # noqa: FBT001
    if answers_here and url.startswith("https://[::1]/"):
        return
    with pytest.raises(UnknownEvent, match="ResponseURL") as caught:
        read_stack_call(stack_event("Create", url, {}), answers_here=answers_here)
    assert "SECRET" not in str(caught.value).replace("/SECRETa", "").replace("ResponseURL: SECRET is", "")
    assert str(caught.value).isascii()


@pytest.mark.parametrize("url", HERE)
@pytest.mark.parametrize("name", ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API"])
def test_in_lambda_no_address_of_this_machine_is_answered(
    invoke: Invoke, cloud: FakeCloud, server: Server, url: str, name: str
) -> None:
    image = cloud.add_image()
    assert read_stack_call(stack_event("Create", url, {}), answers_here=True).response_url == url
    event = stack_event("Delete", f"{server.url}/sink/cfn?SIGNATURE", {"image_ids": [image]})
    run = invoke(event, **{name: "x"})
    assert isinstance(run.error, UnknownEvent)
    assert f"{server.url}/sink/cfn" in run.printed
    assert "SIGNATURE" not in run.printed + str(run.error)
    assert (cloud.calls, set(cloud.images)) == ([], {image})


@pytest.mark.parametrize("way", [queue, lambda event: queue(notification(event))], ids=["queue", "topic to queue"])
def test_in_a_queue_a_wrong_address_turns_its_message_down_alone(invoke: Invoke, cloud: FakeCloud, way: Wrap) -> None:
    image, good = cloud.add_image(), cloud.add_image()
    event = way(stack_event("Delete", "https://evil.example/a?SIGNATURE", {"image_ids": [image]}))
    event["Records"] += [record | {"messageId": "good"} for record in queue({"image_ids": [good]})["Records"]]
    run = invoke(event)
    assert (run.returned, set(cloud.dead)) == (["m0"], {good})
    assert "https://evil.example/a is no https address of AWS" in run.printed
    assert "SIGNATURE" not in run.printed


AUTO_SCALING = {"Service": "AWS Auto Scaling", "Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": "g"}
S3 = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-04T10:40:00Z", "Bucket": "b", "RequestId": "R"}


@pytest.mark.parametrize("told", [AUTO_SCALING, S3], ids=["Auto Scaling", "S3"])
@ways
def test_a_test_notification_of_aws_is_done(invoke: Invoke, cloud: FakeCloud, told: Event, way: Wrap) -> None:
    run = invoke(way(told))
    assert (run.error, run.answer.get("batchItemFailures", []), run.answer.get("outcomes", [])) == (None, [], [])
    assert not cloud.calls


def test_a_test_notification_hides_no_request(invoke: Invoke, cloud: FakeCloud) -> None:
    request = S3 | {"image_ids": [cloud.add_image()]}
    assert invoke(queue(request)).returned == ["m0"]
    assert "unknown field" in str(invoke(request).error)


@pytest.mark.parametrize(("beginning", "unit"), [("", "/"), ("", "//a"), ("https://", "a."), ("//", "@")])
def test_an_address_of_any_length_is_turned_down_at_once(beginning: str, unit: str) -> None:
    def turn_down(length: int) -> None:
        with pytest.raises(UnknownEvent):
            read_stack_call({"ResponseURL": beginning + unit * (length // len(unit))}, answers_here=True)

    assert grows_as_its_input(turn_down, 50_000)
