"""A sign of life while most of the command is loaded. Imports little itself, since it is what comes first."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread
from typing import TextIO

EVERY = 0.2
"""Seconds from one sign to the next."""
SIGNS = "-\\|/"
SAYS = "loading"


@contextmanager
def loading(stream: TextIO) -> Iterator[None]:
    """Turn a sign on a terminal until the block is left, and wipe it off then."""
    over = Event()
    thread = Thread(target=_turn, args=(stream, over), name="loading", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # No longer: a terminal that is held by Ctrl-S must not hold the command.
        thread.join(1.0)


def _turn(stream: TextIO, over: Event) -> None:
    # A terminal that is gone: the command goes on.
    try:
        for sign in cycle(SIGNS):
            _show(stream, f"\r{sign} {SAYS}")
            if over.wait(EVERY):
                break
        _show(stream, f"\r{' ' * len(f'- {SAYS}')}\r")
    except (OSError, ValueError):
        return


def _show(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
