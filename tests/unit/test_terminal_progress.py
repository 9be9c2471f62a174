"""What a person at a terminal sees of a run while it goes on, and that nothing of it is left."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from handler.shell.screen.live.bar import clock, lines_of
from handler.shell.screen.live.progress import Counting, Standing, progress
from tests.fakecloud import FakeCloud
from tests.terminal import Gate, Terminal
from tests.unit.conftest import AtTerminal

SWEEP = ("--sweep", "--name", "ci-*", "--limit-percent", "100")

slow = pytest.mark.slow("each of these tests starts an interpreter")


def held(cloud: FakeCloud, method: str, path: str, after: int = 0) -> Gate:
    gate = Gate(after)
    cloud.fault(method, path, status=None, then=gate, times=None)
    return gate


def drawn(terminal: Terminal, text: str) -> str:
    """The line of the screen that is drawn again and again."""
    terminal.wait_for_line(text)
    return next(line for line in terminal.lines if text in line)


@slow
def test_each_phase_shows_itself(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    for number in range(7):
        cloud.add_image(f"ci-{number}")
    login, listing = held(cloud, "POST", "/auth/tokens"), held(cloud, "GET", r"/v2/images\?", 0)
    images = held(cloud, "GET", "/v2/images/", after=3)
    listing.open()
    with at_terminal(*SWEEP, REAPER_CONCURRENCY="1") as terminal:
        assert drawn(terminal, "connecting").endswith("connecting")
        login.open()
        assert drawn(terminal, "done 3 of 7").endswith(": 3 would_delete")
        images.open()
        terminal.ended(0)


@slow
@pytest.mark.parametrize("columns", [24, 40, 80, 120])
def test_the_line_fits_and_leaves_no_trace(at_terminal: AtTerminal, cloud: FakeCloud, columns: int) -> None:
    image, gate = cloud.add_image("ci-1"), held(cloud, "GET", "/v2/images/")
    with at_terminal(image, columns=columns, stdout=subprocess.DEVNULL) as terminal:
        line = drawn(terminal, "done 0 of 1")
        gate.open()
        lines = terminal.ended(0)
    assert (len(line) < columns, "| done" in line) == (True, columns > 24)
    assert "done" not in "".join(lines)


@slow
def test_a_window_that_becomes_narrow_has_a_line_that_fits(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image, gate = cloud.add_image("ci-1"), held(cloud, "GET", "/v2/images/")
    with at_terminal(image, columns=120) as terminal:
        drawn(terminal, "| done 0 of 1")
        terminal.resize(24)
        terminal.wait_until(lambda: b"  done 0 of 1" in terminal.raw, "a line without a bar")
        gate.open()
        assert not any("done" in line for line in terminal.ended(0))


@slow
def test_it_moves_twice_a_second_while_the_cloud_is_silent(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    gate = held(cloud, "GET", "/v2/images")
    with at_terminal(*SWEEP) as terminal:
        gate.wait()
        # By the clock of the command itself: by that of this test, a busy machine would decide.
        terminal.wait_for("0:02  looked at 0 images")
        shown = {line for line in terminal.said.split("\r") if "0:01  looked" in line}
        gate.open()
        terminal.ended(0)
    assert len(shown) >= 2


@slow
def test_without_tqdm_each_phase_is_a_line(at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / "tqdm.py").write_text("raise ImportError")
    image, gate = cloud.add_image("ci-1"), held(cloud, "GET", "/v2/images/")
    with at_terminal(image) as terminal:
        terminal.wait_for("going through the images: 1 ...\r\n")
        gate.open()
        lines = terminal.ended(0)
    assert lines.count("going through the images: 1 ...") == 1


def test_who_shows_a_log_draws_nothing_between_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        for shown in (True, False):
            with progress(shown=shown):
                assert ("progress" in [thread.name for thread in threading.enumerate()]) == shown
    os.close(ours)


# The words


def test_the_longest_line_that_fits_is_shown() -> None:
    standing = Standing(phase="doing", done=120, total=349, counts={"deleted": 90, "refused": 30})
    longest, *others = lines_of(standing, 42, 12.4, "/")
    assert longest == "/ 0:42  |{bar}| done 120 of 349, about 0:12 left: 90 deleted, 30 refused"
    assert others[0] == "/ 0:42  done 120 of 349, about 0:12 left: 90 deleted, 30 refused"
    assert others[1:] == [
        "/ 0:42  done 120 of 349, about 0:12 left",
        "/ done 120 of 349, about 0:12 left",
        "/ done 120 of 349",
    ]
    assert sorted(others, key=len, reverse=True) == others


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (59.6, "1:00"), (720, "12:00"), (3723, "1:02:03")])
def test_seconds_are_written_as_on_a_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_list_that_is_read_anew_is_counted_anew() -> None:
    counting = Counting()
    counting.lists()
    counting.listed()
    assert counting.standing == Standing(phase="listing", listed=1)
    counting.lists()
    assert counting.standing == Standing(phase="listing")


def test_while_images_of_one_project_are_dealt_with_the_list_of_another_is_not_shown() -> None:
    counting = Counting()
    counting.takes_on(2)
    counting.lists()
    counting.takes_on(3)
    assert counting.standing == Standing(phase="doing", total=5)
