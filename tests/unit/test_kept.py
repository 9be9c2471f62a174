"""The connections and identities of a few projects are kept, and the others are closed, but never under a run."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from requests import Session

from handler.cloud.identity.identity import Nobody
from handler.compose import warm
from handler.compose.projects.kept import Access, Kept
from handler.errors import Denied
from tests.conftest import queue
from tests.faults import Clock, dripping
from tests.projects import Estate
from tests.unit.test_projects import Send, all_of, estate, send

__all__ = ["estate", "send"]  # fixtures
MOST, IDLE = 3, 600.0


class Connection(Session):
    """A session that notes whether it was closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def new() -> Access:
    return Access(Connection(), Nobody(Denied("nobody")))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Kept:
    return Kept(MOST, IDLE, lambda: -clock.remaining())


def use(kept: Kept, whose: str, made_of: object = None) -> Access:
    with kept.use(whose, made_of, new) as access:
        return access


def is_closed(access: Access) -> bool:
    return isinstance(access.session, Connection) and access.session.is_closed


def test_what_was_used_is_used_again(kept: Kept) -> None:
    assert use(kept, "a") is use(kept, "a")
    assert use(kept, "a") is not use(kept, "b")


def test_what_was_made_of_something_else_is_made_anew_and_closed(kept: Kept) -> None:
    old, new = use(kept, "a", 1), use(kept, "a", 2)
    assert (old is new, is_closed(old), is_closed(new)) == (False, True, False)


def test_the_least_recently_used_is_closed_where_there_are_too_many(kept: Kept) -> None:
    accesses = {whose: use(kept, whose) for whose in "abc"}
    use(kept, "a")
    use(kept, "d")
    assert (len(kept), {whose for whose in "abc" if is_closed(accesses[whose])}) == (MOST, {"b"})


def test_what_nobody_has_used_for_long_is_closed_when_the_next_is_used(kept: Kept, clock: Clock) -> None:
    old = use(kept, "a")
    clock.pass_by(IDLE / 2)
    young = use(kept, "b")
    clock.pass_by(IDLE / 2 + 1)
    use(kept, "c")
    assert (is_closed(old), is_closed(young), len(kept)) == (True, False, 2)


def test_a_long_use_is_not_idle(kept: Kept, clock: Clock) -> None:
    with kept.use("a", None, new) as access:
        clock.pass_by(IDLE * 2)
        use(kept, "b")
        assert not is_closed(access)
    use(kept, "b")
    assert use(kept, "a") is access


def test_nothing_is_closed_while_a_run_uses_it(kept: Kept) -> None:
    with ExitStack() as runs:
        accesses = [runs.enter_context(kept.use(whose, None, new)) for whose in "abcde"]
        kept.clear()
        assert not any(map(is_closed, accesses))
    assert all(map(is_closed, accesses))


def test_what_late_threads_may_use_is_never_closed(kept: Kept) -> None:
    with kept.use("a", None, new) as access:
        kept.leave(access)
    assert not is_closed(access)
    assert use(kept, "a") is not access


def sockets_of(session: Session) -> list[socket.socket]:
    """The connections that a session keeps open."""
    pools = session.get_adapter("http://").poolmanager.pools  # type: ignore[attr-defined]  # it is one of ours
    waiting = (connection for key in pools.keys() for connection in pools[key].pool.queue)  # noqa: SIM118 (no mapping)
    return [connection.sock for connection in waiting if connection and connection.sock]


@pytest.fixture
def open_sockets(estate: Estate, send: Send) -> Callable[[int], list[list[socket.socket]]]:
    """Sweep so many projects, and give the connections that each has left open."""

    def sweep(projects: int) -> list[list[socket.socket]]:
        for number in range(projects):
            project = estate.add(f"p{number}-{len(estate.cloud.projects)}", images=2)
            assert send(all_of(estate, project)).answer["counts"] == {"deleted": 2}
        found = [sockets_of(place.access.session) for place in warm._KEPT._places.values()]
        assert all(found)
        return found

    return sweep


def are_open(found: list[list[socket.socket]]) -> list[bool]:
    return [any(one.fileno() >= 0 for one in each) for each in found]


def test_the_connections_of_a_project_that_is_given_up_are_closed(
    open_sockets: Callable[[int], list[list[socket.socket]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm._KEPT, "_most", 2)
    first = open_sockets(2)
    assert are_open(first) == [True, True]
    open_sockets(1)
    assert are_open(first) == [False, True]


def test_the_connections_of_idle_projects_are_closed_by_the_next_invocation(
    open_sockets: Callable[[int], list[list[socket.socket]]], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm._KEPT, "_now", lambda: -clock.remaining())
    first = open_sockets(3)
    clock.pass_by(warm.IDLE + 1)
    open_sockets(1)
    assert (are_open(first), len(warm._KEPT)) == ([False] * 3, 1)


def test_a_run_that_is_late_drops_the_connections_of_its_own_project_alone(estate: Estate, send: Send) -> None:
    late, other = (estate.add(name, images=1) for name in ("a", "b"))
    with dripping() as slow:
        estate.store(late, estate.credentials(late) | {"OS_AUTH_URL": f"{slow.url}/v3"})
        run = send(queue(all_of(estate, other), all_of(estate, late)), seconds=5.0)
    assert run.returned == ["m1"]
    assert list(warm._KEPT._places) == [(f"image-reaper/{other}", other)]
