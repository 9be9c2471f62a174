"""A plugin of pytest for the trial of a mutant: the order of the tests, and an end to each that hangs."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

MOST_SECONDS, MOST_WORK = 150, 30
"""For one test, and for loading them all: by the clock, and of a processor. A machine may be busy with something else,
so that only the second is many times what the longest takes."""
MOST_BYTES = 4 * 2**30


def pytest_configure() -> None:
    """A mutant must not take all of the memory, nor for ever. Nobody catches the signals: they end the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _begin()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests that are named come first, in their order; the others follow, or are left out."""
    order = {name: place for place, name in enumerate(Path(os.environ["ORDER"]).read_text("utf-8").splitlines())}
    if os.environ["ONLY"]:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
        items[:] = [item for item in items if item.nodeid in order]
    items.sort(key=lambda item: order.get(item.nodeid, len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Each test begins with all of its time."""
    _begin()
    return (yield)


def pytest_sessionfinish() -> None:
    """What is cleared away after the last test may hang as well."""
    _begin()


def _begin() -> None:
    signal.alarm(MOST_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, MOST_WORK)
