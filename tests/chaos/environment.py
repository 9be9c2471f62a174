"""An execution environment as the engine holds it: a process that is frozen between its invocations."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from multiprocessing import spawn
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from unittest.mock import patch

from tests.chaos.inside import Clock, Order, Said, live

# Sets have one order in all environments, and so do the requests that are made in it.
os.environ["PYTHONHASHSEED"] = "0"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.inside"])


_LOCK = Lock()
_PREPARED = spawn.get_preparation_data


def _without_main(name: str) -> dict[str, object]:
    """What a new process is told of this one, but for the program: to load that takes ten times what a start takes."""
    prepared = _PREPARED(name)
    return {key: value for key, value in prepared.items() if not key.startswith("init_main")}


def new_clock() -> Clock:
    """The clock of a world, shared by all its processes."""
    clock: Clock = PROCESSES.Value("d", 0.0, lock=False)
    return clock


class Environment:
    """One process. It is asleep unless it has an order to carry out."""

    def __init__(self, clock: Clock, number: int) -> None:
        self.number = number
        self.alive = True
        handle, name = tempfile.mkstemp(prefix="chaos-")
        os.close(handle)
        self._output = Path(name)
        self._read = 0
        self._said, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=live, args=(clock, theirs, name), daemon=True)
        with _LOCK, patch.object(spawn, "get_preparation_data", _without_main):
            self._process.start()
        theirs.close()

    def carry_out(self, order: Order, stopped: Callable[[str], None]) -> Said | None:
        """Have an order carried out; None if the process dies on the way. `stopped` is called where it stops."""
        self.thaw()
        try:
            self._said.send(order)
            while (said := self._hear(self._said)).kind == "stop":
                stopped(said.what[0])
                self._said.send("go on")
        except (EOFError, OSError):
            self.alive = False
            return None
        return said

    def printed(self) -> str:
        """What it has printed since this was last asked with `take`."""
        with self._output.open("rb") as file:
            file.seek(self._read)
            return file.read().decode()

    def take(self) -> str:
        """What it has printed since the last time."""
        text = self.printed()
        self._read += len(text.encode())
        return text

    def freeze(self) -> None:
        """Let it do nothing, not even in its threads."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Let it die at once, as one that uses too much memory does."""
        self._signal(signal.SIGKILL)
        self._process.join()
        self.alive = False

    def close(self) -> None:
        """End it, and remove what it has left."""
        self.kill()
        self._said.close()
        self._output.unlink(missing_ok=True)

    def _hear(self, said: Connection) -> Said:
        heard: Said = said.recv()
        return heard

    def _signal(self, number: signal.Signals) -> None:
        if self.alive and self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, number)
