"""The journal of an armed run: every record is in it before its image goes, or the image stays."""

import getpass
import json
import os
import platform
import resource
import stat
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from handler.shell.files.journal import Journal, journal_beside
from tests.commands import Command, script, with_room_for
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import FakeCloud, Server


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def arm(command: Command, *words: object) -> Any:  # noqa: ANN401 (what a command returns)
    return command(*words, REAPER_MODE="delete")


def test_an_armed_run_notes_each_record_and_what_became_of_it(
    command: Command, cloud: FakeCloud, tmp_path: Path
) -> None:
    image, kept = cloud.add_image("ci-1", tags=["nightly"]), cloud.add_image(tags=["keep"])
    ended = arm(command, image, kept)
    assert (ended.returncode, ended.stderr) == (0, "Journal: image-reaper.journal.jsonl\n")
    noted = lines(tmp_path / "image-reaper.journal.jsonl")
    assert sorted(line["message"] for line in noted) == [
        *("command.begun", "image.deleted", "image.deleting", "image.refused", "run.finished")
    ]
    (record,) = (line["image"] for line in noted if line["message"] == "image.deleting")
    assert (record["id"], record["name"], record["tags"]) == (image, "ci-1", ["nightly"])


def test_the_journal_says_who_has_begun_a_run_and_how(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    arm(command, cloud.add_image(), "--reason", "a test")
    begun, *others = lines(tmp_path / "image-reaper.journal.jsonl")
    assert (begun["message"], begun["user"], begun["host"]) == ("command.begun", getpass.getuser(), platform.node())
    assert {line["request_id"] for line in others} == {begun["request_id"]}
    assert "timestamp" in begun
    assert "command" in begun


def test_a_rehearsal_has_no_journal(run: Command, command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image()
    command(image)
    run({"image_ids": [image], "dry_run": True}, "--journal", "x.jsonl", REAPER_MODE="delete")
    assert [path.name for path in tmp_path.iterdir()] == ["event.json"]


@pytest.mark.parametrize(
    ("path", "journal"),
    [
        ("build/plan.json", "build/plan.journal.jsonl"),
        ("plan", "plan.journal.jsonl"),
        ("/dev/stdin", "image-reaper.journal.jsonl"),
        ("/dev/fd/63", "image-reaper.journal.jsonl"),
    ],
)
def test_a_journal_lies_beside_what_is_carried_out(path: str, journal: str) -> None:
    assert journal_beside(Path(path)) == Path(journal)


@pytest.mark.parametrize("words", [("build/event.json",), ("--apply", "build/event.json")], ids=len)
def test_that_of_a_file_has_its_name(
    command: Command, cloud: FakeCloud, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/event.json").write_text(json.dumps({"image_ids": [cloud.add_image()]}))
    assert arm(command, *words).returncode == 0
    assert "image.deleting" in (tmp_path / "build/event.journal.jsonl").read_text()


def test_the_record_is_in_the_file_when_the_image_goes(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image, seen = cloud.add_image(), list[str]()
    cloud.fault("DELETE", image, status=None, then=lambda: seen.append((tmp_path / "j.jsonl").read_text()))
    assert arm(command, image, "--journal", "j.jsonl").returncode == 0
    assert [json.loads(line)["image"]["id"] for line in seen[0].splitlines()[1:]] == [image]


def test_a_journal_is_private_and_grows(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    for _ in range(2):
        arm(command, cloud.add_image(), "--journal", "j.jsonl")
    assert stat.S_IMODE((tmp_path / "j.jsonl").stat().st_mode) == 0o600
    noted = [line["message"] for line in lines(tmp_path / "j.jsonl")]
    assert noted == ["command.begun", "image.deleting", "image.deleted", "run.finished"] * 2


def test_a_line_that_was_cut_short_stays_alone(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"level":"FATAL","mess')
    arm(command, cloud.add_image(), "--journal", "j.jsonl")
    first, *others = (tmp_path / "j.jsonl").read_text().splitlines()
    assert first == '{"level":"FATAL","mess'
    assert json.loads(others[0])["message"] == "command.begun"


def test_two_runs_write_whole_lines(tmp_path: Path) -> None:
    def write(letter: str) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        for _ in range(200):
            journal.append(letter * 50_000 + "\n")
        journal.close()

    threads = [Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with (tmp_path / "j.jsonl").open() as file:
        assert {(line[0], line.count(line[0]), len(line)) for line in file} == {
            (letter, 50_000, 50_001) for letter in "ab"
        }


def test_who_is_late_writes_nowhere(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.close()
    other = (tmp_path / "plan.json").open("w")
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append("a line\n")
    other.close()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["", ""]


@pytest.mark.slow("starts two interpreters")
def test_two_runs_of_one_plan_share_a_journal(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    images = {cloud.add_image() for _ in range(20)}
    (tmp_path / "plan.json").write_text(json.dumps({"image_ids": sorted(images)}))
    words = "$IR --apply plan.json & one=$!; $IR --apply plan.json; two=$?; wait $one && exit $two"
    ended = script(words, tmp_path, REAPER_MODE="delete", **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead)) == (0, images)
    noted = lines(tmp_path / "plan.journal.jsonl")
    assert {line["image"]["id"] for line in noted if line["message"] == "image.deleting"} == images
    assert len([line for line in noted if line["message"] == "run.finished"]) == 2


# Where it can't be written


IMPOSSIBLE = {
    "a missing folder": ("missing/j.jsonl", "no such file or folder"),
    "a folder": (".", "it is a folder"),
    "where no files can be": ("/proc/j.jsonl", "no such file or folder"),
    "a pipe that nobody reads": ("pipe", "No such device or address"),
}


@pytest.mark.parametrize(("name", "why"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_without_a_journal_nothing_is_begun(
    command: Command, cloud: FakeCloud, tmp_path: Path, name: str, why: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    ended = arm(command, cloud.add_image(), "--journal", name)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert f"{name}: the journal can't be written: {why}: --journal FILE names another place" in ended.stderr


def test_a_full_disk_deletes_nothing_and_says_so(command: Command, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = arm(command, image, "--journal", "/dev/full")
    assert (ended.returncode, cloud.dead, cloud.calls_of("DELETE")) == (1, {}, [])
    assert "the journal could not be written" in ended.stdout
    told = "the journal is not whole, since it could not be written: no space is left on the disk"
    assert ended.stderr.splitlines() == [told, "Journal: /dev/full"]


def test_a_disk_that_gets_full_keeps_the_images_that_are_not_noted(
    command: Command, cloud: FakeCloud, tmp_path: Path
) -> None:
    images = [cloud.add_image(f"ci-{number}", note="x" * 3000) for number in range(5)]
    settings = {"REAPER_MODE": "delete", "REAPER_CONCURRENCY": "1"}
    ended = with_room_for(10_000, lambda: command(*images, "--journal", "j.jsonl", **settings))
    noted = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines() if line.endswith("}")]
    assert {line["image"]["id"] for line in noted if line["message"] == "image.deleting"} == set(cloud.dead)
    assert (ended.returncode, 0 < len(cloud.dead) < 5) == (1, True)
    assert "larger than a file may be" in ended.stderr or "no space is left" in ended.stderr


def test_an_outcome_that_cannot_be_noted_breaks_nothing(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image("ci-1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # From the DELETE on, no file may grow.
    cloud.fault("DELETE", image, status=None, then=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1])))
    try:
        ended = arm(command, image, "--journal", "j.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ended.returncode, set(cloud.dead), "delete: 1 deleted" in ended.stdout) == (1, {image}, True)
    assert [line["message"] for line in lines(tmp_path / "j.jsonl")] == ["command.begun", "image.deleting"]
    told = "the journal is not whole, since it could not be written: larger than a file may be"
    assert ended.stderr.splitlines() == [told, "Journal: j.jsonl"]


# Terminals and pipes


def test_a_journal_may_be_read_from_a_pipe(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read = list[str]()
    reader = Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    image = cloud.add_image()
    # The reader must be there: a pipe that nobody reads is turned down.
    number = os.open(tmp_path / "pipe", os.O_WRONLY)
    assert arm(command, image, "--journal", "pipe").returncode == 0
    os.close(number)
    reader.join()
    assert json.loads(read[0].splitlines()[0])["message"] == "command.begun"


def test_a_journal_may_be_shown_on_a_terminal(command: Command, cloud: FakeCloud) -> None:
    ours, theirs = os.openpty()
    assert arm(command, cloud.add_image(), "--journal", os.ttyname(theirs)).returncode == 0
    os.close(theirs)
    assert b"image.deleting" in os.read(ours, 4096)
    os.close(ours)


def test_the_id_of_no_image_leaves_a_journal_of_that(command: Command, tmp_path: Path) -> None:
    assert arm(command, UNKNOWN_ID).returncode == 0
    noted = [line["message"] for line in lines(tmp_path / "image-reaper.journal.jsonl")]
    assert noted == ["command.begun", "image.already_gone", "run.finished"]
