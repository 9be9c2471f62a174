"""What a command may be given to read: every file that is no request ends it before it begins, in words of people."""

import io
import json
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from tests.commands import Command, script
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import FakeCloud, Server

ASKED = {"image_ids": [UNKNOWN_ID]}
TEXT = json.dumps(ASKED)

WRONG: dict[str, tuple[object, str]] = {
    "no JSON": ("please delete", "event.json: not JSON"),
    "a trailing comma": ('{"image_ids": [],}', "event.json: not JSON"),
    "an empty file": ("", "event.json: empty: it must hold a request or an event, as JSON"),
    "an empty file with a mark": (b"\xef\xbb\xbf\r\n", "event.json: empty: it must hold"),
    "no object": ("[]", "event.json: must be a JSON object"),
    "a key given twice": ('{"image_ids": [], "image_ids": []}', "a key is given twice"),
    "Latin-1": (b'{"reason": "\xe4"}', "event.json: not UTF-8, from byte 12 on: save it as UTF-8"),
    "PowerShell": (TEXT.encode("utf-16"), "event.json: UTF-16, as PowerShell writes it: save it as UTF-8"),
    "an unknown event": ({"hello": "world"}, "event.json: "),
    "an event of no use": ({"hello": "world"}, "nor a request with image_ids, images, sweep or approve"),
    "a wrong request": (ASKED | {"dryrun": True}, "event.json: dryrun: unknown field; did you mean dry_run?"),
    "a plan": ({"plans": []}, "event.json: a plan: to have it carried out, say --apply "),
    "a report": (
        {"ok": True, "mode": "dry-run", "outcomes": []},
        "event.json: a report: to have it carried out, say --",
    ),
}
NAMES: dict[str, tuple[str, str]] = {
    "no file": ("missing.json", "missing.json: no such file"),
    "a folder": (".", ".: it is a folder"),
    "below a file": ("event.json/x.json", "x.json: no such file"),
    "a name": ("ci-build-101", "no such file, and no id of an image: an id is a UUID, such as"),
    "half an id": (UNKNOWN_ID[:-1], "no such file, and no id of an image"),
    "far too long": ("x" * 5000, "its name is too long"),
    "a name of other characters": ("\x1b[2J\n.json", ".json: no such file"),
}


@pytest.mark.parametrize(("event", "words"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_used_ends_with_two_and_says_why(
    run: Command, cloud: FakeCloud, event: object, words: str
) -> None:
    ended = run(event, REAPER_MODE="delete")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert words in ended.stderr


@pytest.mark.parametrize(("name", "words"), NAMES.values(), ids=NAMES)
def test_a_name_of_no_file_ends_with_two_and_says_why(
    command: Command, cloud: FakeCloud, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "event.json").write_text(TEXT)
    ended = command(name)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert words in ended.stderr
    assert "Error" not in ended.stderr
    assert "\x1b" not in ended.stderr


@pytest.mark.parametrize("content", [TEXT.encode(), f"\ufeff{TEXT}\r\n".encode()], ids=["no end of line", "a mark"])
def test_what_other_editors_write_is_read(run: Command, content: bytes) -> None:
    assert run(content).returncode == 0


def test_a_file_that_cannot_be_read_is_named(command: Command) -> None:
    # Where nothing is: that is no more to be read than what is somebody else's, and it is the same for root.
    ended = command("/proc/self/mem")
    assert (ended.returncode, ended.stderr.endswith("/proc/self/mem: Input/output error\n")) == (2, True)


def test_a_file_without_an_end_is_turned_down(command: Command) -> None:
    ended = command("/dev/zero")
    assert (ended.returncode, "/dev/zero: larger than any request: it has more than 32 MB" in ended.stderr) == (2, True)


def test_a_file_of_gigabytes_is_not_read_to_its_end(command: Command, tmp_path: Path) -> None:
    with (tmp_path / "disk.img").open("wb") as file:
        file.truncate(20_000_000_000)
    ended = command("disk.img")
    assert (ended.returncode, "disk.img: larger than any request" in ended.stderr) == (2, True)


def test_a_request_may_come_through_a_pipe(command: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=(tmp_path / "pipe").write_text, args=(TEXT,))
    writer.start()
    ended = command("pipe")
    writer.join()
    assert (ended.returncode, ended.stdout.startswith("already_gone")) == (0, True)


# Standard input

STANDARD = [
    (TEXT, 0, ""),
    ("", 2, "standard input: empty"),
    ('{"image_ids": ["x"]}', 2, "image-reaper: standard input: image_ids[0]: must be"),
]


@pytest.mark.parametrize(("content", "code", "words"), STANDARD)
def test_a_request_may_come_from_standard_input(
    command: Command, monkeypatch: pytest.MonkeyPatch, content: str, code: int, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    ended = command("-")
    assert (ended.returncode, words in ended.stderr, "Ctrl-D" in ended.stderr) == (code, True, False)


def test_who_sits_before_an_empty_line_is_told_what_is_waited_for(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    ended = command("-")
    assert ended.stderr.startswith("Reading the request from standard input; end with Ctrl-D.\n")
    assert ended.returncode == 0


@pytest.mark.slow("starts a shell and an interpreter")
@pytest.mark.parametrize("words", ['$IR - < "$1"', '$IR /dev/stdin < "$1"', '$IR <(cat "$1")', 'cat "$1" | $IR -'])
def test_a_shell_may_lead_a_file_there_in_its_ways(
    words: str, cloud: FakeCloud, server: Server, tmp_path: Path
) -> None:
    image = cloud.add_image()
    (tmp_path / "event.json").write_text(json.dumps({"image_ids": [image]}))
    ended = script(words, tmp_path, "event.json", REAPER_MODE="delete", **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead)) == (0, {image})
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["image-reaper.journal.jsonl"]


# Words that are neither


def test_ids_are_images(command: Command, cloud: FakeCloud) -> None:
    first, second, third = (cloud.add_image() for _ in range(3))
    ended = command(first, second, first, REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead), set(cloud.images)) == (0, {first, second}, {third})
    assert "delete: 2 deleted" in ended.stdout


def test_an_id_in_capital_letters_is_one_that_the_cloud_may_know(command: Command, cloud: FakeCloud) -> None:
    image = cloud.add_image(id=UNKNOWN_ID[:-1].upper() + "A")
    assert command(image, REAPER_MODE="delete").returncode == 0
    assert set(cloud.dead) == {image}


@pytest.mark.parametrize("other", ["event.json", "ci-build-101", "-"])
def test_between_ids_nothing_else_may_stand(run: Command, command: Command, cloud: FakeCloud, other: str) -> None:
    run(ASKED)
    cloud.calls.clear()
    ended = command(UNKNOWN_ID, other)
    assert (ended.returncode, f"{other}: " in ended.stderr, cloud.calls) == (2, True, [])


def test_a_file_that_is_called_like_an_id_must_be_told_from_it(
    command: Command, cloud: FakeCloud, tmp_path: Path
) -> None:
    image = cloud.add_image()
    (tmp_path / image).write_text(TEXT)
    ended = command(image, REAPER_MODE="delete")
    assert (ended.returncode, cloud.dead, f"./{image} is the file" in ended.stderr) == (2, {}, True)
    assert UNKNOWN_ID in command(f"./{image}").stdout


def test_more_ids_than_a_request_takes_are_turned_down(command: Command) -> None:
    ended = command(*(f"{number:08x}{UNKNOWN_ID[8:]}" for number in range(1001)))
    assert (ended.returncode, "ids: " in ended.stderr, "image_ids" in ended.stderr) == (2, True, False)


@pytest.mark.parametrize("words", [("nope.json",), ("--apply", "nope.json")])
def test_a_file_that_is_not_there_is_told_in_one_way(command: Command, words: tuple[str, ...]) -> None:
    assert command(*words).stderr == "image-reaper: nope.json: no such file or folder\n"
