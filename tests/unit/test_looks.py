"""When the servers of a region are looked at, and which question is asked: to the second, on a clock of the test."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.cloud.calls import Listing
from handler.errors import CredentialsRefused, Denied, Unavailable, Unexpected
from handler.work.uses.lists import Expiry
from handler.work.uses.servers import Server, Servers

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
