"""The command at a real terminal: its width, its colours, and the streams that lead elsewhere."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakecloud import FakeCloud
from tests.terminal import ROOT, Gate
from tests.unit.conftest import AtTerminal

ARMED = {"REAPER_MODE": "delete"}
JOURNAL = b"Journal: image-reaper.journal.jsonl\n"

pytestmark = pytest.mark.slow("each test starts an interpreter")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_screen(at_terminal: AtTerminal, cloud: FakeCloud, columns: int) -> None:
    with at_terminal(cloud.add_image("ci-1"), columns=columns, NO_COLOR="1") as terminal:
        lines = terminal.ended(0)
    assert lines[0].startswith("Rehearsal: nothing is deleted")
    assert any(line.startswith("dry-run: 1 would_delete") for line in lines)
    assert "\033[3" not in terminal.raw.decode()


def test_a_mode_that_there_is_not_has_no_first_line(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1"), REAPER_MODE="delte") as terminal:
        lines = terminal.ended(2)
    assert next(filter(None, lines)).startswith("image-reaper: REAPER_MODE: must be ")


def test_two_runs_at_once_do_not_disturb_each_other(at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path) -> None:
    images, gate = [cloud.add_image("ci-1"), cloud.add_image("ci-2")], Gate()
    cloud.fault("DELETE", status=None, then=gate, times=None)
    with at_terminal(images[0], "--yes", **ARMED) as one, at_terminal(images[1], "--yes", **ARMED) as other:
        one.wait_for("done 0 of 1")
        other.wait_for("done 0 of 1")
        gate.open()
        assert "delete: 1 deleted" in "\n".join(one.ended(0))
        assert "delete: 1 deleted" in "\n".join(other.ended(0))
    journal = (tmp_path / "image-reaper.journal.jsonl").read_text()
    assert (set(cloud.dead), journal.count('"image.deleted"')) == (set(images), 2)


def test_without_any_terminal_nobody_is_asked_and_nothing_is_drawn(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image, pipe = cloud.add_image("ci-1"), subprocess.PIPE
    streams = {"controlling": False, "stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
    with at_terminal(image, **streams, **ARMED) as terminal:
        out, err = terminal.process.communicate(timeout=60)
    assert (terminal.process.returncode, set(cloud.dead), err, terminal.raw) == (0, {image}, JOURNAL, b"")
    assert out.decode().splitlines()[-1].startswith("delete: 1 deleted")


@pytest.mark.parametrize("opened", [os.openpty, os.pipe], ids=["a terminal", "a pipe"])
def test_standard_error_that_breaks_costs_no_image_anything(
    at_terminal: AtTerminal, cloud: FakeCloud, opened: Callable[[], tuple[int, int]]
) -> None:
    image, gate = cloud.add_image("ci-1"), Gate()
    cloud.fault("DELETE", status=None, then=gate)
    ours, theirs = opened()
    with at_terminal(image, "--yes", stderr=theirs, stdout=subprocess.PIPE, **ARMED) as terminal:
        os.close(theirs)
        gate.wait()
        os.close(ours)
        gate.open()
        out, _ = terminal.process.communicate(timeout=60)
    assert (terminal.process.returncode, set(cloud.dead)) == (0, {image})
    assert b"delete: 1 deleted" in out


@pytest.mark.parametrize(("words", "code"), [((), 2), (("--yes",), 0)])
def test_where_no_terminal_can_be_asked_yes_is_named(
    at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['termios'] = sys.modules['fcntl'] = None\n")
    image = cloud.add_image("ci-1")
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with at_terminal(image, *words, columns=120, **path, **ARMED) as terminal:
        lines = terminal.ended(code)
    assert ("with --yes, no question is asked" in lines[-1]) == (code == 2)
    assert set(cloud.dead) == (set() if code else {image})


@pytest.mark.parametrize("words", [("--\033[2J\u202e",), ("--sweep", "\033[2J\u202e"), ("--marks", "\r\n\033[2J")])
def test_a_wrong_option_moves_no_cursor(at_terminal: AtTerminal, words: tuple[str, ...]) -> None:
    with at_terminal(*words) as terminal:
        terminal.ended(2)
    assert b"\033[2J" not in terminal.raw
    assert "\u202e" not in terminal.said


def test_a_width_of_thousands_of_digits_is_no_error(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1"), COLUMNS="9" * 5000) as terminal:
        terminal.ended(0)
