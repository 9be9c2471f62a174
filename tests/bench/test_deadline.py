"""What must still be said at the deadline is said in time, with the little of a core that Lambda gives 512 MB."""

from pathlib import Path

import pytest

from tests.bench.clouds import image_ids, running
from tests.bench.held import SHARE, End, invoke_held
from tests.bench.rows import Hold, Row
from tests.conftest import queue

MESSAGES = 10
IMAGES = 1000
SECONDS = 22.0
LONG = {f"note-{number}": "x" * 4096 for number in range(16)}
"""Properties with which a record has 64 KiB."""


def end_of_a_run(folder: Path, seconds: float, properties: dict[str, str], share: float) -> End:
    ids = image_ids(MESSAGES * IMAGES)
    images = [{"name": "ci", "id": each, "visibility": "private", "properties": properties} for each in ids]
    requests = [{"image_ids": ids[start : start + IMAGES]} for start in range(0, len(ids), IMAGES)]
    settings = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(len(ids))}
    with running(folder, images) as environment:
        return invoke_held(queue(*requests), seconds, environment | settings, share)


def hold_end(folder: Path, hold: Hold, runs: int) -> None:
    ends = [end_of_a_run(folder, SECONDS, {}, SHARE) for _ in range(runs)]
    # The first is whole by then. The others must come again, and it must not.
    assert {"m0" in end.returned or not end.returned for end in ends} == {False}
    late = [sum(end.left <= 0 for end in ends)]
    hold(
        Row("10 messages of 1000 images with 29 % of a core, runs that ended too late", 0, late, unit="runs"),
        Row(f"the same, of {SECONDS:g} s granted", SECONDS, [SECONDS - end.left for end in ends]),
    )


def test_ten_messages_of_a_thousand_images_end_before_the_time_that_was_granted(tmp_path: Path, hold: Hold) -> None:
    hold_end(tmp_path, hold, runs=1)


@pytest.mark.long("ten runs")
def test_ten_such_runs_out_of_ten_end_in_time(tmp_path: Path, hold: Hold) -> None:
    hold_end(tmp_path, hold, runs=10)


def test_long_records_of_ten_thousand_images_take_less_than_200_mb(tmp_path: Path, hold: Hold) -> None:
    end = end_of_a_run(tmp_path, 300, LONG, 1.0)
    assert end.counts == {"deleted": MESSAGES * IMAGES}
    hold(Row("10 messages of 1000 images with records of 64 KiB, memory", 200, [end.peak / 1e6], unit="MB"))
