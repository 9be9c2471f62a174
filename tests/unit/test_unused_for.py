"""Policies that ask for images which nothing has used for a while, day after day."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.config.settings import Settings
from handler.errors import InvalidRequest, InvalidSettings
from handler.model.history import History
from handler.model.outcome import Decision
from handler.model.request import SweepRequest
from handler.report.page.page import page
from handler.report.report import Report
from handler.rules.marks import MARK
from handler.sources.schema import read_request
from handler.work.sweeps import sweep
from tests.aws import KEYS, Client, state_table
from tests.conftest import Context, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.faults import SOURCES, Clock, closed_port, envelope, new_run
from tests.unit.conftest import Relay
from tests.unit.there import There, there

pytestmark = pytest.mark.slow("days of sweeps, each with a look of eighteen requests")

__all__ = ["there"]

TABLE = "state"
START = datetime(2026, 11, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = "2026-01-01T00:00:00Z"
OTHERS = {"sweep": {"select": {"name": "none-*"}}}
DENIED = Fault(status=400, body={"__type": "x#AccessDeniedException"}, times=None)

Run = Callable[..., Report]


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.fixture
def given(relay: Relay, table: Client) -> dict[str, str]:  # noqa: ARG001 (it is there)
    return KEYS | {"REAPER_STATE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": relay.url}


@pytest.fixture
def run(cloud: FakeCloud, server: Server, given: dict[str, str]) -> Run:
    """Have a request carried out on a day after the first one, by an armed function."""

    def run_once(days: float, request: dict[str, Any], observe: Callable[[Decision], None] | None = None) -> Report:
        settings = Settings.from_env(cloud.env(server.url) | {"REAPER_MODE": "delete"} | given)
        cloud.now = START + days * DAY
        return process(request, Context(), settings, aws, cloud.now, observe)

    return run_once


def asks(age: str = "5d", **policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"unused_for": age}, "limit_percent": 100, **policy}}


def outcomes(report: Report) -> list[tuple[str, str]]:
    return [(one.outcome, one.reason) for one in report.outcomes]


def remembered(table: Client) -> list[str]:
    """The keys of what is remembered of uses."""
    keys = [item["id"]["S"] for item in table.scan(TableName=TABLE)["Items"]]
    return [key for key in keys if key.startswith(("used/", "watched/"))]


def why(run: Run, days: float, request: dict[str, Any]) -> dict[str, str]:
    """Why images stay, by their name."""
    found: list[Decision] = []
    run(days, request | {"dry_run": True}, found.append)
    return {str(each.image.name): each.objection.detail for each in found if each.objection}


# Day after day


def test_an_image_goes_once_nothing_was_seen_to_use_it_for_so_long(run: Run, cloud: FakeCloud) -> None:
    images = {name: cloud.add_image(name, created_at=OLD) for name in ("free", "used", "freed")}
    cloud.add_server(image=images["used"])
    user = cloud.add_server(image=images["freed"])
    went: dict[str, int] = {}
    for day in range(12):
        if day == 4:
            del cloud.servers[user]
        run(day, asks())
        went |= {name: day for name, image_id in images.items() if image_id in cloud.dead and name not in went}
    # Last seen in use on the third day: it counts from the end of that one.
    assert went == {"free": 5, "freed": 9}


def test_why_an_image_stays_is_told(run: Run, cloud: FakeCloud) -> None:
    used, freed, _ = (cloud.add_image(name, created_at=OLD) for name in ("used", "freed", "free"))
    cloud.add_image("young", created_at="2026-11-01T12:00:00Z")
    users = [cloud.add_server(image=image_id) for image_id in (used, freed)]
    run(0, OTHERS)
    unknown = "its use is unknown before 2026-11-01"
    assert why(run, 1, asks("2d")) == {
        **dict.fromkeys(("used", "freed"), "it is in use"),
        **dict.fromkeys(("free", "young"), unknown),
    }
    del cloud.servers[users[1]]
    assert why(run, 2, asks("2d")) == {
        "used": "it is in use",
        "freed": "it was in use on 2026-11-02",
        "young": "it was created at 2026-11-01T12:00:00+00:00",
    }


def test_after_three_days_without_a_sweep_the_use_is_unknown(run: Run, cloud: FakeCloud) -> None:
    cloud.add_image("free", created_at=OLD)
    for day in (0, 1, 3, 6, 8):
        assert outcomes(run(day, asks("4d"))) == []
    assert why(run, 9, asks("4d")) == {"free": "its use is unknown before 2026-11-07"}
    assert outcomes(run(10, asks("4d"))) == [("deleted", "")]


@pytest.mark.parametrize("request_", [OTHERS, OTHERS | {"dry_run": True}, asks("300d")])
def test_every_sweep_looks_whatever_it_asks_for(run: Run, cloud: FakeCloud, request_: dict[str, Any]) -> None:
    cloud.add_image("free", created_at=OLD)
    for day in range(3):
        run(day, request_)
    assert outcomes(run(3, asks("3d"))) == [("deleted", "")]


def test_what_uses_an_image_in_another_way_counts_as_well(run: Run, cloud: FakeCloud, given: dict[str, str]) -> None:
    kernel = cloud.add_image("kernel", created_at=OLD)
    booted = cloud.add_image("booted", created_at=OLD, kernel_id=kernel)
    user, origin = cloud.add_server(image=booted), cloud.add_server()
    cloud.add_image("snapshot", created_at=OLD, instance_uuid=origin)
    given |= {"REAPER_IN_USE_ALSO": "snapshots"}
    assert set(why(run, 0, asks("1d")).values()) == {"it is in use"}
    for server in (user, origin):
        del cloud.servers[server]
    assert set(why(run, 1, asks("1d")).values()) == {"it was in use on 2026-11-01"}
    assert why(run, 2, asks("1d")) == {}


@pytest.mark.parametrize(
    "elsewhere", [{"REAPER_IN_USE_ALSO": ""}, {"OS_REGION_NAME": "there"}], ids=["less", "elsewhere"]
)
def test_who_has_looked_at_less_or_elsewhere_can_not_say_that_nothing_was_in_use(
    elsewhere: dict[str, str], run: Run, cloud: FakeCloud, given: dict[str, str]
) -> None:
    cloud.add_region("there")
    base = cloud.add_image("base", created_at=OLD)
    volume = cloud.add_volume(image=base)
    given |= {"REAPER_IN_USE_ALSO": "volumes"}
    ours = dict(given)
    given |= elsewhere
    for day in range(6):
        run(day, OTHERS)
    del cloud.volumes[volume]
    given.clear()
    given |= ours
    assert why(run, 6, asks("3d")) == {"base": "its use is unknown before 2026-11-07"}


@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_upper_and_lower_case_are_the_same(run: Run, cloud: FakeCloud, spell: Callable[[str], str]) -> None:
    image_id = cloud.add_image("odd", created_at=OLD, id="ABCDEF00-0000-4000-8000-0000000000Ab")
    user = cloud.add_server(image=spell(image_id))
    run(0, OTHERS)
    del cloud.servers[user]
    assert why(run, 1, asks("1d")) == {"odd": "it was in use on 2026-11-01"}


def test_a_mark_is_taken_off_an_image_that_is_used_again(run: Run, cloud: FakeCloud) -> None:
    image_id = cloud.add_image("free", created_at=OLD)
    for day in range(3):
        run(day, asks("2d", grace="4d"))
    assert [tag for tag in cloud.images[image_id].tags if tag.startswith(MARK)]
    user = cloud.add_server(image=image_id)
    run(3, asks("2d", grace="4d"))
    assert cloud.images[image_id].tags == []
    del cloud.servers[user]
    # Last in use on the fourth day, marked on the seventh, and gone after four whole days.
    found = [outcomes(run(day, asks("2d", grace="4d"))) for day in range(4, 12)]
    assert found == [[], [], *[[("marked", "")]] * 5, [("deleted", "")]]


def test_an_image_that_is_used_after_the_look_stays(cloud: FakeCloud, server: Server) -> None:
    image_id, clock = cloud.add_image("free", created_at=OLD), Clock()
    looks: list[set[str]] = []

    def remember(ids: Collection[str]) -> History:
        looks.append(set(ids))
        return History(since=START - 99 * DAY, last={})

    def use() -> None:
        cloud.add_server(image=image_id)
        clock.pass_by(6.0)

    cloud.fault("GET", "/v2/images$", status=None, then=use)
    request = read_request(asks("1d"))
    assert isinstance(request, SweepRequest)
    found = sweep(request, "", new_run(cloud, server, clock)._replace(remember=remember)).outcomes
    assert [(one.outcome, one.reason) for one in found] == [("refused", "in_use")]
    assert looks == [set()]


# What can't be found out


def test_where_the_table_fails_only_a_policy_that_asks_fails(
    invoke: Invoke, cloud: FakeCloud, relay: Relay, given: dict[str, str]
) -> None:
    cloud.add_image("free", created_at=OLD)
    relay.faults.add(DENIED)
    given |= {"REAPER_MODE": "dry-run"}
    failed = invoke(asks(), **given)
    assert [(one["outcome"], one["reason"]) for one in failed.answer["outcomes"]] == [("failed", "budget")]
    assert not failed.logged("uses.not_remembered")
    other = invoke({"sweep": {"select": {"name": "free"}, "limit_percent": 100}}, **given)
    assert other.answer["counts"] == {"would_delete": 1}
    (told,) = other.logged("uses.not_remembered")
    assert told["problem"].startswith("what is in use could not be remembered: dynamodb answered HTTP 400")


def test_nothing_is_remembered_where_nobody_can_tell_what_is_in_use(
    invoke: Invoke, cloud: FakeCloud, table: Client, given: dict[str, str]
) -> None:
    cloud.add_server(status="BUILD")
    failed = invoke(asks(), **given)
    assert [(one["outcome"], one["reason"]) for one in failed.answer["outcomes"]] == [("failed", "unavailable")]
    assert "is being built" in invoke(OTHERS, **given).logged("uses.not_remembered")[0]["problem"]
    assert remembered(table) == []


def test_a_list_of_servers_that_fails_ends_a_policy_that_asks(
    invoke: Invoke, cloud: FakeCloud, table: Client, given: dict[str, str]
) -> None:
    cloud.fault("GET", "/servers/detail", status=403, times=None)
    failed = invoke(asks(), **given)
    assert [(one["outcome"], one["reason"]) for one in failed.answer["outcomes"]] == [("failed", "denied")]
    assert remembered(table) == []


# What is turned down


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"REAPER_STATE_TABLE": ""}, "needs REAPER_STATE_TABLE, a table of AWS that keeps what was in use"),
        ({"REAPER_IN_USE_CHECK": "off"}, "needs REAPER_IN_USE_CHECK=on"),
    ],
)
def test_a_policy_that_asks_is_turned_down_where_nothing_could_tell(  # noqa: PLR0913, PLR0917 (fixtures)
    invoke: Invoke,
    cloud: FakeCloud,
    server: Server,
    given: dict[str, str],
    source: str,
    changed: dict[str, str],
    problem: str,
) -> None:
    cloud.add_image("free", created_at=OLD)
    asked = envelope(source, {"sweep": {"select": {"name": "free", "unused_for": "1d"}}}, server.url)
    run = invoke(asked, **given | changed, AWS_LAMBDA_FUNCTION_NAME="")
    assert run.logged("request.rejected")[0]["problem"] == f"sweep.select.unused_for: {problem}"
    assert cloud.calls_of("DELETE") == []
    if source == "queue":
        assert run.returned == ["m0"]
    elif source == "stack":
        (told,) = cloud.calls_of("PUT")
        assert json.loads(told.body)["Status"] == "FAILED"
    else:
        assert isinstance(run.error, InvalidRequest)


def test_it_is_turned_down_on_functiongraph(there: There) -> None:
    run = there(asks())
    assert "sweep.select.unused_for: needs REAPER_STATE_TABLE" in str(run.error)


@pytest.mark.parametrize("name", ["REAPER_SCHEDULED_REQUEST", "REAPER_LIFECYCLE_REQUEST"])
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, "REAPER_STATE_TABLE"),
        ({"REAPER_IN_USE_CHECK": "off", "REAPER_STATE_TABLE": "t01"}, "REAPER_IN_USE_CHECK=on"),
    ],
)
def test_a_standing_request_that_asks_refuses_to_start_where_nothing_could_tell(
    cloud: FakeCloud, server: Server, name: str, changed: dict[str, str], problem: str
) -> None:
    standing = cloud.env(server.url) | {name: json.dumps(asks())}
    with pytest.raises(InvalidSettings, match=f"{name}: sweep.select.unused_for: needs {problem}"):
        Settings.from_env(standing | changed)
    Settings.from_env(standing | {"REAPER_STATE_TABLE": "t01"})


def test_the_longest_time_is_the_one_that_is_remembered() -> None:
    assert read_request(asks("365d"))
    for age in ("366d", "53w", "99999w"):
        with pytest.raises(InvalidRequest, match=r"^sweep.select.unused_for: must be at most 365d"):
            read_request(asks(age))


# The page


def test_the_page_says_what_was_asked_for_and_why_an_image_stays(run: Run, cloud: FakeCloud) -> None:
    cloud.add_image("free", created_at=OLD)
    found: list[Decision] = []
    report = run(0, asks("36h"), found.append)
    shown = re.sub("</?time>", "", page(report, found, START))
    for words in (
        "not used for 36 hours",
        "used too lately, or not watched for long enough",
        "unknown before 2026-11-01",
    ):
        assert words in shown


def test_a_table_that_is_gone_fails_the_sweep(invoke: Invoke, cloud: FakeCloud, given: dict[str, str]) -> None:
    cloud.add_image("free", created_at=OLD)
    with closed_port() as port:
        dead = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}", "REAPER_MODE": "dry-run"}
        run = invoke(asks(), **given | dead)
    assert [(one["outcome"], one["reason"]) for one in run.answer["outcomes"]] == [("failed", "budget")]
