"""What must still be said at the deadline is said in time, with the little of a core that Lambda gives 512 MB."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.held import End, invoke_held
from tests.conftest import queue

MESSAGES = 10
IMAGES = 1000
SECONDS = 16.0
RECORD = 64 * 1024
MOST_MEMORY = 200_000_000


@contextmanager
def running_cloud(folder: Path, properties: dict[str, str]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """A fake cloud in a process of its own: the variables for it, and the ids of its images."""
    ids = [f"6cad483b-e281-4985-a345-{number:012x}" for number in range(MESSAGES * IMAGES)]
    images = [{"name": "ci", "id": image_id, "visibility": "private", "properties": properties} for image_id in ids]
    (folder / "seed.json").write_text(json.dumps({"images": images}))
    command = [sys.executable, "-m", "tests.fakecloud", "--seed", str(folder / "seed.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["env"], ids
        finally:
            process.terminate()


def end_of_a_run(folder: Path, seconds: float, properties: dict[str, str], share: float) -> End:
    with running_cloud(folder, properties) as (environment, ids):
        requests = [{"image_ids": ids[start : start + IMAGES]} for start in range(0, len(ids), IMAGES)]
        settings = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(len(ids))}
        return invoke_held(queue(*requests), seconds, environment | settings, share)


@pytest.mark.parametrize("number", range(1))
def test_ten_messages_of_a_thousand_images_end_before_the_time_that_was_granted(number: int, tmp_path: Path) -> None:
    end = end_of_a_run(tmp_path, SECONDS, {}, 0.29)
    print(f"\nrun {number}: {end.left:.2f} s before the end of {SECONDS:.0f} s, {end.counts}", end="")
    assert end.left > 0
    assert 0 < len(end.returned) < MESSAGES
    assert "m0" not in end.returned


def test_long_records_of_ten_thousand_images_take_less_than_200_mb(tmp_path: Path) -> None:
    end = end_of_a_run(tmp_path, 300, {f"note-{n}": "x" * 4096 for n in range(RECORD // 4096)}, 1.0)
    print(f"\n{end.peak / 1e6:.0f} MB")
    assert end.counts == {"deleted": MESSAGES * IMAGES}
    assert end.peak < MOST_MEMORY
