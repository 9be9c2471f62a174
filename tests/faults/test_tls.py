"""Faults over TLS, at the real names of the cloud's hosts: there, a cut connection looks like a bad certificate."""

from collections.abc import Iterator

import pytest

from handler import app
from handler.clock import Deadline
from tests.conftest import Context
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.front import Front


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(flavour="otc")


@pytest.fixture(params=["ims", "ecs-v2.1", "ecs-v2"])
def front(
    request: pytest.FixtureRequest, cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch
) -> Iterator[Front]:
    with Front(server) as front:
        signed = cloud.signing_env() | front.environment()
        for name, value in (signed | {"REAPER_MODE": "delete", "REAPER_IMAGE_API": request.param}).items():
            clean_environment.setenv(name, value)
        yield front


@pytest.mark.usefixtures("front")
def test_an_image_whose_answer_is_cut_off_is_still_ours(cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=7)
    cloud.fault("DELETE", f"{image}$", apply=True, cut=True)
    (outcome,) = app.lambda_handler({"image_ids": [image]}, Context())["outcomes"]
    assert (outcome["outcome"], outcome["name"]) == ("deleted", "ci-1")
    assert "answer to its DELETE was lost" in outcome["detail"]


@pytest.mark.usefixtures("front")
def test_an_image_whose_answer_is_late_is_still_ours(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadline, "timeout", lambda _: (1.0, 0.2))
    image = cloud.add_image("ci-1")
    cloud.fault("DELETE", f"{image}$", apply=True, status=204, delay=0.5)
    (outcome,) = app.lambda_handler({"image_ids": [image]}, Context())["outcomes"]
    assert (outcome["outcome"], outcome["name"]) == ("deleted", "ci-1")
    assert "answer to its DELETE was lost" in outcome["detail"]


@pytest.mark.usefixtures("front")
def test_a_question_whose_answer_is_cut_off_is_asked_again(cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", f"{image}$", cut=True)
    assert app.lambda_handler({"image_ids": [image]}, Context())["counts"] == {"deleted": 1}


def test_an_authority_that_nobody_trusts_ends_the_run(
    front: Front, cloud: FakeCloud, clean_environment: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image("ci-1")
    clean_environment.delenv("OS_CACERT")
    (outcome,) = app.lambda_handler({"image_ids": [image]}, Context(9.0))["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert "certificate" in outcome["detail"]
    assert front.connects
    assert image in cloud.images
