"""The files of a run, before anybody stores them: their keys, what they hold, and how a plan among them is approved."""

import hashlib
import json
import shlex
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from threading import Thread
from typing import Any

import pytest

from handler.model.outcome import Outcome, Result, Survey
from handler.model.request import Select, SweepRequest
from handler.report.approval import Approval, Place, approval_of
from handler.report.files import (
    LARGEST_JOURNAL,
    Journal,
    begun,
    begun_file,
    digest_of,
    folder_of,
    page_file,
    plan_file,
    report_file,
)
from handler.report.report import LARGEST_ANSWER, Report
from tests.unit.test_page import image

NOW = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
PLAN: dict[str, Any] = {"images": [{"id": "i"}], "project_id": "p", "not_after": "2026-12-03T23:30:00+00:00"}
LAMBDA = Place(armed=True, takes_approvals=True, function="reaper", region="eu-central-1")


@pytest.mark.parametrize(
    ("project", "part"),
    [
        ("ca22e864e8a245eaaf7f4a4d2f1d0a11", "ca22e864e8a245eaaf7f4a4d2f1d0a11"),
        ("", "unknown"),
        (".", "-"),
        ("..", "--"),
        ("a/../b c\n\xe4%", "a----b-c---"),
        ("x" * 300, "x" * 128),
    ],
)
def test_no_part_of_a_key_is_empty_or_leads_elsewhere(project: str, part: str) -> None:
    assert folder_of(project, "r-1", NOW) == f"runs/2026-11-26/{part}/r-1/"
    assert folder_of("p", project, NOW) == f"runs/2026-11-26/p/{part}/"


def test_the_day_of_a_folder_is_that_of_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert folder_of("p", "r", there) == "runs/2026-11-26/p/r/"


@pytest.mark.slow("thousands of outcomes")
def test_a_report_is_stored_whole_however_long_it_is() -> None:
    outcomes = tuple(Outcome(f"id-{number}", "refused", "kept", "x" * 900) for number in range(7000))
    plans = tuple(PLAN | {"reason": "y" * 150_000} for _ in range(30))
    report = Report("direct", "dry-run", "r", "p", (Result("", None, outcomes),), plans)
    told = json.loads(report_file(report).content)
    assert (len(told["outcomes"]), len(told["plans"])) == (7000, 30)
    assert not {"outcomes_in_log", "plans_in_log"} & told.keys()
    assert len(json.dumps(report.answer())) <= LARGEST_ANSWER


def test_the_name_of_a_plan_says_what_it_holds() -> None:
    plan = plan_file([PLAN, PLAN | {"reason": "https://u:secret@h/"}])
    assert plan.name == f"plan-{hashlib.sha256(plan.content).hexdigest()}.json"
    assert digest_of(plan) == hashlib.sha256(plan.content).hexdigest()
    assert json.loads(plan.content)["plans"][0] == PLAN
    assert (plan.content.isascii(), b"secret" in plan.content) == (True, False)
    assert plan_file([dict(reversed(PLAN.items()))]) == plan_file([PLAN])


def test_half_a_character_in_a_page_does_not_keep_it_from_being_stored() -> None:
    assert page_file("a\ud800b", None).content == b"a?b"


def test_a_page_is_named_by_its_plan_so_that_no_other_takes_its_place() -> None:
    first, second = plan_file([PLAN]), plan_file([PLAN | {"reason": "another"}])
    names = [page_file("p", plan).name for plan in (first, second, None)]
    assert names == [f"page-{digest_of(first)[:8]}.html", f"page-{digest_of(second)[:8]}.html", "page.html"]


def test_what_is_about_to_go_is_named_and_what_others_wrote_is_masked() -> None:
    survey = Survey(looked_at=9, selected=(image(1, name="https://u:secret@h/"),), deselected=(image(2),))
    told = begun(SweepRequest(Select("ci-*"), reason="nightly"), survey, NOW)
    content = json.loads(begun_file("r", "p", [told]).content)
    assert (content["request_id"], content["project_id"]) == ("r", "p")
    (sweep,) = content["sweeps"]
    assert sweep["images"] == [{"id": "id-1", "name": "https://***@h/"}]
    assert sweep["no_longer_selected"] == [{"id": "id-2", "name": "ci-2"}]
    assert (sweep["at"], sweep["looked_at"], sweep["selected"]) == ("2026-11-26T23:30:00+00:00", 9, 1)


# The journal


def test_a_run_without_deletions_has_no_journal() -> None:
    assert list(Journal().files()) == []


def test_lines_of_many_threads_are_all_there_and_given_out_once() -> None:
    journal = Journal()

    def write(number: int) -> None:
        for line in range(200):
            journal.add([f"{number}-{line}-a", f"{number}-{line}-b"])

    threads = [Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = journal.files()
    lines = file.content.decode().splitlines()
    assert sorted(lines) == sorted(f"{n}-{m}-{s}" for n in range(8) for m in range(200) for s in "ab")
    assert all(after == f"{before[:-1]}b" for before, after in zip(lines[::2], lines[1::2], strict=True))
    assert (file.name, list(journal.files())) == (f"journal-{hashlib.sha256(file.content).hexdigest()[:8]}.jsonl", [])


def test_a_long_journal_is_several_files_and_takes_little_memory() -> None:
    journal, record = Journal(), json.dumps({f"property_{number}": "value" * 9 for number in range(40)})
    tracemalloc.start()
    count = 4 * LARGEST_JOURNAL // len(record)
    for number in range(count):
        journal.add([f"{number} {record}"])
    assert tracemalloc.get_traced_memory()[0] < LARGEST_JOURNAL / 2
    tracemalloc.stop()
    files = list(journal.files())
    assert len({file.name for file in files}) == len(files) > 3
    assert [line.split(b" ", 1)[0] for file in files for line in file.content.splitlines()] == [
        str(number).encode() for number in range(count)
    ]


# The approval


def approval(place: Place, *plans: dict[str, Any]) -> Approval:
    chosen = plans or (PLAN,)
    return approval_of(plan_file(chosen), chosen, "runs/2026-11-26/p/r/", "fetch it", place)


def test_the_command_for_lambda_sends_exactly_the_approval() -> None:
    found = approval(LAMBDA)
    words = shlex.split(found.command)
    assert words[:3] == ["aws", "lambda", "invoke"]
    options = dict(zip(words[3:-1:2], words[4:-1:2], strict=True))
    assert json.loads(options.pop("--payload")) == {"approve": {"plan": found.key, "sha256": found.digest}}
    assert options == {
        "--function-name": "reaper",
        "--region": "eu-central-1",
        "--cli-binary-format": "raw-in-base64-out",
        "--cli-read-timeout": "0",
    }
    assert (words[-1], "\n" in found.command) == ("/dev/stdout", False)


def test_an_approval_says_what_it_is_about_and_how_long_it_is_good() -> None:
    later = PLAN | {"not_after": "2026-12-04T00:00:00+00:00", "images": [{"id": "a"}, {"id": "b"}]}
    found = approval(LAMBDA, later, PLAN)
    assert (found.images, found.requests, found.until) == (3, 2, NOW + timedelta(days=7))
    assert found.key == f"runs/2026-11-26/p/r/plan-{found.digest}.json"


@pytest.mark.parametrize(
    ("place", "commands"),
    [
        (LAMBDA, ["aws", "image-reaper"]),
        (LAMBDA._replace(function=""), ["image-reaper"]),
        (LAMBDA._replace(takes_approvals=False), []),
    ],
    ids=["Lambda", "a shell", "no state table"],
)
def test_where_nothing_can_take_an_approval_no_command_gives_one(place: Place, commands: list[str]) -> None:
    found = approval(place)
    assert [shlex.split(each)[0] for each in (found.command, found.from_shell) if each] == commands
    assert found.fetch == "fetch it"
    if found.from_shell:
        assert shlex.split(found.from_shell) == ["image-reaper", "--approve", found.key]
