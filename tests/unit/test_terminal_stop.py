"""Ctrl-C in each phase: nothing more is begun, what is under way is finished, and the table says what was done."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from threading import Event, Thread

import pytest

from handler.shell.runs.signals import NAMES, Signals, Stopped
from tests.fakecloud import FakeCloud
from tests.terminal import CTRL_C, ROOT, Gate, Terminal
from tests.unit.conftest import AtTerminal

SWEEP = ("--sweep", "--name", "ci-*", "--limit-percent", "100")
ARMED = {"REAPER_MODE": "delete", "REAPER_CONCURRENCY": "2"}

slow = pytest.mark.slow("each of these tests starts an interpreter")

HOLDING = """
import sys
class Holds:
    def find_spec(name, path=None, target=None):
        if name == "handler.shell.carrying":
            open("loading").read()
sys.meta_path.insert(0, Holds)
"""


def held(cloud: FakeCloud, method: str, path: str, after: int = 0) -> Gate:
    gate = Gate(after)
    cloud.fault(method, path, status=None, then=gate, times=None)
    return gate


def stop(terminal: Terminal, gate: Gate) -> list[str]:
    """Press Ctrl-C while requests are held back, and let them go on once that was heeded."""
    gate.wait()
    terminal.type(CTRL_C)
    terminal.wait_for("stopping")
    gate.open()
    lines = terminal.ended(130)
    assert "^C" not in "".join(lines)
    return lines


def journal(folder: Path) -> list[tuple[str, str]]:
    """The events of the journal, each with its image."""
    lines = map(json.loads, (folder / "image-reaper.journal.jsonl").read_text().splitlines())
    return [(line["message"], line["image_id"]) for line in lines if "image_id" in line]


def test_a_signal_that_another_thread_gets_is_heeded_while_the_main_thread_waits() -> None:
    halted, signals = Event(), Signals()
    before = {number: signal.getsignal(number) for number in NAMES}
    signals.heed()
    signals.interrupting()
    try:
        with signals.halting(halted.set):
            Thread(target=lambda: signal.raise_signal(signal.SIGTERM)).start()
            assert halted.wait(30)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (signals.code, signals.why) == (143, "stopped by SIGTERM")


@slow
def test_while_it_loads_nothing_was_begun(at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "loading")
    (tmp_path / "sitecustomize.py").write_text(HOLDING)
    path = f"{tmp_path}:{ROOT}"
    with at_terminal(cloud.add_image(), PYTHONPATH=path, **ARMED) as terminal, (tmp_path / "loading").open("w"):
        terminal.type(CTRL_C)
        # The sign that it loads may be drawn once more, below.
        assert any(line.endswith("stopped by Ctrl-C: nothing was begun") for line in terminal.ended(130))
    assert cloud.calls == []


@slow
def test_while_it_reads_the_request_nothing_was_changed(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal("-", **ARMED) as terminal:
        terminal.wait_for("end with Ctrl-D")
        terminal.type(CTRL_C)
        assert terminal.ended(130)[-1] == "image-reaper: stopped by Ctrl-C: nothing was changed"
    assert cloud.calls == []


@slow
@pytest.mark.parametrize(
    ("method", "path", "last"),
    [
        ("POST", "/auth/tokens", "stopped by Ctrl-C: no image was tried"),
        ("GET", r"/v2/images$", "stopped by Ctrl-C: no image was tried"),
        ("GET", r"/v2/images/", "stopped by Ctrl-C: 3 not tried"),
    ],
    ids=["connecting", "listing", "judging"],
)
def test_before_the_first_deletion_nothing_is_deleted(
    at_terminal: AtTerminal, cloud: FakeCloud, method: str, path: str, last: str
) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    gate = held(cloud, method, path)
    with at_terminal(*SWEEP, "--yes", **ARMED) as terminal:
        assert stop(terminal, gate)[-1] == last
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


@slow
def test_what_is_under_way_is_finished_and_told(at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path) -> None:
    for number in range(12):
        cloud.add_image(f"ci-{number}")
    gate = held(cloud, "DELETE", "", after=3)
    with at_terminal(*SWEEP, "--yes", columns=120, stdout=subprocess.DEVNULL, **ARMED) as terminal:
        lines = stop(terminal, gate)
    found = re.fullmatch(r"stopped by Ctrl-C: (\d+) deleted, (\d+) not tried", lines[-1])
    assert found
    assert lines[-2] == "Journal: image-reaper.journal.jsonl"
    assert (int(found[1]), int(found[1]) + int(found[2])) == (len(cloud.dead), 12)
    assert 4 <= len(cloud.dead) <= 5
    events = journal(tmp_path)
    assert {image for name, image in events if name == "image.deleted"} == set(cloud.dead)
    # Also of an image whose DELETE was not sent any more, the journal says how it ended.
    begun = [image for name, image in events if name == "image.deleting"]
    assert set(begun) <= {image for name, image in events if name in {"image.deleted", "image.failed"}}


@slow
def test_the_second_time_it_ends_at_once_and_names_what_is_unknown(
    at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path
) -> None:
    for number in range(9):
        cloud.add_image(f"ci-{number}")
    gate = held(cloud, "DELETE", "", after=2)
    with at_terminal(*SWEEP, "--yes", **ARMED | {"REAPER_CONCURRENCY": "1"}) as terminal:
        gate.wait()
        terminal.type(CTRL_C)
        terminal.wait_for("stopping")
        terminal.type(CTRL_C)
        lines = terminal.ended(130)
        gate.open()
    assert lines[-1] == "stopped by Ctrl-C: 2 deleted, 1 unknown, 6 not tried"
    events = journal(tmp_path)
    unknown = {image for name, image in events if name == "image.deleting"} - {
        image for name, image in events if name == "image.deleted"
    }
    assert {lines[-2]} == unknown


@slow
def test_a_rehearsal_before_the_question_shows_its_table(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    for number in range(9):
        cloud.add_image(f"ci-{number}")
    gate = held(cloud, "GET", "/v2/images/", after=4)
    with at_terminal(*SWEEP, **ARMED) as terminal:
        lines = stop(terminal, gate)
    assert lines[-1] == "image-reaper: stopped by Ctrl-C: nothing was changed"
    assert any(line.startswith("dry-run: ") for line in lines)
    assert ("goes ahead" in terminal.said, cloud.dead) == (False, {})


@slow
def test_a_pause_between_two_tries_ends(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image, tried = cloud.add_image("ci-1"), Gate()
    tried.open()
    cloud.fault("GET", "/v2/images/", status=429, headers={"Retry-After": "600"}, then=tried, times=None)
    with at_terminal(image, "--yes", **ARMED) as terminal:
        tried.wait()
        terminal.wait_for("done 0 of 1")
        terminal.type(CTRL_C)
        assert terminal.ended(130)[-1] == "stopped by Ctrl-C: 1 not tried"


@slow
def test_while_the_table_is_written_it_is_finished(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    for number in range(900):
        cloud.add_image(f"ci-{number}-{'x' * 100}")
    caps = {"REAPER_MAX_IMAGES": "1000"}
    with at_terminal(*SWEEP, "--limit", "1000", "--yes", stdout=subprocess.PIPE, **caps) as terminal:
        assert terminal.process.stdout
        first = terminal.process.stdout.read(1)
        # The echo comes after the signal.
        terminal.type(CTRL_C)
        terminal.wait_for("^C")
        table = first + terminal.process.stdout.read()
        terminal.ended(130)
    assert table.decode().splitlines()[-1].startswith("dry-run: 900 would_delete")


@slow
def test_sigterm_does_the_same_without_a_terminal(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    for number in range(50):
        cloud.add_image(f"ci-{number}")
    gate, pipe = held(cloud, "DELETE", "", after=2), subprocess.PIPE
    streams = {"controlling": False, "stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
    with at_terminal(*SWEEP, "--limit", "50", **streams, **ARMED) as terminal:
        gate.wait()
        terminal.process.send_signal(signal.SIGTERM)
        gate.open()
        out, err = terminal.process.communicate(timeout=60)
    assert terminal.process.returncode == 143
    assert err.decode().splitlines()[-1].startswith(f"stopped by SIGTERM: {len(cloud.dead)} deleted, ")
    assert b" deleted" in out.splitlines()[-1]


# What a signal does, by what goes on


def test_once_a_run_has_ended_the_first_signal_interrupts_nothing_and_the_second_does() -> None:
    signals, halted = Signals(), list[bool]()
    signals.interrupting()
    with signals.halting(lambda: halted.append(True)):
        pass
    signals.receive(signal.SIGINT, None)
    assert (signals.code, signals.why, halted) == (130, "stopped by Ctrl-C", [])
    with pytest.raises(Stopped):
        signals.receive(signal.SIGINT, None)


def test_a_signal_between_two_phases_is_not_lost() -> None:
    signals = Signals()
    signals.interrupting()
    with signals.halting(list):
        signals.receive(signal.SIGTERM, None)
    with pytest.raises(Stopped):
        signals.interrupting()
    assert signals.code == 143


def test_in_another_thread_signals_are_left_alone() -> None:
    before, signals = signal.getsignal(signal.SIGINT), Signals()
    with signals.halting(list):
        assert signal.getsignal(signal.SIGINT) is before
    thread = Thread(target=signals.interrupting)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_holding_the_keys_down_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = list[int]()
    monkeypatch.setattr(os, "_exit", codes.append)
    signals = Signals()
    signals.interrupting()
    with pytest.raises(Stopped):
        signals.receive(signal.SIGINT, None)
    with pytest.raises(Stopped):
        signals.receive(signal.SIGINT, None)
    assert codes == [130]


@slow
@pytest.mark.parametrize("command", ["--marks", "--unmark-all"])
def test_while_the_marks_are_listed_nothing_was_changed(
    at_terminal: AtTerminal, cloud: FakeCloud, command: str
) -> None:
    cloud.add_image(tags=["reaper-delete-after=2026-12-31"])
    gate = held(cloud, "GET", r"/v2/images$")
    with at_terminal(command) as terminal:
        assert stop(terminal, gate)[-1] == "image-reaper: stopped by Ctrl-C: nothing was changed"
