"""How well a limit of the cloud is used: against the time that it takes for the requests that are needed.

For each image these are a GET and a DELETE. What the gateway lets pass at once at the start is not taken off.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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


@contextmanager
def cloud_behind(tmp_path: Path, limit: int, kind: Kind, images: int) -> Iterator[tuple[dict[str, str], list[str]]]:
    """A cloud behind a gateway, in a process of its own: the environment for it, and the ids of its images."""
    ids = [f"6cad483b-e281-4985-a345-{number:012x}" for number in range(images)]
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"images": [{"name": "ci", "id": image_id} for image_id in ids]}))
    command = [sys.executable, "-m", "tests.fakecloud", "--seed", str(seed), "--limit", str(limit)]
    command += ["--limit-kind", kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["env"], ids
        finally:
            process.terminate()


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
    with cloud_behind(tmp_path, limit, kind, workers * images) as (environment, ids):
        running = [started(environment, ids[n * images : (n + 1) * images]) for n in range(workers)]
        for worker in running:
            heard(worker)
        for worker in running:
            say(worker, "go")
        results: list[Any] = [json.loads(heard(worker)) for worker in running]
        for worker in running:
            worker.communicate()
    assert [counts for _, counts in results] == [{"deleted": images}] * workers
    seconds = [took for took, _ in results]
    return max(seconds) / (2 * workers * images / limit), max(seconds) / statistics.mean(seconds)


@pytest.mark.parametrize("kind", ["bucket", "window"])
@pytest.mark.parametrize("limit", [50, 100])
def test_a_run_takes_little_longer_than_the_limit_dictates(tmp_path: Path, limit: int, kind: Kind) -> None:
    walls = [race(tmp_path, limit, kind, 1, 300)[0] for _ in range(ROUNDS)]
    print(f"\n{limit} a second, {kind}, against the limit: " + " ".join(f"{wall:.3f}" for wall in sorted(walls)))
    assert statistics.median(walls) <= 1.10


@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_ten_workers_share_a_limit(tmp_path: Path, kind: Kind) -> None:
    walls, shares = zip(*(race(tmp_path, 200, kind, 10, 100) for _ in range(ROUNDS)), strict=True)
    print(f"\nten workers, {kind}, against the limit: " + " ".join(f"{wall:.3f}" for wall in sorted(walls)))
    print("slowest against the mean: " + " ".join(f"{share:.2f}" for share in sorted(shares)))
    assert statistics.median(walls) <= 1.2
    assert statistics.median(shares) <= 1.5
