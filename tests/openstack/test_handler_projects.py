"""Three projects with a secret each, swept from one place before the real services."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from tests.aws import KEYS, Client, client
from tests.conftest import queue
from tests.contract.asking import sign_in
from tests.openstack import Lab
from tests.openstack.accounts import Keystone
from tests.openstack.stage import BYTES, Stage
from tests.projects import NAME

SWEEP = {"select": {"name": "ci-*"}, "limit_percent": 100}
THIRD = "third"

AddImage = Callable[[Mapping[str, str], str], str]


@pytest.fixture(scope="module")
def third(lab: Lab) -> dict[str, str]:
    """A third project, with a user of its own; the variables for it."""
    keystone = Keystone(lab.identity.url, "admin", "admin", lab.accounts.passwords["admin"])
    project, password = keystone.create("project", name=THIRD, domain_id="default"), secrets.token_urlsafe()
    user = keystone.create("user", name=THIRD, password=password, domain_id="default")
    (member,) = (role["id"] for role in keystone.get("roles") if role["name"] == "member")
    keystone.put(f"projects/{project}/users/{user}/roles/{member}")
    return lab.env() | {"OS_USERNAME": THIRD, "OS_PASSWORD": password, "OS_PROJECT_NAME": THIRD}


@pytest.fixture
def projects(lab: Lab, third: dict[str, str], moto: str) -> Iterator[dict[str, dict[str, str]]]:
    """The variables for each of three projects, which lie in its secret."""
    everybody = (lab.env(), lab.env(user="neighbour", project="other"), third)
    found = {sign_in(env).body["token"]["project"]["id"]: dict(env) for env in everybody}
    vault = client("secretsmanager", moto)
    for project_id, env in found.items():
        vault.create_secret(Name=NAME.format(project_id=project_id), SecretString=json.dumps(env))
    yield found
    for project_id in found:
        vault.delete_secret(SecretId=NAME.format(project_id=project_id), ForceDeleteWithoutRecovery=True)


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.fixture
def settings(sqs: Client, moto: str) -> Iterator[dict[str, str]]:
    url = sqs.create_queue(QueueName="three-projects")["QueueUrl"]
    yield KEYS | {"AWS_ENDPOINT_URL": moto, "REAPER_CREDENTIALS_SECRET": NAME, "REAPER_FANOUT_QUEUE_URL": url}
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def add_image(stage: Stage) -> Iterator[AddImage]:
    """Make an image with data in a project; it goes when the test ends."""
    made: list[tuple[str, str]] = []

    def add(env: Mapping[str, str], name: str) -> str:
        token = sign_in(env).headers["X-Subject-Token"]
        wanted = {"name": name, "disk_format": "raw", "container_format": "bare"}
        image_id = str(stage.cloud.glance("POST", token=token, payload=wanted).body["id"])
        assert stage.cloud.glance("PUT", f"/{image_id}/file", token=token, data=BYTES).status == 204
        made.append((image_id, token))
        return image_id

    yield add
    for image_id, token in made:
        stage.cloud.glance("DELETE", f"/{image_id}", token=token)


def left(lab: Lab, images: Iterable[str]) -> list[str]:
    """The images whose data is still there: nobody sees those of all projects."""
    return [image for image in images if (lab.store / image).exists()]


def sent(sqs: Client, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """The messages that wait for the workers."""
    answer = sqs.receive_message(QueueUrl=settings["REAPER_FANOUT_QUEUE_URL"], MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer["Messages"]]


def test_three_projects_are_swept_from_one_place(
    stage: Stage, add_image: AddImage, projects: dict[str, dict[str, str]], settings: dict[str, str], sqs: Client
) -> None:
    go = [add_image(env, f"ci-{number}") for env in projects.values() for number in range(3)]
    stay = [add_image(env, "golden") for env in projects.values()]
    told = stage.invoke({"sweep": SWEEP, "projects": list(projects)}, settings)
    assert told.answer["projects"] == 3
    run = stage.invoke(queue(*sent(sqs, settings)), settings)
    assert (run.error, run.returned, left(stage.lab, go), left(stage.lab, stay)) == (None, [], [], stay)
    counts = {line["project_id"]: line["counts"] for line in run.logged("run.finished")}
    assert counts == {project: {"deleted": 3} for project in projects}
    # The others' images are as good as gone to whoever is of another project: none was taken for that.
    assert not run.logged("image.already_gone")


def test_a_secret_with_a_wrong_password_or_of_another_project_fails_alone(
    stage: Stage, add_image: AddImage, projects: dict[str, dict[str, str]], settings: dict[str, str], moto: str
) -> None:
    images = {project: add_image(env, "ci-1") for project, env in projects.items()}
    wrong, mistaken, right = projects
    vault = client("secretsmanager", moto)
    for project, held in ((wrong, projects[wrong] | {"OS_PASSWORD": "wrong"}), (mistaken, projects[right])):
        vault.put_secret_value(SecretId=NAME.format(project_id=project), SecretString=json.dumps(held))
    bodies = [{"image_ids": [image], "project_id": project} for project, image in images.items()]
    run = stage.invoke(queue(*bodies), settings)
    assert (run.returned, left(stage.lab, images.values())) == (["m0", "m1"], [images[wrong], images[mistaken]])
    assert {line["reason"] for line in run.logged("images.untouched")} == {"denied"}
