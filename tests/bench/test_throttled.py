"""How well a limit of the cloud is used: against the time that it takes for the requests that are needed.

For each image these are a GET and a DELETE. What the gateway lets pass at once at the start is not taken off.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bench.clouds import image_ids, running
from tests.bench.rows import Hold, Row
from tests.fakecloud.gateway import Kind

ROUNDS = 3
GRANTED = 60.0
WORKER = f"""
import io, json, sys, time
from contextlib import redirect_stdout
from handler import app
from tests.conftest import Context
ids = json.loads(sys.stdin.readline())
print(flush=True)
sys.stdin.readline()
began = time.perf_counter()
with redirect_stdout(io.StringIO()):
    report = app.lambda_handler({{"image_ids": ids}}, Context({GRANTED}))
print(json.dumps([time.perf_counter() - began, report["counts"]]), flush=True)
"""


def started(environment: dict[str, str], ids: Sequence[str]) -> "subprocess.Popen[str]":
    """A worker that has loaded everything, and waits for a line to begin."""
    settings = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": "1000", "REAPER_CONCURRENCY": "16"}
    worker = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment, **settings},
    )
    say(worker, json.dumps(list(ids)))
    return worker


def say(worker: "subprocess.Popen[str]", line: str) -> None:
    assert worker.stdin
    worker.stdin.write(f"{line}\n")
    worker.stdin.flush()


def heard(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    return worker.stdout.readline()


def race(tmp_path: Path, limit: int, kind: Kind, workers: int, images: int) -> tuple[float, float]:
    """The wall against the limit's own time, and the slowest worker against the mean."""
    ids = image_ids(workers * images)
    seed = [{"name": "ci", "id": image_id} for image_id in ids]
    with running(tmp_path, seed, limit=limit, limit_kind=kind) as environment:
        racers = [started(environment, ids[n * images : (n + 1) * images]) for n in range(workers)]
        for worker in racers:
            heard(worker)
        for worker in racers:
            say(worker, "go")
        results: list[Any] = [json.loads(heard(worker)) for worker in racers]
        for worker in racers:
            worker.communicate()
    assert [counts for _, counts in results] == [{"deleted": images}] * workers
    seconds = [took for took, _ in results]
    return max(seconds) / (2 * workers * images / limit), max(seconds) / statistics.mean(seconds)


@pytest.mark.parametrize("kind", ["bucket", "window"])
@pytest.mark.parametrize("limit", [50, 100])
def test_a_run_takes_little_longer_than_the_limit_dictates(tmp_path: Path, limit: int, kind: Kind, hold: Hold) -> None:
    walls = [race(tmp_path, limit, kind, 1, 300)[0] for _ in range(ROUNDS)]
    hold(Row(f"300 images behind {limit} a second ({kind}), wall against the limit's own time", 1.10, walls, unit=""))


@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_ten_workers_share_a_limit(tmp_path: Path, kind: Kind, hold: Hold) -> None:
    walls, shares = zip(*(race(tmp_path, 200, kind, 10, 100) for _ in range(ROUNDS)), strict=True)
    what = f"10 workers of 100 images behind 200 a second ({kind})"
    hold(
        Row(f"{what}, wall against the limit's own time", 1.2, walls, unit=""),
        Row(f"{what}, the slowest against the mean", 1.5, shares, unit=""),
    )
