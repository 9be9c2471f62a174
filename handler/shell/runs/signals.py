"""Ctrl-C, and SIGTERM as of a CI system that cancels: what one does, from the first line to the last.

Loaded before all else, so it needs little itself.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

NAMES: Mapping[int, str] = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    # The terminal is gone. Windows has no such signal.
    **({signal.SIGHUP: "SIGHUP"} if hasattr(signal, "SIGHUP") else {}),
}
"""The signals that end a command, as a person calls them."""


class Stopped(KeyboardInterrupt):
    """A signal ends the command at once, wherever it is."""


class Signals:
    """The signals of one command, and what they do.

    At first, one ends the process. Once `interrupting`, it raises Stopped in the main thread. While a run is `halting`,
    the first one only halts it, and the second raises Stopped. One after that ends the process, whatever it does.
    Nothing is heeded unless `heed` was called.
    """

    def __init__(self) -> None:
        self._first = 0
        self._halt: Callable[[], object] | None = None
        self._loads = True
        self._has_raised = False
        self._is_heeding = False
        self.has_begun = False
        """Whether a run has begun that may change something."""
        self.is_at_once = False
        """Whether threads may be left that still wait for the cloud."""

    def heed(self) -> None:
        """Heed the signals from now on, but for those that are ignored, as under `nohup`. In the main thread only."""
        self._is_heeding = True
        for number in NAMES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.receive)

    @staticmethod
    def end() -> None:
        """Let the signals end the process from now on, without a word: all is said."""
        for number in NAMES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)

    @property
    def code(self) -> int:
        """The exit code of a command that was stopped, 0 of one that was not: 128, and the number of the signal."""
        return 128 + self._first if self._first else 0

    @property
    def why(self) -> str:
        """Why a command stops, in words."""
        return f"stopped by {NAMES[self._first]}" if self._first else ""

    def early_words(self, what: str) -> str:
        """What is said where a signal has stopped the command before it has done anything."""
        # A terminal echoes the keys at the beginning of the line.
        start = "\n" if self._first == signal.SIGINT and os.isatty(2) else ""
        return f"{start}image-reaper: {self.why}: {what}"

    def interrupting(self) -> None:
        """Have a signal raise Stopped from now on; raises it if one has come."""
        self._loads, self._halt = False, None
        if self._first:
            self._has_raised = True
            raise Stopped

    def prodded(self) -> AbstractContextManager[None]:
        """Have a signal be heeded at once although the main thread waits, where signals are heeded at all."""
        from handler.shell.runs.prodding import prodding  # noqa: PLC0415 (not before it is needed)

        return prodding(NAMES.keys()) if self._is_heeding else nullcontext()

    @contextmanager
    def halting(self, halt: Callable[[], object]) -> Iterator[None]:
        """Have the first signal call `halt`, and from now on, also later, interrupt nothing; only a second does."""
        # Not in the handler itself: it may have come between any two steps of the main thread, which may hold the very
        # lock that halting takes. What wakes the thread is made to be used in a handler.
        from queue import SimpleQueue  # noqa: PLC0415 (most of what this module would load)
        from threading import Thread  # noqa: PLC0415 (the same)

        wake: SimpleQueue[str] = SimpleQueue()

        def wait() -> None:
            if wake.get():
                halt()

        waiting = Thread(target=wait, name="stop", daemon=True)
        waiting.start()
        self._halt = lambda: wake.put("halt")
        try:
            if self._first:
                self._halt()
            with self.prodded():
                yield
        finally:
            wake.put("")
            waiting.join()

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Do what a signal does now."""
        if self._loads:
            self._first = number
            os.write(2, f"{self.early_words('nothing was begun')}\n".encode())
        # A third one, or two where the first has interrupted: whoever holds the keys down has seen enough.
        if self._loads or self._has_raised:
            os._exit(128 + number)
        if self._first or self._halt is None:
            self._first, self._has_raised = self._first or number, True
            raise Stopped
        self._first = number
        self._halt()
