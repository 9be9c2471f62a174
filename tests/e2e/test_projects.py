"""Two hundred projects from one schedule: a message for each, carried out by workers under AWS's own runtime."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.aws import Client, client
from tests.e2e.conftest import Feed, Start
from tests.fakecloud import FakeCloud, Server
from tests.projects import NAME, Estate

PROJECTS, IMAGES = 200, 50
SWEEP = {"select": {"name": "ci-*"}, "limit": IMAGES, "limit_percent": 100}


@pytest.fixture
def estate(cloud: FakeCloud, server: Server, moto: str) -> Iterator[Estate]:
    vault = client("secretsmanager", moto)
    yield Estate(cloud, server.url, vault)
    for project_id in cloud.projects:
        vault.delete_secret(SecretId=NAME.format(project_id=project_id), ForceDeleteWithoutRecovery=True)


@pytest.fixture
def sqs(moto: str) -> Client:
    return client("sqs", moto)


@pytest.fixture
def queue(sqs: Client) -> Iterator[str]:
    url = str(sqs.create_queue(QueueName="many-projects", Attributes={"VisibilityTimeout": "720"})["QueueUrl"])
    yield url
    sqs.delete_queue(QueueUrl=url)


def test_one_schedule_sweeps_two_hundred_projects_and_deals_with_every_image_once(
    estate: Estate, start: Start, poller: Feed, queue: str
) -> None:
    projects = [estate.add(f"p{number}", images=IMAGES) for number in range(PROJECTS)]
    nobody = dict.fromkeys(estate.cloud.env(estate.url), "")
    begin = partial(start, timeout=120, **nobody, **estate.settings, REAPER_FANOUT_QUEUE_URL=queue)
    event = {"detail-type": "Scheduled Event", "detail": {"sweep": SWEEP, "projects": projects}}
    told = begin().invoke(event).value
    assert (told["ok"], told["projects"], len(estate.cloud.images)) == (True, PROJECTS, PROJECTS * IMAGES)
    worker = begin(REAPER_MAX_IMAGES=str(10 * IMAGES))
    feed = poller(queue, lambda event: worker.invoke(event).value)
    feed.drain(most=2 * PROJECTS)
    deleted = Counter(call.path for call in estate.cloud.calls_of("DELETE"))
    assert (len(deleted), set(deleted.values()), estate.cloud.images) == (PROJECTS * IMAGES, {1}, {})
    assert feed.failed_batches == 0
