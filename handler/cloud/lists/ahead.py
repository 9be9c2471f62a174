"""A page read ahead: the cloud makes the next one while this one is looked at."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

Begin = Callable[[Callable[[], Any]], Callable[[], Any]]
"""Begins a piece of work. Returns a function that gives what came of it, or raises its error."""


@contextmanager
def on_demand() -> Iterator[Begin]:
    """Do each piece of work when its result is asked for."""
    yield lambda work: work


@contextmanager
def ahead() -> Iterator[Begin]:
    """Do one piece of work at a time in a thread; when this is left, none is under way, and none begins any more."""
    # So the thread is waited for, even if nobody wants its result any more: left behind, it would send on the
    # connections of a later run. It takes no longer than its request may; whoever must keep the deadline has all of
    # this in a thread, for which nobody waits.
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as executor:
        # In the context of the caller, and so inside its fence.
        yield lambda work: executor.submit(copy_context().run, work).result
