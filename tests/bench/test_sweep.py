"""What a sweep costs, in turns with bare `requests` and `json` that read the same pages and look at nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.clouds import running
from tests.bench.million import OLD
from tests.bench.rows import ROOT, Hold, Row, in_turns

BARE = """
import json, os, time
from tests.bench.bare import SECONDS, Bare
bare = Bare(os.environ)
start, seen = time.perf_counter(), 0
for hidden in ({}, {"os_hidden": "true"}):
    asked = {"owner": bare.project, "limit": "1000"} | hidden
    while True:
        page = json.loads(bare.session.get(bare.images, params=asked, timeout=SECONDS).content)
        seen += len(page["images"])
        if "next" not in page:
            break
        asked["marker"] = page["images"][-1]["id"]
print(json.dumps({"seconds": time.perf_counter() - start, "seen": seen}))
"""
SWEEP = """
import contextlib, io, json, os, pathlib, time
from handler import app
from handler.compose.secret import load_settings
from handler.shell.runs.running import ShellContext
sweep = {"select": {"name": "ci-*", "older_than": "1d"}, "limit": 0} | json.loads(os.environ["MORE"])
with contextlib.redirect_stdout(io.StringIO()):
    load_settings()
    start = time.perf_counter()
    report = app.lambda_handler({"sweep": sweep}, ShellContext(300))
    seconds = time.perf_counter() - start
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"seconds": seconds, "peak": peak / 1e6, "found": report["sweeps"][0], "ok": report["ok"]}))
"""


FAMILIES = 199
LONG_ROUNDS = 3


@contextmanager
def fake_cloud(folder: Path) -> Iterator[dict[str, str]]:
    """The fake cloud, which takes its time for a page as a real one does: 100,000 images, of which 503 are `ci-0`."""
    families = [{"name": f"web-{family}", "count": 499, "created_at": OLD} for family in range(FAMILIES)]
    rest = 100_000 - FAMILIES * 499 - 503
    others = [{"name": "web-rest", "count": rest, "created_at": OLD}, {"name": "ci-0", "count": 503, "created_at": OLD}]
    with running(folder, [*families, *others], page_size=1000) as environment:
        yield {**os.environ, **environment, "REAPER_MODE": "delete", "MORE": json.dumps({"keep": {"newest": 3}})}


@contextmanager
def many_images(count: int, selected: int, **more: object) -> Iterator[dict[str, str]]:
    """A cloud with so many images; the variables for a sweep over them that selects some."""
    command = [sys.executable, "-m", "tests.bench.million", str(count), str(selected)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 (our own)
        assert process.stdout
        told = json.loads(process.stdout.readline())
        try:
            yield {**os.environ, **told["env"], "REAPER_MODE": "delete", "MORE": json.dumps(more)}
        finally:
            process.terminate()


def run(code: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run a piece of code in a process of its own; what it prints last, as JSON."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def swept(environment: dict[str, str], count: int, selected: int) -> dict[str, Any]:
    """One sweep, which is over its limit: what is measured is the decision."""
    told = run(SWEEP, environment)
    assert (told["found"]["looked_at"], told["found"]["selected"], told["ok"]) == (count, selected, False)
    return told


def read(environment: dict[str, str], count: int) -> dict[str, Any]:
    told = run(BARE, environment)
    assert told["seen"] == count
    return told


def test_a_sweep_over_100_000_images_takes_at_most_1_15_of_the_time_of_reading_them(tmp_path: Path, hold: Hold) -> None:
    with fake_cloud(tmp_path) as environment:
        ours, theirs = in_turns(lambda: swept(environment, 100_000, 500), lambda: read(environment, 100_000), rounds=7)
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    hold(
        Row("a sweep of 100,000 images, wall against reading them", most=1.15, ours=seconds[0], theirs=seconds[1]),
        Row("a sweep of 100,000 images, memory", most=90, ours=[each["peak"] for each in ours], unit="MB"),
    )


@pytest.mark.long("a million images take half a minute to read")
def test_a_sweep_over_a_million_images_takes_at_most_1_2_of_reading_them_and_1_5_of_the_memory_of_100_000(
    hold: Hold,
) -> None:
    with many_images(100_000, 10_000) as tenth:
        fewer = [swept(tenth, 100_000, 10_000)["peak"] for _ in range(LONG_ROUNDS)]
    with many_images(1_000_000, 100_000) as environment:
        ours, theirs = in_turns(
            lambda: swept(environment, 1_000_000, 100_000), lambda: read(environment, 1_000_000), rounds=LONG_ROUNDS
        )
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    hold(
        Row("a sweep of 1,000,000 images, wall against reading them", most=1.2, ours=seconds[0], theirs=seconds[1]),
        Row(
            "a sweep of 1,000,000 images, memory against that of 100,000",
            most=1.5,
            ours=[each["peak"] for each in ours],
            theirs=fewer,
            unit="MB",
        ),
    )
