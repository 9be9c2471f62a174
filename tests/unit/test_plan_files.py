"""The plan of a command: what --plan writes and what --apply reads, which are the same."""

import json
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from handler.report.report import Report
from handler.shell.files.reading import read_plan_file
from handler.shell.files.writing import about_plan, plan_text, write
from handler.sources.plan_file import read_plan
from tests.commands import Command
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import OTHER, FakeCloud

SWEEP = ("--sweep", "--name", "ci-*", "--limit-percent", "100")
REPORT = {"ok": True, "mode": "dry-run", "outcomes": []}


def apply(command: Command, *words: object, **settings: str) -> Any:  # noqa: ANN401 (what a command returns)
    return command("--apply", *words, **{"REAPER_MODE": "delete"} | settings)


def written(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_was_rehearsed_is_what_is_deleted(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    images = {cloud.add_image(name) for name in ("ci-1", "ci-2", "ci-\u00fc")}
    rehearsal = command(*SWEEP, "--plan", "plan.json")
    new = cloud.add_image("ci-4")
    assert (rehearsal.returncode, cloud.dead) == (0, {})
    assert "plan.json: 3 images, at most 100 in one run, good until 20" in rehearsal.stderr
    assert apply(command, tmp_path / "plan.json").returncode == 0
    assert (set(cloud.dead), set(cloud.images)) == (images, {new})


def test_a_plan_is_one_that_a_bucket_could_hold(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image("ci-1")
    command(*SWEEP, "--plan", "plan.json")
    (request,) = read_plan((tmp_path / "plan.json").read_bytes(), "plan.json")
    assert [target.image_id for target in request.targets] == [image]


def test_an_empty_plan_is_written_said_and_applied(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.add_image("prod-1")
    rehearsal = command(*SWEEP, "--plan", "plan.json")
    assert (rehearsal.returncode, "the plan is empty: nothing would be deleted\n" in rehearsal.stderr) == (0, True)
    assert json.loads((tmp_path / "plan.json").read_text()) == {"plans": []}
    ended = apply(command, "plan.json")
    assert (ended.returncode, "plan.json: the plan is empty" in ended.stdout + ended.stderr, cloud.dead) == (
        0,
        True,
        {},
    )


def test_what_would_only_be_marked_is_in_no_plan_and_that_is_said(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    ended = command(*SWEEP, "--grace", "7d", "--plan", "plan.json")
    assert "nothing would be deleted; 1 more would only be marked, or can't be named in a plan" in ended.stderr


def test_a_rehearsal_that_was_turned_down_leaves_no_plan(command: Command, tmp_path: Path) -> None:
    assert command("--sweep", "--older-than", "x", "--plan", "plan.json").returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_plan_that_another_tool_has_laid_out_is_read(
    command: Command, cloud: FakeCloud, tmp_path: Path, mark: str
) -> None:
    image = cloud.add_image("ci-\u00fc \U0001f525")
    command(*SWEEP, "--plan", "plan.json")
    plan = json.loads((tmp_path / "plan.json").read_text())
    written(tmp_path / "other.json", mark + json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
    assert (apply(command, "other.json").returncode, set(cloud.dead)) == (0, {image})


def test_the_report_of_a_rehearsal_is_taken_for_its_plan(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image("ci-1")
    written(tmp_path / "report.json", command(*SWEEP, "--json").stdout)
    assert (apply(command, "report.json").returncode, set(cloud.dead)) == (0, {image})
    assert "the plan is empty" in apply(command, written(tmp_path / "empty.json", REPORT)).stdout


def test_one_deletion_request_is_a_plan(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image()
    path = written(tmp_path / "request.json", {"image_ids": [image]})
    assert (apply(command, path).returncode, set(cloud.dead)) == (0, {image})


WRONG: dict[str, tuple[object, str]] = {
    "a sweep": ({"sweep": {"select": {"name": "a"}}}, "a sweep, and no plan: rehearse it with --plan FILE"),
    "an approval": ({"approve": {}}, "an approval of a stored plan, and no plan"),
    "an event": ({"Records": []}, "an event, and no plan"),
    "a report of deletions": (REPORT | {"mode": "delete"}, "a run that was no rehearsal, so there is no plan in it"),
    "a report without room": (REPORT | {"plans": [{}], "plans_in_log": 2}, "has no room for all of its plans"),
    "a mistyped field": ({"image_ids": [UNKNOWN_ID], "dryrun": True}, "plan.json: dryrun: unknown field"),
    "a mistyped plan": ({"plans": [{"image_ids": [UNKNOWN_ID], "dryrun": True}]}, "plans[0]: dryrun: unknown field"),
    "more than plans": ({"plans": [], "x": 1}, "plan.json: "),
    "nothing": ("", "plan.json: empty"),
    "no JSON": ("{", "plan.json: not JSON"),
}


@pytest.mark.parametrize(("content", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_plan_is_called_by_its_name(
    command: Command, cloud: FakeCloud, tmp_path: Path, content: object, words: str
) -> None:
    written(tmp_path / "plan.json", content)
    ended = apply(command, "plan.json")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert words in ended.stderr


def test_an_expired_plan_deletes_nothing(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    plan = {"image_ids": [cloud.add_image()], "not_after": "2026-01-01"}
    ended = apply(command, written(tmp_path / "plan.json", {"plans": [plan]}))
    assert (ended.stdout.split()[:2], cloud.dead) == (["refused", "expired"], {})


def test_the_limit_of_a_run_holds_for_all_of_a_plan(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    plans = [{"image_ids": [cloud.add_image()]} for _ in range(3)]
    ended = apply(command, written(tmp_path / "plan.json", {"plans": plans}), REAPER_MAX_IMAGES="2")
    assert (ended.returncode, len(cloud.dead), "over_limit" in ended.stdout) == (1, 2, True)
    again = apply(command, tmp_path / "plan.json", REAPER_MAX_IMAGES="2")
    assert (again.returncode, len(cloud.dead)) == (0, 3)


def test_a_plan_of_another_project_is_turned_down(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image()
    plan = written(tmp_path / "plan.json", {"plans": [{"image_ids": [image], "project_id": OTHER}]})
    ended = apply(command, plan)
    assert (ended.returncode != 0, cloud.dead, cloud.calls_of("DELETE")) == (True, {}, [])
    assert OTHER in ended.stdout + ended.stderr


def test_without_apply_a_plan_is_not_carried_out(command: Command, cloud: FakeCloud, tmp_path: Path) -> None:
    written(tmp_path / "plan.json", {"plans": [{"image_ids": [cloud.add_image()]}]})
    ended = command("plan.json", REAPER_MODE="delete")
    assert (ended.returncode, "--apply plan.json" in ended.stderr, cloud.dead) == (2, True, {})


def test_two_runs_may_write_the_same_plan_at_once(tmp_path: Path) -> None:
    texts, ready = [plan_text(_report(count)) for count in (1, 900)], Barrier(2)

    def write_often(text: str) -> None:
        ready.wait()
        for _ in range(20):
            assert not write(tmp_path / "plan.json", text)
            assert len(read_plan_file(tmp_path / "plan.json")[0].targets) in {1, 900}

    threads = [Thread(target=write_often, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "plan.json").read_text() in texts
    assert len(list(tmp_path.iterdir())) == 1


def test_a_plan_of_one_image_says_so() -> None:
    ends = "at most 7 in one run, good until 2026-12-04T10:00:00+00:00"
    assert about_plan(Path("plan.json"), _report(1)) == f"plan.json: 1 image, {ends}"
    assert about_plan(Path("plan\x1b.json"), _report(2)) == f"plan?.json: 2 images, {ends}"


def _report(images: int) -> Report:
    named = [{"id": f"{number:08x}{UNKNOWN_ID[8:]}"} for number in range(images)]
    plans = ({"images": named, "not_after": "2026-12-04T10:00:00+00:00"},)
    return Report(
        source="direct", mode="dry-run", request_id="r", project_id="p", results=(), plans=plans, max_images=7
    )
