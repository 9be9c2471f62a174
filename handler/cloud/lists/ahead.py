"""A page read ahead: the cloud makes the next one while this one is looked at."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

Begin = Callable[[Callable[[], Any]], Callable[[], Any]]
"""Begins a piece of work. Returns a function that gives what came of it, or raises its error."""


@contextmanager
def at_leisure() -> Iterator[Begin]:
    """Do each piece of work when its result is asked for."""
    yield lambda work: work


@contextmanager
def ahead() -> Iterator[Begin]:
    """Do one piece of work at a time in a thread. None is still at work, or begins, once this was left."""
    # Waited for, even where nobody wants its result any more: a thread that was left behind would send on the
    # connections of whoever comes next. It takes no longer than its request may, and whoever cares for the deadline
    # waits for neither.
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as executor:
        # In the context of whoever asks, and so inside its fence.
        yield lambda work: executor.submit(copy_context().run, work).result
