"""The question where AWS has a part in it: sweeps for a queue of workers, stored plans, and a bucket for reports."""

import json
from pathlib import Path

import pytest

from tests.aws import Client, client
from tests.conftest import queue
from tests.fakecloud import FakeCloud, Server
from tests.projects import Estate
from tests.unit.approving import plan_for
from tests.unit.conftest import AtTerminal
from tests.unit.test_approved_on_aws import Environment, environment, stored

ARMED = {"REAPER_MODE": "delete"}
__all__ = ["environment"]  # a fixture

pytestmark = pytest.mark.slow("each test starts an interpreter, and moto")


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.mark.parametrize(("answer", "code", "sent"), [("no\n", 2, 0), ("yes\n", 0, 2)])
def test_a_sweep_of_many_projects_is_not_rehearsed_but_asked_about(  # noqa: PLR0913, PLR0917 (fixtures)
    at_terminal: AtTerminal, tmp_path: Path, sqs: Client, environment: Environment, answer: str, code: int, sent: int
) -> None:
    order = {"sweep": {"select": {"name": "ci-*"}}, "projects": ["p1", "p2"]}
    (tmp_path / "order.json").write_text(json.dumps(order))
    with at_terminal("order.json", **environment, **ARMED) as terminal:
        terminal.wait_for("Send a sweep to the workers of 2 projects?")
        terminal.wait_for("goes ahead: ")
        url = environment["REAPER_FANOUT_QUEUE_URL"]
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
        terminal.type(answer)
        terminal.ended(code)
    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])) == sent


def test_a_stored_plan_is_shown_and_then_carried_out(
    at_terminal: AtTerminal, cloud: FakeCloud, moto: str, environment: Environment
) -> None:
    images = [cloud.add_image(f"ci-{place}") for place in range(3)]
    key = stored(moto, plan_for(cloud, images))["approve"]["plan"]
    del environment["REAPER_FANOUT_QUEUE_URL"]
    with at_terminal("--approve", key, **environment, **ARMED) as terminal:
        terminal.wait_for("Delete 3 images")
        terminal.wait_for("goes ahead: ")
        assert cloud.dead == {}
        terminal.type("yes\n")
        terminal.ended(0)
    assert set(cloud.dead) == set(images)


def test_a_rehearsal_before_the_question_leaves_no_plan_for_others(
    at_terminal: AtTerminal, cloud: FakeCloud, moto: str, environment: Environment
) -> None:
    cloud.add_image("ci-1")
    del environment["REAPER_FANOUT_QUEUE_URL"]
    with at_terminal("--sweep", "--name", "ci-*", "--limit-percent", "100", **environment, **ARMED) as terminal:
        terminal.wait_for("goes ahead: ")
        terminal.type("no\n")
        terminal.ended(2)
    assert "Contents" not in client("s3", moto).list_objects_v2(Bucket="reports")


@pytest.mark.parametrize(("answer", "code"), [("no\n", 2), ("yes\n", 0)])
def test_where_each_project_has_a_secret_nothing_goes_before_the_answer(  # noqa: PLR0913, PLR0917 (fixtures)
    at_terminal: AtTerminal, cloud: FakeCloud, server: Server, moto: str, tmp_path: Path, answer: str, code: int
) -> None:
    estate = Estate(cloud, server.url, client("secretsmanager", moto), moto)
    project_id = estate.add(f"before-{code}", images=1)
    image = estate.images_of(project_id)[0]
    (tmp_path / "order.json").write_text(json.dumps({"image_ids": [image], "project_id": project_id}))
    without = dict.fromkeys(cloud.env(server.url), "")
    with at_terminal("order.json", **without | estate.settings) as terminal:
        terminal.wait_for("goes ahead: ")
        assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])
        terminal.type(answer)
        terminal.ended(code)
    assert set(cloud.dead) == ({image} if code == 0 else set())


@pytest.mark.parametrize(("answer", "code"), [("no\n", 2), ("yes\n", 0)])
def test_beside_a_sweep_of_many_projects_the_rest_of_a_batch_is_shown(  # noqa: PLR0913, PLR0917 (fixtures)
    at_terminal: AtTerminal, tmp_path: Path, cloud: FakeCloud, environment: Environment, answer: str, code: int
) -> None:
    shown, kept = cloud.add_image("ci-1"), cloud.add_image("ci-2", protected=True)
    order = {"sweep": {"select": {"name": "ci-*"}}, "projects": ["p1", "p2"]}
    rehearsal = {"image_ids": [cloud.add_image("ci-3")], "dry_run": True}
    (tmp_path / "batch.json").write_text(json.dumps(queue(order, {"image_ids": [shown, kept]}, rehearsal)))
    with at_terminal("batch.json", columns=120, **environment, **ARMED) as terminal:
        terminal.wait_for("Send a sweep to the workers of 2 projects?")
        terminal.wait_for("goes ahead: ")
        assert shown in terminal.said
        assert "Delete 1 image (" in terminal.said
        cloud.images[kept].protected = False
        terminal.type(answer)
        terminal.ended(1 if code == 0 else code)
    assert set(cloud.dead) == ({shown} if code == 0 else set())
