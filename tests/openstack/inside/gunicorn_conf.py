"""How gunicorn runs one service. Read by gunicorn in the environment of the services, never imported by a test.

On standard input lies the end of a pipe whose other end the lab holds: it closes when the lab ends, however it ends.
"""

import ctypes
import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

bind = [f"127.0.0.1:{os.environ['LAB_PORT']}"]
errorlog = os.environ["LAB_LOG"]
capture_output = True
worker_class = "gthread"
workers = int(os.environ["LAB_WORKERS"])
threads = int(os.environ["LAB_THREADS"])
keepalive = 75  # longer than any test: a kept connection must not be cut for being idle
graceful_timeout = 2
timeout = 0  # a slow machine is no reason to kill a worker

_PR_SET_PDEATHSIG = 1
_ANSWERS = os.dup(1)


def when_ready(_server: Any) -> None:  # noqa: ANN401 (gunicorn's, which the linter's environment does not have)
    threading.Thread(target=_end_with_the_lab, daemon=True).start()


def post_fork(_server: Any, _worker: Any) -> None:  # noqa: ANN401 (gunicorn's)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Nova reads its own options from here, and does not know gunicorn's.
    sys.argv = sys.argv[:1]
    engine: Any = import_module("sqlalchemy.engine").Engine
    listen = import_module("sqlalchemy.event").listen
    listen(engine, "before_cursor_execute", _lock_at_once, retval=True)
    listen(engine, "connect", _trust_the_power)


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 (gunicorn's)
    os.write(_ANSWERS, b"ready\n")


def _lock_at_once(
    _connection: object, _cursor: object, statement: str, parameters: object, _context: object, _many: object
) -> tuple[str, object]:
    """Take SQLite's lock when a transaction begins: one that reads first and then writes can't wait for it."""
    return ("BEGIN IMMEDIATE" if statement == "BEGIN" else statement), parameters


def _trust_the_power(connection: Any, _record: object) -> None:  # noqa: ANN401 (a database's own)
    """Let SQLite not wait for the disk: no lab outlives its machine."""
    if type(connection).__module__ == "sqlite3":
        connection.execute("PRAGMA synchronous = OFF")


def _end_with_the_lab() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGQUIT)
