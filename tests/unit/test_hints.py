"""What a person at a terminal is told besides the result: what to do next, and that images are unknown here."""

import argparse
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from handler.config.settings import Settings
from handler.report.report import Report
from handler.shell.options import parse
from handler.shell.screen.hints import JOURNAL, fitted, hints
from handler.shell.screen.lines.missing import CASE
from handler.shell.screen.terminal import Screen
from handler.shell.unknown import unknown_here
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import DEMO, FakeCloud
from tests.unit.conftest import AtTerminal
from tests.unit.screens import Carry, carry, fill, id_of, settings_of

__all__ = ["carry", "settings_of"]

HERE = f"(region RegionOne, project {DEMO})"
WHY = "mistyped, deleted before, or of another cloud"
SWEEP = ["--sweep", "--name", "ci-*"]


def hinted(report: Report, *words: str) -> list[str]:
    return list(hints(report, parse(words)))


def swept(**policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, **policy}}


# What next


@pytest.fixture
def rehearsal(carry: Carry, cloud: FakeCloud) -> Report:
    return carry({"image_ids": fill(cloud, ("ci-1", 31, 1))})


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([*SWEEP, "--plan", "plan.json"], "image-reaper --apply plan.json"),
        ([*SWEEP, "--plan", "my plan.json"], "image-reaper --apply 'my plan.json'"),
        ([*SWEEP, "--plan", "p", "--cloud", "otc"], "image-reaper --cloud otc --apply p"),
        (["--apply", "old.json"], "image-reaper --apply old.json"),
    ],
)
def test_a_plan_is_followed_by_the_command_that_applies_it(rehearsal: Report, words: list[str], command: str) -> None:
    assert hinted(rehearsal, *words) == [f"Next: REAPER_MODE=delete {command}"]
    name, *given = shlex.split(command)
    assert (name, isinstance(parse(given), argparse.Namespace)) == ("image-reaper", True)


def test_a_sweep_without_a_plan_is_told_of_one(rehearsal: Report) -> None:
    assert hinted(rehearsal, *SWEEP) == [
        "Next: add --plan FILE to keep this as a plan; --apply then deletes no more than this"
    ]


def test_images_by_their_ids_need_no_plan(rehearsal: Report) -> None:
    assert hinted(rehearsal, id_of(0)) == ["Next: the same command with REAPER_MODE=delete deletes them"]


def test_what_is_marked_first_is_in_no_plan(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 1))
    report = carry(swept(grace="3d"))
    assert hinted(report, *SWEEP, "--plan", "p") == ["Next: the same command with REAPER_MODE=delete marks them"]


def test_nothing_comes_next_where_nothing_would_go(carry: Carry, cloud: FakeCloud) -> None:
    assert hinted(carry({"image_ids": [UNKNOWN_ID]}), UNKNOWN_ID) == []
    asked_to = {"image_ids": fill(cloud, ("ci-1", 31, 1)), "dry_run": True}
    assert hinted(carry(asked_to, REAPER_MODE="delete"), "request.json") == []


def test_nothing_comes_next_where_something_failed(carry: Carry, cloud: FakeCloud) -> None:
    report = carry({"image_ids": fill(cloud, ("ci-1", 31, 1), ("ci-2", 31, 1))}, REAPER_MAX_IMAGES="1")
    assert report.counts == {"would_delete": 1, "failed": 1}
    for words in ([*SWEEP], [*SWEEP, "--plan", "plan.json"], [id_of(0), id_of(1)]):
        assert hinted(report, *words) == []


WRAPPED = """\
Next: add --plan FILE to keep this as a
  plan; --apply then deletes no more
  than this"""


def test_prose_is_broken_between_words_and_a_command_to_be_copied_is_not(rehearsal: Report) -> None:
    narrow = Screen(width=40)
    assert [fitted(line, narrow) for line in hinted(rehearsal, *SWEEP)] == [WRAPPED]
    whole = [*hinted(rehearsal, "--apply", f"my {'long ' * 9}plan.json"), f"{JOURNAL}my {'long ' * 9}plan.jsonl"]
    assert [fitted(line, narrow) for line in whole] == whole
    assert fitted("a line\nand " + "more " * 9, narrow).count("\n") == 2


def test_a_rehearsal_of_another_day_is_no_plan(rehearsal: Report) -> None:
    assert hinted(rehearsal, *SWEEP, "--today", "2026-12-31") == []


def test_after_an_armed_run_nothing_is_left_to_do(carry: Carry, cloud: FakeCloud) -> None:
    report = carry({"image_ids": fill(cloud, ("ci-1", 31, 1))}, REAPER_MODE="delete")
    assert hinted(report, id_of(0)) == []


def test_a_path_forges_no_line(rehearsal: Report) -> None:
    assert hinted(rehearsal, *SWEEP, "--plan", "a\nb") == ["Next: REAPER_MODE=delete image-reaper --apply 'a?b'"]


def test_that_cloudformation_is_not_told_is_said(carry: Carry, cloud: FakeCloud, server: Any) -> None:  # noqa: ANN401
    event = {
        "RequestType": "Delete",
        "ResponseURL": f"{server.url}/sink/x",
        "LogicalResourceId": "Images",
        "PhysicalResourceId": "image-reaper/Images/1",
        "ResourceProperties": {"image_ids": fill(cloud, ("ci-1", 31, 1))},
    }
    told = hinted(carry(event, REAPER_MODE="delete"), "stack.json")
    assert (told, cloud.sink) == (["CloudFormation was not told: a run from a shell answers nobody"], {})


# Unknown here


@pytest.fixture
def unknown(carry: Carry, settings_of: Callable[..., Settings]) -> Callable[..., str]:
    """The line about images that are not there, after a run that was asked for them."""

    def after_run(*ids: str, **chosen: str) -> str:
        return unknown_here(carry({"image_ids": list(ids)}, **chosen), settings_of(**chosen))

    return after_run


def test_most_of_the_ids_are_unknown_here(unknown: Callable[..., str], cloud: FakeCloud) -> None:
    there, *_ = fill(cloud, ("ci-1", 31, 1))
    assert unknown(there, id_of(1), id_of(2)) == f"2 of 3 ids are unknown here {HERE}: {WHY}"
    assert unknown(id_of(1), id_of(2)) == f"all 2 ids are unknown here {HERE}: {WHY}"
    assert unknown(id_of(1)) == f"the id is unknown here {HERE}: {WHY}"


def test_an_unknown_id_with_capitals_may_be_another_one(unknown: Callable[..., str]) -> None:
    capitals = f"ABCDEF{UNKNOWN_ID[6:]}"
    assert unknown(capitals) == f"the id is unknown here {HERE}: {WHY}; {CASE}"
    assert unknown(capitals, id_of(1)).endswith(CASE)
    assert CASE not in unknown(id_of(1))


@pytest.mark.slow("starts an interpreter")
def test_a_narrow_terminal_breaks_it_between_words(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    del cloud
    with at_terminal(id_of(1), columns=40) as terminal:
        lines = terminal.ended(0)
    broken = ("  RegionOne, project", f"  {DEMO}):", "  mistyped, deleted before, or of")
    assert lines[-5:] == ["the id is unknown here (region", *broken, "  another cloud"]


def test_half_of_the_ids_may_have_been_deleted_before(unknown: Callable[..., str], cloud: FakeCloud) -> None:
    assert unknown(*fill(cloud, ("ci-1", 31, 1)), id_of(1)) == ""


def test_the_chosen_region_is_named_or_all_that_there_are(unknown: Callable[..., str], cloud: FakeCloud) -> None:
    cloud.add_region("RegionTwo")
    assert "(region RegionTwo, project" in unknown(id_of(1), OS_REGION_NAME="RegionTwo")
    assert "(regions RegionOne and RegionTwo, project" in unknown(id_of(1), OS_REGION_NAME="")


def test_an_address_of_the_operators_own_is_named_in_place_of_a_region(
    unknown: Callable[..., str],
    server: Any,  # noqa: ANN401
) -> None:
    address = f"{server.url}/image"
    assert f"(image service {address}, project {DEMO})" in unknown(id_of(1), REAPER_IMAGE_ENDPOINT=address)


def test_who_says_it_asks_the_cloud_nothing_more(unknown: Callable[..., str], cloud: FakeCloud) -> None:
    unknown(id_of(1))
    assert [call.method for call in cloud.calls].count("POST") == 1


def test_a_sweep_asks_for_nothing_that_could_be_unknown(
    carry: Carry, settings_of: Callable[..., Settings], cloud: FakeCloud
) -> None:
    fill(cloud, ("ci-1", 31, 1))
    cloud.fault("GET", "/v2/images$", skip=1, status=None, then=cloud.images.clear)
    report = carry(swept())
    assert report.counts == {"already_gone": 1}
    assert unknown_here(report, settings_of()) == ""


def test_a_sweep_in_a_file_is_told_of_a_plan_as_well(carry: Carry, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    report = carry(swept())
    assert hinted(report, "policy.json")[0].startswith("Next: add --plan FILE")
