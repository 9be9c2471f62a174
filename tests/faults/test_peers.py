"""The faults that were measured in other cleaners, each as a promise of ours. Sweeps have tests of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from handler.errors import ImagesFailed
from tests.conftest import UNKNOWN_ID, Invocation, Invoke, queue
from tests.fakecloud import FakeCloud, Server
from tests.faults import IMAGE_PATH, SOURCES, envelope

Send = Callable[..., Invocation]

ASYNCHRONOUS = ("topic", "schedule", "lifecycle")


@pytest.fixture
def five(cloud: FakeCloud) -> list[str]:
    return [cloud.add_image(f"ci-{number}") for number in range(5)]


@pytest.fixture
def send(invoke: Invoke, server: Server) -> Send:
    """Send a request by a source."""

    def send_once(source: str, request: dict[str, Any], **settings: str) -> Invocation:
        return invoke(envelope(source, request, server.url), **settings)

    return send_once


def told(invocation: Invocation, event: str) -> dict[str, str]:
    """The images that the log tells of, and the reasons; those that were not touched have failed as well."""
    lines = [*invocation.logged(event), *(invocation.logged("images.untouched") if event == "image.failed" else ())]
    return {image_id: line["reason"] for line in lines for image_id in line.get("image_ids", [line.get("image_id")])}


def is_reported(source: str, invocation: Invocation, cloud: FakeCloud) -> bool:
    """Whether the source learns in its own way that something failed."""
    if source == "queue":
        return invocation.returned == ["m0"]
    if source in ASYNCHRONOUS:
        return isinstance(invocation.error, ImagesFailed)
    if source == "stack":
        return b'"Status": "FAILED"' in cloud.sink["stack"][-1]
    return invocation.answer["ok"] is False


@pytest.mark.parametrize("source", SOURCES)
def test_f1_f3_the_cap_holds_whatever_brought_the_request(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, {"image_ids": five}, REAPER_MAX_IMAGES="1")
    assert len(cloud.dead) == len(cloud.calls_of("DELETE")) == 1
    assert told(done, "image.failed") == dict.fromkeys(cloud.images, "over_limit")
    assert is_reported(source, done, cloud)


def test_f1_the_cap_holds_over_all_messages_of_a_batch(cloud: FakeCloud, five: list[str], invoke: Invoke) -> None:
    done = invoke(queue(*({"image_ids": [image_id]} for image_id in five)), REAPER_MAX_IMAGES="2")
    assert len(cloud.dead) == 2
    assert {five[int(message[1:])] for message in done.returned} == set(cloud.images)


@pytest.mark.parametrize("source", SOURCES)
def test_f2_a_rehearsal_is_one_whatever_brought_the_request(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, {"image_ids": five, "dry_run": True})
    assert set(cloud.images) == set(five)
    assert not cloud.calls_of("DELETE")
    assert set(told(done, "image.would_delete")) == set(five)
    assert not is_reported(source, done, cloud)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("told_to", ["delete", "rehearse"])
def test_f2_a_request_can_not_arm_a_function_that_rehearses(
    told_to: str, source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, {"image_ids": five, "dry_run": told_to == "rehearse"}, REAPER_MODE="dry-run")
    assert set(cloud.images) == set(five)
    assert not cloud.calls_of("DELETE")
    assert set(told(done, "image.would_delete")) == set(five)


@pytest.mark.parametrize("source", SOURCES)
def test_f4_a_cap_of_0_means_none_and_not_no_limit(source: str, five: list[str], cloud: FakeCloud, send: Send) -> None:
    done = send(source, {"image_ids": five}, REAPER_MAX_IMAGES="0")
    assert set(cloud.images) == set(five)
    assert not cloud.calls_of("DELETE")
    assert told(done, "image.failed") == dict.fromkeys(five, "over_limit")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("status", [400, 403, 418])
def test_f5_f6_f9_f11_a_failure_in_the_middle_stops_no_other_and_is_told(
    status: int, source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.fault("DELETE", five[2], status=status, times=None)
    done = send(source, {"image_ids": five}, REAPER_CONCURRENCY="1")
    assert list(cloud.images) == [five[2]]
    assert told(done, "image.failed") == {five[2]: "denied" if status == 403 else "unexpected"}
    assert set(told(done, "image.deleted")) == set(cloud.dead)
    assert is_reported(source, done, cloud)


@pytest.mark.parametrize("source", SOURCES)
def test_f5_where_the_credentials_are_refused_in_the_middle_every_image_is_told_of(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.fault("DELETE", five[2], status=401, times=None)
    done = send(source, {"image_ids": five}, REAPER_CONCURRENCY="1")
    assert set(cloud.dead) == set(told(done, "image.deleted")) == set(five[:2])
    assert told(done, "image.failed") == dict.fromkeys(five[2:], "denied")
    assert is_reported(source, done, cloud)


@pytest.mark.parametrize("source", SOURCES)
def test_f5_a_refusal_in_the_middle_stops_no_other_and_is_told(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.images[five[2]].protected = True
    done = send(source, {"image_ids": five}, REAPER_CONCURRENCY="1")
    assert list(cloud.images) == [five[2]]
    assert told(done, "image.refused") == {five[2]: "protected"}
    assert set(told(done, "image.deleted")) == set(cloud.dead)
    assert not is_reported(source, done, cloud)


def test_f6_a_warm_run_tells_nothing_of_the_run_before(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.fault("DELETE", five[1], status=400, times=None)
    first = invoke({"image_ids": five[:2]})
    second = invoke({"image_ids": five[2:]})
    assert first.outcomes == {five[0]: ("deleted", ""), five[1]: ("failed", "unexpected")}
    assert second.outcomes == dict.fromkeys(five[2:], ("deleted", ""))
    assert second.answer["counts"] == {"deleted": 3}
    assert second.answer["ok"] is True
    assert not any(image_id in second.printed for image_id in five[:2])
    assert (second.metric("ImagesDeleted"), second.metric("ImagesFailed")) == (3, 0)


def test_f6_an_allowance_is_for_one_run(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    invoke({"image_ids": five[:2]}, REAPER_MAX_IMAGES="2")
    invoke({"image_ids": five[2:4]}, REAPER_MAX_IMAGES="2")
    assert set(cloud.dead) == set(five[:4])


@pytest.mark.parametrize("created_at", ["30d", "not-a-date", "", "2026-13-45T99:00:00Z"])
def test_f7_an_age_that_can_not_be_read_is_never_old_enough(created_at: str, cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image(created_at=created_at, updated_at="2026-01-01T00:00:00Z")
    done = invoke({"image_ids": [image_id]}, REAPER_MIN_AGE="1h")
    assert done.outcomes == {image_id: ("refused", "too_young")}
    assert image_id in cloud.images


@pytest.mark.parametrize("expect", [{"name": "30d"}, {"updated_at": "not-a-date"}, {"size": 7}, {"checksum": None}])
def test_f7_an_expectation_that_does_not_hold_deletes_nothing(
    expect: dict[str, Any], cloud: FakeCloud, invoke: Invoke
) -> None:
    image_id = cloud.add_image()
    done = invoke({"images": [{"id": image_id, "expect": expect}]})
    assert done.outcomes == {image_id: ("refused", "changed")}
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 418])
def test_f7_a_failed_delete_is_no_success(status: int, cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", status=status, body="<p>no", times=None)
    done = invoke({"image_ids": [image_id]})
    assert done.answer["ok"] is False
    assert done.outcomes[image_id][0] == "failed"
    assert image_id in cloud.images


@pytest.mark.parametrize("source", SOURCES)
def test_f8_an_image_that_is_missing_keeps_no_other_from_being_deleted(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, {"image_ids": [five[0], UNKNOWN_ID, *five[1:]]})
    assert set(cloud.dead) == set(five)
    assert set(told(done, "image.already_gone")) == {UNKNOWN_ID}
    assert not is_reported(source, done, cloud)


def test_f9_every_one_of_several_patterns_counts(cloud: FakeCloud, invoke: Invoke) -> None:
    ci, tmp, prod = (cloud.add_image(f"{kind}-1") for kind in ("ci", "tmp", "prod"))
    done = invoke({"image_ids": [ci, tmp, prod]}, REAPER_ALLOW_NAMES="ci-*, tmp-*")
    assert set(cloud.dead) == {ci, tmp}
    assert done.outcomes[prod] == ("refused", "not_allowed")


@pytest.mark.parametrize("tag", ["keep", "keep=yes", "keep-until=2999-01-31", "keep-until=whenever"])
def test_f9_every_way_to_keep_an_image_keeps_it(tag: str, cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image(tags=["a", tag, "z"])
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("refused", "kept")}
    assert image_id in cloud.images


@pytest.mark.parametrize("booted_from", ["image", "volume"])
def test_f10_what_is_in_use_is_read_to_its_last_page(booted_from: str, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.page_size = 2
    image_ids = [cloud.add_image(f"ci-{number}") for number in range(7)]
    for image_id in image_ids:
        server_id = cloud.add_server(image=image_id if booted_from == "image" else None)
        if booted_from == "volume":
            cloud.add_volume(image=image_id, server=server_id)
    done = invoke({"image_ids": image_ids})
    assert done.outcomes == dict.fromkeys(image_ids, ("refused", "in_use"))
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("what", ["servers", "volumes"])
def test_f10_a_page_that_can_not_be_read_deletes_nothing(
    what: str, number: int, cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    image_ids = [cloud.add_image(f"ci-{number}") for number in range(6)]
    for image_id in image_ids:
        cloud.add_volume(image=image_id, server=cloud.add_server())
    cloud.fault("GET", f"/{what}/detail$", status=400, times=None, skip=number)
    done = invoke({"image_ids": [cloud.add_image("unused"), *image_ids]})
    assert {outcome for outcome, _ in done.outcomes.values()} == {"failed"}
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("source", SOURCES)
def test_f11_a_run_in_which_everything_failed_is_no_success(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.fault("GET", IMAGE_PATH, status=403, times=None)
    done = send(source, {"image_ids": five})
    assert is_reported(source, done, cloud)
    assert done.metric("ImagesFailed") == done.metric("ImagesFailed_denied") == 5
    assert [line["ok"] for line in done.logged("run.finished")] == [False]
    assert set(cloud.images) == set(five)
