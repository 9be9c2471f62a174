"""The command on a request: what a person sees, and the exit code that a script sees."""

import json
from pathlib import Path

import pytest

from tests.commands import ROOT, Command, script
from tests.conftest import EVENTS, UNKNOWN_ID, load_event, queue
from tests.fakecloud import DEMO, FakeCloud, Server

# A run


def test_without_a_mode_it_is_a_rehearsal(run: Command, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]})
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1].startswith("dry-run: 1 would_delete")
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


def test_armed_it_deletes_and_says_so(run: Command, cloud: FakeCloud) -> None:
    image, refused = cloud.add_image("ci-1"), cloud.add_image("golden", protected=True)
    ended = run({"image_ids": [image, refused, UNKNOWN_ID]}, REAPER_MODE="delete")
    first = [line.split()[0] for line in ended.stdout.splitlines()[:3]]
    assert first == ["deleted", "refused", "already_gone"]
    assert ", 1 refused, 1 already_gone" in ended.stdout
    assert (ended.returncode, set(cloud.dead)) == (0, {image})


def test_the_report_may_be_had_as_json(run: Command, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    ended = run({"image_ids": [image]}, "--json")
    report = json.loads(ended.stdout)
    assert (report["ok"], report["mode"], report["counts"]) == (True, "dry-run", {"would_delete": 1})
    assert [outcome["image_id"] for outcome in report["outcomes"]] == [image]
    assert (report["plan"]["images"][0]["id"], report["plan"]["project_id"]) == (image, DEMO)


def test_the_plan_of_one_run_is_the_request_of_the_next(run: Command, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    plan = json.loads(run({"image_ids": [image]}, "--json").stdout)["plan"]
    assert run(plan, REAPER_MODE="delete").returncode == 0
    assert (set(cloud.dead), set(cloud.images)) == ({image}, {other})


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_log_and_metrics_go_to_standard_error_if_they_are_asked_for(
    run: Command, cloud: FakeCloud, option: tuple[str, ...]
) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, "--log", *option, REAPER_MODE="delete")
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert [line["message"] for line in lines if "message" in line] == [
        "image.deleting",
        "image.deleted",
        "run.finished",
    ]
    assert '"ImagesDeleted":[1.0]' in ended.stderr
    assert "ImagesDeleted" not in ended.stdout
    assert "image.deleted" not in ended.stdout


def test_without_that_no_log_is_seen(run: Command, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, REAPER_MODE="delete")
    assert (ended.returncode, "{" in ended.stdout + ended.stderr) == (0, False)


@pytest.mark.slow("starts an interpreter")
def test_python_runs_it_as_a_module(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    image = cloud.add_image("ci-1")
    ended = script('$IR "$1"', tmp_path, image, REAPER_MODE="delete", **cloud.env(server.url))
    assert (ended.returncode, set(cloud.dead)) == (0, {image})


# Exit code 1


def test_an_image_that_failed_ends_with_one(run: Command, cloud: FakeCloud) -> None:
    image, other = cloud.add_image(), cloud.add_image()
    cloud.fault("DELETE", image, status=403, body={"message": "Forbidden by policy"})
    ended = run({"image_ids": [image, other]}, REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (1, {other})
    assert "Forbidden by policy" in ended.stdout


def test_a_message_that_was_turned_down_ends_with_one_and_is_named(run: Command, cloud: FakeCloud) -> None:
    image = cloud.add_image()
    ended = run(queue("not JSON", {"image_ids": [image]}), REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (1, {image})
    assert "rejected  m0  body: not JSON" in ended.stdout


def test_a_paused_run_ends_with_one(run: Command, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, REAPER_MODE="paused")
    assert (ended.returncode, "paused: 1 failed" in ended.stdout, cloud.calls) == (1, True, [])


def test_wrong_credentials_end_with_one_and_are_not_shown(run: Command, cloud: FakeCloud) -> None:
    ended = run({"image_ids": [cloud.add_image()]}, "--log", OS_PASSWORD="wr0ng-passw0rd", REAPER_MODE="delete")
    assert (ended.returncode, cloud.dead) == (1, {})
    assert "denied" in ended.stdout
    assert "wr0ng-passw0rd" not in ended.stdout + ended.stderr


# The event files, and what a terminal may be shown


NEEDS_MORE = ("bad", "unknown", "approve")
"""What can't be rehearsed with a cloud alone: events that are wrong, and one that needs a bucket with a plan in it."""
GOOD = sorted(path.stem for path in EVENTS.glob("*.json") if not any(word in path.stem for word in NEEDS_MORE))


@pytest.mark.parametrize("name", GOOD)
def test_every_good_event_file_can_be_rehearsed(command: Command, cloud: FakeCloud, name: str) -> None:
    cloud.seed(json.loads((ROOT / "tests/fakecloud/seed_demo.json").read_text()))
    activated = json.dumps({"sweep": {"select": {"name": "{family}-*"}}})
    scheduled = json.dumps({"image_ids": [UNKNOWN_ID]})
    settings = {"REAPER_SCHEDULED_REQUEST": scheduled, "REAPER_LIFECYCLE_REQUEST": activated}
    ended = command(EVENTS / f"{name}.json", **settings)
    assert ended.returncode == 0
    assert "dry-run: " in ended.stdout
    assert (cloud.dead, cloud.calls_of("PUT")) == ({}, [])


def test_cloudformation_is_not_answered_from_a_shell(run: Command, cloud: FakeCloud, server: Server) -> None:
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


STRANGE = ["two\nlines", "\x1b[2Jgone", "lone \ud800", "\N{FIRE}", "\u202eesrever"]


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_a_strange_name_takes_one_line_of_the_table(run: Command, cloud: FakeCloud, name: str) -> None:
    image = cloud.add_image(name)
    ended = run({"image_ids": [image]}, REAPER_MODE="delete")
    assert (ended.returncode, set(cloud.dead)) == (0, {image})
    assert ended.stdout.count("\n", 0, ended.stdout.index("delete: 1 deleted")) == 1
    assert "\x1b" not in ended.stdout


@pytest.mark.slow("starts an interpreter")
def test_strange_names_are_shown_where_only_ascii_can_be(cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    images = [cloud.add_image(name) for name in STRANGE]
    settings = {"REAPER_MODE": "delete", "PYTHONIOENCODING": "ascii", **cloud.env(server.url)}
    ended = script('$IR "$@"', tmp_path, *images, **settings)
    assert (ended.returncode, set(cloud.dead)) == (0, set(images))
    assert r"\U0001f525" in ended.stdout


def test_an_error_of_ours_is_told_in_a_line_wherever_it_arises(run: Command) -> None:
    ended = run(load_event("stack-create"), REAPER_MODE="paused")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("REAPER_MODE is paused\n")


def test_an_event_forges_no_line_of_the_table(run: Command) -> None:
    event = queue("no request")
    event["Records"][0]["messageId"] = "m0\x1b[2J\ndelete: 1 deleted"
    assert "rejected  m0?[2J?delete: 1 deleted  body: " in run(event).stdout


def test_an_event_forges_no_line_of_an_error(run: Command) -> None:
    ended = run({"Records": [{"eventSource": "\x1b[31m\nall well"}]})
    assert (ended.returncode, ended.stderr.count("\n"), "\x1b" in ended.stderr) == (2, 1, False)
