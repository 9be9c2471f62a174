from collections.abc import Mapping
from typing import TypedDict

import pytest

from handler.errors import CloudError, Unavailable
from tests.conftest import UNKNOWN_ID, Context
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.cloud import FaultOptions
from tests.faults import (
    IMAGE_PATH,
    TOKENS_PATH,
    Clock,
    Stage,
    closed_port,
    debug_urllib3,
    new_connections,
    new_run,
    reap,
    silent_port,
)


class Body(TypedDict, total=False):
    """What an answer holds, whatever its status."""

    body: bytes | str | Mapping[str, object]
    content_type: str
    headers: Mapping[str, str]


STATUSES = (
    *(101, 200, 201, 202, 203, 204, 206, 300, 302, 304, 400, 401, 403, 404, 405, 408, 409, 410, 413, 429, 499),
    *(500, 501, 502, 503, 504, 599),
)
BODIES: Mapping[str, Body] = {
    "empty": {"body": b""},
    "empty object": {"body": {}},
    "error": {"body": {"error": {"code": 1, "title": "No", "message": "Something else."}}},
    "other JSON": {"body": '["images", null, 1e400]'},
    "null": {"body": "null"},
    "web page": {"body": "<html><title>Hi</title><p>Please log in.", "content_type": "text/html"},
    "truncated": {"body": '{"error": {"message": "Failed to'},
    "wrong type": {"body": b"\x1f\x8b\x08\xff\xfe", "content_type": "image/png"},
    "odd charset": {"body": b"\xff{}", "content_type": "text/html; charset=idna"},
    "not gzip": {"body": b"plain", "headers": {"Content-Encoding": "gzip"}},
    "deep": {"body": "[" * 20_000},
}
PLACES = {
    "image": ("GET", IMAGE_PATH),
    "members": ("GET", r"/members$"),
    "servers": ("GET", r"/servers/detail$"),
    "volumes": ("GET", r"/volumes/detail$"),
    "delete": ("DELETE", IMAGE_PATH),
    "token": ("POST", TOKENS_PATH),
}
NOT_FOUND = ("404 page not found", "<h1>Not Found</h1><p>The resource could not be found.", '{"message": "gone"}')


@pytest.fixture
def stage(cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch) -> Stage:
    stage = Stage(cloud, server, clean_environment)
    stage.set_up()
    return stage


@pytest.mark.parametrize("place", ["image", "members", "servers", "delete"])
@pytest.mark.parametrize("status", STATUSES)
def test_no_answer_whatever_raises_or_makes_a_deletion_up(
    status: int, place: str, cloud: FakeCloud, stage: Stage
) -> None:
    for name, body in BODIES.items():
        image_id = cloud.add_image(visibility="shared")
        # A cloud that says "done", and nothing else, is believed: it has done it.
        done = place == "delete" and (status == 204 or (status == 200 and name == "empty"))
        cloud.fault(*PLACES[place], status=status, times=None, apply=done, **body)
        outcome, _ = stage.outcomes([image_id])[image_id]
        assert outcome == ("deleted" if done else "failed"), name
        assert (image_id in cloud.dead) == done, name
        cloud.faults.clear()


@pytest.mark.parametrize("place", ["volumes", "token"])
@pytest.mark.parametrize("status", [200, 201, 300, 404, 500])
@pytest.mark.parametrize("body", BODIES)
def test_no_answer_of_the_other_services_raises_or_deletes(
    body: str, status: int, place: str, cloud: FakeCloud, stage: Stage
) -> None:
    cloud.add_server()  # one without an image: the volumes must tell
    image_id = cloud.add_image()
    cloud.fault(*PLACES[place], status=status, times=None, **BODIES[body])
    assert stage.outcomes([image_id])[image_id][0] == "failed"
    assert image_id in cloud.images


@pytest.mark.parametrize("place", PLACES)
def test_an_interim_answer_that_is_followed_by_none_is_no_answer(place: str, cloud: FakeCloud, stage: Stage) -> None:
    cloud.add_server()
    image_id = cloud.add_image(visibility="shared")
    cloud.fault(*PLACES[place], status=100, times=None)
    assert stage.outcomes([image_id]) == {image_id: ("failed", "unavailable")}
    assert image_id in cloud.images


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("broken", [{"cut": True}, {"cut": "half"}, {"length": 99_999}, {"length": 3}])
def test_an_answer_that_breaks_off_makes_no_deletion_up(
    broken: FaultOptions, place: str, cloud: FakeCloud, stage: Stage
) -> None:
    cloud.add_server()
    image_id = cloud.add_image(visibility="shared")
    cloud.fault(*PLACES[place], **FaultOptions(status=None, times=None) | broken)
    outcome, _ = stage.outcomes([image_id])[image_id]
    # Glance's answer to a DELETE has no body that could break off.
    assert outcome == ("deleted" if place == "delete" and broken.get("cut") is not True else "failed")
    assert (image_id in cloud.dead) == (place == "delete")


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", [name for name in BODIES if name != "not gzip"])
def test_a_delete_that_is_merely_taken_on_counts_once_the_image_is_gone(
    body: str, status: int, cloud: FakeCloud, server: Server
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, status=status, apply=True, **BODIES[body])
    assert reap(new_run(cloud, server, Clock()), [image_id])[image_id].outcome == "deleted"
    assert list(cloud.dead) == [image_id]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 500])
@pytest.mark.parametrize("place", ["image", "members", "delete"])
def test_a_wrong_address_never_says_that_an_image_is_gone(
    place: str, status: int, cloud: FakeCloud, stage: Stage
) -> None:
    image_id = cloud.add_image(visibility="shared")
    for page in NOT_FOUND:
        cloud.fault(*PLACES[place], status=status, body=page, times=None)
        assert stage.outcomes([image_id])[image_id][0] == "failed"
        cloud.faults.clear()
    assert image_id in cloud.images


def test_an_image_that_never_was_is_already_gone(cloud: FakeCloud, stage: Stage) -> None:
    assert stage.outcomes([UNKNOWN_ID]) == {UNKNOWN_ID: ("already_gone", "")}
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("place", ["image", "delete"])
def test_refused_credentials_end_the_run_for_all_the_rest(place: str, cloud: FakeCloud, stage: Stage) -> None:
    stage.set_up(REAPER_MAX_IMAGES="1000")
    image_ids = [cloud.add_image() for _ in range(200)]
    cloud.fault(*PLACES[place], status=401, times=None)
    assert set(stage.outcomes(image_ids).values()) == {("failed", "denied")}
    assert set(cloud.images) == set(image_ids)
    assert len(cloud.calls) <= 6 * 16


@pytest.mark.parametrize("setting", ["REAPER_IMAGE_ENDPOINT", "REAPER_COMPUTE_ENDPOINT"])
def test_an_endpoint_that_refuses_connections_ends_the_run_for_all_the_rest(
    setting: str, cloud: FakeCloud, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    image_ids = [cloud.add_image() for _ in range(200)]
    debug_urllib3(caplog)
    with closed_port() as port:
        run = new_run(cloud, server, Clock(3600), **{setting: f"http://127.0.0.1:{port}"})
        outcomes = reap(run, image_ids)
        assert 0 < new_connections(caplog, port) <= 4 * 16
    assert {(outcome.outcome, outcome.reason) for outcome in outcomes.values()} == {("failed", "unavailable")}
    assert set(cloud.images) == set(image_ids)
    assert not cloud.calls_of("DELETE")


@pytest.mark.parametrize("setting", ["REAPER_IMAGE_ENDPOINT", "REAPER_COMPUTE_ENDPOINT", "OS_AUTH_URL"])
def test_an_endpoint_that_never_answers_ends_the_run_within_its_deadline(
    setting: str, cloud: FakeCloud, stage: Stage
) -> None:
    image_ids = [cloud.add_image() for _ in range(200)]
    context = Context(2.5)
    with silent_port() as port:
        stage.set_up(**{setting: f"http://127.0.0.1:{port}/v3"})
        outcomes = stage.outcomes(image_ids, context)
        assert context.get_remaining_time_in_millis() > 0
    assert set(outcomes.values()) <= {("failed", "unavailable"), ("failed", "deadline")}
    assert set(cloud.images) == set(image_ids)


def test_a_server_list_that_fails_stops_deletions_but_no_other_answer(cloud: FakeCloud, server: Server) -> None:
    plain, shielded = cloud.add_image(), cloud.add_image(protected=True)
    cloud.fault("GET", r"/servers/detail$", status=503, times=None)
    outcomes = reap(new_run(cloud, server, Clock()), [plain, shielded, UNKNOWN_ID])
    assert [outcomes[i].outcome for i in (plain, shielded, UNKNOWN_ID)] == ["failed", "refused", "already_gone"]
    assert outcomes[plain].reason == "unavailable"
    assert set(cloud.images) == {plain, shielded}


@pytest.mark.parametrize("place", ["image", "delete"])
def test_one_image_that_the_cloud_fails_on_leaves_the_others_alone(
    place: str, cloud: FakeCloud, server: Server
) -> None:
    image_ids = [cloud.add_image() for _ in range(20)]
    method, _ = PLACES[place]
    cloud.fault(method, image_ids[7], status=500, times=None)
    outcomes = reap(new_run(cloud, server, Clock(600)), image_ids)
    assert [i for i in image_ids if outcomes[i].outcome != "deleted"] == [image_ids[7]]
    assert outcomes[image_ids[7]].reason == "unavailable"
    assert list(cloud.images) == [image_ids[7]]


def test_the_first_error_that_ends_a_run_is_the_one_that_is_told(cloud: FakeCloud, server: Server) -> None:
    run = new_run(cloud, server, Clock())
    run.deadline.halt(Unavailable("first"))
    run.deadline.halt(Unavailable("second"))
    with pytest.raises(CloudError, match="first"):
        run.cloud.image(cloud.add_image())
    assert not cloud.calls
