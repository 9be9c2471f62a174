"""Where the result goes, if nobody reads it, nothing can hold it, or it was closed: the run is done all the same."""

import json
from pathlib import Path

import pytest

from tests.commands import script
from tests.fakecloud import FakeCloud, Server

pytestmark = pytest.mark.slow("each starts a shell and an interpreter")

ARMED = {"REAPER_MODE": "delete"}
JOURNAL = "Journal: image-reaper.journal.jsonl\n"
FULL = "standard output: could not be written: "


def noted(folder: Path) -> list[str]:
    """The events of the journal."""
    text = (folder / "image-reaper.journal.jsonl").read_text()
    return [json.loads(line)["message"] for line in text.splitlines()]


@pytest.mark.parametrize("where", ["", "2>&1 ", "--log 2>&1 "])
def test_a_reader_that_has_had_enough_ends_it_like_any_other_program(
    cloud: FakeCloud, server: Server, tmp_path: Path, where: str
) -> None:
    images = {cloud.add_image("x" * 200) for _ in range(40)}
    words = f'$IR "$@" --html page.html {where}| true; echo "${{PIPESTATUS[0]}}"'
    ended = script(words, tmp_path, *sorted(images), **ARMED, **cloud.env(server.url))
    told = "" if "2>&1" in where else JOURNAL
    assert (ended.stdout, ended.stderr, set(cloud.dead)) == ("141\n", told, images)
    assert noted(tmp_path).count("image.deleted") == 40
    assert "</html>" in (tmp_path / "page.html").read_text()


def test_a_failure_counts_more_than_a_reader_that_has_gone(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=403)
    words = '$IR "$@" | true; echo "${PIPESTATUS[0]}"'
    ended = script(words, tmp_path, image, **ARMED, **cloud.env(server.url))
    assert (ended.stdout, ended.stderr) == ("1\n", JOURNAL)


@pytest.mark.parametrize("option", ["", "--json", "--log"])
def test_what_nothing_can_hold_is_told(cloud: FakeCloud, server: Server, tmp_path: Path, option: str) -> None:
    image = cloud.add_image()
    words = f'$IR "$1" {option} > /dev/full'
    ended = script(words, tmp_path, image, **ARMED, **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead), noted(tmp_path)[-1]) == (1, {image}, "run.finished")
    assert ended.stderr.endswith(f"{FULL}no space is left on the disk\n{JOURNAL}")


@pytest.mark.parametrize("closed", [">&-", ">&- <&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_is_no_file_of_ours(
    cloud: FakeCloud, server: Server, tmp_path: Path, closed: str
) -> None:
    image = cloud.add_image()
    ended = script(f'$IR "$1" {closed}', tmp_path, image, **ARMED, **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead)) == (1, {image})
    assert noted(tmp_path) == ["command.begun", "image.deleting", "image.deleted", "run.finished"]
    assert ended.stderr == ("" if "2>&-" in closed else f"{FULL}Bad file descriptor\n{JOURNAL}")


@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full", "<&-"])
def test_without_the_other_streams_it_says_what_was_done(
    cloud: FakeCloud, server: Server, tmp_path: Path, where: str
) -> None:
    image = cloud.add_image()
    ended = script(f'$IR "$1" --log {where}', tmp_path, image, **ARMED, **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead), "delete: 1 deleted" in ended.stdout) == (0, {image}, True)
    assert noted(tmp_path) == ["command.begun", "image.deleting", "image.deleted", "run.finished"]


def test_an_error_that_nothing_can_hold_is_an_error(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    ended = script('$IR "$1" 2> /dev/full', tmp_path, "missing.json", **cloud.env(server.url))
    assert (ended.returncode, ended.stdout, cloud.calls) == (2, "", [])


def test_nothing_on_standard_input_is_no_request(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    ended = script("$IR - <&-", tmp_path, **cloud.env(server.url))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "standard input: empty" in ended.stderr
