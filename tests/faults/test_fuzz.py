"""Whatever arrives, from a caller or from the cloud: nothing is deleted but what was asked for, rightly and soundly."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ReaperError
from tests.chaos.doors.asked import EXPECT, FIELDS, asked_for
from tests.conftest import Invocation, Invoke, load_event
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.fakecloud.wire import glance_image, member, server
from tests.faults import IMAGE_PATH, SOURCES, envelope
from tests.properties import REPEATABLE, tried

Json = Any
VICTIM = "6cad483b-e281-4985-a345-7afef1f3c500"
ENDED, ENDLESS = "2020-01-31", "9999-12-31T00:00:00Z"
NAMES = (
    "sweep select id expect Records body messageId eventSource aws:sqs EventSource aws:sns Sns Message Type "
    "Notification detail detail-type NotificationMetadata RequestType Delete ResponseURL ResourceProperties"
)
STATES = "active ACTIVE deactivated killed queued saving importing deleted pending_delete private shared public all"
AT_REST = {"active", "deactivated", "killed"}

fuzz = tried(200, REPEATABLE)

words = st.sampled_from([*sorted(FIELDS), *EXPECT, *NAMES.split(), "Scheduled Event", DEMO, OTHER, VICTIM])
# What looks like the right thing: a number as a text, a truth as a word, a state that some image may have.
lookalikes = st.sampled_from(["true", "false", "off", "no", "0", "1024", 0, 1, 0.0, 1024.0])
states = st.sampled_from(STATES.split())
leaves = lookalikes | st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats() | st.text(max_size=8) | words
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "image_ids": st.lists(st.just(VICTIM) | leaves, max_size=3) | leaves,
        "images": st.lists(
            st.fixed_dictionaries({"id": st.just(VICTIM)}, optional={"expect": st.dictionaries(words, leaves)})
            | values,
            max_size=2,
        ),
        "dry_run": st.booleans() | leaves,
        "delete_backup": st.booleans() | leaves,
        "project_id": st.sampled_from([DEMO, OTHER, ""]) | leaves,
        "reason": leaves,
        "not_after": st.sampled_from([ENDED, ENDLESS]) | leaves,
        "forced": leaves,
    },
)


def places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutated(draw: st.DataObject, value: Json) -> Json:
    """The value with something in it dropped, replaced or added."""
    value = copy.deepcopy(value)
    *way, last = draw.draw(st.sampled_from(sorted(places(value), key=str)))
    holder = value
    for key in way:
        holder = holder[key]
    change = draw.draw(st.sampled_from(["drop", "replace", "disguise", "add"]))
    if change == "drop":
        del holder[last]
    elif change == "disguise":
        holder[last] = draw.draw(lookalikes)
    elif change == "replace" or isinstance(holder, list):
        holder[last] = draw.draw(values)
    else:
        holder[draw.draw(words | st.text(max_size=4))] = draw.draw(values)
    return value


def revive(cloud: FakeCloud) -> None:
    """Let the victim live, so that it can be deleted once more."""
    cloud.faults.clear()
    cloud.dead.clear()
    cloud.calls.clear()
    cloud.images.clear()
    cloud.add_image("ci-1", id=VICTIM)


def fails_as_promised(done: Invocation) -> bool:
    return done.error is None or isinstance(done.error, ReaperError)


@fuzz
@given(event=values)
def test_any_json_is_an_event_or_an_error_of_ours(event: Json, cloud: FakeCloud, invoke: Invoke) -> None:
    revive(cloud)
    done = invoke(event)
    assert fails_as_promised(done), repr(done.error)
    assert set(cloud.dead) <= asked_for(event)


@fuzz
@given(request=requests)
def test_only_a_request_that_is_valid_to_the_letter_deletes(request: Json, cloud: FakeCloud, invoke: Invoke) -> None:
    revive(cloud)
    done = invoke(request)
    assert fails_as_promised(done), repr(done.error)
    assert set(cloud.dead) <= asked_for(request)


@fuzz
@given(draw=st.data())
@pytest.mark.parametrize("source", SOURCES)
def test_a_request_that_is_spoilt_deletes_nothing_wherever_it_comes_from(
    source: str, draw: st.DataObject, cloud: FakeCloud, server: Server, invoke: Invoke
) -> None:
    revive(cloud)
    bystander = cloud.add_image("bystander")
    good = {"images": [{"id": VICTIM, "expect": {"name": "ci-1", "size": 1024}}], "dry_run": False, "reason": "x"}
    request = mutated(draw, good)
    done = invoke(envelope(source, request, server.url))
    assert fails_as_promised(done), repr(done.error)
    assert set(cloud.dead) <= (asked_for(request) if source != "stack" else {VICTIM})
    assert bystander in cloud.images
    assert not _expects_otherwise(request) or VICTIM in cloud.images


def _expects_otherwise(request: Json) -> bool:
    """Whether it says of the victim what is not so (CloudFormation's numbers are texts)."""
    images = request.get("images") if isinstance(request, dict) else None
    first = images[0] if isinstance(images, list) and images else None
    expect = first.get("expect") if isinstance(first, dict) else None
    known = {"name": "ci-1", "size": 1024, "owner": DEMO, "status": "active", "visibility": "private"}
    return isinstance(expect, dict) and any(str(expect[key]) != str(known[key]) for key in known.keys() & expect)


@fuzz
@given(draw=st.data())
@pytest.mark.parametrize("source", [source for source in SOURCES if source != "stack"])
def test_an_envelope_that_is_spoilt_deletes_only_what_a_valid_request_in_it_names(
    source: str, draw: st.DataObject, cloud: FakeCloud, invoke: Invoke
) -> None:
    revive(cloud)
    event = mutated(draw, envelope(source, {"image_ids": [VICTIM]}))
    done = invoke(event)
    assert fails_as_promised(done), repr(done.error)
    assert set(cloud.dead) <= asked_for(event)
    assert VICTIM in cloud.dead or not cloud.calls_of("DELETE")


@tried(100, REPEATABLE)
@given(draw=st.data())
@pytest.mark.parametrize("name", ["queue", "topic", "schedule", "lifecycle", "stack-delete", "direct"])
def test_the_events_of_aws_may_be_spoilt_in_any_place(
    name: str, draw: st.DataObject, cloud: FakeCloud, server: Server, invoke: Invoke
) -> None:
    revive(cloud)
    event = load_event(name) | ({"ResponseURL": f"{server.url}/sink/stack"} if name.startswith("stack") else {})
    done = invoke(mutated(draw, event))
    unanswerable = name.startswith("stack") and done.error is not None
    assert unanswerable or fails_as_promised(done), repr(done.error)
    assert not cloud.dead  # none of them names the victim


def sound(record: Json) -> bool:
    """Whether a record says all that a deletion takes: this image, ours, at rest, neither public nor protected."""
    return (
        isinstance(record, dict)
        and record.get("id") == VICTIM
        and record.get("owner") == DEMO
        and isinstance(record.get("status"), str)
        and record["status"] in AT_REST
        and record.get("visibility") in ("private", "shared")
        and record.get("protected") is False
        and isinstance(record.get("tags"), list)
        and all(isinstance(tag, str) for tag in record["tags"])
    )


@fuzz
@given(draw=st.data())
def test_an_image_is_deleted_only_if_its_record_is_sound(draw: st.DataObject, cloud: FakeCloud, invoke: Invoke) -> None:
    revive(cloud)
    record = mutated(draw, glance_image(cloud.images[VICTIM]))
    cloud.fault("GET", IMAGE_PATH, status=200, body=json.dumps(record), times=None)
    done = invoke({"image_ids": [VICTIM]})
    assert done.error is None
    assert sound(record) or VICTIM in cloud.images
    assert (done.outcomes[VICTIM][0] == "deleted") == (VICTIM in cloud.dead)
    # The fake still has the image: only a record that calls it deleted may say otherwise.
    assert done.outcomes[VICTIM][0] != "already_gone" or record["status"] in {"deleted", "pending_delete"}


@fuzz
@given(value=states | values, field=st.sampled_from(["id", "owner", "status", "visibility", "protected", "tags"]))
def test_any_value_in_a_field_that_matters_is_sound_or_saves_the_image(
    value: Json, field: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    revive(cloud)
    cloud.images[VICTIM].visibility = "shared"  # so that its members may be read whatever the record says
    shown = {**glance_image(cloud.images[VICTIM]), field: value}
    cloud.fault("GET", IMAGE_PATH, status=200, body=json.dumps(shown), times=None)
    assert invoke({"image_ids": [VICTIM]}).error is None
    assert sound(shown) or VICTIM in cloud.images


@fuzz
@given(draw=st.data())
def test_members_that_can_not_be_read_save_a_shared_image(
    draw: st.DataObject, cloud: FakeCloud, invoke: Invoke
) -> None:
    revive(cloud)
    cloud.images[VICTIM].visibility, cloud.images[VICTIM].members = "shared", {OTHER: "pending"}
    answer = mutated(draw, {"members": [member(cloud.images[VICTIM], OTHER)]})
    cloud.fault("GET", "/members$", status=200, body=json.dumps(answer), times=None)
    assert invoke({"image_ids": [VICTIM]}).error is None
    members = answer.get("members")
    harmless = isinstance(members, list) and all(
        isinstance(item, dict) and item.get("status") in ("pending", "rejected") for item in members
    )
    assert harmless or VICTIM in cloud.images


@fuzz
@given(image=values)
def test_a_server_whose_image_can_not_be_read_saves_every_image(image: Json, cloud: FakeCloud, invoke: Invoke) -> None:
    revive(cloud)
    machine = cloud.servers[cloud.add_server(id=VICTIM, image=VICTIM)]
    shown = {**server(machine, "", detail=True), "image": image}
    cloud.fault("GET", "/servers/detail$", status=200, body=json.dumps({"servers": [shown]}), times=None)
    assert invoke({"image_ids": [VICTIM]}).error is None
    other = isinstance(image, dict) and isinstance(image.get("id"), str) and image["id"] not in ("", VICTIM)
    assert not image or other or VICTIM in cloud.images


@fuzz
@given(draw=st.data())
def test_a_list_of_servers_that_can_not_be_read_saves_every_image(
    draw: st.DataObject, cloud: FakeCloud, invoke: Invoke
) -> None:
    revive(cloud)
    answer = draw.draw(values.filter(lambda answer: not isinstance(answer, dict) or answer.get("servers") != []))
    cloud.fault("GET", "/servers/detail$", status=200, body=json.dumps(answer), times=None)
    done = invoke({"image_ids": [VICTIM]})
    assert done.outcomes == {VICTIM: ("failed", "unexpected")}
    assert VICTIM in cloud.images
