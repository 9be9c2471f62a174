"""`make demo`: short, the same every time, and told by the command itself."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handler.shell.options import parse

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"   (\w+) +[0-9a-f-]{36}  (\S+) ")
CROWDED = {
    "COLUMNS": "40",
    "OS_AUTH_URL": "https://keystone.example/v3",
    "REAPER_MIN_AGE": "10w",
    "REAPER_MODE": "paused",
}


def tell(folder: Path, **settings: str) -> list[str]:
    """The lines of the demo, run from a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-m", "tests.demo"]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)  # noqa: S603 (ours)
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return tell(tmp_path_factory.mktemp("demo"))


def outcomes(told: list[str], part: str) -> list[tuple[str, str]]:
    """Outcome and name of each image in one part of the story."""
    start = next(number for number, line in enumerate(told) if line.startswith(part))
    found = [ROW.match(line) for line in told[start : told.index("", start)]]
    return [(row[1], row[2]) for row in found if row]


def test_it_fits_a_terminal(told: list[str]) -> None:
    assert max(len(line) for line in told) <= 80
    assert len(told) <= 49


def test_it_is_the_same_every_time_whatever_the_settings_are(told: list[str], tmp_path: Path) -> None:
    assert tell(tmp_path, **CROWDED) == told


def test_it_rehearses_shows_applies_and_heeds_a_veto(told: list[str]) -> None:
    assert outcomes(told, "1.") == [("would_delete", f"nightly-{number}") for number in (3, 2, 1)]
    assert "   3 of 17 images would be deleted, freeing 3.0 GiB" in told
    assert outcomes(told, "3.") == [("deleted", "nightly-3"), ("deleted", "nightly-2"), ("refused", "release-1")]
    builds = ["ci-build-102", "ci-build-101"]
    ends = ["deleted", "refused"]
    assert outcomes(told, "4.") == [("marked", name) for name in builds] + list(zip(ends, builds, strict=True))


def test_each_command_that_it_shows_is_one_that_a_shell_would_take(told: list[str]) -> None:
    text = "\n".join(told).replace("\\\n", "")
    commands = re.findall(r"^   \$ (?:REAPER_MODE=delete )?image-reaper (.*)$", text, re.MULTILINE)
    assert len(commands) == 5
    assert all(parse(shlex.split(command)) for command in commands)


def test_it_leaves_the_page_that_it_names(tmp_path: Path) -> None:
    named = next(line for line in tell(tmp_path) if line.startswith("2. ")).rsplit(" ", 1)[1]
    assert (tmp_path / named).read_text().startswith("<!DOCTYPE html>")


def test_every_refusal_is_said_to_be_meant(told: list[str]) -> None:
    refusals = [line for line in told if line.startswith("   refused")]
    assert (len(refusals), "Both refusals above are meant" in "\n".join(told)) == (2, True)


def test_it_ends_with_a_command_that_works(told: list[str]) -> None:
    start, command = told[-1].split(": ", 1)
    program, *arguments = command.split()
    assert (start, program) == ("Next", ".venv/bin/image-reaper")
    ended = subprocess.run([sys.executable, "-m", "handler", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S603 (ours)
    assert (ended.returncode, ended.stdout.startswith(b"usage: ")) == (0, True)
