"""What Nova tells of the servers that have changed since a time, as image-reaper asks it."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.contract.asking import shape_of
from tests.contract.cloud import MISSING, Cloud

FIRST, SECOND = "11111111-2222-4333-8444-000000000001", "11111111-2222-4333-8444-000000000002"
AT_EACH_ADDRESS = pytest.mark.parametrize("path", ["/v2/{demo}/servers/detail", "/v2.1/{demo}/servers/detail"])


def listed(cloud: Cloud, path: str, query: str = "limit=1000") -> dict[str, tuple[str, str]]:
    """The servers of a page: to each its status, and its image."""
    page = cloud.nova("GET", f"{path.format(demo=cloud.demo)}?{query}").body
    return {server["id"]: (server["status"], (server["image"] or {"id": ""})["id"]) for server in page["servers"]}


def told_at(cloud: Cloud, path: str, earlier: int = 0) -> str:
    """The cloud's own time of an answer, as it is asked for, or so many seconds before."""
    date = parsedate_to_datetime(cloud.nova("GET", path.format(demo=cloud.demo)).headers["Date"])
    return (date - timedelta(seconds=earlier)).strftime("%Y-%m-%dT%H:%M:%SZ")


@AT_EACH_ADDRESS
def test_servers_that_have_changed_are_told_with_those_that_are_gone(cloud: Cloud, path: str) -> None:
    same, rebuilt, gone = (cloud.add_server(f"web-{number}", image=FIRST) for number in range(3))
    assert set(listed(cloud, path)) == {same, rebuilt, gone}
    cloud.backend.let_time_pass()
    since = told_at(cloud, path)
    cloud.backend.rebuild_server(rebuilt, SECOND)
    cloud.backend.delete_server(gone)
    new = cloud.add_server("web-4", image=SECOND)
    cloud.add_server("theirs", image=SECOND, project="other")
    changes = listed(cloud, path, f"changes-since={since}&limit=1000")
    assert changes == {rebuilt: ("ACTIVE", SECOND), gone: ("DELETED", FIRST), new: ("ACTIVE", SECOND)}
    assert set(listed(cloud, path)) == {same, rebuilt, new}


@AT_EACH_ADDRESS
def test_changes_are_told_again_to_who_asks_for_a_time_before_them(cloud: Cloud, path: str) -> None:
    server, gone = cloud.add_server("web-1", image=FIRST), cloud.add_server("web-2", image=FIRST)
    listed(cloud, path)
    cloud.backend.delete_server(gone)
    for _ in range(2):
        found = listed(cloud, path, f"changes-since={told_at(cloud, path, earlier=120)}&limit=1000")
        assert found == {server: ("ACTIVE", FIRST), gone: ("DELETED", FIRST)}


@AT_EACH_ADDRESS
def test_changes_come_in_pages_which_may_end_with_a_server_that_is_gone(cloud: Cloud, path: str) -> None:
    made = [cloud.add_server(f"web-{number}", image=FIRST) for number in range(3)]
    listed(cloud, path)
    for server in made[1:]:
        cloud.backend.delete_server(server)
    url, found = f"{path.format(demo=cloud.demo)}?changes-since={told_at(cloud, path, earlier=120)}&limit=1", []
    for _ in made:
        page = cloud.nova("GET", url).body
        (server,) = page["servers"]
        (link,) = page["servers_links"]
        assert (link["rel"], "changes-since=" in link["href"]) == ("next", True)
        url = link["href"].removeprefix(cloud.compute)
        found.append(server["id"])
    assert sorted(found) == sorted(made)
    assert cloud.nova("GET", url).body["servers"] == []


@AT_EACH_ADDRESS
def test_a_server_that_no_machine_has_taken_up_yet_is_no_change_but_in_the_making(cloud: Cloud, path: str) -> None:
    waiting = cloud.add_server("web-1", image=FIRST, taken_up=False)
    running = cloud.add_server("web-2", image=FIRST)
    assert listed(cloud, path) == {waiting: ("BUILD", FIRST), running: ("ACTIVE", FIRST)}
    assert set(listed(cloud, path, f"changes-since={told_at(cloud, path, earlier=120)}")) == {running}
    assert set(listed(cloud, path, "status=BUILD")) == {waiting}
    cloud.backend.rebuild_server(waiting, SECOND)
    assert set(listed(cloud, path, f"changes-since={told_at(cloud, path, earlier=120)}")) == {waiting, running}


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01T00:00:00Z", "", "1767225600"])
@AT_EACH_ADDRESS
def test_changes_since_nonsense_are_refused(cloud: Cloud, path: str, when: str) -> None:
    cloud.add_server(image=MISSING)
    answer = cloud.nova("GET", f"{path.format(demo=cloud.demo)}?changes-since={when}")
    assert (answer.status, shape_of(answer.body)) == (400, {"badRequest": {"code": "int", "message": "str"}})
