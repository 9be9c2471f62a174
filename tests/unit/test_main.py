"""`python -m handler EVENT.json`: what a person sees, and the exit code that a script sees."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.conftest import EVENTS, UNKNOWN_ID, load_event, queue
from tests.fakecloud import DEMO, FakeCloud, Server

Shell = subprocess.CompletedProcess[str]
Run = Callable[..., Shell]

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow("each test starts an interpreter")


@pytest.fixture
def run(cloud: FakeCloud, server: Server, tmp_path: Path) -> Run:
    """Run the command on an event, with the cloud's credentials and no other setting but those given."""

    def run_once(event: object, *options: str, **settings: str) -> Shell:
        path = tmp_path / "event.json"
        if isinstance(event, bytes):
            path.write_bytes(event)
        else:
            path.write_text(event if isinstance(event, str) else json.dumps(event))
        return shell(str(path), *options, **{**cloud.env(server.url), **settings})

    return run_once


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a run, with that by which coverage finds it."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8", **measured, **settings}


def shell(*arguments: str, **settings: str) -> Shell:
    command = [sys.executable, "-m", "handler", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=variables(settings), capture_output=True, check=False, timeout=60)  # noqa: S603 (ours)
    assert b"Traceback" not in ended.stderr + ended.stdout
    return subprocess.CompletedProcess(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def logged(ended: Shell) -> list[str]:
    """The events of the log, on standard error."""
    return [line["message"] for line in map(json.loads, ended.stderr.splitlines()) if "message" in line]


# A run


def test_without_a_mode_it_is_a_rehearsal(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]})
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [f"would_delete    {image}  ci-1", "dry-run: 1 would_delete"]
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


def test_armed_it_deletes_and_says_so_in_a_table(run: Run, cloud: FakeCloud) -> None:
    image, refused = cloud.add_image("ci-1"), cloud.add_image("golden", protected=True)
    ended = run({"image_ids": [image, refused, UNKNOWN_ID]}, REAPER_MODE="delete")
    cells = [line.split() for line in ended.stdout.splitlines()]
    assert cells[0] == ["deleted", image, "ci-1"]
    assert cells[1] == ["refused", "protected", refused, "golden", "the", "image", "is", "protected"]
    assert cells[2][:2] == ["already_gone", UNKNOWN_ID]
    assert ended.stdout.splitlines()[3] == "delete: 1 deleted, 1 refused, 1 already_gone"
    assert (ended.returncode, set(cloud.dead)) == (0, {image})


def test_the_columns_of_the_table_stand_below_each_other(run: Run, cloud: FakeCloud) -> None:
    images = [cloud.add_image("a"), cloud.add_image("a long name", tags=["keep"])]
    lines = run({"image_ids": images}).stdout.splitlines()
    assert lines[0].index(images[0]) == lines[1].index(images[1])


def test_a_table_that_no_terminal_shows_has_no_colours(run: Run, cloud: FakeCloud) -> None:
    assert "\033" not in run({"image_ids": [cloud.add_image()]}).stdout


def test_on_a_terminal_the_outcomes_have_colours(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"image_ids": [cloud.add_image("ci-1")]}))
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "handler", str(tmp_path / "event.json")]
    with subprocess.Popen(command, cwd=ROOT, env=variables(cloud.env(server.url)), stdout=theirs) as process:  # noqa: S603 (ours)
        os.close(theirs)
        shown = os.read(ours, 4096)
        assert process.wait(60) == 0
    os.close(ours)
    assert shown.startswith(b"\033[")


def test_the_report_may_be_had_as_json(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]}, "--json")
    report = json.loads(ended.stdout)
    assert (report["ok"], report["mode"], report["counts"]) == (True, "dry-run", {"would_delete": 1})
    assert [outcome["image_id"] for outcome in report["outcomes"]] == [image]
    assert (report["plan"]["images"][0]["id"], report["plan"]["project_id"]) == (image, DEMO)


def test_the_plan_of_one_run_is_the_request_of_the_next(run: Run, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    plan = json.loads(run({"image_ids": [image]}, "--json").stdout)["plan"]
    assert run(plan, REAPER_MODE="delete").returncode == 0
    assert (set(cloud.dead), set(cloud.images)) == ({image}, {other})


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_log_and_metrics_go_to_standard_error(run: Run, cloud: FakeCloud, option: tuple[str, ...]) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, *option, REAPER_MODE="delete")
    assert logged(ended) == ["image.deleting", "image.deleted", "run.finished"]
    assert '"ImagesDeleted":[1.0]' in ended.stderr
    assert "ImagesDeleted" not in ended.stdout
    assert "image.deleted" not in ended.stdout


# The page


def test_a_page_is_written_beside_the_table(run: Run, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("prod-1")
    ended = run({"sweep": {"select": {"name": "ci-*"}}}, "--html", str(tmp_path / "plan.html"))
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "dry-run: 1 would_delete")
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "1 of 2 images would be deleted" in page
    assert "prod-1" in page


def test_a_page_replaces_the_one_before(run: Run, cloud: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / "plan.html").write_text("old" * 100_000)
    run({"image_ids": [cloud.add_image()]}, "--html", str(tmp_path / "plan.html"))
    assert "old" * 9 not in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_a_run_that_failed_has_a_page_that_says_so(run: Run, cloud: FakeCloud, tmp_path: Path) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", image, status=403)
    ended = run({"image_ids": [image]}, "--html", str(tmp_path / "plan.html"), REAPER_MODE="delete")
    assert ended.returncode == 1
    assert "1 failed" in (tmp_path / "plan.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["missing/plan.html", ".", "event.json/plan.html"])
def test_a_page_that_cannot_be_written_ends_the_run_before_it_begins(
    run: Run, cloud: FakeCloud, tmp_path: Path, name: str
) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, "--html", str(tmp_path / name), REAPER_MODE="delete")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert str(tmp_path / name) in ended.stderr
    assert (cloud.dead, cloud.calls) == ({}, [])


def test_a_page_that_gets_lost_after_all_hides_nothing_of_the_run(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]}, "--html", "/dev/full", REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (1, {image})
    assert ended.stdout.splitlines()[-1] == "delete: 1 deleted"
    assert "the page of this run could not be written" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("before", [None, "the page of yesterday"])
def test_a_run_that_did_not_begin_leaves_the_page_as_it_was(run: Run, tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "plan.html"
    if before:
        path.write_text(before)
    assert run({"image_ids": [UNKNOWN_ID], "dryrun": True}, "--html", str(path)).returncode == 2
    assert (path.read_text() if path.exists() else None) == before


# Exit code 1


def test_an_image_that_failed_ends_with_one(run: Run, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.fault("DELETE", image, status=403, body={"message": "Forbidden by policy"})
    ended = run({"image_ids": [image, other]}, REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (1, {other})
    assert "Forbidden by policy" in ended.stdout


def test_a_message_that_was_turned_down_ends_with_one_and_is_named(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    ended = run(queue("not JSON", {"image_ids": [image]}), REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (1, {image})
    assert any(line.startswith("rejected  m0  body: not JSON") for line in ended.stdout.splitlines())


def test_a_paused_run_ends_with_one(run: Run, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, REAPER_MODE="paused")
    assert (ended.returncode, ended.stdout.splitlines()[-1], cloud.calls) == (1, "paused: 1 failed", [])


def test_wrong_credentials_end_with_one_and_are_not_shown(run: Run, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, OS_PASSWORD="wr0ng-passw0rd", REAPER_MODE="delete")
    assert (ended.returncode, cloud.dead) == (1, {})
    assert "denied" in ended.stdout
    assert "wr0ng-passw0rd" not in ended.stdout + ended.stderr


# Exit code 2


NOTHING_BEGUN: dict[str, tuple[object, str]] = {
    "no JSON": ("please delete", "InvalidRequest: "),
    "an empty file": ("", "InvalidRequest: "),
    "no object": ("[]", "InvalidRequest: "),
    "a key given twice": ('{"image_ids": [], "image_ids": []}', "a key is given twice"),
    "not UTF-8": (b"\xff\xfe{}", "UnicodeDecodeError: "),
    "an unknown event": ({"hello": "world"}, "UnknownEvent: "),
    "a wrong request": ({"image_ids": [UNKNOWN_ID], "dryrun": True}, "InvalidRequest: dryrun: unknown field"),
}


@pytest.mark.parametrize(("event", "words"), NOTHING_BEGUN.values(), ids=NOTHING_BEGUN)
def test_a_file_that_cannot_be_used_ends_with_two_and_says_why(
    run: Run, cloud: FakeCloud, event: object, words: str
) -> None:
    ended = run(event, REAPER_MODE="delete")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr.splitlines()[-1]
    assert cloud.calls_of("DELETE") == []


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_opened_ends_with_two(name: str, tmp_path: Path) -> None:
    ended = shell(str(tmp_path / name))
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)


def test_missing_settings_end_with_two_and_are_named(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"image_ids": [UNKNOWN_ID]}))
    ended = shell(str(tmp_path / "event.json"))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == ["InvalidSettings: OS_AUTH_URL: is missing"]


def test_a_wrong_setting_ends_with_two_and_is_named(run: Run, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, REAPER_MODE="armed")
    assert (ended.returncode, ended.stdout, cloud.calls) == (2, "", [])
    assert ended.stderr.startswith("InvalidSettings: REAPER_MODE: ")


def test_a_command_without_a_file_ends_with_two() -> None:
    ended = shell()
    assert ended.returncode == 2
    assert "usage: python -m handler" in ended.stderr


# The event files, and what a terminal may be shown


NEEDS_MORE = ("bad", "unknown", "approve")
"""What can't be rehearsed with a cloud alone: events that are wrong, and one that needs a bucket with a plan in it."""
GOOD = sorted(path.stem for path in EVENTS.glob("*.json") if not any(word in path.stem for word in NEEDS_MORE))


@pytest.mark.parametrize("name", GOOD)
def test_every_good_event_file_can_be_rehearsed(run: Run, cloud: FakeCloud, name: str) -> None:
    cloud.seed(json.loads((ROOT / "tests/fakecloud/seed_demo.json").read_text()))
    activated = json.dumps({"sweep": {"select": {"name": "{family}-*"}}})
    scheduled = json.dumps({"image_ids": [UNKNOWN_ID]})
    ended = run(load_event(name), REAPER_SCHEDULED_REQUEST=scheduled, REAPER_LIFECYCLE_REQUEST=activated)
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1].startswith("dry-run: ")
    assert (cloud.dead, cloud.calls_of("PUT")) == ({}, [])


def test_cloudformation_is_not_answered_from_a_shell(run: Run, cloud: FakeCloud, server: Server) -> None:
    image = cloud.add_image()
    event = {
        "RequestType": "Delete",
        "ResponseURL": f"{server.url}/sink/x",
        "LogicalResourceId": "Images",
        "PhysicalResourceId": "image-reaper/Images/1",
        "ResourceProperties": {"image_ids": [image]},
    }
    assert run(event, REAPER_MODE="delete").returncode == 0
    assert (cloud.sink, set(cloud.dead)) == ({}, {image})


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2Jgone", "lone \ud800", "\N{FIRE}", "\u202eesrever"], ids=ascii)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_strange_name_takes_one_line_of_the_table(run: Run, cloud: FakeCloud, name: str, encoding: str) -> None:
    image = cloud.add_image(name)
    ended = run({"image_ids": [image]}, REAPER_MODE="delete", PYTHONIOENCODING=encoding)
    assert (ended.returncode, set(cloud.dead)) == (0, {image})
    assert len(ended.stdout.splitlines()) == 2
    assert "\x1b" not in ended.stdout


def test_an_error_of_ours_is_told_in_a_line_wherever_it_arises(run: Run) -> None:
    ended = run(load_event("stack-create"), REAPER_MODE="paused")
    assert (ended.returncode, ended.stderr) == (2, "Paused: REAPER_MODE is paused\n")


def test_an_event_forges_no_line_of_the_table(run: Run) -> None:
    event = queue("no request")
    event["Records"][0]["messageId"] = "m0\x1b[2J\ndelete: 1 deleted"
    ended = run(event)
    assert ended.stdout.splitlines()[0].startswith("rejected  m0?[2J?delete: 1 deleted  body: ")


def test_an_event_forges_no_line_of_an_error(run: Run) -> None:
    ended = run({"Records": [{"eventSource": "\x1b[31m\nall well"}]})
    assert (ended.returncode, ended.stderr.count("\n"), "\x1b" in ended.stderr) == (2, 1, False)
