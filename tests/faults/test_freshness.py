"""A DELETE follows the answer to the GET that was judged within a second, whatever comes between."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from urllib3 import PoolManager

from handler.connections.fenced import FencedAdapter
from handler.errors import Outdated
from handler.model.outcome import Outcome
from handler.model.request import DeletionRequest, Job, SweepRequest, Target
from handler.sources.schema import read_request
from handler.work.judgement import Judgement
from handler.work.parallel import carry_out
from handler.work.run import Run
from handler.work.sweeps import sweep
from handler.work.uses.lists import Expiry
from tests.fakecloud import FakeCloud, Server
from tests.faults import IMAGE_PATH, TOKENS_PATH, Clock, new_run, reap

MEMBERS = r"/members$"
LONG = 6.0
"""Seconds for which something takes its time."""


@pytest.fixture
def clock() -> Clock:
    return Clock(600.0)


@pytest.fixture
def run(cloud: FakeCloud, server: Server, clock: Clock) -> Run:
    return new_run(cloud, server, clock)


@pytest.fixture
def image(cloud: FakeCloud) -> str:
    return cloud.add_image("ci-1", visibility="shared")


@pytest.fixture
def wait(cloud: FakeCloud, image: str, clock: Clock) -> Callable[..., None]:
    """Take six seconds, in which the owner keeps the image."""

    def keep_after(*_: object) -> None:
        clock.pass_by(LONG)
        cloud.images[image].tags.append("keep")

    return keep_after


def keep_image(cloud: FakeCloud, image: str) -> Callable[[], None]:
    return lambda: cloud.images[image].tags.append("keep")


def assert_kept(outcome: Outcome, cloud: FakeCloud) -> None:
    assert (outcome.outcome, outcome.reason) == ("refused", "kept")
    assert outcome.image_id in cloud.images
    assert not [call for call in cloud.calls_of("DELETE") if call.status < 400]


def test_what_an_owner_does_while_the_members_are_throttled_counts(cloud: FakeCloud, run: Run, image: str) -> None:
    cloud.fault("GET", MEMBERS, status=429, headers={"Retry-After": "8"}, then=keep_image(cloud, image))
    assert_kept(reap(run, [image])[image], cloud)


def test_what_an_owner_does_while_the_members_are_read_counts(
    cloud: FakeCloud, run: Run, image: str, wait: Callable[..., None]
) -> None:
    cloud.fault("GET", MEMBERS, status=None, then=wait)
    assert_kept(reap(run, [image])[image], cloud)


@pytest.mark.parametrize("seconds", [60.0, 200.0])
def test_who_is_invited_while_the_servers_are_listed_once_more_counts(
    cloud: FakeCloud, run: Run, image: str, clock: Clock, seconds: float
) -> None:
    def invite() -> None:
        clock.pass_by(seconds)
        cloud.images[image].members["neighbour"] = "accepted"

    cloud.fault("GET", MEMBERS, status=None, then=lambda: clock.pass_by(LONG))
    cloud.fault("GET", "/servers/detail$", status=None, skip=1, then=invite)
    outcome = reap(run, [image])[image]
    assert (outcome.outcome, outcome.reason) == ("refused", "shared")


def test_a_request_that_expires_while_the_cloud_is_throttled_deletes_nothing(
    cloud: FakeCloud, run: Run, image: str, clock: Clock
) -> None:
    request = DeletionRequest((Target(image),), not_after=run.now + timedelta(seconds=5))
    cloud.fault("DELETE", IMAGE_PATH, status=429, then=lambda: clock.pass_by(LONG))
    (outcome,) = carry_out([Job(request.targets[0], request)], run)
    assert (outcome.outcome, outcome.reason) == ("refused", "expired")


def test_a_sweep_that_expires_while_its_list_is_read_deletes_nothing(
    cloud: FakeCloud, run: Run, image: str, clock: Clock
) -> None:
    policy = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}
    request = read_request({**policy, "not_after": (run.now + timedelta(seconds=5)).isoformat()})
    assert isinstance(request, SweepRequest)
    cloud.fault("GET", "/v2/images$", status=None, then=lambda: clock.pass_by(LONG))
    (outcome,) = sweep(request, "", run).outcomes
    assert (outcome.image_id, outcome.reason) == (image, "expired")


def test_what_an_owner_does_while_a_refused_token_is_replaced_counts(
    cloud: FakeCloud, run: Run, image: str, wait: Callable[..., None]
) -> None:
    cloud.fault("DELETE", IMAGE_PATH, status=401)
    cloud.fault("POST", TOKENS_PATH, status=None, skip=1, then=wait)
    assert_kept(reap(run, [image])[image], cloud)


def test_a_refused_token_costs_a_new_judgement_even_if_it_is_replaced_at_once(
    cloud: FakeCloud, run: Run, image: str
) -> None:
    cloud.fault("DELETE", IMAGE_PATH, status=401, then=keep_image(cloud, image))
    assert_kept(reap(run, [image])[image], cloud)


def test_what_an_owner_does_while_a_token_that_runs_out_is_replaced_counts(
    cloud: FakeCloud, run: Run, image: str, wait: Callable[..., None]
) -> None:
    take_token = lambda: setattr(run.cloud._transport._identity, "_access", None)  # noqa: E731 (a fault wants a word)
    # The last GET before the DELETE: the image after its members.
    cloud.fault("GET", f"{image}$", status=None, skip=1, then=take_token)
    cloud.fault("POST", TOKENS_PATH, status=None, skip=1, then=wait)
    assert_kept(reap(run, [image])[image], cloud)


@pytest.mark.parametrize("port", ["journal", "spend"])
def test_what_an_owner_does_while_a_deletion_is_counted_or_written_down_counts(
    port: str, cloud: FakeCloud, run: Run, image: str, wait: Callable[..., None]
) -> None:
    assert_kept(
        reap(run._replace(journal=wait) if port == "journal" else run._replace(spend=wait), [image])[image], cloud
    )


def _pools(run: Run) -> PoolManager:
    adapter = run.cloud._transport._session.get_adapter("http://")
    assert isinstance(adapter, FencedAdapter)
    pools: PoolManager = adapter.poolmanager
    return pools


def slow_to_connect(run: Run, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let every DELETE need a connection, during which something happens."""
    real, pools = socket.getaddrinfo, _pools(run)
    delete = run.cloud.delete

    def look_up(*args: Any, **options: Any) -> object:  # noqa: ANN401 (those of the socket module)
        meanwhile()
        return real(*args, **options)

    def delete_over_a_new_connection(*args: Any, **options: Any) -> object:  # noqa: ANN401 (those of the real one)
        pools.clear()
        with monkeypatch.context() as patch:
            patch.setattr("socket.getaddrinfo", look_up)
            return delete(*args, **options)

    monkeypatch.setattr(run.cloud, "delete", delete_over_a_new_connection)


def test_what_an_owner_does_while_a_connection_is_made_counts(
    cloud: FakeCloud, run: Run, image: str, wait: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_to_connect(run, monkeypatch, wait)
    assert_kept(reap(run, [image])[image], cloud)
    assert not cloud.calls_of("DELETE")


def test_an_image_that_is_never_fresh_is_judged_six_times_and_fails(
    cloud: FakeCloud, run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image()
    slow_to_connect(run, monkeypatch, lambda: clock.pass_by(1.1))
    outcome = reap(run, [image])[image]
    assert (outcome.outcome, outcome.reason) == ("failed", "unavailable")
    assert outcome.detail.startswith("judged 6 times")
    assert "too late for what was known of the image (1 second)" in outcome.detail
    assert (len(cloud.calls_of("DELETE")), image in cloud.images) == (0, True)
    assert sum(call.path.endswith(image) for call in cloud.calls_of("GET")) == 6


def test_an_image_that_is_never_fresh_behind_a_throttled_cloud_is_told_as_throttled(
    cloud: FakeCloud, run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image()
    slow_to_connect(run, monkeypatch, lambda: clock.pass_by(1.1))
    cloud.fault("GET", f"{image}$", status=429, skip=1)
    assert reap(run, [image])[image].reason == "throttled"


def test_an_image_that_is_read_too_slowly_for_what_is_known_of_servers_fails_and_says_so(
    cloud: FakeCloud, run: Run, clock: Clock
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", f"{image}$", status=None, times=None, then=lambda: clock.pass_by(LONG))
    outcome = reap(run, [image])[image]
    assert (outcome.outcome, outcome.reason) == ("failed", "unavailable")
    assert "what was known of servers (5 seconds)" in outcome.detail
    assert (cloud.calls_of("DELETE"), image in cloud.images) == ([], True)


def test_servers_are_not_too_old_for_an_image_that_is_throttled_each_time_it_is_read(
    cloud: FakeCloud, run: Run
) -> None:
    image, later = cloud.add_image(), {"Retry-After": "8"}
    cloud.fault("GET", f"{image}$", status=429, headers=later, times=12)
    assert reap(run, [image])[image].outcome == "deleted"


def test_a_server_that_is_made_while_an_image_is_throttled_saves_it(cloud: FakeCloud, run: Run) -> None:
    image = cloud.add_image()
    start = lambda: cloud.add_server(image=image)  # noqa: E731 (a fault wants to be told in a word)
    cloud.fault("GET", f"{image}$", status=429, headers={"Retry-After": "4"}, then=start)
    outcome = reap(run, [image])[image]
    assert (outcome.outcome, outcome.reason) == ("refused", "in_use")


def test_a_record_that_changed_before_its_delete_is_written_down_again(
    cloud: FakeCloud, run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, written, times = cloud.add_image("ci-1"), list[Any](), iter([1.1, 1.1, 0, 0])
    rename = lambda: setattr(cloud.images[image], "name", "ci-2")  # noqa: E731 (a fault wants to be told in a word)
    cloud.fault("GET", f"{image}$", status=None, skip=1, then=rename)
    slow_to_connect(run, monkeypatch, lambda: clock.pass_by(next(times)))
    outcome = reap(run._replace(journal=lambda found, _: written.append(found.name)), [image])[image]
    assert (outcome.outcome, outcome.name) == ("deleted", "ci-2")
    assert written == ["ci-1", "ci-2"]


def test_a_judgement_permits_one_delete_and_only_while_it_is_fresh() -> None:
    judgement = Judgement(image=None, mark=None, objection=None, expiry=Expiry(5.0, "it"))  # type: ignore[arg-type]
    permit = judgement.permit(lambda: 5.0)
    permit()
    for used in (permit, judgement.permit(lambda: 5.1)):
        with pytest.raises(Outdated, match="read again"):
            used()
