"""What a person sees of a run: an event goes in, over HTTP to a fake cloud, and a screen comes out."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta

import pytest

from handler.compose.engines import shell
from handler.compose.invocation import process
from handler.config.settings import Settings
from handler.report.report import Report
from handler.shell.screen.closing import closing
from handler.shell.screen.table import table
from handler.shell.screen.terminal import Screen
from tests.conftest import Context
from tests.fakecloud import FakeCloud, Server

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PIPE = Screen()

Carry = Callable[..., Report]


@pytest.fixture
def settings_of(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Callable[..., Settings]:
    """The settings of a shell with the cloud's credentials."""
    del clean_environment
    return lambda **chosen: Settings.from_env(cloud.env(server.url) | chosen)


@pytest.fixture
def carry(settings_of: Callable[..., Settings]) -> Carry:
    """Carry an event out, and return its report; it is a rehearsal unless a setting says otherwise."""

    def carry_once(event: object, *, day: int = 0, **chosen: str) -> Report:
        with redirect_stdout(io.StringIO()):
            return process(event, Context(), settings_of(**chosen), shell, NOW + timedelta(days=day))

    return carry_once


def on(screen: Screen, report: Report) -> str:
    """All that standard output gets."""
    return "\n".join(filter(None, [table(report, NOW, screen), *closing(report, screen)]))


def at(width: int | None, report: Report) -> list[str]:
    """The lines of a screen of so many columns, without colours."""
    return on(Screen(width), report).splitlines()


def id_of(number: int) -> str:
    """An id that is easily told from others."""
    return f"6cad483b-e281-4985-a345-7afef1f3c{number:03}"


def fill(cloud: FakeCloud, *images: tuple[str, int, int | None]) -> list[str]:
    """Put images into the cloud: a name, an age in days, a size in GiB. Returns their ids."""
    for number, (name, days, size) in enumerate(images):
        born = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cloud.add_image(name, id=id_of(number), created_at=born, size=size and size * 2**30)
    return [id_of(number) for number in range(len(images))]
