"""What is said below the table: each sentence once, what a sweep looked at, the caps, and the counts."""

from dataclasses import replace
from typing import Any

import pytest

from handler.model.outcome import Outcome, Result
from handler.report.report import Report
from handler.shell.screen.closing import closing
from handler.shell.screen.lines.sums import counts_line
from tests.conftest import UNKNOWN_ID, queue
from tests.fakecloud import FakeCloud
from tests.unit.screens import PIPE, Carry, at, carry, fill, id_of, settings_of

__all__ = ["carry", "settings_of"]


def sweep(name: str = "*", **policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": name}, **policy}}


def below(report: Report) -> list[str]:
    return list(closing(report, PIPE))


# What several images share

OVER_THE_CAP = """\
failed  over_limit  6cad483b-e281-4985-a345-7afef1f3c000  ci-0  31 d  1.0 GiB
failed  over_limit  6cad483b-e281-4985-a345-7afef1f3c001  ci-1  31 d  1.0 GiB
failed  over_limit  6cad483b-e281-4985-a345-7afef1f3c002  ci-2  31 d  1.0 GiB

over_limit  3 images: 3 of 4 images are selected, and limit is 2: none is
  deleted or marked
4 looked at, 3 selected, 1 stay: name
caps: limit 2, limit_percent 50 (2 of 4), REAPER_MAX_IMAGES 1; 3 images count
  for them: select fewer, or raise limit, limit_percent and REAPER_MAX_IMAGES
dry-run: 3 failed
"""


def test_a_cap_is_told_once_with_all_that_would_hold(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, *((name, 31, 1) for name in ("ci-0", "ci-1", "ci-2", "prod")))
    report = carry(sweep("ci-*", limit=2), REAPER_MAX_IMAGES="1")
    assert sorted(at(80, report)[:3]) + at(80, report)[3:] == OVER_THE_CAP.splitlines()


def test_a_wrong_password_is_told_once(carry: Carry, cloud: FakeCloud) -> None:
    report = carry({"image_ids": fill(cloud, ("a", 1, 1), ("b", 1, 1))}, OS_PASSWORD="wr0ng-passw0rd")
    lines = at(None, report)
    assert lines[:2] == [f"failed  denied  {id_of(0)}", f"failed  denied  {id_of(1)}"]
    assert lines[2].startswith("denied  2 images: Keystone")
    assert lines[3:] == ["dry-run: 2 failed"]


def test_a_sentence_about_one_image_stays_with_it(carry: Carry, cloud: FakeCloud) -> None:
    ids = fill(cloud, ("a", 31, 1), ("b", 31, 1), ("c", 31, 1))
    for image_id, tag in zip(ids, ("keep", "keep", "keep-until=2099-12-31"), strict=True):
        cloud.images[image_id].tags = [tag]
    *rows, told, _ = at(None, carry({"image_ids": ids}))
    assert [row.endswith("GiB") for row in rows] == [True, True, False]
    assert told.startswith("kept  2 images: ")


def test_rows_stay_apart_where_one_outcome_has_two_reasons_that_are_told_below() -> None:
    found = [("denied", "no"), ("denied", "no"), ("throttled", "slow"), ("throttled", "slow")]
    outcomes = tuple(Outcome(id_of(number), "failed", *why, name="x" * 40) for number, why in enumerate(found))
    report = Report("direct", "delete", "r", "p", (Result("", None, outcomes),))
    assert at(70, report)[1::2][:4] == ["        denied", "        denied", "        throttled", "        throttled"]


# Very many


def failures(number: int, detail: str = "no answer") -> Report:
    outcomes = [Outcome(id_of(each), "failed", "unavailable", f"{detail} {each}") for each in range(number)]
    gone = Outcome(UNKNOWN_ID, "deleted", name="gone", size=2**30)
    return Report("direct", "delete", "r", "p", (Result("", None, (*outcomes, gone)),))


def test_of_very_many_failures_a_terminal_shows_the_first_and_their_number() -> None:
    lines = at(120, failures(61))
    assert [line for line in lines if "no answer" in line] == lines[:10]
    assert lines[10] == "… 51 more failed, unavailable: a pipe, as to less, gets all rows"
    assert lines[11].split()[:2] == ["deleted", UNKNOWN_ID]
    assert lines[-1] == "delete: 61 failed, 1 deleted (1.0 GiB)"


def test_sixty_failures_are_listed_and_a_pipe_has_every_row() -> None:
    assert len([line for line in at(120, failures(60)) if "no answer" in line]) == 60
    assert len([line for line in at(None, failures(900)) if "no answer" in line]) == 900


def test_what_goes_and_what_is_refused_is_listed_however_much_it_is() -> None:
    goes = [Outcome(id_of(each), "would_delete", name="ci") for each in range(100)]
    stays = [Outcome(id_of(100 + each), "refused", "in_use", f"used by {each}", name="ci") for each in range(100)]
    report = Report("direct", "dry-run", "r", "p", (Result("", None, (*goes, *stays)),))
    assert len(at(120, report)) == 202


# What a sweep looked at


def test_a_mistyped_glob_is_told_from_images_that_all_stay(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 1), ("ci-2", 31, 1))
    told = ["2 looked at, 0 selected, 2 stay: name", "no name matches 'zz-*'", "dry-run: no image"]
    assert at(None, carry(sweep("zz-*"))) == told
    kept = carry(sweep("ci-*", keep={"newest": 2}))
    assert at(None, kept) == ["2 looked at, 0 selected, 2 stay: newest", "dry-run: no image"]


def test_several_reasons_to_stay_are_counted_the_most_frequent_first(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 32, 1), ("ci-2", 31, 1), ("web-1", 1, 1), ("web-2", 1, 1))
    line = below(carry(sweep("ci-*", keep={"newest": 1})))[0]
    assert line == "4 looked at, 1 selected, 3 stay: 2 name, 1 newest"


def test_what_was_marked_before_makes_the_numbers_add_up(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, *((f"ci-{number}", 31, 1) for number in range(2)))
    graced = sweep("ci-*", grace="3d", limit_percent=100)
    carry(graced, REAPER_MODE="delete")
    for number in range(3):
        cloud.add_image(f"ci-new-{number}", id=id_of(100 + number))
    lines = below(carry(sweep("ci-*", grace="3d", limit_percent=100, limit=2), REAPER_MAX_IMAGES="4"))
    assert "over_limit  5 images: 3 of 5 images would be changed, and limit is 2: none is deleted or marked" in lines
    assert "5 looked at, 5 selected (2 waiting or vetoed)" in lines
    assert lines[-2].endswith("REAPER_MAX_IMAGES 4; 3 of the 5 selected count for them: select fewer, or raise limit")


def test_the_cap_that_is_hidden_is_named_where_it_held(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, *((f"ci-{number}", 31, 1) for number in range(3)))
    lines = below(carry(sweep("ci-*", limit=500, limit_percent=100), REAPER_MAX_IMAGES="2"))
    caps = "caps: limit 500, limit_percent 100 (3 of 3), REAPER_MAX_IMAGES 2; 3 images count for them"
    assert lines[-2] == f"{caps}: select fewer, or raise REAPER_MAX_IMAGES"


def test_one_image_counts_for_the_caps_in_the_singular(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 1))
    assert "; 1 image counts for them: select fewer" in below(carry(sweep("ci-*", limit=0)))[-2]


def test_no_cap_is_told_where_none_held(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 1))
    assert "caps" not in "".join(below(carry(sweep("ci-*", limit_percent=100))))


def test_a_list_that_could_not_be_read_has_no_numbers(carry: Carry, cloud: FakeCloud) -> None:
    cloud.fault("GET", "/v2/images", status=403, times=None)
    lines = below(carry(sweep()))
    assert lines == ["dry-run: 1 failed"]


@pytest.mark.parametrize("width", [None, 40, 80])
def test_a_paused_sweep_looks_at_nothing_and_no_image_has_failed(carry: Carry, width: int | None) -> None:
    first, *_, last = at(width, carry(sweep(), REAPER_MODE="paused"))
    assert (first.split(), last) == (
        ["failed", "paused", "REAPER_MODE", "is", "paused"],
        "paused: nothing was looked at",
    )


def test_several_sweeps_are_told_apart_by_their_messages(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 1))
    lines = below(carry(queue(sweep("zz-*"), sweep("ci-*", limit_percent=100))))
    first = ["m0: 1 looked at, 0 selected, 1 stay: name", "m0: no name matches 'zz-*'"]
    assert lines[:3] == [*first, "m1: 1 looked at, 1 selected"]


# Messages, and the last line


def test_what_a_queue_would_get_back_is_told(carry: Carry, cloud: FakeCloud) -> None:
    report = carry(queue("not JSON", {"image_ids": fill(cloud, ("ci-1", 31, 1))}, "{"))
    assert [line.split("  ")[:2] for line in below(report)[:2]] == [["rejected", "m0"], ["rejected", "m2"]]
    assert below(report)[2:] == ["a queue would get back: m0, m2", "dry-run: 1 would_delete (1.0 GiB)"]
    held = report._replace(results=tuple(Result(f"m{number}", None, held=True) for number in range(25)))
    assert below(held)[0].endswith("m18, m19 and 5 others")


def test_other_sources_have_no_queue(carry: Carry, cloud: FakeCloud) -> None:
    cloud.fault("GET", "/v2/images/", status=403)
    assert below(carry({"image_ids": fill(cloud, ("ci-1", 31, 1))})) == ["dry-run: 1 failed"]


def test_a_sweep_of_many_projects_says_to_how_many_it_was_sent() -> None:
    assert below(Report("direct", "delete", "r", "", (Result("", None, sent=17),)))[0].startswith("sent to 17 projects")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((2**30, 2**31), "2 deleted (3.0 GiB)"),
        ((2**30, None), "2 deleted (1.0 GiB, 1 of unknown size)"),
        ((None, None), "2 deleted (size unknown)"),
    ],
)
def test_the_last_line_tells_the_bytes_of_what_is_freed(sizes: tuple[int | None, ...], words: str) -> None:
    outcomes = [Outcome(str(size), "deleted", size=size) for size in sizes]
    outcomes.append(replace(outcomes[0], outcome="refused"))
    report = Report("direct", "delete", "r", "p", (Result("", None, tuple(outcomes)),))
    assert counts_line(report) == f"delete: {words}, 1 refused"
