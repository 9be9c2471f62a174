"""A real terminal for the command: a pty that is its controlling terminal, keys typed into it, and what it shows.

Nothing here waits for a time to pass: whoever waits, waits for what is shown, or for a request that reached the cloud.
"""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Condition, Event, Thread
from typing import IO, Self

import pyte

ROOT = Path(__file__).parents[1]
LONGEST = 60.0
"""Seconds after which a test has failed that waits for something."""
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"

# In a process of its own: who forks while threads run may hang.
_AT_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execv(sys.argv[2], sys.argv[2:])
"""
_CODES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[@-_]")

Stream = int | IO[bytes] | None
"""What subprocess takes for a stream; None is the terminal."""


class Terminal:
    """The command, started at a terminal of its own. Use it in a `with`: at its end, the command is gone.

    Each of the three streams leads to the terminal, unless it is given something else: a file, a pipe or DEVNULL. Where
    it is not `controlling`, there is no /dev/tty.
    """

    def __init__(  # noqa: PLR0913 (so much is different from one terminal to another)
        self,
        *arguments: str,
        env: Mapping[str, str],
        cwd: Path,
        columns: int = 80,
        rows: int = 24,
        controlling: bool = True,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        module: str = "handler",
    ) -> None:
        self._ours, theirs = os.openpty()
        self._screen = pyte.Screen(columns, rows)
        self._shows = pyte.ByteStream(self._screen)
        self.raw = b""
        """All bytes that came to the terminal, with the codes for colours and movements."""
        self._typed_at = 0
        self._changed = Condition()
        self._is_over = False
        self.resize(columns, rows)
        begun = [sys.executable, "-I", "-S", "-c", _AT_TERMINAL, str(theirs)] if controlling else []
        self.process = subprocess.Popen(  # noqa: S603 (ours)
            [*begun, sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env=variables(env),
            stdin=theirs if stdin is None else stdin,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs if stderr is None else stderr,
            start_new_session=True,
            pass_fds=[theirs] if controlling else [],
        )
        os.close(theirs)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.kill()
        self.process.wait(LONGEST)
        self._reader.join(LONGEST)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self._ours)

    def type(self, keys: str | bytes) -> None:
        """Press keys; `wait_for` waits for what is written from then on."""
        with self._changed:
            self._typed_at = len(self.raw)
        os.write(self._ours, keys if isinstance(keys, bytes) else keys.encode())

    def resize(self, columns: int, rows: int = 24) -> None:
        """Make the window another size; the command gets SIGWINCH."""
        with self._changed:
            self._screen.resize(rows, columns)
            fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def lines(self) -> list[str]:
        """What the screen shows now, line by line, without blanks at the ends and without the empty lines below."""
        with self._changed:
            lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def said(self) -> str:
        """All that was ever written to the terminal, without codes: also what was wiped off again."""
        return text_of(self.raw)

    def wait_for(self, text: str) -> None:
        """Wait until a text was written to the terminal since the last keys; it may have been wiped off again."""
        self.wait_until(lambda: text in text_of(self.raw[self._typed_at :]), text)

    def wait_for_line(self, text: str) -> None:
        """Wait until a line of the screen holds a text."""
        self.wait_until(lambda: any(text in line.rstrip() for line in self._screen.display), text)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds of what was written; fails once the command has ended without it."""
        with self._changed:
            self._changed.wait_for(lambda: holds() or self._is_over, LONGEST)
            assert holds(), f"{what!r} was not shown:\n{self.said[-2000:]}"

    def wait(self) -> int:
        """Wait until the command has ended and all is shown; its exit code."""
        code = self.process.wait(LONGEST)
        self._reader.join(LONGEST)
        return code

    def ended(self, code: int) -> list[str]:
        """Wait for the end, which must have this exit code and no traceback; the lines of the screen."""
        found = self.wait()
        assert found == code, f"exit code {found}:\n{self.said[-2000:]}"
        assert "Traceback" not in self.said
        return self.lines

    def _read(self) -> None:
        while data := self._some():
            with self._changed:
                self.raw += data
                self._shows.feed(data)
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _some(self) -> bytes:
        try:
            return os.read(self._ours, 65_536)
        # So ends a terminal on Linux, once nobody has it open.
        except OSError:
            return b""


class Gate:
    """Holds back the requests that reach it, until it is opened: `cloud.fault("DELETE", status=None, then=gate)`."""

    def __init__(self, after: int = 0) -> None:
        self._passing = after
        self._reached = Event()
        self._opened = Event()

    def __call__(self) -> None:
        """Be reached, and stay until the gate is opened; the first `after` pass."""
        if self._passing > 0:
            self._passing -= 1
            return
        self._reached.set()
        self._opened.wait(LONGEST)

    def wait(self) -> None:
        """Wait until a request stands before it."""
        assert self._reached.wait(LONGEST), "no request came to the gate"

    def open(self) -> None:
        """Let all go on."""
        self._opened.set()


def text_of(raw: bytes) -> str:
    """What was written to a terminal, without the codes for colours and movements."""
    return _CODES.sub(b"", raw).decode(errors="replace")


def variables(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command at a terminal, with that by which coverage finds it."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    common = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    return {**common, **measured, **env}
