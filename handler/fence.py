"""The fence between a run and the network: asked once more when a connection stands, before a byte of a request leaves.

A thread may wait for the resolution of a name, for a connection or for a lock long after its run has ended, and Lambda
freezes it then, and thaws it in a later invocation. So the last question is asked where nothing can come between it and
the request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from socket import SHUT_RDWR, socket
from threading import Lock
from weakref import ref

_PASS: ContextVar[Callable[[socket, bool], None] | None] = ContextVar("fence", default=None)
"""What a request of this thread must pass."""


class Fence:
    """The fence of one run. `check` raises the error that keeps everything back. Safe for threads."""

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check
        # By their places in memory, and not in a WeakSet: nothing of ours runs when a socket is thrown away, which may
        # be at a moment that leaves no room for it.
        self._sockets: dict[int, ref[socket]] = {}
        self._lock = Lock()

    @contextmanager
    def around(self, permit: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Put the fence around what this thread sends in the meantime.

        `permit` is called once for each request, as the last thing before it is sent, and may raise as well. It takes
        the place of the permit of a fence further out.
        """
        token = _PASS.set(partial(self._pass, permit))
        try:
            yield
        finally:
            _PASS.reset(token)

    def _pass(self, permit: Callable[[], object], connection: socket, sends: bool) -> None:  # noqa: FBT001 (a fact)
        # Noted before the check: a connection is either cut, or meets the check after the run was halted.
        with self._lock:
            self._sockets[id(connection)] = ref(connection)
        self._check()
        if sends:
            permit()

    def cut(self) -> None:
        """Close every connection that the run has used, so that threads that outlive it can't write to them."""
        with self._lock:
            sockets = [used() for used in self._sockets.values()]
        for connection in filter(None, sockets):
            # Not the method of a TLS connection, which would drop its encryption first, and let a byte pass in clear.
            # TLS inside TLS, as through a proxy that speaks it, is no socket, but has one.
            with suppress(OSError):  # closed already
                socket.shutdown(getattr(connection, "socket", connection), SHUT_RDWR)


def pass_fence(connection: socket, *, sends: bool) -> None:
    """Raise whatever keeps this thread from using a connection, or from sending a request over it, if anything does."""
    if (pass_through := _PASS.get()) is not None:
        pass_through(connection, sends)
