"""An event of any source goes in at `lambda_handler`; what comes out, what is raised, and what is deleted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.errors import ImagesFailed, InvalidRequest, InvalidSettings, UnknownEvent
from tests.conftest import EVENTS, UNKNOWN_ID, Invoke, load_event, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server

Event = dict[str, Any]
Envelope = Callable[[object], Event]

ROOT = Path(__file__).parents[2]
DEMO_SEED = ROOT / "tests" / "fakecloud" / "seed_demo.json"
SCHEDULED = '{"image_ids": ["6cad483b-e281-4985-a345-7afef1f3c501"]}'


def topic(request: object) -> Event:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": json.dumps(request)}}]}


def schedule(request: object) -> Event:
    return {"detail-type": "Scheduled Event", "source": "aws.events", "detail": request}


def scheduler(request: object) -> Event:
    return {"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": json.dumps(request)}


def lifecycle(request: object) -> Event:
    detail = {"LifecycleHookName": "hook", "NotificationMetadata": json.dumps(request)}
    return {"detail-type": "EC2 Instance-terminate Lifecycle Action", "source": "aws.autoscaling", "detail": detail}


def custom(request: object) -> Event:
    return {"detail-type": "Image Deletion Requested", "source": "com.example", "detail": request}


ASYNCHRONOUS = pytest.mark.parametrize(
    ("envelope", "source"),
    [
        (topic, "topic"),
        (schedule, "schedule"),
        (scheduler, "schedule"),
        (lifecycle, "lifecycle"),
        (custom, "lifecycle"),
    ],
)
EVERY_SOURCE = pytest.mark.parametrize(
    "envelope", [topic, schedule, scheduler, lifecycle, custom, queue, lambda request: request]
)


@pytest.fixture
def demo(cloud: FakeCloud) -> FakeCloud:
    """The cloud that the event files are about."""
    cloud.seed(json.loads(DEMO_SEED.read_text()))
    return cloud


def demo_id(number: str) -> str:
    return f"6cad483b-e281-4985-a345-7afef1f3c{number}"


def forbid(cloud: FakeCloud, image_id: str) -> None:
    """Let the cloud turn down the DELETE of an image, for a reason that is none of its own."""
    cloud.fault("DELETE", image_id, status=403, body={"message": "Forbidden by policy"}, times=None)


@pytest.mark.slow("starts an interpreter")
def test_loading_the_function_looks_for_no_garbage_and_what_it_made_is_left_alone_later() -> None:
    program = (
        "import gc; begun = []; gc.collect(); gc.callbacks.append(lambda phase, _: begun.append(phase == 'start'))\n"
        "import handler.app; print(sum(begun), gc.isenabled(), gc.get_freeze_count())"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)  # noqa: S603 (our words)
    collections, works_on, left_alone = printed.split()
    assert (int(collections) < 5, works_on, int(left_alone) > 10_000) == (True, "True", True)


@pytest.mark.slow("starts an interpreter")
def test_loading_the_function_looks_for_no_plugins_and_later_the_collector_leaves_a_page_of_a_list_alone() -> None:
    program = (
        "import importlib.metadata as m, sys; looked = []; m.entry_points = lambda **_: looked.append(1) or ()\n"
        "import gc, handler.app; print(len(looked), gc.get_threshold()[0], '_sysconfigdata' in str(list(sys.modules)))"
    )
    # What measures the coverage would look for these things itself.
    own = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=own, text=True)  # noqa: S603 (ours)
    assert printed.split() == ["0", "10000", "False"]


# Sources: answer, exception, deletion


def test_a_direct_request_is_answered_with_the_report(invoke: Invoke, cloud: FakeCloud) -> None:
    image, stays = cloud.add_image("ci-7", size=5), cloud.add_image()
    run = invoke({"image_ids": [image]})
    told = {"image_id": image, "name": "ci-7", "outcome": "deleted", "reason": "", "detail": "", "size": 5}
    assert run.answer == {
        "ok": True,
        "mode": "delete",
        "source": "direct",
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "counts": {"deleted": 1},
        "outcomes": [told],
    }
    assert (set(cloud.dead), set(cloud.images)) == ({image}, {stays})


def test_a_direct_request_reports_a_failed_image_instead_of_raising(invoke: Invoke, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    forbid(cloud, image)
    run = invoke({"image_ids": [image, other]})
    assert (run.error, run.answer["ok"]) == (None, False)
    assert run.outcomes == {image: ("failed", "denied"), other: ("deleted", "")}
    assert set(cloud.dead) == {other}


def test_outcomes_stand_in_the_order_in_which_the_images_were_named(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(20)]
    run = invoke({"image_ids": [*images[10:], UNKNOWN_ID, *images[:10]]})
    assert [outcome["image_id"] for outcome in run.answer["outcomes"]] == [*images[10:], UNKNOWN_ID, *images[:10]]


@ASYNCHRONOUS
def test_other_sources_are_answered_with_the_report(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, source: str
) -> None:
    image = cloud.add_image()
    run = invoke(envelope({"image_ids": [image]}))
    assert (run.answer["ok"], run.answer["source"], run.answer["counts"]) == (True, source, {"deleted": 1})
    assert set(cloud.dead) == {image}


@ASYNCHRONOUS
def test_other_sources_raise_when_an_image_failed(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, source: str
) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    forbid(cloud, image)
    run = invoke(envelope({"image_ids": [image, other]}))
    assert isinstance(run.error, ImagesFailed)
    assert str(run.error).startswith(f"1 of 2 images failed: {image} denied: ")
    assert (set(cloud.dead), run.logged("run.finished")[0]["source"]) == ({other}, source)


@ASYNCHRONOUS
def test_other_sources_are_content_with_a_refused_image(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, source: str
) -> None:
    image = cloud.add_image(protected=True)
    run = invoke(envelope({"image_ids": [image, UNKNOWN_ID]}))
    assert (run.error, run.answer["ok"], run.answer["source"]) == (None, True, source)
    assert run.outcomes == {image: ("refused", "protected"), UNKNOWN_ID: ("already_gone", "")}


@ASYNCHRONOUS
def test_other_sources_raise_what_is_wrong_with_a_request(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, source: str
) -> None:
    run = invoke(envelope({"image_ids": [cloud.add_image(), "x"], "dryrun": True}))
    assert isinstance(run.error, InvalidRequest)
    assert "image_ids[1]: must be a UUID" in str(run.error)
    assert "dryrun: unknown field" in str(run.error)
    assert (cloud.dead, run.logged("request.rejected")[0]["source"]) == ({}, source)


def test_every_record_of_a_topic_event_is_carried_out(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(2)]
    records = [record for image in images for record in topic({"image_ids": [image]})["Records"]]
    assert invoke({"Records": records}).answer["counts"] == {"deleted": 2}
    assert set(cloud.dead) == set(images)


def test_one_wrong_record_of_a_topic_event_stops_all_of_them(invoke: Invoke, cloud: FakeCloud) -> None:
    records = topic({"image_ids": [cloud.add_image()]})["Records"] + topic({"image_ids": []})["Records"]
    run = invoke({"Records": records})
    assert (type(run.error), cloud.dead) == (InvalidRequest, {})


# Queues


def test_a_queue_whose_messages_are_done_gets_none_back(invoke: Invoke, cloud: FakeCloud) -> None:
    deleted, refused = cloud.add_image(), cloud.add_image(protected=True)
    run = invoke(queue({"image_ids": [deleted]}, {"image_ids": [refused]}, {"image_ids": [UNKNOWN_ID]}))
    assert run.answer == {"batchItemFailures": []}
    assert (set(cloud.dead), set(cloud.images)) == ({deleted}, {refused})


def test_a_queue_gets_back_only_the_message_whose_image_failed(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(4)]
    forbid(cloud, images[2])
    run = invoke(queue({"image_ids": images[:1]}, {"image_ids": images[1:3]}, {"image_ids": images[3:]}))
    assert run.answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert set(cloud.dead) == {images[0], images[1], images[3]}


@pytest.mark.parametrize(
    "body", ["", "not JSON", "[]", '"text"', "{}", '{"image_ids": []}', '{"Type": "Notification"}']
)
def test_a_queue_gets_back_only_the_message_that_cannot_be_read(invoke: Invoke, cloud: FakeCloud, body: str) -> None:
    images = [cloud.add_image() for _ in range(2)]
    run = invoke(queue({"image_ids": images[:1]}, body, {"image_ids": images[1:]}))
    assert (run.error, run.returned, set(cloud.dead)) == (None, ["m1"], set(images))
    assert [line["message_id"] for line in run.logged("request.rejected")] == ["m1"]


def test_a_queue_whose_messages_all_failed_gets_all_back_without_an_exception(invoke: Invoke, cloud: FakeCloud) -> None:
    forbid(cloud, image := cloud.add_image())
    run = invoke(queue({"image_ids": [image]}, "not JSON"))
    assert (run.error, run.returned, cloud.dead) == (None, ["m0", "m1"], {})


def test_a_queue_without_a_readable_message_lists_no_servers(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke(queue("not JSON", {"image_ids": []}, "{}"))
    assert run.returned == ["m0", "m1", "m2"]
    assert {call.method for call in cloud.calls} <= {"POST"}


def test_a_message_may_hold_a_notification_or_a_bus_event(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(3)]
    bus, other = custom({"image_ids": images[1:2]}), lifecycle({"image_ids": images[2:]})
    notice = {"Type": "Notification", "Message": json.dumps({"image_ids": images[:1]})}
    run = invoke(queue(notice, bus, {"Type": "Notification", "Message": json.dumps(other)}))
    assert (run.returned, set(cloud.dead)) == ([], set(images))


def test_a_message_may_hold_a_scheduled_event_that_brings_no_request(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    run = invoke(queue(schedule({})), REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image]}))
    assert (run.returned, set(cloud.dead)) == ([], {image})


def test_a_record_without_a_message_id_stops_the_batch(invoke: Invoke, cloud: FakeCloud) -> None:
    event = queue({"image_ids": [cloud.add_image()]}, {"image_ids": [cloud.add_image()]})
    del event["Records"][1]["messageId"]
    assert isinstance(invoke(event).error, UnknownEvent)
    assert cloud.dead == {}


def test_a_record_of_another_service_in_a_batch_is_given_back(invoke: Invoke, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    event = queue({"image_ids": [image]}, {"image_ids": [other]})
    event["Records"][1]["eventSource"] = "aws:s3"
    run = invoke(event)
    assert (run.returned, set(cloud.dead)) == (["m1"], {image})


# FIFO queues


def test_the_messages_of_a_group_are_dealt_with_in_their_order(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(6)]
    cloud.fault("DELETE", images[0], status=None, delay=0.1)
    run = invoke(queue(*({"image_ids": [image]} for image in images), fifo_groups=["a"] * 6))
    assert [call.path.rsplit("/", 1)[1] for call in cloud.calls_of("DELETE")] == images
    assert run.returned == []


@pytest.mark.parametrize("broken", ["failed", "unreadable", "wrong project"])
def test_after_the_first_failure_the_rest_of_a_group_is_given_back_untouched(
    invoke: Invoke, cloud: FakeCloud, broken: str
) -> None:
    images = [cloud.add_image() for _ in range(5)]
    forbid(cloud, images[1])
    bodies: list[object] = [{"image_ids": [image]} for image in images]
    bodies[1] = {"unreadable": "?", "wrong project": {"image_ids": images[1:2], "project_id": OTHER}}.get(
        broken, bodies[1]
    )
    run = invoke(queue(*bodies, fifo_groups=["a", "a", "b", "a", "b"]))
    assert sorted(run.returned) == ["m1", "m3"]
    assert set(cloud.dead) == {images[0], images[2], images[4]}
    assert not any(images[3] in call.path for call in cloud.calls)
    assert [line["message_id"] for line in run.logged("message.held")] == ["m3"]
    assert run.metric("RequestsRejected") == (broken != "failed")


def test_a_refused_image_does_not_hold_its_group_up(invoke: Invoke, cloud: FakeCloud) -> None:
    kept, image = cloud.add_image(tags=["keep"]), cloud.add_image()
    run = invoke(queue({"image_ids": [kept]}, {"image_ids": [image]}, fifo_groups=["a", "a"]))
    assert (run.returned, set(cloud.dead)) == ([], {image})


def test_a_group_id_in_a_standard_queue_orders_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(2)]
    forbid(cloud, images[0])
    event = queue(*({"image_ids": [image]} for image in images), fifo_groups=["a", "a"])
    for record in event["Records"]:
        record["eventSourceARN"] = record["eventSourceARN"].removesuffix(".fifo")
    assert invoke(event).returned == ["m0"]
    assert set(cloud.dead) == {images[1]}


# Paused


def test_a_paused_function_gives_every_message_back_without_asking_the_cloud(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    run = invoke(queue({"image_ids": [image]}, "not JSON", {"image_ids": [UNKNOWN_ID]}), REAPER_MODE="paused")
    assert (run.returned, cloud.calls) == (["m0", "m1", "m2"], [])


def test_a_paused_function_gives_every_message_of_a_fifo_queue_back(invoke: Invoke, cloud: FakeCloud) -> None:
    event = queue(*({"image_ids": [cloud.add_image()]} for _ in range(4)), fifo_groups=["a", "a", "b", "a"])
    run = invoke(event, REAPER_MODE="paused")
    assert (sorted(run.returned), cloud.calls) == (["m0", "m1", "m2", "m3"], [])


def test_a_paused_function_reports_every_image_of_a_direct_request_as_failed(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [image := cloud.add_image(), UNKNOWN_ID]}, REAPER_MODE="paused")
    assert (run.answer["ok"], run.answer["mode"], cloud.calls) == (False, "paused", [])
    assert run.outcomes == {image: ("failed", "paused"), UNKNOWN_ID: ("failed", "paused")}


@ASYNCHRONOUS
def test_a_paused_function_fails_every_other_event(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, source: str
) -> None:
    run = invoke(envelope({"image_ids": [cloud.add_image()], "dry_run": True}), REAPER_MODE="paused")
    assert isinstance(run.error, ImagesFailed)
    assert "paused" in str(run.error)
    assert (cloud.calls, run.logged("run.finished")[0]["source"]) == ([], source)


# Project, pin, delete_backup


@EVERY_SOURCE
def test_a_request_for_another_project_is_turned_down(invoke: Invoke, cloud: FakeCloud, envelope: Envelope) -> None:
    run = invoke(envelope({"image_ids": [cloud.add_image()], "project_id": OTHER}))
    problem = run.logged("request.rejected")[0]["problem"]
    assert problem == f"project_id: the credentials are for project {DEMO}, not {OTHER}"
    assert run.returned == ["m0"] if envelope is queue else isinstance(run.error, InvalidRequest)
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


def test_a_request_for_our_project_is_carried_out(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [image := cloud.add_image()], "project_id": DEMO})
    assert run.outcomes == {image: ("deleted", "")}


def test_the_project_of_one_message_turns_down_no_other(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image() for _ in range(2)]
    run = invoke(queue({"image_ids": images[:1], "project_id": OTHER}, {"image_ids": images[1:], "project_id": DEMO}))
    assert (run.returned, set(cloud.dead)) == (["m0"], {images[1]})


def test_credentials_for_another_project_than_the_pin_delete_nothing(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(), cloud.add_image(protected=True), UNKNOWN_ID]
    run = invoke({"image_ids": images}, REAPER_PROJECT_ID=OTHER)
    assert run.outcomes == dict.fromkeys(images, ("failed", "denied"))
    assert {OTHER in outcome["detail"] for outcome in run.answer["outcomes"]} == {True}
    assert {call.path for call in cloud.calls} == {"/identity/v3/auth/tokens"}


def test_credentials_for_the_pinned_project_delete(invoke: Invoke, cloud: FakeCloud) -> None:
    invoke({"image_ids": [image := cloud.add_image()]}, REAPER_PROJECT_ID=DEMO)
    assert set(cloud.dead) == {image}


@EVERY_SOURCE
@pytest.mark.parametrize("api", ["glance", "ecs-v2.1", "ecs-v2"])
def test_delete_backup_is_turned_down_by_every_api_that_has_none(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, api: str
) -> None:
    run = invoke(envelope({"image_ids": [cloud.add_image()], "delete_backup": True}), REAPER_IMAGE_API=api)
    assert run.logged("request.rejected")[0]["problem"] == f"delete_backup: needs REAPER_IMAGE_API=ims, not {api}"
    assert run.returned == ["m0"] if envelope is queue else isinstance(run.error, InvalidRequest)
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


# REAPER_SCHEDULED_REQUEST


@pytest.mark.parametrize("detail", [{}, "{}"])
def test_a_schedule_without_a_request_stands_for_the_one_in_the_settings(
    invoke: Invoke, cloud: FakeCloud, detail: object
) -> None:
    image = cloud.add_image()
    run = invoke(schedule(detail), REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image]}))
    assert (run.outcomes, set(cloud.dead)) == ({image: ("deleted", "")}, {image})


def test_the_scheduled_request_may_be_a_rehearsal(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    run = invoke(schedule({}), REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [image], "dry_run": True}))
    assert (run.outcomes, cloud.dead) == ({image: ("would_delete", "")}, {})


def test_a_request_that_a_schedule_brings_wins_over_the_one_in_the_settings(invoke: Invoke, cloud: FakeCloud) -> None:
    brought, standing = cloud.add_image(), cloud.add_image()
    invoke(schedule({"image_ids": [brought]}), REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [standing]}))
    assert set(cloud.dead) == {brought}


@pytest.mark.parametrize("detail", [{}, "{}"])
def test_a_schedule_without_any_request_is_an_error_that_names_the_setting(invoke: Invoke, detail: object) -> None:
    run = invoke(schedule(detail))
    assert isinstance(run.error, InvalidRequest)
    assert "REAPER_SCHEDULED_REQUEST is not set" in str(run.error)


@pytest.mark.parametrize("event", [custom({}), topic({}), queue({})])
def test_no_other_event_stands_for_the_scheduled_request(invoke: Invoke, cloud: FakeCloud, event: Event) -> None:
    run = invoke(event, REAPER_SCHEDULED_REQUEST=json.dumps({"image_ids": [cloud.add_image()]}))
    assert isinstance(run.error, InvalidRequest) or run.returned == ["m0"]
    assert cloud.dead == {}


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"image_ids": ["x"]}', '{"sweep": {}}'])
@EVERY_SOURCE
def test_a_scheduled_request_that_is_wrong_refuses_to_start(
    invoke: Invoke, cloud: FakeCloud, envelope: Envelope, text: str
) -> None:
    run = invoke(envelope({"image_ids": [cloud.add_image()]}), REAPER_SCHEDULED_REQUEST=text)
    assert isinstance(run.error, InvalidSettings)
    assert "REAPER_SCHEDULED_REQUEST" in str(run.error)
    assert cloud.calls == []


# Nothing but what we know


UNKNOWN_EVENTS: list[object] = [
    None,
    5,
    "text",
    [],
    {},
    {"Records": []},
    {"Records": None},
    {"Records": "x"},
    {"Records": ["x"]},
    {"Records": [{}]},
    {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
    {"Records": [{"eventSource": "aws:kinesis"}]},
    {"Records": [{"EventSource": "aws:s3"}, {"EventSource": "aws:sns"}]},
    {"RequestType": "Delete"},
    {"RequestType": "Delete", "ResponseURL": None},
    {"detail": {"image_ids": [UNKNOWN_ID]}},
    {"body": "{}", "requestContext": {}},
    {"project_ids": [DEMO]},
]


@pytest.mark.parametrize("event", UNKNOWN_EVENTS)
def test_an_event_of_another_shape_is_unknown_and_the_cloud_is_not_asked(
    invoke: Invoke, cloud: FakeCloud, event: object
) -> None:
    run = invoke(event)
    assert isinstance(run.error, UnknownEvent)
    assert (str(run.error) != "", cloud.calls) == (True, [])


WRONG_SETTINGS = [
    ("REAPER_MODE", "armed"),
    ("REAPER_MODE", "Delete"),
    ("REAPER_MODE", "delete "),
    ("REAPER_IMAGE_API", "nova"),
    ("REAPER_MIN_AGE", "30"),
    ("REAPER_MAX_IMAGES", "-1"),
    ("REAPER_MAX_IMAGES", "many"),
    ("REAPER_CONCURRENCY", "0"),
    ("REAPER_IN_USE_CHECK", "false"),
    ("REAPER_ALLOW_SHARED", "1"),
    ("REAPER_ALLOW_NAMES", " , "),
    ("REAPER_DRY_RUN", "true"),
    ("REAPER_BUDGET", "200/1d"),
    ("REAPER_IMAGE_ENDPOINT", "image.example.com"),
    ("OS_AUTH_TYPE", "v2password"),
    ("OS_AUTH_URL", ""),
    ("OS_PASSWORD", ""),
]


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS)
def test_a_wrong_setting_raises_before_anything_else(invoke: Invoke, cloud: FakeCloud, name: str, value: str) -> None:
    for event in ({"image_ids": [cloud.add_image()]}, queue("not JSON"), {"unknown": "event"}):
        run = invoke(event, **{name: value})
        assert isinstance(run.error, InvalidSettings)
        assert name in str(run.error)
        assert (run.printed, cloud.calls) == ("", [])


# Bad input


IMAGE = demo_id("501")
BAD_REQUESTS: dict[str, object] = {
    "an empty object": {},
    "no image": {"image_ids": []},
    "no list": {"image_ids": IMAGE},
    "null": {"image_ids": None},
    "both forms": {"image_ids": [IMAGE], "images": [{"id": IMAGE}]},
    "1001 images": {"image_ids": [IMAGE, *(f"00000000-0000-4000-8000-{n:012d}" for n in range(1000))]},
    "1001 times one image": {"image_ids": [IMAGE] * 1001},
    "a slash": {"image_ids": [f"{IMAGE}/"]},
    "a way up": {"image_ids": [f"x/../{IMAGE}"]},
    "an encoded way up": {"image_ids": [f"x%2f%2e%2e%2f{IMAGE}"]},
    "a newline": {"image_ids": [f"{IMAGE}\n"]},
    "a leading blank": {"image_ids": [f" {IMAGE}"]},
    "a query": {"image_ids": [f"{IMAGE}?x=1"]},
    "braces": {"image_ids": [f"{{{IMAGE}}}"]},
    "an urn": {"image_ids": [f"urn:uuid:{IMAGE}"]},
    "no hyphens": {"image_ids": [IMAGE.replace("-", "")]},
    "other digits": {"image_ids": [IMAGE.replace("6", "\uff16")]},
    "a name": {"image_ids": ["ci-build-101"]},
    "a number": {"image_ids": [6]},
    "one good and one bad": {"image_ids": [IMAGE, "x"]},
    "an unknown field": {"image_ids": [IMAGE], "force": False},
    "a mistyped dry_run": {"image_ids": [IMAGE], "dryrun": True},
    "another case": {"image_ids": [IMAGE], "Dry_Run": True},
    "a text for dry_run": {"image_ids": [IMAGE], "dry_run": "yes"},
    "a number for dry_run": {"image_ids": [IMAGE], "dry_run": 0},
    "null for dry_run": {"image_ids": [IMAGE], "dry_run": None},
    "a text for delete_backup": {"image_ids": [IMAGE], "delete_backup": "false"},
    "a long reason": {"image_ids": [IMAGE], "reason": "x" * 257},
    "a number for the reason": {"image_ids": [IMAGE], "reason": 5},
    "a strange project": {"image_ids": [IMAGE], "project_id": f"{DEMO}/.."},
    "an unknown expectation": {"images": [{"id": IMAGE, "expect": {"nmae": "ci-build-101"}}]},
    "an expectation of another type": {"images": [{"id": IMAGE, "expect": {"size": "2147483648"}}]},
    "an image without id": {"images": [{"expect": {"name": "ci-build-101"}}]},
    "two expectations": {"images": [{"id": IMAGE, "expect": {"name": "a"}}, {"id": IMAGE}]},
    "a sweep of everything": {"sweep": {"select": {}}},
    "a mistyped sweep": {"sweep": {"select": {"name": "*"}, "keeep": {"newest": 3}}},
    "a sweep and images": {"image_ids": [IMAGE], "sweep": {}},
    "a plan within its report": {"plan": {"images": [{"id": IMAGE}]}},
}
BAD_TEXTS = {
    "nothing": "",
    "no JSON": "please delete",
    "a text": f'"{IMAGE}"',
    "a list": f'["{IMAGE}"]',
    "a number": "5",
    "null": "null",
    "cut off": f'{{"image_ids": ["{IMAGE}"]',
    "trailing words": f'{{"image_ids": ["{IMAGE}"]}} please',
    "a key given twice": f'{{"image_ids": ["{IMAGE}"], "dry_run": true, "dry_run": false}}',
    "not a number": f'{{"image_ids": ["{IMAGE}"], "reason": NaN}}',
    "deep nesting": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "6 MB": json.dumps({"image_ids": [IMAGE], "reason": "x" * 6_000_000}),
    "a lone surrogate": f'{{"image_ids": ["{IMAGE}\\ud800"]}}',
    "a lone surrogate as a field": f'{{"image_ids": ["{IMAGE}"], "\\ud800": 1}}',
    "JSON in JSON": json.dumps(json.dumps({"image_ids": [IMAGE]})),
}
ENVELOPES = pytest.mark.parametrize("envelope", [schedule, scheduler, lifecycle, custom, topic])


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_direct_request_is_an_error_and_deletes_nothing(
    invoke: Invoke, demo: FakeCloud, request_: object
) -> None:
    assert isinstance(invoke(request_).error, InvalidRequest | UnknownEvent)
    assert (demo.dead, demo.calls_of("DELETE")) == ({}, [])


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
@ENVELOPES
def test_a_bad_request_of_any_other_source_is_an_error_and_deletes_nothing(
    invoke: Invoke, demo: FakeCloud, envelope: Envelope, request_: object
) -> None:
    run = invoke(envelope(request_))
    assert isinstance(run.error, InvalidRequest)
    assert ": " in str(run.error) or "exactly one of image_ids and images" in str(run.error)
    assert (demo.dead, demo.calls_of("DELETE")) == ({}, [])


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_in_a_queue_is_given_back_alone(invoke: Invoke, demo: FakeCloud, request_: object) -> None:
    run = invoke(queue(request_, {"image_ids": [demo_id("502")]}))
    assert (run.returned, set(demo.dead)) == (["m0"], {demo_id("502")})
    assert [line["message_id"] for line in run.logged("request.rejected")] == ["m0"]


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_body_in_a_queue_is_given_back_alone(invoke: Invoke, demo: FakeCloud, text: str) -> None:
    run = invoke(queue({"image_ids": [demo_id("502")]}, text))
    assert (run.returned, set(demo.dead)) == (["m1"], {demo_id("502")})


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_text_of_any_other_source_is_an_error_and_deletes_nothing(
    invoke: Invoke, demo: FakeCloud, text: str
) -> None:
    notice = topic({})
    notice["Records"][0]["Sns"]["Message"] = text
    for event in (notice, schedule(text), custom({"NotificationMetadata": text})):
        assert isinstance(invoke(event).error, InvalidRequest)
    assert (demo.dead, demo.calls_of("DELETE")) == ({}, [])


def test_metadata_that_is_no_text_is_an_error(invoke: Invoke, demo: FakeCloud) -> None:
    run = invoke(custom({"NotificationMetadata": {"image_ids": [IMAGE]}, "image_ids": [IMAGE]}))
    assert (type(run.error), demo.dead) == (InvalidRequest, {})


# The files in events/


ACTIVATED = json.dumps({"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 1}}})
DELETED_BY = {
    "direct": [],
    "direct-approve": [],
    "direct-bad": [],
    "lifecycle": ["503"],
    "lifecycle-activated": ["515", "516", "517", "518"],
    "lifecycle-bad": [],
    "lifecycle-custom": ["501"],
    "queue": ["501", "502"],
    "queue-bad": ["502"],
    "queue-fifo": ["503", "504"],
    "schedule": ["513"],
    "schedule-bad": [],
    "schedule-scheduler": ["501"],
    "schedule-sweep": ["515", "516", "517"],
    "stack-bad": [],
    "stack-create": [],
    "stack-delete": ["513"],
    "topic": ["504"],
    "topic-bad": [],
    "topic-test": [],
    "unknown-s3": [],
}
RAISED_BY = {
    "direct-approve": (InvalidRequest, "approve: needs REAPER_REPORT_BUCKET"),
    "direct-bad": (InvalidRequest, "; forced: unknown field"),
    "lifecycle-bad": (InvalidRequest, "detail.NotificationMetadata: not JSON"),
    "schedule-bad": (InvalidRequest, "force: unknown field"),
    "topic-bad": (InvalidRequest, "image_ids: "),
    "unknown-s3": (UnknownEvent, "Records: from aws:s3, not from aws:sqs or aws:sns"),
}
FILES = sorted(path.stem for path in EVENTS.glob("*.json") if not path.stem.startswith("functiongraph-"))


def test_every_event_file_is_known_here() -> None:
    assert list(DELETED_BY) == FILES


@pytest.mark.parametrize("name", FILES)
def test_an_event_file_does_to_the_demo_cloud_what_its_name_says(
    invoke: Invoke, demo: FakeCloud, server: Server, name: str
) -> None:
    event = load_event(name)
    if "ResponseURL" in event:
        event["ResponseURL"] = f"{server.url}/sink/{name}"
    run = invoke(event, REAPER_SCHEDULED_REQUEST=SCHEDULED, REAPER_LIFECYCLE_REQUEST=ACTIVATED)
    kind, words = RAISED_BY.get(name, (type(None), ""))
    assert type(run.error) is kind
    assert words in str(run.error or "")
    assert set(demo.dead) == {demo_id(number) for number in DELETED_BY[name]}


@pytest.mark.parametrize(("name", "ends"), [("queue", []), ("queue-fifo", []), ("queue-bad", ["22", "23"])])
def test_a_queue_file_gets_back_its_bad_messages(invoke: Invoke, demo: FakeCloud, name: str, ends: list[str]) -> None:
    run = invoke(load_event(name))
    assert [message_id[-2:] for message_id in run.returned] == ends
    assert len(run.logged("request.rejected")) == len(ends)
    assert demo.dead


REFUSED_BY = {
    "direct": {"503": "changed", "505": "protected"},
    "lifecycle": {"506": "in_use", "511": "kept"},
    "lifecycle-custom": {"509": "public", "512": "in_use"},
    "schedule": {"510": "not_ready", "514": "kept"},
    "topic": {"507": "shared", "508": "not_owner"},
}


@pytest.mark.parametrize("name", REFUSED_BY)
def test_an_event_file_shows_why_images_stay(invoke: Invoke, demo: FakeCloud, name: str) -> None:
    run = invoke(load_event(name))
    refused = {image[-3:]: reason for image, (outcome, reason) in run.outcomes.items() if outcome == "refused"}
    assert refused == REFUSED_BY[name]
    assert all(demo_id(number) in demo.images for number in refused)


@pytest.mark.parametrize(
    ("name", "status"), [("stack-create", "SUCCESS"), ("stack-delete", "SUCCESS"), ("stack-bad", "FAILED")]
)
def test_a_stack_file_is_answered(invoke: Invoke, demo: FakeCloud, server: Server, name: str, status: str) -> None:
    invoke(load_event(name) | {"ResponseURL": f"{server.url}/sink/{name}"})
    assert [json.loads(body)["Status"] for body in demo.sink[name]] == [status]


def test_the_plan_of_a_queue_that_rehearses_stands_in_the_log_and_can_be_sent(invoke: Invoke, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image(protected=True)
    rehearsal = invoke(queue({"image_ids": [image, other]}), REAPER_MODE="dry-run")
    (finished,) = rehearsal.logged("run.finished")
    assert invoke(queue(finished["plan"])).returned == []
    assert set(cloud.dead) == {image}
