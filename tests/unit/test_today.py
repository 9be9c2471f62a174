"""`--today`: a rehearsal as if on another day, which leaves nothing anywhere."""

import json
from pathlib import Path

import pytest

from tests.aws import KEYS
from tests.commands import Command
from tests.fakecloud import FakeCloud
from tests.unit.conftest import Relay

SWEEP = ("--sweep", "--name", "ci-*", "--limit-percent", "100", "--json")


def rehearsed(command: Command, *options: str, **settings: str) -> dict[str, str]:
    """What would become of each image, by its name."""
    outcomes = json.loads(command(*SWEEP, *options, **settings).stdout)["outcomes"]
    return {outcome["name"]: outcome["outcome"] for outcome in outcomes}


def test_ages_count_from_that_day(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", created_at="2026-01-01T00:00:00Z")
    assert rehearsed(command, "--older-than", "30d", "--today", "2026-01-20") == {}
    assert rehearsed(command, "--older-than", "30d", "--today", "2026-02-20") == {"ci-1": "would_delete"}


def test_a_mark_is_due_after_its_day(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", tags=["reaper-delete-after=2030-05-05"])
    assert rehearsed(command, "--grace", "2d", "--today", "2030-05-05") == {"ci-1": "marked"}
    assert rehearsed(command, "--grace", "2d", "--today", "2030-05-06") == {"ci-1": "would_delete"}


def test_what_is_kept_until_a_day_is_free_after_it(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", tags=["keep-until=2030-05-05"])
    assert rehearsed(command, "--today", "2030-05-05") == {"ci-1": "refused"}
    assert rehearsed(command, "--today", "2030-05-06") == {"ci-1": "would_delete"}


def test_no_plan_comes_of_it(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    report = json.loads(command(*SWEEP, "--today", "2030-01-01").stdout)
    assert (report["counts"], "plan" in report, "plans" in report) == ({"would_delete": 1}, False, False)


def test_nothing_is_kept_or_sent_anywhere(command: Command, cloud: FakeCloud, tmp_path: Path, relay: Relay) -> None:
    cloud.add_image("ci-1")
    kept = {"REAPER_REPORT_BUCKET": "reports", "REAPER_STATE_TABLE": "state", "AWS_ENDPOINT_URL": relay.url}
    ended = command(*SWEEP, "--today", "2030-01-01", **KEYS, **kept)
    assert (ended.returncode, relay.calls, list(tmp_path.iterdir())) == (0, [], [])
    assert {call.method for call in cloud.calls} <= {"GET", "POST"}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"sweep": {"select": {"unused_for": "30d"}}}, "--today: nobody knows what will be in use"),
        ({"sweep": {"select": {"name": "a"}}, "projects": ["0" * 32]}, "--today: a sweep of many projects"),
    ],
)
def test_what_nobody_could_know_is_turned_down_in_words(
    run: Command, cloud: FakeCloud, request_: object, words: str
) -> None:
    ended = run(
        request_, "--today", "2030-01-01", REAPER_FANOUT_QUEUE_URL="", REAPER_STATE_TABLE="state", AWS_REGION="a-b-1"
    )
    assert (ended.returncode, ended.stdout, cloud.calls) == (2, "", [])
    assert words in ended.stderr


def test_an_armed_run_has_no_other_day(command: Command, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    ended = command(*SWEEP, "--today", "2030-01-01", REAPER_MODE="delete")
    assert (ended.returncode, cloud.calls) == (2, [])
    assert "--today" in ended.stderr
