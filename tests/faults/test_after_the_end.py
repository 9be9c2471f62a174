"""Nothing leaves once an invocation was answered, not even when its environment is thawed for the next one."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from handler.clock import Deadline
from handler.cloud.identity.keystone import KeystoneIdentity
from handler.connections import reaching
from handler.errors import DeadlineReached
from handler.fence import Fence, pass_fence
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, new_run, new_transport, reap
from tests.faults.frozen import PLACES


class Frozen:
    """A function in a process that can be frozen."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def read(self) -> Any:  # noqa: ANN401 (JSON)
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def invoke(self, event: object) -> Any:  # noqa: ANN401 (JSON)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        return self.read()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)
        yield
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def function(place: str, cloud: FakeCloud, server: Server) -> Iterator[Frozen]:
    """The function, whose first thread that deletes an image is held at a place."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "REAPER_"))}
    with subprocess.Popen(  # noqa: S603 (ourselves)
        [sys.executable, "-m", "tests.faults.frozen", place],
        env=environment | cloud.env(server.url) | {"REAPER_MODE": "delete"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Frozen(process)


@pytest.mark.parametrize("place", PLACES)
def test_no_delete_of_one_invocation_leaves_in_the_next(place: str, cloud: FakeCloud, server: Server) -> None:
    kept, other = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    with function(place, cloud, server) as lambda_function:
        (outcome,) = lambda_function.invoke({"image_ids": [kept]})["outcomes"]
        assert outcome["outcome"] == "failed"
        with lambda_function.frozen():
            cloud.images[kept].tags.append("keep")
            cloud.add_server("prod-db", image=kept)
        assert lambda_function.invoke({"image_ids": [other]})["counts"] == {"deleted": 1}
        assert lambda_function.read() == "all threads have ended"
    assert [call.path.rpartition("/")[2] for call in cloud.calls_of("DELETE")] == [other]
    assert set(cloud.images) == {kept}


def test_a_thread_that_has_passed_the_fence_finds_its_connection_closed() -> None:
    fence = Fence(lambda: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with fence.around():
            pass_fence(ours, sends=True)
        fence.cut()
        with pytest.raises(BrokenPipeError):
            ours.sendall(b"DELETE")
        assert theirs.recv(100) == b""


def test_a_thread_that_comes_to_the_fence_after_the_end_is_sent_back() -> None:
    deadline = Deadline(lambda: 60.0)
    ours, theirs = socket.socketpair()
    with ours, theirs, deadline.fence.around():
        pass_fence(ours, sends=True)
        deadline.halt(DeadlineReached("the invocation has ended"))
        with pytest.raises(DeadlineReached, match="has ended"):
            pass_fence(ours, sends=False)


def test_what_is_sent_outside_a_run_meets_no_fence() -> None:
    with socket.socket() as connection:
        pass_fence(connection, sends=True)


def test_no_login_of_a_thread_within_a_thread_leaves_after_the_end(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, free = new_run(cloud, server, Clock(900)), cloud.add_image("ci-1")
    cloud.add_server(image=cloud.add_image("base"))  # so that a thread of its own reads what that boots with
    identity = run.cloud._transport._identity
    assert isinstance(identity, KeystoneIdentity)
    cloud.fault("GET", "/servers/detail$", status=None, then=lambda: setattr(identity, "_access", None))
    real, plugin = identity._login.plugin.get_auth_ref, identity._login.plugin

    def log_in(session: Any) -> object:  # noqa: ANN401 (that of keystoneauth1)
        if cloud.calls_of("GET"):
            run.deadline.halt(DeadlineReached("the invocation has ended"))
        return real(session)

    monkeypatch.setattr(plugin, "get_auth_ref", log_in)
    assert reap(run, [free])[free].reason == "deadline"
    assert len(cloud.calls_of("POST")) == 1


def test_a_thread_that_must_log_in_after_the_end_sends_no_password(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = new_transport(cloud, server, Clock())
    real, ended = socket.getaddrinfo, DeadlineReached("the invocation has ended")

    def resolved_too_late(*asked: Any) -> Any:  # noqa: ANN401 (those of the socket module)
        transport.deadline.halt(ended)
        return real(*asked)

    monkeypatch.setattr("socket.getaddrinfo", resolved_too_late)
    with ThreadPoolExecutor() as pool, pytest.raises(DeadlineReached, match="has ended"):
        pool.submit(transport.read, f"{server.url}/image/v2/images").result()
    assert cloud.calls == []


class Dead:
    """Addresses that take a connection's whole patience, on a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.granted: list[float] = []
        self._now = 0.0
        monkeypatch.setattr(reaching, "_connected_to", self._connect)
        monkeypatch.setattr("time.monotonic", lambda: self._now)

    def _connect(self, _address: object, attempt: reaching.Attempt, _options: object) -> socket.socket:
        seconds = attempt.left()
        assert seconds
        self.granted.append(seconds)
        self._now += min(seconds, 2.0)
        raise TimeoutError


def test_all_addresses_of_a_host_together_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Dead(monkeypatch)
    monkeypatch.setattr(reaching, "_addresses", lambda _: ["first", "second", "third", "fourth"])
    with pytest.raises(TimeoutError):
        reaching.connected(reaching.Attempt("cloud", 443, 5.0), ())
    assert dead.granted == [5.0, 3.0, 1.0]


def test_agreeing_on_tls_gets_what_connecting_has_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "time", SimpleNamespace(monotonic=count().__next__))
    attempt = reaching.Attempt("127.0.0.1", int(server.url.rpartition(":")[2]), 100.0)
    with reaching.connected(attempt, ()) as connection:
        assert connection.gettimeout() == 97.0  # one second for the name, one for each address, one to connect


def test_a_name_server_that_is_silent_takes_no_longer_than_a_connection_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: [silent.wait(30)])
    with pytest.raises(TimeoutError):
        reaching._addresses(reaching.Attempt("cloud", 443, 0.05))
    silent.set()


def test_an_address_that_answers_is_found_behind_one_that_does_not(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def with_a_closed_one(host: str, port: int, *options: Any) -> list[Any]:  # noqa: ANN401 (those of the socket module)
        found = real(host, port, *options)
        return [(*found[0][:4], ("127.0.0.1", 1)), *found]

    monkeypatch.setattr("socket.getaddrinfo", with_a_closed_one)
    assert new_transport(cloud, server, Clock()).project_id()
