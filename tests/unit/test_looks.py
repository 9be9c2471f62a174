"""When the servers of a region are looked at, and which question is asked: to the second, on a clock of the test."""

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from types import SimpleNamespace
from typing import Any

import pytest

from handler.cloud.lists.first import Listing
from handler.errors import CredentialsRefused, Denied, Unavailable, Unexpected
from handler.work.uses.in_use import InUse
from handler.work.uses.lists import (
    Expiry,
    ListedUses,
    Use,
    bootable,
    uses_by_images,
    uses_by_scaling,
    uses_by_volumes,
)
from handler.work.uses.servers import Server, Servers
from tests.examples import IMAGE, image

LONG_AGO = datetime(2026, 1, 31, 12, tzinfo=UTC)
CHANGES, BUILDING, ALL = {"changes-since": "2026-01-31T11:58:00Z"}, {"status": "BUILD"}, None


class Nova:
    """A cloud that notes each question, and answers with what a test has laid ready."""

    def __init__(self) -> None:
        self.now = 100.0
        self.took = 0.0
        self.date: datetime | None = LONG_AGO
        self.items: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.asked: list[Mapping[str, str] | None] = []

    def servers(self, url: str, wanted: Mapping[str, str] | None = None) -> Listing:
        assert url == "https://nova"
        self.asked.append(wanted)
        if self.errors:
            raise self.errors.pop(0)
        asked_at = self.now
        self.now += self.took
        return Listing(tuple(self.items), asked_at, self.date)


@pytest.fixture
def nova() -> Nova:
    return Nova()


class Now:
    def __init__(self, nova: Nova) -> None:
        self._nova = nova

    def now(self) -> float:
        return self._nova.now


@pytest.fixture
def servers(nova: Nova) -> Servers:
    cloud: Any = nova
    deadline: Any = Now(nova)
    return Servers(cloud, "https://nova", deadline, snapshots=False)


def asked_after(servers: Servers, nova: Nova, *pauses: float) -> list[Mapping[str, str] | None]:
    """What is asked after each pause, with None for a list of all."""
    nova.asked.clear()
    for pause in pauses:
        nova.now += pause
        if servers.is_due():
            servers.refresh()
    return nova.asked


def record(**changes: object) -> dict[str, Any]:
    return {"id": "S", "name": "web", "status": "ACTIVE", "image": {"id": "I"}, "metadata": {}} | changes


def test_the_first_look_lists_all(servers: Servers, nova: Nova) -> None:
    assert servers.is_due()
    assert asked_after(servers, nova, 0, 0, 1.0, 1.0) == [ALL]
    assert servers.expiry == Expiry(105.0, "servers (5 seconds)")


def test_the_two_looks_take_turns_and_neither_is_older_than_two_pauses(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    assert asked_after(servers, nova, 2.0) == []
    assert asked_after(servers, nova, 0.5) == [CHANGES]
    assert asked_after(servers, nova, 1.5) == []
    assert asked_after(servers, nova, 0.5) == [BUILDING]
    assert asked_after(servers, nova, 2.5, 2.5) == [CHANGES, BUILDING]
    assert servers.expiry.at == nova.now - 2.5 + 5.0


def test_a_look_that_was_put_off_for_long_is_followed_by_the_other(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    assert asked_after(servers, nova, 4.5) == [CHANGES, BUILDING]
    nova.now += 2.5
    servers.refresh()
    nova.now += 1.5
    assert asked_after(servers, nova, 0) == []
    assert asked_after(servers, nova, 0.5) == [BUILDING]


def test_a_cloud_that_tells_no_time_is_listed_again_every_fifty_five_seconds(servers: Servers, nova: Nova) -> None:
    nova.date = None
    servers.refresh()
    assert servers.expiry == Expiry(160.0, "servers (60 seconds)")
    assert asked_after(servers, nova, 55.0) == []
    assert asked_after(servers, nova, 0.5, 55.0, 0.5) == [ALL, ALL]


def test_a_list_that_takes_nearly_a_minute_is_read_again_only_when_it_must_be(servers: Servers, nova: Nova) -> None:
    nova.date, nova.took = None, 56.0
    servers.refresh()
    assert asked_after(servers, nova, 4.0) == []
    assert asked_after(servers, nova, 0.5) == [ALL]


def test_a_list_that_took_more_than_a_minute_is_told_where_no_change_can_be_asked_for(
    servers: Servers, nova: Nova
) -> None:
    nova.date, nova.took = None, 60.5
    with pytest.raises(Unavailable, match=r"^the list of servers took 60 seconds, and must not be older than 60$"):
        servers.refresh()
    nova.date = LONG_AGO
    servers.refresh()


def test_a_cloud_that_is_too_slow_for_both_looks_is_asked_six_times(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    nova.took = 6.0
    told = r"^the list of servers that have changed took 12 seconds, and must not be older than 5$"
    with pytest.raises(Unavailable, match=told):
        asked_after(servers, nova, 4.5)
    assert nova.asked == [CHANGES, BUILDING] * 3


def test_the_next_look_goes_back_behind_the_last_by_two_minutes(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    nova.date = LONG_AGO + timedelta(minutes=10)
    assert asked_after(servers, nova, 2.5, 2.5, 2.5) == [CHANGES, BUILDING, {"changes-since": "2026-01-31T12:08:00Z"}]
    nova.date = None
    again = {"changes-since": "2026-01-31T12:08:00Z"}
    assert asked_after(servers, nova, 2.5, 2.5, 2.5, 2.5) == [BUILDING, again, BUILDING, again]


def test_a_time_that_has_not_come_yet_is_not_believed(servers: Servers, nova: Nova) -> None:
    nova.date = datetime.now(UTC) + timedelta(days=1)
    servers.refresh()
    nova.date = LONG_AGO
    (asked,) = asked_after(servers, nova, 2.5)
    assert asked
    since = datetime.fromisoformat(asked["changes-since"])
    assert abs(datetime.now(UTC) - timedelta(seconds=120) - since) < timedelta(minutes=1)


@pytest.mark.parametrize("error", [Unexpected("x"), Denied("x")], ids=repr)
def test_a_cloud_that_never_told_a_change_is_listed_from_then_on(
    error: Exception, servers: Servers, nova: Nova
) -> None:
    servers.refresh()
    nova.errors = [error]
    assert asked_after(servers, nova, 2.5) == [CHANGES, ALL]
    assert servers.expiry.of == "servers (60 seconds)"
    assert asked_after(servers, nova, 55.5) == [ALL]


def test_a_cloud_that_has_told_changes_may_fail_to_twice(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    asked_after(servers, nova, 2.5)
    for _ in range(2):
        nova.errors = [Unexpected("x")]
        nova.now += 4.5
        servers.refresh()
        assert servers.expiry.of == "servers (5 seconds)"
    nova.errors = [Unexpected("x")]
    nova.now += 4.5
    servers.refresh()
    assert servers.expiry.of == "servers (60 seconds)"


def test_credentials_that_are_refused_are_no_slip(servers: Servers, nova: Nova) -> None:
    servers.refresh()
    nova.errors = [CredentialsRefused("x")]
    with pytest.raises(CredentialsRefused):
        asked_after(servers, nova, 2.5)
    assert asked_after(servers, nova, 0) == [CHANGES]


# Other lists


def test_a_list_is_as_old_as_its_first_page_and_is_read_when_it_is_due(nova: Nova) -> None:
    answers = iter([(100.0, (Use("i", "a"),)), (150.0, ()), (163.0, (Use("k", "c"),))])
    deadline: Any = Now(nova)
    kept = ListedUses("volumes", lambda: next(answers), deadline)
    assert (kept.is_due(), kept.uses, kept.expiry) == (True, (), Expiry(-math.inf, "volumes (60 seconds)"))
    kept.refresh()
    kept.refresh()
    assert (kept.uses, kept.expiry) == ((Use("i", "a"),), Expiry(160.0, "volumes (60 seconds)"))
    assert (kept.is_due(100.0), kept.is_due(100.5)) == (False, True)
    nova.now = 156.0
    assert kept.is_due()
    kept.refresh(100.0)
    assert (kept.uses, kept.expiry.at, kept.is_due(150.0)) == ((), 210.0, False)
    kept.refresh(150.5)
    assert kept.uses == (Use("k", "c"),)


def test_a_list_that_took_too_long_is_not_taken(nova: Nova) -> None:
    deadline: Any = Now(nova)
    kept = ListedUses("volumes", lambda: (39.0, (Use("i", "a"),)), deadline)
    with pytest.raises(Unavailable, match=r"^the list of volumes took 61 seconds, and must not be older than 60$"):
        kept.refresh()
    assert (kept.uses, kept.is_due()) == ((), True)


def listing(*items: dict[str, Any]) -> Listing:
    return Listing(items, 0.0, None)


def test_volumes_use_images_if_a_server_has_them_or_all_of_them_count() -> None:
    origin = {"volume_image_metadata": {"image_id": "i", "kernel_id": "k"}}
    volumes = listing(
        {"id": "V", "name": "a", **origin},
        {"id": "W", "name": "b", "attachments": [{}], **origin},
        {"id": "X", "name": "c", "attachments": []},
    )
    plain = [Use("i", "volume a (V)"), Use("k", "volume a (V)", is_made_of_it=False)]
    held = [Use("i", "the server of volume a (V)"), Use("k", "the server of volume a (V)", is_made_of_it=False)]
    attached = [Use("i", "the server of volume b (W)"), Use("k", "the server of volume b (W)", is_made_of_it=False)]
    assert list(uses_by_volumes(volumes, frozenset(), every=False)) == attached
    assert list(uses_by_volumes(volumes, frozenset(), every=True)) == [*plain, *attached]
    assert list(uses_by_volumes(volumes, frozenset("v"), every=False)) == [*held, *attached]


def test_volumes_are_bootable_that_say_so_in_whatever_case() -> None:
    said: list[dict[str, Any]] = [
        {"id": "A", "bootable": "true"},
        {"id": "B", "bootable": "True"},
        {"id": "C", "bootable": True},
    ]
    assert bootable(listing(*said, {"id": "D", "bootable": "false"}, {"id": "E"})) == {"a", "b", "c"}


def test_scaling_configurations_use_each_of_their_images() -> None:
    template = {"imageRef": "i", "disk": [{"data_disk_image_id": "d"}]}
    named = {"scaling_configuration_name": "web", "scaling_configuration_id": "7", "instance_config": template}
    user = "scaling configuration web (7)"
    assert list(uses_by_scaling(listing(named))) == [Use("i", user), Use("d", user)]


def test_images_use_those_that_they_were_made_from_but_never_themselves() -> None:
    images = [
        image(id="A", record={"base_image_ref": "B", "kernel_id": "a"}),
        image(name=None, record={"kernel_id": "k"}),
    ]
    cloud: Any = SimpleNamespace(images=lambda: images)
    assert list(uses_by_images(cloud)) == [
        Use("B", "image ci-1 (A)", is_made_of_it=False),
        Use("k", f"image unnamed ({IMAGE.id})", is_made_of_it=False),
    ]


def test_an_image_in_use_is_read_as_it_is_named_and_then_in_lower_case() -> None:
    records = {"abc": {"kernel_id": "k"}, "DEF": {"ramdisk_id": "r"}}
    asked: list[str] = []

    def read(image_id: str) -> dict[str, str] | None:
        asked.append(image_id)
        return records.get(image_id)

    cloud: Any = SimpleNamespace(record=read)
    deadline: Any = None
    in_use = InUse(cloud, deadline, 1)
    found = [in_use._boot_images(image_id) for image_id in ("ABC", "DEF", "def", "xyz")]
    assert found == [("abc", ("k",)), ("def", ("r",)), ("def", ()), ("xyz", ())]
    assert asked == ["ABC", "abc", "DEF", "def", "xyz"]


# What is known of a server


def test_a_server_is_read_with_all_that_matters(servers: Servers, nova: Nova) -> None:
    boots = {"OS-EXT-SRV-ATTR:kernel_id": "K", "OS-EXT-SRV-ATTR:ramdisk_id": "R"}
    nova.items = [record(status="build", **boots, **{"os-extended-volumes:volumes_attached": [{"id": "V"}]})]
    servers.refresh()
    assert servers.all == (
        Server(
            label="web (S)",
            images=frozenset({"I"}),
            boots=frozenset({"K", "R"}),
            own_id="",
            volumes=frozenset({"v"}),
            is_building=True,
        ),
    )


def test_a_server_that_is_deleted_is_forgotten_in_whatever_case(servers: Servers, nova: Nova) -> None:
    nova.items = [record(), record(id="T", status="Deleted")]
    servers.refresh()
    assert [server.label for server in servers.all] == ["web (S)"]
    nova.items = [record(id="s", status="DELETED")]
    asked_after(servers, nova, 2.5)
    assert servers.all == ()
    assert not servers.asks_volumes


VOLUMES = {"os-extended-volumes:volumes_attached": [{"id": "v"}]}


@pytest.mark.parametrize(
    ("first", "then", "asks_anew"),
    [
        (record(), record(), (False, False)),
        (record(), record(status="SHUTOFF"), (False, False)),
        (record(), record(**VOLUMES), (True, True)),
        (record(**VOLUMES), record(**VOLUMES), (True, False)),
        (record(**VOLUMES), record(name="db", **VOLUMES), (True, False)),
        (record(**VOLUMES), record(status="BUILD", **VOLUMES), (True, True)),
        (record(**VOLUMES), record(), (False, False)),
        (record(image=""), record(image=""), (True, False)),
        (record(), record(image=""), (True, True)),
    ],
    ids=range(9),
)
def test_volumes_are_asked_for_anew_when_only_they_can_tell(
    first: dict[str, Any], then: dict[str, Any], asks_anew: tuple[bool, bool], servers: Servers, nova: Nova
) -> None:
    nova.items = [first]
    servers.refresh()
    before = servers.volumes_since
    assert before == (-math.inf if not servers.asks_volumes else 100.0)
    nova.items = [then]
    asked_after(servers, nova, 2.5)
    assert (servers.asks_volumes, servers.volumes_since == 102.5) == asks_anew
    assert servers.volumes_since in {102.5, before}


def server(*, images: bool, building: bool, volumes: str = "") -> Server:
    return Server("s", frozenset("i" if images else ""), frozenset(), "", frozenset(volumes), building)


def test_nobody_knows_a_server_in_the_making_that_names_neither_image_nor_bootable_volume() -> None:
    bootable = frozenset("v")
    assert server(images=False, building=True).is_unknown(bootable)
    assert server(images=False, building=True, volumes="w").is_unknown(bootable)
    assert not server(images=False, building=True, volumes="wv").is_unknown(bootable)
    assert not server(images=True, building=True).is_unknown(bootable)
    assert not server(images=False, building=False).is_unknown(bootable)


def test_no_more_images_in_use_are_read_at_once_than_the_concurrency_allows() -> None:
    met: list[str] = []
    two = Barrier(2)

    def read(image_id: str) -> None:
        with suppress(BrokenBarrierError):
            two.wait(0.2)
            met.append(image_id)

    cloud: Any = SimpleNamespace(record=read)
    deadline: Any = None
    uses = [Use(image_id, "server web-1") for image_id in ("abc", "def", "xyz")]
    assert InUse(cloud, deadline, 1)._uses_by_boot(uses) == []
    assert met == []
