"""What runs in the process of an execution environment: the real handler, on the clock of the world.

The clock passes only when somebody waits: in a pause, for a slow answer, in a freeze. So a day takes no time, and the
same seed gives the same run. All that the handler does between two waits takes no time at all.
"""

import importlib
import math
import os
import pkgutil
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Protocol

import urllib3.connection
import urllib3.util.retry

import handler
from handler import app
from handler import functiongraph as door
from handler.connections import fenced, reaching
from tests.chaos import functiongraph
from tests.chaos.history import EPOCH

for _found in pkgutil.walk_packages(handler.__path__, "handler."):
    # What the handler loads late would have the true clock.
    importlib.import_module(_found.name)

POLL = 0.02
"""Real seconds after which one who waits looks at the world's clock."""
COURTESY = 0.5
"""Real seconds for which one who has waited enough lets others go first."""
OURS = ("OS_", "REAPER_", "POWERTOOLS_", "AWS_", "RUNTIME_", "HTTPS_PROXY")
"""The prefixes of the variables that change from order to order."""
SLOW = "X-Chaos-Slow"
"""In an answer: the seconds of the world's clock that it takes."""


class Clock(Protocol):
    """Seconds of the world's clock, in memory that all processes share."""

    value: float


class Order(NamedTuple):
    """What to do: an event, the variables, the seconds that are granted, and where to stop on the way.

    A stop is a place and how many times it is passed before. `skew` is how many seconds the function's own clock is
    ahead. `first` is the number of the first order with this event. With `keys`, those of its agency, the function runs
    on FunctionGraph, and else on Lambda.
    """

    number: int
    event: Any
    variables: Mapping[str, str]
    seconds: float
    stops: tuple[tuple[str, int], ...] = ()
    skew: float = 0.0
    first: int = 0
    keys: tuple[str, ...] = ()


class Said(NamedTuple):
    """What the environment says: `answer`, `error`, or `stop` at a place, after which it waits to be told to go on."""

    kind: str
    what: Any


class _Time(ModuleType):
    """The module `time`, on the world's clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("time")
        self.clock, self.skew = clock, 0.0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the real module has)
        return getattr(time, name)

    def monotonic(self) -> float:
        return self.clock.value

    def clock_gettime(self, _which: int) -> float:
        return self.clock.value

    def time(self) -> float:
        return EPOCH.timestamp() + self.clock.value + self.skew

    def sleep(self, seconds: float) -> None:
        self.pass_until(self.clock.value + max(seconds, 0.0))

    def pass_until(self, moment: float) -> None:
        """Let it be that late, unless it is later."""
        self.clock.value = max(self.clock.value, moment)


class Environment:
    """One environment, from its cold start to its death."""

    def __init__(self, clock: Clock, said: Connection) -> None:
        self._time = _Time(clock)
        self._said = said
        self._stops: set[tuple[str, int]] = set()
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._silent = threading.Event()
        """Whether a name server is silent."""

    def live(self) -> None:
        """Carry out one order after the other."""
        self._enter()
        while (order := self._said.recv()) is not None:
            said = self._carry_out(order)
            # Whoever is left over must have heard that it may go on, and stops nowhere any more: what comes next is
            # for the next invocation.
            with self._lock:
                self._stops = set()
                self._said.send(said)

    def _carry_out(self, order: Order) -> Said:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            del os.environ[name]
        os.environ.update(order.variables)
        self._time.skew = order.skew
        self._stops, self._passed = set(order.stops), Counter()
        random.seed(order.number)
        try:
            return Said("answer", self._call(order))
        except Exception as exc:  # noqa: BLE001 (the runtime catches everything)
            return Said("error", f"{type(exc).__name__}: {exc}")
        finally:
            sys.stdout.flush()

    def _call(self, order: Order) -> Any:  # noqa: ANN401 (any JSON)
        context = _Context(self._time, order)
        if order.keys:
            return door.handler(order.event, functiongraph.Context(context.aws_request_id, order.keys))
        return app.lambda_handler(order.event, context)

    def pass_by(self, place: str) -> None:
        """Stop here if that was asked for."""
        with self._lock:
            here = (place, self._passed[place])
            self._passed[place] += 1
            if here in self._stops:
                self._said.send(Said("stop", here))
                self._said.recv()

    def _enter(self) -> None:
        """Put the handler on the world's clock, and before the world's network."""
        for name, module in list(sys.modules.items()):
            if name.startswith("handler"):
                self._put_on_clock(vars(module))
        vars(urllib3.util.retry)["time"] = self._time
        _wrap(threading.Condition, "wait", self._wait)
        _wrap(urllib3.connection.HTTPConnection, "getresponse", self._get_response)
        _wrap(socket.socket, "connect", self._connect)
        _wrap(socket, "getaddrinfo", self._resolve)
        # Not later: no program can hold back what it has begun to send.
        _wrap(fenced._Fenced, "request", self._request)
        sys.stdout = _Watched(self)
        vars(reaching)["SimpleQueue"] = type("Answer", (_Answer,), {"clock": self._time, "silent": self._silent})

    def _put_on_clock(self, names: dict[str, Any]) -> None:
        if names.get("time") is time:
            names["time"] = self._time
        if names.get("datetime") is datetime:
            names["datetime"] = _datetime_on(self._time)
        if names.get("Event") is threading.Event:
            names["Event"] = _event_on(self._time)

    def _wait(self, real: Callable[..., Any], condition: Any, timeout: float | None = None) -> bool:  # noqa: ANN401
        """Wait for another thread, until the world's clock says that it is enough."""
        if timeout is None or timeout <= 0:
            return bool(real(condition, timeout))
        end, turn, notified = self._time.clock.value + timeout, threading.Lock(), False
        turn.acquire()
        condition._waiters.append(turn)
        held = condition._release_save()
        try:
            while not notified and self._time.clock.value < end:
                notified = turn.acquire(timeout=POLL)
            # Whoever has been stopped for as long goes on first: else a story would hang on who is quicker.
            notified = notified or turn.acquire(timeout=COURTESY)
        finally:
            condition._acquire_restore(held)
        # It may have been told at the last moment.
        notified = notified or turn not in condition._waiters
        if not notified:
            condition._waiters.remove(turn)
        return notified

    def _get_response(self, real: Callable[..., Any], connection: Any) -> Any:  # noqa: ANN401 (urllib3's)
        patience, begun = connection.timeout, self._time.clock.value
        # Only the world's clock says when it is over: what happens meanwhile may take long by any other.
        connection.timeout = None
        try:
            response = real(connection)
        finally:
            connection.timeout = patience
        slow = float(response.headers.get(SLOW, 0))
        if isinstance(patience, int | float) and slow >= patience:
            self._time.pass_until(begun + patience)
            # Not closed here: urllib3 would mistake a closed connection for a proxy that was never reached.
            message = "timed out"
            raise TimeoutError(message)
        self._time.pass_until(begun + slow)
        self.pass_by("response")
        return response

    def _connect(self, real: Callable[..., Any], connection: socket.socket, address: Any) -> None:  # noqa: ANN401
        self.pass_by("connect")
        connection.settimeout(None)
        real(connection, address)

    def _resolve(self, real: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        with self._lock:
            hangs = ("name", self._passed["name"]) in self._stops
            self._passed["name"] += 1
        if hangs:
            self._silent.set()
            threading.Event().wait()
        return real(*args, **options)

    def _request(self, real: Callable[..., Any], *args: Any, **options: Any) -> None:  # noqa: ANN401
        self.pass_by("request")
        real(*args, **options)


class _Context:
    """Lambda's context."""

    def __init__(self, clock: _Time, order: Order) -> None:
        self._clock, self._end = clock, clock.monotonic() + order.seconds
        self.aws_request_id = f"00000000-0000-4000-8000-{order.first:012d}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - self._clock.monotonic()) * 1000))


class _Watched:
    """Standard output, which stops after the journal's lines where that is asked for."""

    def __init__(self, environment: Environment) -> None:
        self._environment, self._real = environment, sys.stdout

    def write(self, text: str) -> int:
        written = self._real.write(text)
        self._real.flush()
        if '"image.deleting"' in text:
            self._environment.pass_by("journal")
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the real one has)
        return getattr(self._real, name)


class _Answer:
    """The queue in which one answer of a name server comes. While that is silent, the clock passes."""

    clock: ClassVar[_Time]
    silent: ClassVar[threading.Event]

    def __class_getitem__(cls, _kind: object) -> "type[_Answer]":
        return cls

    def __init__(self) -> None:
        self._items = SimpleQueue[object]()

    def put(self, item: object) -> None:
        self._items.put(item)

    def get(self, timeout: float = math.inf) -> object:
        while True:
            with suppress(Empty):
                return self._items.get(timeout=POLL)
            if self.silent.is_set():
                self.silent.clear()
                self.clock.sleep(timeout)
                raise Empty


def _event_on(clock: _Time) -> type[threading.Event]:
    class Pause(threading.Event):
        """A pause: it is over at once, and the clock has passed on."""

        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return super().wait()
            if not self.is_set():
                clock.sleep(timeout)
            return self.is_set()

    return Pause


def _datetime_on(clock: _Time) -> type[datetime]:
    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # a plain one is enough
            return datetime.fromtimestamp(clock.time(), tz)

    return Datetime


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:  # noqa: ANN401 (a class or a module)
    real = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:  # noqa: ANN401 (those of the real one)
        return around(real, *args, **options)

    setattr(owner, name, wrapped)


def live(clock: Clock, said: Connection, output: str) -> None:
    """The life of an environment, which prints into a file."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    Environment(clock, said).live()
