"""What is known about the uses of images: how old it may be, and what it costs to know it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from typing import Any

import pytest

from handler.errors import CloudError, Unavailable
from handler.model.image import Image
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, new_run, reap

SERVERS, VOLUMES = "/servers/detail$", "/volumes/detail$"


class Watch:
    """Someone who asks what uses images, on a clock that a test moves."""

    def __init__(self, cloud: FakeCloud, server: Server) -> None:
        self.clock = Clock(900)
        self.cloud = cloud
        self.run = new_run(cloud, server, self.clock)
        assert self.run.in_use
        self.in_use = self.run.in_use

    def users(self, image_id: str, after: float = 0.0) -> tuple[str, ...]:
        """What uses an image once so many seconds have passed."""
        self.clock.pass_by(after)
        return self.in_use.ask().of(self.image(image_id))

    def image(self, image_id: str) -> Image:
        image = self.run.cloud.image(image_id)
        assert image
        return image

    def lists(self, kind: str = "servers") -> list[str]:
        """The queries of the lists that were asked for, without the length of a page."""
        calls = [call.query for call in self.cloud.calls if call.path.endswith(f"/{kind}/detail")]
        return [query.replace("limit=1000", "").strip("&").split("=")[0] for query in calls]


@pytest.fixture
def watch(cloud: FakeCloud, server: Server) -> Watch:
    return Watch(cloud, server)


# What it costs


def test_a_deleted_image_costs_two_calls_and_an_image_in_use_one(cloud: FakeCloud, server: Server) -> None:
    used, free = [cloud.add_image() for _ in range(3)], [cloud.add_image() for _ in range(20)]
    for number in range(12):
        cloud.add_server(image=used[number % 3])
    reap(new_run(cloud, server, Clock(900)), free)
    assert (set(cloud.dead), set(cloud.images)) == (set(free), set(used))
    images = [(call.method, call.path.rpartition("/")[2]) for call in cloud.calls if "/v2/images/" in call.path]
    assert sorted(images) == sorted([("GET", i) for i in used + free] + [("DELETE", i) for i in free])
    assert len(cloud.calls) == len(images) + 2  # and the token, and one list of servers


def test_one_small_request_every_two_seconds_serves_the_whole_run(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    for number in range(120):
        if number % 10 == 0:
            cloud.add_server(image=image)
        watch.users(image, after=0.5)
    first, *looks = watch.lists()
    assert (first, set(looks)) == ("", {"changes-since", "status"})
    assert len(looks) <= 60 / 2
    assert len([call for call in cloud.calls_of("GET") if call.path.endswith(f"images/{image}")]) == 120 + 1


def test_nothing_is_asked_again_at_once(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    assert [watch.users(image, after=0.5) for _ in range(4)] == [()] * 4
    assert watch.lists() == [""]
    assert watch.in_use.ask() is watch.in_use.ask()


# How old it may be


@pytest.mark.parametrize("pause", [0.3, 0.9, 1.7, 2.0, 3.1, 3.9, 4.0, 4.5, 7.0, 61.0])
def test_servers_are_never_known_for_more_than_five_seconds(watch: Watch, cloud: FakeCloud, pause: float) -> None:
    cloud.add_server(image=cloud.add_image())
    for _ in range(min(30, int(800 / pause))):
        watch.clock.pass_by(pause)
        left = watch.in_use.ask().expiry.at - watch.run.deadline.now()
        assert 1.0 <= left <= 5.0


def test_servers_are_as_old_as_the_first_page_of_their_list(watch: Watch, cloud: FakeCloud) -> None:
    cloud.page_size = 1
    for _ in range(3):
        cloud.add_server(image=cloud.add_image())
    asked_at = watch.run.deadline.now()
    cloud.fault("GET", SERVERS, status=None, times=3, then=lambda: watch.clock.pass_by(1.0))
    assert watch.in_use.ask().expiry.at == asked_at + 5.0


def test_servers_whose_list_was_long_in_coming_are_looked_at_anew(watch: Watch, cloud: FakeCloud) -> None:
    used = cloud.add_image()

    def start() -> None:
        watch.clock.pass_by(30.0)
        cloud.add_server(image=used)

    cloud.fault("GET", SERVERS, status=None, then=start)
    assert watch.users(used)
    assert watch.in_use.ask().expiry.at == watch.run.deadline.now() + 5.0


def test_a_look_that_was_tried_again_is_as_old_as_its_last_try(watch: Watch, cloud: FakeCloud) -> None:
    cloud.fault("GET", SERVERS, status=503, headers={"Retry-After": "20"})
    cloud.fault("GET", SERVERS, status=None, headers={"Date": ""})
    assert watch.in_use.ask().expiry.at == watch.run.deadline.now() + 60.0


# What has changed


def start(cloud: FakeCloud, image: str) -> None:
    cloud.add_server(image=image)


def rebuild(cloud: FakeCloud, image: str) -> None:
    next(iter(cloud.servers.values())).image = image


def shelve(cloud: FakeCloud, image: str) -> None:
    server = next(iter(cloud.servers.values()))
    server.status, cloud.images[image].properties["instance_uuid"] = "SHELVED", server.id


def wait_to_be_taken_up(cloud: FakeCloud, image: str) -> None:
    cloud.add_server(image=image, status="BUILD", taken_up=False)


@pytest.mark.parametrize("change", [start, rebuild, shelve, wait_to_be_taken_up])
@pytest.mark.parametrize("page_size", [1, 1000])
def test_a_change_of_a_server_is_known_within_five_seconds(
    watch: Watch, cloud: FakeCloud, change: Callable[[FakeCloud, str], None], page_size: int
) -> None:
    image, other, cloud.page_size = cloud.add_image(), cloud.add_image(), page_size
    cloud.add_server("web-1", image=other)
    assert watch.users(image) == ()
    change(cloud, image)
    for _ in range(3):
        cloud.add_server(image=other)
    assert watch.users(image, after=4.5)
    assert watch.lists()[0] == ""


def test_a_server_that_is_gone_or_was_rebuilt_uses_its_old_image_no_more(watch: Watch, cloud: FakeCloud) -> None:
    first, second = cloud.add_image(), cloud.add_image()
    gone, rebuilt = cloud.add_server(image=first), cloud.add_server(image=second)
    assert (bool(watch.users(first)), bool(watch.users(second))) == (True, True)
    del cloud.servers[gone]
    cloud.servers[rebuilt].image = cloud.add_image()
    assert (watch.users(first, after=4.5), watch.users(second)) == ((), ())
    assert watch.lists().count("") == 1


@pytest.mark.parametrize("behind", [30, 90])
def test_a_change_that_was_written_by_a_clock_that_is_behind_is_seen(
    watch: Watch, cloud: FakeCloud, behind: int
) -> None:
    image = cloud.add_image()
    assert watch.users(image) == ()
    server = cloud.servers[cloud.add_server(image=image)]
    cloud.server_changes.see(server, None, cloud.now - timedelta(seconds=behind))
    assert watch.users(image, after=4.5)


@pytest.mark.parametrize("skip", [0, 1])
def test_a_change_is_seen_behind_a_gateway_whose_clock_is_ahead(watch: Watch, cloud: FakeCloud, skip: int) -> None:
    image, ahead = cloud.add_image(), formatdate(time.time() + 3600, usegmt=True)
    cloud.fault("GET", SERVERS, status=None, headers={"Date": ahead}, skip=skip, times=None)
    assert [watch.users(image, after=4.5) for _ in range(4)] == [()] * 4
    cloud.add_server(image=image)
    assert watch.users(image, after=4.5)


def test_changes_are_asked_for_by_the_clouds_own_time(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.advance(timedelta(days=-400))
    assert watch.users(image) == ()
    cloud.add_server(image=image)
    assert watch.users(image, after=4.5)


# Clouds that can't say what has changed


@pytest.mark.parametrize("status", [400, 403, 404])
def test_where_changes_are_unknown_servers_are_listed_before_they_are_a_minute_old(
    watch: Watch, cloud: FakeCloud, status: int
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", SERVERS, query="changes-since", status=status, times=None)
    for _ in range(100):
        assert watch.users(image, after=1.0) == ()
        assert 1.0 <= watch.in_use.ask().expiry.at - watch.run.deadline.now() <= 60.0
    assert watch.lists().count("changes-since") == 1
    assert watch.lists().count("") == 3


@pytest.mark.parametrize("ahead", [timedelta(minutes=3), timedelta(hours=1), timedelta(days=4000)], ids=str)
def test_a_server_is_seen_even_if_the_clock_of_an_answer_was_ahead(
    watch: Watch, cloud: FakeCloud, ahead: timedelta
) -> None:
    used = cloud.add_image()
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    cloud.fault("GET", SERVERS, status=None, headers={"Date": date}, times=2)
    assert not watch.users(used)
    cloud.add_server(image=used)
    assert watch.users(used, after=10)


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cloud_without_a_time_is_not_asked_for_changes(watch: Watch, cloud: FakeCloud, date: str) -> None:
    image = cloud.add_image()
    cloud.fault("GET", SERVERS, status=None, headers={"Date": date}, times=None)
    assert watch.users(image) == ()
    cloud.add_server(image=image)
    assert watch.users(image, after=50.0) == ()
    assert watch.users(image, after=6.0)
    assert watch.lists() == ["", ""]


@pytest.mark.parametrize(("path", "service"), [(SERVERS, "servers"), (VOLUMES, "volumes")])
def test_a_list_that_takes_more_than_a_minute_fails_by_its_name_and_seconds(
    watch: Watch, cloud: FakeCloud, path: str, service: str
) -> None:
    image = cloud.add_image()
    cloud.add_server(image=None)
    cloud.fault("GET", path, status=None, headers={"Date": ""}, times=None, then=lambda: watch.clock.pass_by(70.0))
    outcome = reap(watch.run, [image])[image]
    assert (outcome.outcome, outcome.reason) == ("failed", "unavailable")
    assert f"the list of {service} took 70 seconds" in outcome.detail
    assert image in cloud.images


@pytest.mark.parametrize("seconds", [2.6, 4.0, 20.0])
def test_a_cloud_that_is_slow_to_tell_what_has_changed_fails_by_seconds_and_is_not_asked_for_ever(
    watch: Watch, cloud: FakeCloud, seconds: float
) -> None:
    images = [cloud.add_image() for _ in range(9)]
    cloud.fault("GET", SERVERS, status=None, times=None, then=lambda: watch.clock.pass_by(seconds))
    outcomes = reap(watch.run, images)
    assert {(outcome.outcome, outcome.reason) for outcome in outcomes.values()} == {("failed", "unavailable")}
    assert f"servers that have changed took {2 * seconds:.0f} seconds" in outcomes[images[0]].detail
    assert len(watch.lists()) <= 10
    assert set(cloud.images) == set(images)


def test_a_list_that_cannot_be_read_is_no_more_asked_for_within_the_minute(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    cloud.fault("GET", SERVERS, status=403, times=1)
    for _ in range(20):
        with pytest.raises(CloudError):
            watch.users(image, after=2.0)
    assert watch.users(image, after=25.0) == ()
    assert watch.lists() == ["", ""]


def test_a_look_that_fails_is_no_answer(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    assert watch.users(image) == ()
    cloud.fault("GET", SERVERS, status=503, headers={"Retry-After": "3600"})
    cloud.add_server(image=image)
    with pytest.raises(Unavailable):
        watch.users(image, after=4.5)
    assert watch.users(image, after=61.0)


def test_a_cloud_that_slips_once_goes_on_telling_what_has_changed(watch: Watch, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    for _ in range(6):
        watch.users(image, after=2.1)
    cloud.fault("GET", SERVERS, query="changes-since", status=200, body="[]")
    for _ in range(6):
        watch.users(image, after=2.1)
    assert watch.lists().count("") == 2
    assert watch.in_use.ask().expiry.at - watch.run.deadline.now() <= 5.0


# Servers that were booted from volumes


def test_volumes_are_listed_anew_for_a_server_that_names_no_image(watch: Watch, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.add_volume(image=other, server=cloud.add_server(image=None))
    assert (watch.users(image), bool(watch.users(other))) == ((), True)
    cloud.add_volume(image=image, server=cloud.add_server(image=None))
    assert watch.users(image, after=4.5)
    assert [bool(watch.users(image, after=2.5)) for _ in range(4)] == [True] * 4
    assert len(watch.lists("volumes")) == 2


def test_volumes_are_listed_anew_when_a_server_is_given_another(watch: Watch, cloud: FakeCloud) -> None:
    image, server = cloud.add_image(), cloud.add_server(image=None)
    assert watch.users(image) == ()
    cloud.add_volume(image=image, server=server)
    assert watch.users(image, after=4.5)


def test_while_a_server_is_built_from_a_volume_to_come_nobody_knows_its_image(watch: Watch, cloud: FakeCloud) -> None:
    image, server = cloud.add_image(), cloud.add_server("db-1", image=None, status="BUILD", taken_up=False)
    with pytest.raises(Unavailable, match=r"server db-1 .* is being built, and does not say yet"):
        watch.users(image)
    cloud.servers[server].status = "ERROR"
    assert watch.users(image, after=4.5) == ()


def test_a_volume_that_is_kept_for_a_server_in_the_making_is_in_use(watch: Watch, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.add_volume(image=image, server=cloud.add_server(image=None, status="BUILD"))
    cloud.add_volume(image=other)

    def reserved(body: dict[str, Any]) -> dict[str, Any]:
        return {"volumes": [volume | {"status": "reserved", "attachments": []} for volume in body["volumes"]]}

    cloud.fault("GET", VOLUMES, status=None, edit=reserved, times=None)
    assert (bool(watch.users(image)), watch.users(other)) == (True, ())


def test_a_server_in_the_making_that_names_its_volume_is_known(watch: Watch, cloud: FakeCloud) -> None:
    image, server = cloud.add_image(), cloud.add_server(image=None, status="BUILD")
    cloud.add_volume(image=image, server=server)
    assert watch.users(image)
    assert watch.users(cloud.add_image()) == ()
