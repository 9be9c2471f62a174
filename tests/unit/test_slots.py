"""Behind a gateway without any burst, an image is deleted all the same: its DELETE has a slot of its own."""

from collections.abc import Callable

import pytest

from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.gateway import FixedWindow, Gateway, Limit, TokenBucket

IMAGES = 8
KINDS: dict[str, Callable[[float], Limit]] = {
    "one at a time": lambda rate: TokenBucket(rate, burst=1),
    "a second": FixedWindow,
}


@pytest.fixture
def invoke_behind(invoke_with: Invoke, cloud: FakeCloud) -> Callable[..., Invocation]:
    """Invoke the function behind a gateway with a limit."""

    def invoke_once(limit: Limit, images: list[str], **settings: str) -> Invocation:
        with Server(Gateway(cloud, limit)) as server:
            environment = cloud.env(server.url) | {"REAPER_MODE": "delete", "REAPER_IN_USE_CHECK": "off"} | settings
            return invoke_with({"image_ids": images}, environment, 60.0)

    return invoke_once


@pytest.mark.slow("a limit takes its time")
@pytest.mark.parametrize("rate", [10.0, 20.0])
@pytest.mark.parametrize(
    ("kind", "api"), [("one at a time", "glance"), ("a second", "glance"), ("a second", "ecs-v2.1")]
)
def test_all_images_are_deleted(
    kind: str, rate: float, api: str, cloud: FakeCloud, invoke_behind: Callable[..., Invocation]
) -> None:
    images = [cloud.add_image(visibility="private") for _ in range(IMAGES)]
    run = invoke_behind(KINDS[kind](rate), images, REAPER_IMAGE_API=api)
    assert run.answer["counts"] == {"deleted": IMAGES}
    assert set(cloud.dead) == set(images)
