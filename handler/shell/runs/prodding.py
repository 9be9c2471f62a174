"""Sees to it that a signal is heeded at once, although the main thread waits.

Python runs what is to be done for a signal in the main thread, between two of its steps. A signal that another thread
gets, or that comes just before the main thread begins to wait, does not wake it up: it would be heeded once the wait is
over, which may be many minutes later. But whoever gets it writes to a pipe at once, and here somebody reads that.
"""

import os
import signal
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from threading import Event, Thread, main_thread

PAUSES = (0.05, 0.2, 1.0)
"""Seconds from a signal, or from one prod, to the next. More than one, since a prod may come too early as well."""
OVER = b"\0"
"""In the pipe, in place of the number of a signal: nobody need be prodded any more."""


@contextmanager
def prodding(numbers: AbstractSet[int]) -> Iterator[None]:
    """Wake the main thread up, which must be the one that calls this, after each of these signals."""
    # Where there are no such signals, as on Windows, Python's own way must do.
    prod = getattr(signal, "SIGURG", None)
    if prod is None:
        yield
        return
    reading, writing = os.pipe()
    # Whoever gets a signal must not be held up, however full the pipe is.
    os.set_blocking(writing, False)
    before = signal.signal(prod, lambda _number, _frame: None)
    others = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    over = Event()
    thread = Thread(target=_prod, args=(reading, numbers, prod, over), name="prod", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(others)
        over.set()
        os.write(writing, OVER)
        thread.join()
        signal.signal(prod, before)
        os.close(reading)
        os.close(writing)


def _prod(reading: int, numbers: AbstractSet[int], prod: int, over: Event) -> None:
    main = main_thread().ident or 0
    while (got := os.read(reading, 1)) != OVER:
        for pause in PAUSES if got[0] in numbers else ():
            if over.wait(pause):
                return
            signal.pthread_kill(main, prod)
