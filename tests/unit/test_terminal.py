"""The command at a real terminal: the harness itself, and the streams that may be missing."""

from pathlib import Path

import pytest

from tests.fakecloud import FakeCloud, Server
from tests.terminal import CTRL_C, Gate, Terminal

pytestmark = pytest.mark.slow("each test starts an interpreter")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_screen_is_as_wide_as_it_is_made(cloud: FakeCloud, server: Server, tmp_path: Path, columns: int) -> None:
    image = cloud.add_image("ci-1")
    with Terminal(image, env=cloud.env(server.url), cwd=tmp_path, columns=columns) as terminal:
        lines = terminal.ended(0)
    assert lines[0] == "image-reaper: rehearsal"
    assert lines[-1].startswith("dry-run: 1 would_delete")
    assert max(map(len, lines)) <= columns


def test_keys_reach_the_command(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    image, gate = cloud.add_image("ci-1"), Gate()
    cloud.fault("GET", image, status=None, then=gate)
    with Terminal(image, env=cloud.env(server.url), cwd=tmp_path) as terminal:
        gate.wait()
        terminal.type(CTRL_C)
        gate.open()
        terminal.ended(130)
