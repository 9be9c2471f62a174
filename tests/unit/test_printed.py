"""What a stream is, and what it is given: its width, its colours, and only characters that can be shown."""

import io
import os
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import pytest
from wcwidth import wcswidth

from handler.errors import InvalidRequest, Unavailable
from handler.shell.screen.lines.width import cut, shown_width, wrapped
from handler.shell.screen.problems import words
from handler.shell.screen.terminal import Screen, printable, say, tell

ROOT = Path(__file__).parents[2]
SAYING = "import sys; from handler.shell.screen.terminal import say; sys.exit(0 if say('x' * int(sys.argv[1])) else 7)"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A terminal of 123 columns that has colours."""
    ours, theirs = os.openpty()
    for name in ("NO_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    with open(theirs, "w", encoding="utf-8") as stream, open(ours, "rb"):  # noqa: PTH123 (no paths)
        termios.tcsetwinsize(theirs, (24, 123))
        yield stream


# Width and colours


def test_a_terminal_is_asked_for_its_own_width(terminal: TextIO) -> None:
    assert Screen.of(terminal) == Screen(width=123, colour=True)


@pytest.mark.parametrize(
    ("variables", "screen"),
    [
        ({"NO_COLOR": "1"}, Screen(width=123, colour=False)),
        ({"NO_COLOR": ""}, Screen(width=123, colour=True)),
        ({"TERM": "dumb"}, Screen(width=123, colour=False)),
        ({"TERM": "xterm-256color"}, Screen(width=123, colour=True)),
        ({"COLUMNS": "40"}, Screen(width=40, colour=True)),
        ({"COLUMNS": "0"}, Screen(width=123, colour=True)),
        ({"COLUMNS": "wide"}, Screen(width=123, colour=True)),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Screen(width=123, colour=False)),
    ],
)
def test_the_environment_has_a_say(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], screen: Screen
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Screen.of(terminal) == screen


@pytest.mark.parametrize("variables", [{"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}, {"COLUMNS": "40"}])
def test_what_is_no_terminal_has_neither_width_nor_colours(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [Screen.of(io.StringIO()), Screen.of(None)] == [Screen(), Screen()]


def test_a_terminal_that_does_not_know_its_width_has_eighty_columns(terminal: TextIO) -> None:
    termios.tcsetwinsize(terminal, (0, 0))
    assert Screen.of(terminal).width == 80


# How wide a text is


@pytest.mark.parametrize(
    "text",
    ["plain", "\u955c\u50cf", "cafe\u0301", "\N{FIRE}x", "\uff21\uff76", "\u1112\u1161\u11ab", "\u0e01\u0e33", "…"],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str) -> None:
    assert shown_width(text) == wcswidth(text)


@pytest.mark.parametrize("width", range(1, 12))
def test_what_is_cut_fits_and_keeps_its_beginning_and_its_end(width: int) -> None:
    for text in ("\u955c\u50cfcafe\u0301-x", "golden-debian-12"):
        short = cut(text, width)
        assert shown_width(short) <= width
        head, sign, tail = short.partition("…")
        assert short == text or (sign and text.startswith(head) and text.endswith(tail))
        assert short == text or not text.isascii() or 0 <= len(tail) - len(head) <= 1


def test_a_text_is_broken_at_blanks_and_nowhere_else() -> None:
    address = "https://glance.example.com/v2/images"
    assert list(wrapped(f"look at {address} or ask", 16, "  ")) == ["look at", f"  {address}", "  or ask"]
    assert list(wrapped("a b", 3, "  ", first="- ")) == ["- a", "  b"]
    assert list(wrapped("as it is", 8)) == ["as it is"]
    assert list(wrapped("a b " * 99, None)) == ["a b " * 99]


# Characters


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\x9b", "\u202e", "\u2066", "\u200f", "\ud800", "\u2028"])
def test_a_character_that_could_change_the_screen_is_not_shown(sign: str) -> None:
    assert printable(f"a{sign}b") == "a?b"


def test_other_scripts_are_shown_as_they_are() -> None:
    assert printable("\u955c\u50cf \N{FIRE} cafe\u0301 \u05d0") == "\u955c\u50cf \N{FIRE} cafe\u0301 \u05d0"


def test_a_stream_that_lacks_a_character_gets_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="ascii"))
    assert say("\N{FIRE}")
    assert kept.getvalue() == b"\\U0001f525\n"


# Streams that are gone


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "SAYING": SAYING}
    return subprocess.run(  # noqa: S603 (ours)
        ["/bin/bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.slow("it starts an interpreter")
@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ('"$PYTHON" -c "$SAYING" 99999 | true; exit ${PIPESTATUS[0]}', 0, ""),
        ('"$PYTHON" -c "$SAYING" 1 >&-', 0, ""),
        ('"$PYTHON" -c "$SAYING" 1 2>&- >/dev/full', 7, ""),
        (
            '"$PYTHON" -c "$SAYING" 1 >/dev/full',
            7,
            "image-reaper: standard output: could not be written: no space is left on the disk\n",
        ),
    ],
    ids=["nobody reads", "closed", "both", "full"],
)
def test_a_stream_that_takes_nothing_ends_no_run(command: str, code: int, told: str) -> None:
    ended = shell(command)
    assert (ended.returncode, ended.stderr) == (code, told)


def test_nobody_may_read_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    tell("unheard")


# Errors in words


def test_an_error_is_one_line_without_the_name_of_its_class() -> None:
    error = InvalidRequest("images: two\nlines\x1b[2J \u202e")
    assert words(error, Screen()) == "image-reaper: images: two lines?[2J ?"
    assert words(Unavailable("no answer"), Screen()) == "image-reaper: no answer"


def test_each_field_that_is_wrong_has_a_line() -> None:
    error = InvalidRequest("a.json: dryrun: unknown field; did you mean dry_run?; images[0].id: is missing; and 2 more")
    lines = ["image-reaper: a.json: dryrun: unknown field; did you mean dry_run?", "  images[0].id: is missing"]
    assert words(error, Screen()).splitlines() == [*lines, "  and 2 more"]
    narrow = ["image-reaper: a.json: dryrun: unknown", "  field; did you mean dry_run?", "  images[0].id: is missing"]
    assert words(error, Screen(width=40)).splitlines() == [*narrow, "  and 2 more"]


def test_an_error_is_wrapped_on_a_terminal() -> None:
    told = words(InvalidRequest("image_ids[0]: must be a UUID in lower case, with hyphens"), Screen(40))
    assert told.splitlines() == ["image-reaper: image_ids[0]: must be a", "  UUID in lower case, with hyphens"]
