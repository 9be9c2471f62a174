"""What an answer to a DELETE proves: `deleted` and `already_gone` only once the cloud shows no such image any more."""

from typing import Any

import pytest

from handler import app
from handler.cloud.calls import LOOKS
from tests.conftest import UNKNOWN_ID, Context, Invoke, queue
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, Stage, new_run, reap

LATER = ["ims", "ecs-v2.1", "ecs-v2"]
"""The APIs whose 204 says that a task was delivered."""
NOT_FOUND: dict[str, tuple[int, Any]] = {
    "IMG.0027": (400, {"error": {"code": "IMG.0027", "message": "The image does not exist."}}),
    "IMG.0086": (404, {"error": {"code": "IMG.0086", "message": "No image was found."}}),
    "IMG.0121": (400, {"error": {"code": "IMG.0121", "message": "The object cannot be found."}}),
    "IMG.0144": (404, {"error": {"code": "IMG.0144", "message": "The image does not exist."}}),
    "Ecs.0031": (404, {"error": {"code": "Ecs.0031", "message": "The image does not exist."}}),
    "Glance": (404, "Failed to find image {image} to delete"),
    "Nova": (404, {"itemNotFound": {"code": 404, "message": "Image not found."}}),
}

pytestmark = pytest.mark.parametrize("cloud", ["otc"], indirect=True)


class Hourglass(Context):
    """Lambda's context, with much time left until it is turned."""

    def turn(self) -> None:
        self.__init__(2.2)  # type: ignore[misc]


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    return FakeCloud(flavour=request.param)


@pytest.fixture
def stage(cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch) -> Stage:
    return Stage(cloud, server, clean_environment)


def outcome_of(stage: Stage, image: str, **fault: Any) -> dict[str, Any]:  # noqa: ANN401 (those of a fault)
    """Delete an image when there is little time left to look for it."""
    context = Hourglass(60.0)
    stage.cloud.fault("DELETE", f"{image}$", then=context.turn, **fault)
    (outcome,) = app.lambda_handler({"image_ids": [image]}, context)["outcomes"]
    return dict(outcome)


@pytest.mark.parametrize("api", LATER)
def test_a_task_that_was_delivered_is_no_deletion_yet(api: str, stage: Stage, cloud: FakeCloud) -> None:
    stage.set_up(REAPER_IMAGE_API=api)
    image = cloud.add_image("ci-1")
    outcome = outcome_of(stage, image, status=204)
    assert (outcome["outcome"], outcome["reason"], outcome["name"]) == ("failed", "unavailable", "ci-1")
    assert "HTTP 204, but the image is still there" in outcome["detail"]


@pytest.mark.parametrize("api", LATER)
def test_a_task_is_looked_after_until_the_image_is_gone(api: str, invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", f"{image}$", status=204)
    cloud.fault("GET", f"{image}$", status=None, skip=1, then=lambda: cloud.kill(image))
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api)
    assert run.outcomes == {image: ("deleted", "")}
    assert [call.method for call in cloud.calls if call.path.endswith(image)] == ["GET", "DELETE", "GET", "GET"]
    assert run.metric("DeleteLatency") > 0


@pytest.mark.parametrize("api", LATER)
def test_the_first_look_follows_at_once(api: str, invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}, REAPER_IMAGE_API=api).outcomes == {image: ("deleted", "")}
    assert [call.method for call in cloud.calls if call.path.endswith(image)] == ["GET", "DELETE", "GET"]


def test_the_last_look_follows_the_last_pause(cloud: FakeCloud, server: Server) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", f"{image}$", status=202)
    cloud.fault("GET", f"{image}$", status=None, skip=len(LOOKS), then=lambda: cloud.kill(image))
    assert reap(new_run(cloud, server, Clock(600.0)), [image])[image].outcome == "deleted"


@pytest.mark.parametrize("said", NOT_FOUND)
@pytest.mark.parametrize("api", ["glance", *LATER])
def test_not_found_is_no_proof_while_the_image_is_there(api: str, said: str, stage: Stage, cloud: FakeCloud) -> None:
    stage.set_up(REAPER_IMAGE_API=api)
    image = cloud.add_image()
    status, body = NOT_FOUND[said]
    body = body.format(image=image) if isinstance(body, str) else body
    outcome = outcome_of(stage, image, status=status, body=body)
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert "still there" in outcome["detail"]


@pytest.mark.parametrize(
    "said", ["No image found with ID {}", "Failed to find image {} to delete", "Image {} not found."]
)
@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("api", ["glance", *LATER])
def test_what_is_said_of_another_image_is_no_proof(
    api: str, status: int, said: str, invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", f"/images/{image}$", status=status, body={"message": said.format(UNKNOWN_ID)}, times=None)
    run = invoke(queue({"image_ids": [image]}), REAPER_IMAGE_API=api)
    assert (run.returned, set(cloud.images), cloud.calls_of("DELETE")) == (["m0"], {image}, [])


@pytest.mark.parametrize("api", ["glance", *LATER])
def test_what_is_said_of_its_members_is_no_proof_while_the_image_is_there(
    api: str, invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", visibility="shared")
    cloud.fault("GET", "/members$", status=404, body={"message": f"Image {image} not found."}, times=None)
    run = invoke(queue({"image_ids": [image]}), REAPER_IMAGE_API=api)
    assert run.returned == ["m0"]
    assert (image in cloud.images, cloud.calls_of("DELETE")) == (True, [])


@pytest.mark.parametrize("said", NOT_FOUND)
@pytest.mark.parametrize("api", ["glance", *LATER])
def test_not_found_is_believed_once_a_get_agrees(api: str, said: str, invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    status, body = NOT_FOUND[said]
    body = body.format(image=image) if isinstance(body, str) else body
    cloud.fault("DELETE", f"{image}$", status=status, body=body, then=lambda: cloud.kill(image))
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api)
    assert run.outcomes == {image: ("already_gone", "")}
    assert [call.method for call in cloud.calls if call.path.endswith(image)] == ["GET", "DELETE", "GET"]


@pytest.mark.parametrize("api", ["glance", *LATER])
def test_a_delete_that_took_too_long_to_answer_is_still_ours(api: str, invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=7)
    cloud.fault("DELETE", f"{image}$", apply=True, cut=True)
    run = invoke({"image_ids": [image]}, REAPER_IMAGE_API=api)
    (outcome,) = run.answer["outcomes"]
    assert (outcome["outcome"], outcome["name"], outcome["size"]) == ("deleted", "ci-1", 7)
    assert "answer to its DELETE was lost" in outcome["detail"]
    assert (run.metric("ImagesDeleted"), run.metric("BytesReclaimed")) == (1, 7)


def test_a_delete_that_is_done_between_two_tries_is_still_ours(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=7)
    cloud.fault("DELETE", f"{image}$", status=504)
    cloud.fault(
        "DELETE",
        f"{image}$",
        status=404,
        body=f"Failed to find image {image} to delete",
        then=lambda: cloud.kill(image),
    )
    run = invoke({"image_ids": [image]})
    assert (run.outcomes, run.metric("BytesReclaimed")) == ({image: ("deleted", "")}, 7)
