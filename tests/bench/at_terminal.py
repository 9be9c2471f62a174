"""A command with a terminal for standard error and one for standard output, and what came to each at which moment."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from selectors import EVENT_READ, DefaultSelector
from typing import NamedTuple

from tests.bench.rows import ROOT

COLUMNS, ROWS = 120, 40
CODES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
COMMAND = (sys.executable, "-m", "handler")

Ends = tuple[int, int]
"""Ours and theirs of a terminal, or of a pipe."""
Shown = list[tuple[float, bytes]]
"""What came to a terminal: seconds since the start of the command, and bytes."""


class Session(NamedTuple):
    """A command that has ended: what it has shown on each terminal, seconds, and seconds of CPU."""

    told: Shown
    said: Shown
    wall: float
    cpu: float
    code: int

    @property
    def first_line(self) -> float:
        """Seconds until a whole line was on the terminal."""
        return next(moment for moment, chunk in self.told if b"\n" in chunk)

    @property
    def longest_gap(self) -> float:
        """Seconds without any change, from the first line to the first row of the table."""
        moments = [self.first_line, *changes(self.told), self.said[0][0]]
        moments = sorted(moment for moment in moments if self.first_line <= moment <= self.said[0][0])
        return max(after - before for before, after in pairwise(moments))


def changes(told: Shown) -> list[float]:
    """The moments at which a terminal showed something else than before in the line of its cursor."""
    moments, shown = list[float](), b""
    for moment, chunk in told:
        line = [text for text in re.split(rb"[\r\n]", CODES.sub(b"", chunk)) if text.strip()]
        if line and line[-1] != shown:
            shown = line[-1]
            moments.append(moment)
    return moments


def at_terminal(*arguments: str, environment: Mapping[str, str]) -> Session:
    """Run the command at two terminals, whose windows show all of it."""
    pairs = os.openpty(), os.openpty()
    for ours, _ in pairs:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return _run(arguments, environment, *pairs)


def at_pipes(*arguments: str, environment: Mapping[str, str]) -> Session:
    """Run the command with pipes in place of the terminals."""
    return _run(arguments, environment, os.pipe(), os.pipe())


def _run(words: Sequence[str], environment: Mapping[str, str], error: Ends, output: Ends) -> Session:
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [*COMMAND, *words], cwd=ROOT, env=environment, stdin=error[1], stdout=output[1], stderr=error[1]
    )
    for _, theirs in (error, output):
        os.close(theirs)
    told, said = _read([error[0], output[0]], start)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return Session(told=told, said=said, wall=wall, cpu=used.ru_utime + used.ru_stime, code=process.returncode)


def _read(ends: Sequence[int], start: float) -> list[Shown]:
    """Read all ends until each has ended."""
    shown: dict[int, Shown] = {end: [] for end in ends}
    with DefaultSelector() as selector:
        for end in ends:
            selector.register(end, EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                if chunk := _some(key.fd):
                    shown[key.fd].append((time.perf_counter() - start, chunk))
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return list(shown.values())


def _some(end: int) -> bytes:
    try:
        return os.read(end, 65_536)
    except OSError:  # so ends a terminal, once nobody has it open
        return b""
