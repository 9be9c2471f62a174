"""The page and the plan that a command leaves: where they can't be written, nothing is begun."""

import json
import os
import stat
from html import unescape
from pathlib import Path
from threading import Thread

import pytest

from handler.shell.files.writing import write
from tests.commands import Command, with_room_for
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import FakeCloud

OLD = "the page of yesterday" * 10_000


def test_a_page_is_written_beside_the_table(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("prod-1")
    ended = command("--sweep", "--name", "ci-*", "--html", "plan.html")
    assert (ended.returncode, "dry-run: 1 would_delete" in ended.stdout) == (0, True)
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "1 of 2 images would be deleted" in page
    assert "prod-1" in page


@pytest.mark.parametrize("name", ["two\nlines", "lone \ud800", "\N{FIRE}"], ids=ascii)
def test_a_page_and_a_plan_of_strange_names_are_written(
    command: Command, cloud: FakeCloud, tmp_path: Path, name: str
) -> None:
    ended = command(cloud.add_image(name), "--html", "plan.html", "--plan", "plan.json")
    assert (ended.returncode, "</html>" in (tmp_path / "plan.html").read_text(encoding="utf-8")) == (0, True)
    assert json.loads((tmp_path / "plan.json").read_text())["plans"] or name.startswith("lone")


def test_a_page_names_the_plan_that_was_written_with_it(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    assert command(cloud.add_image(), "--html", "plan.html", "--plan", "my <plan>.json").returncode == 0
    told = unescape((tmp_path / "plan.html").read_text(encoding="utf-8"))
    assert "To delete exactly these, carry this plan out until" in told
    assert "REAPER_MODE=delete image-reaper --apply 'my <plan>.json'</code>" in told


def test_half_a_character_is_written_as_a_question_mark(tmp_path: Path) -> None:
    assert not write(tmp_path / "plan.html", "lone \ud800")
    assert (tmp_path / "plan.html").read_bytes() == b"lone ?"


def test_a_run_that_failed_has_a_page_that_says_so(run: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=403)
    ended = run({"image_ids": [image]}, "--html", "plan.html", REAPER_MODE="delete")
    assert ended.returncode == 1
    assert "1 failed" in (tmp_path / "plan.html").read_text(encoding="utf-8")


# What was there before


def test_a_file_replaces_the_one_before_and_keeps_its_permissions(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    path.write_text(OLD)
    path.chmod(0o640)
    assert run({"image_ids": [UNKNOWN_ID]}, "--html", "plan.html").returncode == 0
    assert "yesterday" not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_may_be_read_by_whom_the_shell_lets_read(run: Command, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert run({"image_ids": [UNKNOWN_ID]}, "--html", "plan.html").returncode == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plan.html").stat().st_mode) == 0o640


def test_a_link_stays_one(run: Command, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "plan.html").symlink_to("pages/today.html")
    assert run({"image_ids": [UNKNOWN_ID]}, "--html", "plan.html").returncode == 0
    assert (tmp_path / "plan.html").is_symlink()
    assert "</html>" in (tmp_path / "pages/today.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("before", [None, OLD])
def test_a_run_that_did_not_begin_leaves_the_files_as_they_were(
    run: Command, tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "plan.html"
    if before:
        path.write_text(before)
    assert run({"image_ids": [UNKNOWN_ID], "dryrun": True}, "--html", "plan.html", "--plan", "p.json").returncode == 2
    assert (path.read_text() if path.exists() else None) == before
    assert not (tmp_path / "p.json").exists()


def test_a_file_that_ends_too_early_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(OLD)
    # As a full disk would end it: no file of this process may be larger.
    assert "larger than a file may be" in with_room_for(10_000, lambda: write(path, "x" * 100_000))
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == (OLD, 1)


# Where nothing can be written


IMPOSSIBLE = {
    "a missing folder": ("missing/plan.html", "no such file or folder"),
    "a folder": (".", "it is a folder"),
    "below a file": ("event.json/plan.html", "a part of its path is a file"),
    "where no files can be": ("/proc/plan.html", "no such file or folder"),
    "too long": ("x" * 300, "its name is too long"),
}


@pytest.mark.parametrize("option", ["--html", "--plan"])
@pytest.mark.parametrize(("name", "why"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_file_that_cannot_be_written_ends_the_run_before_it_begins(
    run: Command, cloud: FakeCloud, option: str, name: str, why: str
) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, option, name)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert f"{name}: can't be written: {why}" in ended.stderr
    assert [path.name for path in Path().iterdir()] == ["event.json"]


def test_an_armed_run_deletes_nothing_if_its_page_cannot_be_written(run: Command, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, "--html", "missing/plan.html", REAPER_MODE="delete")
    assert (ended.returncode, cloud.dead, cloud.calls) == (2, {}, [])


CLASHES = {
    "page and plan": ("event.json", "--html", "x", "--plan", "./x"),
    "page and request": ("event.json", "--html", "event.json"),
    "plan and request": ("event.json", "--plan", "event.json"),
    "plan and link to it": ("event.json", "--plan", "link.json"),
    "page and journal": ("event.json", "--html", "x", "--journal", "x"),
    "journal and request": ("event.json", "--journal", "event.json"),
    "page and applied plan": ("--apply", "event.json", "--html", "event.json"),
    "page and the journal beside": ("event.json", "--html", "event.journal.jsonl"),
}


@pytest.mark.parametrize("words", CLASHES.values(), ids=CLASHES)
def test_one_file_is_not_given_for_two_things(
    command: Command, cloud: FakeCloud, tmp_path: Path, words: tuple[str, ...]
) -> None:
    text = json.dumps({"image_ids": [cloud.add_image()]})
    (tmp_path / "event.json").write_text(text)
    (tmp_path / "link.json").symlink_to("event.json")
    ended = command(*words, REAPER_MODE="dry-run" if "--plan" in words else "delete")
    assert (ended.returncode, ended.stderr.count("\n"), cloud.calls) == (2, 1, [])
    assert "named twice" in ended.stderr
    assert ((tmp_path / "event.json").read_text(), len(list(tmp_path.iterdir()))) == (text, 2)


# Devices and pipes


@pytest.mark.parametrize("option", ["--html", "--plan"])
def test_a_file_that_gets_lost_after_all_hides_nothing_of_the_run(run: Command, cloud: FakeCloud, option: str) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]}, option, "/dev/full")
    assert (ended.returncode, "dry-run: 1 would_delete" in ended.stdout) == (1, True)
    assert "/dev/full: could not be written: no space is left on the disk\n" in ended.stderr


def test_a_page_may_be_read_from_a_pipe(run: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read = list[str]()
    reader = Thread(target=lambda: read.append((tmp_path / "pipe").read_text(encoding="utf-8")))
    reader.start()
    assert run({"image_ids": [UNKNOWN_ID]}, "--html", "pipe").returncode == 0
    reader.join()
    assert read[0].endswith("</html>\n")


def test_what_nobody_wants_may_go_to_one_place(run: Command) -> None:
    assert run({"image_ids": [UNKNOWN_ID]}, "--html", "/dev/null", "--plan", "/dev/null").returncode == 0
