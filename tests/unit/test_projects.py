"""Many projects in one function: each has a secret, a run and a share of the time of its own, and fails alone."""

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import pytest

from handler.compose import warm
from handler.errors import InvalidRequest, InvalidSettings
from tests.aws import Client
from tests.conftest import Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request
from tests.faults import envelope
from tests.projects import NAME, Estate
from tests.unit.conftest import Relay
from tests.unit.test_objects import NAME as BUCKET
from tests.unit.test_objects import s3

__all__ = ["s3"]

SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit": 100, "limit_percent": 100}}

Send = Callable[..., Invocation]


@pytest.fixture
def estate(cloud: FakeCloud, server: Server, vault: Client) -> Estate:
    return Estate(cloud, server.url, vault)


@pytest.fixture
def send(estate: Estate, invoke_with: Invoke) -> Send:
    """Invoke the function, armed, with an event."""

    def send_once(event: object, seconds: float = 60.0, **changed: str) -> Invocation:
        return invoke_with(event, estate.settings | changed, seconds)

    return send_once


def request(project_id: str, *image_ids: str) -> dict[str, Any]:
    return {"image_ids": list(image_ids), "project_id": project_id}


def all_of(estate: Estate, project_id: str) -> dict[str, Any]:
    return request(project_id, *estate.images_of(project_id))


def test_the_messages_of_a_batch_are_carried_out_each_in_its_project(estate: Estate, send: Send) -> None:
    projects = [estate.add(name, images=3) for name in ("a", "b", "c")]
    run = send(queue(*(all_of(estate, project) for project in projects), SWEEP | {"project_id": projects[0]}))
    assert (run.error, run.returned, estate.cloud.images) == (None, [], {})
    by_project = {line["project_id"]: line["counts"] for line in run.logged("run.finished")}
    assert by_project == {project: {"deleted": 3} for project in projects} | {projects[0]: {"deleted": 3}}


def test_each_line_of_a_run_names_its_project(estate: Estate, send: Send) -> None:
    projects = [estate.add(name, images=2) for name in ("a", "b")]
    run = send(queue(*(all_of(estate, project) for project in projects)))
    told = {line["image_id"]: line["project_id"] for line in run.logs if line["message"].startswith("image.")}
    assert told == {image.id: image.owner for image in estate.cloud.dead.values()}
    assert all(line.get("project_id") for line in run.logs)


def test_a_request_without_a_project_is_turned_down_by_name(estate: Estate, send: Send) -> None:
    project = estate.add("a", images=2)
    first, second = estate.images_of(project)
    run = send(queue({"image_ids": [first]}, request(project, second)))
    assert (run.returned, list(estate.cloud.images)) == (["m0"], [first])
    (line,) = run.logged("request.rejected")
    assert line["problem"].startswith(
        "project_id: is missing: REAPER_CREDENTIALS_SECRET has one secret for each project"
    )


@pytest.mark.parametrize("source", ["direct", "schedule", "topic", "stack"])
def test_so_it_is_from_every_source(
    source: str, estate: Estate, server: Server, cloud: FakeCloud, invoke_with: Invoke
) -> None:
    image = cloud.add_image()
    bare = {"image_ids": [image]}
    created = load_event("stack-create") | {"ResponseURL": f"{server.url}/sink/stack"}
    event = created if source == "stack" else envelope(source, bare)
    run = invoke_with(event, estate.settings)
    told = run.error if source != "stack" else json.loads(cloud.calls_of("PUT")[0].body)["Reason"]
    assert isinstance(run.error, InvalidRequest) or source == "stack"
    assert "project_id: is missing" in str(told)
    assert image in cloud.images


WRONG: Mapping[str, Mapping[str, object]] = {
    "no password": {"OS_PASSWORD": ""},
    "a wrong password": {"OS_PASSWORD": "wrong"},
    "nonsense": {"nonsense": "x"},
    "a broken authority": {"CA_BUNDLE": "x"},
}


@pytest.mark.parametrize("secret", WRONG.values(), ids=list(WRONG))
def test_a_project_whose_secret_is_wrong_fails_alone(secret: Mapping[str, object], estate: Estate, send: Send) -> None:
    wrong, right = estate.add("a", images=2, secret=secret), estate.add("b", images=2)
    run = send(queue(all_of(estate, wrong), all_of(estate, right)))
    assert (run.error, run.returned) == (None, ["m0"])
    assert {image.owner for image in estate.cloud.images.values()} == {wrong}
    (line,) = run.logged("images.untouched")
    assert (line["project_id"], line["reason"]) == (wrong, "denied")
    assert not run.logged("messages.put_off")


def test_each_of_them_leaves_a_report_of_its_own(estate: Estate, send: Send, s3: Client) -> None:
    wrong = [estate.add(name, images=1, secret={"OS_PASSWORD": "wrong"}) for name in ("a", "b")]
    send(queue(*(all_of(estate, project) for project in wrong)), REAPER_REPORT_BUCKET=BUCKET)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"] if "report" in found["Key"]]
    assert sorted(key.split("/")[2] for key in keys) == sorted(wrong)


def test_a_project_without_a_secret_fails_alone(estate: Estate, send: Send) -> None:
    right, unknown = estate.add("b", images=1), estate.cloud.add_project("unknown")
    image = estate.cloud.add_image(owner=unknown)
    run = send(queue(request(unknown, image), all_of(estate, right)))
    assert (run.returned, list(estate.cloud.images)) == (["m0"], [image])
    (line,) = run.logged("images.untouched")
    assert line["reason"] == "denied"
    assert "ResourceNotFoundException" in line["detail"]


def test_a_vault_that_is_away_fails_with_a_reason_that_passes(estate: Estate, send: Send) -> None:
    project = estate.add("a", images=1)
    run = send(queue(all_of(estate, project)), AWS_ENDPOINT_URL_SECRETS_MANAGER="http://127.0.0.1:1")
    (line,) = run.logged("images.untouched")
    assert (run.returned, line["reason"]) == (["m0"], "unavailable")


def test_a_call_for_one_project_raises_what_is_wrong_with_its_secret(estate: Estate, send: Send) -> None:
    project = estate.add("a", images=1, secret={"nonsense": "x"})
    run = send(all_of(estate, project))
    assert isinstance(run.error, InvalidSettings)
    assert "nonsense" in str(run.error)


def test_a_secret_under_the_name_of_another_project_deletes_nothing(estate: Estate, send: Send) -> None:
    ours, theirs = estate.add("a", images=2), estate.add("b", images=2)
    estate.store(ours, estate.credentials(theirs))
    run = send(queue(request(ours, *estate.images_of(theirs)), request(ours, *estate.images_of(ours))))
    assert (run.returned, len(estate.cloud.images)) == (["m0", "m1"], 4)
    assert {line["reason"] for line in run.logged("images.untouched")} == {"denied"}
    assert f"for project {theirs}, and must be for {ours}" in run.logged("images.untouched")[0]["detail"]
    # Neither is anything taken for gone.
    assert not run.logged("image.already_gone")


def test_credentials_in_the_environment_yield_to_those_of_the_secret(
    estate: Estate, send: Send, server: Server
) -> None:
    project = estate.add("a", images=1)
    ours = estate.cloud.add_image()
    run = send(queue(all_of(estate, project), request(project, ours)), **estate.cloud.env(server.url))
    assert (run.returned, list(estate.cloud.images)) == ([], [ours])


def test_a_new_secret_of_one_project_counts_for_it_alone(estate: Estate, send: Send) -> None:
    projects = [estate.add(name, images=1) for name in ("a", "b")]
    send(queue(*(all_of(estate, project) for project in projects)))
    estate.cloud.rotate_password("new-passw0rd", user="a")
    estate.store(projects[0], estate.credentials(projects[0]))
    logins = len(estate.cloud.calls_of("POST"))
    images = [estate.cloud.add_image(owner=project) for project in projects]
    run = send(queue(*(request(*each) for each in zip(projects, images, strict=True))))
    assert (run.returned, estate.cloud.images) == ([], {})
    assert len(estate.cloud.calls_of("POST")) == logins + 2  # the old password was refused, the new one was not


def test_the_order_of_a_group_holds_across_projects(estate: Estate, send: Send) -> None:
    a, b = (estate.add(name, images=3) for name in ("a", "b"))
    images = {project: estate.images_of(project) for project in (a, b)}
    order = [(a, 0), (b, 0), (a, 1), (b, 1), (b, 2), (a, 2)]
    run = send(queue(*(request(project, images[project][n]) for project, n in order), fifo_groups=["g"] * 6))
    assert (run.returned, list(estate.cloud.dead)) == ([], [images[project][n] for project, n in order])


def test_what_comes_after_a_failure_of_its_group_is_held_back_in_every_project(estate: Estate, send: Send) -> None:
    a, b = (estate.add(name, images=2) for name in ("a", "b"))
    (a0, a1), (b0, b1) = estate.images_of(a), estate.images_of(b)
    estate.cloud.fault("DELETE", b0, status=403)
    bodies = [request(a, a0), request(b, b0), request(a, a1), request(b, b1)]
    run = send(queue(*bodies, fifo_groups=["g", "g", "g", "other"]))
    assert (run.returned, set(estate.cloud.images)) == (["m1", "m2"], {b0, a1})
    assert [line["message_id"] for line in run.logged("message.held")] == ["m2"]


def test_a_cloud_that_hangs_does_not_cost_the_others_their_time(estate: Estate, send: Send) -> None:
    far, near = FakeCloud(), [estate.add(name, images=2) for name in ("b", "c")]
    far.fault(times=None, delay=30.0)
    with Server(far) as there:
        down = estate.add("a", images=1, secret={"OS_AUTH_URL": f"{there.url}/identity/v3"})
        run = send(queue(*(all_of(estate, project) for project in (down, *near))), seconds=14.0)
    assert run.returned == ["m0"]
    assert {image.owner for image in estate.cloud.images.values()} == {down}
    assert {line["project_id"]: line["counts"] for line in run.logged("run.finished")} == {
        down: {"failed": 1},
        **{project: {"deleted": 2} for project in near},
    }


class Crowd(FakeCloud):
    """A cloud that counts how many requests about single images are under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_here, self.most, self._door = 0, 0, Lock()

    def handle(self, request: Request) -> Reply:
        if "/v2/images/" not in request.path:
            return super().handle(request)
        with self._door:
            self.now_here += 1
            self.most = max(self.most, self.now_here)
        time.sleep(0.02)  # as a real one takes its time
        with self._door:
            self.now_here -= 1
        return super().handle(request)


def test_what_may_be_under_way_at_once_is_shared_by_its_projects(vault: Client, invoke_with: Invoke) -> None:
    with Server(crowd := Crowd()) as server:
        estate = Estate(crowd, server.url, vault)
        projects = [estate.add(name, images=8) for name in "abcd"]
        bodies = [all_of(estate, project) for project in projects]
        run = invoke_with(queue(*bodies), estate.settings | {"REAPER_CONCURRENCY": "4", "REAPER_IN_USE_CHECK": "off"})
    assert (run.returned, crowd.images) == ([], {})
    assert 2 < crowd.most <= 4


def test_what_an_invocation_may_delete_is_shared_by_its_projects(estate: Estate, send: Send) -> None:
    projects = [estate.add(name, images=2) for name in ("a", "b", "c")]
    run = send(queue(*(all_of(estate, project) for project in projects)), REAPER_MAX_IMAGES="4")
    assert (run.returned, len(estate.cloud.dead)) == (["m2"], 4)
    assert run.logged("images.untouched")[0]["reason"] == "over_limit"


def test_a_paused_function_reads_no_secret(estate: Estate, send: Send, relay: Relay) -> None:
    project = estate.add("a", images=1)
    run = send(queue(all_of(estate, project)), REAPER_MODE="paused", AWS_ENDPOINT_URL_SECRETS_MANAGER=relay.url)
    assert (run.returned, relay.calls, estate.cloud.calls) == (["m0"], [], [])
    assert run.logged("images.untouched")[0]["reason"] == "paused"


def test_a_pin_can_not_be_set_beside_many_secrets(send: Send) -> None:
    run = send(SWEEP, REAPER_PROJECT_ID="p")
    assert isinstance(run.error, InvalidSettings)
    assert str(run.error).startswith("REAPER_PROJECT_ID: can't be set beside {project_id}")


@pytest.mark.parametrize("name", ["reaper/{project}", "reaper/{project_id}/{}", "{project_id", "a}b", "{{project_id}}"])
def test_nothing_else_may_stand_in_braces(name: str, send: Send) -> None:
    run = send(SWEEP | {"project_id": "p"}, REAPER_CREDENTIALS_SECRET=name)
    assert isinstance(run.error, InvalidSettings)
    assert "REAPER_CREDENTIALS_SECRET: {project_id} is all that may stand in braces" in str(run.error)


def test_a_secret_may_be_named_by_its_arn_without_the_suffix(estate: Estate, send: Send) -> None:
    project = estate.add("a", images=1)
    arn = estate.vault.describe_secret(SecretId=NAME.format(project_id=project))["ARN"]
    partial = arn.rpartition("-")[0].replace(project, "{project_id}")
    run = send(all_of(estate, project), REAPER_CREDENTIALS_SECRET=partial)
    assert run.answer["counts"] == {"deleted": 1}


def test_a_standing_request_must_name_its_project(send: Send) -> None:
    run = send({"detail-type": "Scheduled Event"}, REAPER_SCHEDULED_REQUEST=json.dumps(SWEEP))
    assert isinstance(run.error, InvalidSettings)
    assert str(run.error).startswith("REAPER_SCHEDULED_REQUEST: project_id: is missing")


@pytest.mark.slow("a run for each identity that is kept")
def test_a_few_identities_are_kept_and_no_more(estate: Estate, send: Send) -> None:
    projects = [estate.add(f"p{number}") for number in range(warm.MOST_IDENTITIES + 1)]
    for project in projects:
        send(SWEEP | {"project_id": project})
    assert len(warm._KEPT) == warm.MOST_IDENTITIES
    logins = len(estate.cloud.calls_of("POST"))
    send(SWEEP | {"project_id": projects[-1]})
    assert len(estate.cloud.calls_of("POST")) == logins
    send(SWEEP | {"project_id": projects[0]})
    assert len(estate.cloud.calls_of("POST")) == logins + 1
