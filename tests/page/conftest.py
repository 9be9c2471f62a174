"""What the tests of the page share: a browser, and the page of a run that a shell has made."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakecloud import FakeCloud, Server
from tests.page.browser import Browser

ROOT = Path(__file__).parents[2]
Show = Callable[..., Browser]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help="keep the pictures for the documents there")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def show(browser: Browser, cloud: FakeCloud, server: Server, tmp_path: Path) -> Show:
    """Run the command on a request, and open the page that it has written."""

    def show_once(request: object, **settings: str) -> Browser:
        event, page = tmp_path / "sweep.json", tmp_path / "plan.html"
        event.write_text(json.dumps(request))
        environment = {"PATH": os.environ["PATH"], **cloud.env(server.url), **settings}
        command = [sys.executable, "-m", "handler", str(event), "--html", str(page)]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=120)  # noqa: S603 (ours)
        browser.open(page)
        return browser

    return show_once
