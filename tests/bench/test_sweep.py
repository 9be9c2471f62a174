"""What a sweep over 100,000 images costs, against reading the same pages with bare `requests` and `json`."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

IMAGES = 100_000
PAGE = 1000
ROUNDS = 3
FAMILIES = 199
SELECTED, KEPT = 500, 3
OLD = "2026-01-01T00:00:00Z"

BARE = """
import json, os, resource, sys, time
import requests
from tests.bench.test_speed import log_in
with requests.Session() as session:
    token, base = log_in(dict(os.environ), session)
    session.headers.update({"X-Auth-Token": token, "Accept": "application/json"})
    project = os.environ["PROJECT"]
    start, seen = time.perf_counter(), 0
    for hidden in ({}, {"os_hidden": "true"}):
        asked = {"owner": project, "limit": "1000"} | hidden
        while True:
            page = json.loads(session.get(f"{base}/v2/images", params=asked, timeout=60).content)
            seen += len(page["images"])
            if "next" not in page:
                break
            asked["marker"] = page["images"][-1]["id"]
    print(json.dumps({"seconds": time.perf_counter() - start, "seen": seen}))
"""
SWEEP = """
import contextlib, io, json, pathlib, time
from handler import app
from handler.compose import warm
from handler.__main__ import ShellContext
sweep = {"select": {"name": "ci-*", "older_than": "1d"}, "keep": {"newest": 3}, "limit": 0}
with contextlib.redirect_stdout(io.StringIO()):
    warm.load_settings()
    start = time.perf_counter()
    report = app.lambda_handler({"sweep": sweep}, ShellContext(300))
    seconds = time.perf_counter() - start
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "found": report["sweeps"][0], "ok": report["ok"]}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A fake cloud in a process of its own, with 100,000 images in 200 families, of which 500 are selected."""
    seed = tmp_path_factory.mktemp("seed") / "seed.json"
    rest = IMAGES - SELECTED - KEPT
    images: list[dict[str, Any]] = [
        {"name": f"web-{family}", "count": rest // FAMILIES, "created_at": OLD} for family in range(FAMILIES)
    ]
    images.append({"name": "web-rest", "count": rest % FAMILIES, "created_at": OLD})
    images.append({"name": "ci-0", "count": SELECTED + KEPT, "created_at": OLD})
    seed.write_text(json.dumps({"images": images}))
    command = [sys.executable, "-m", "tests.fakecloud", "--port", "0", "--seed", str(seed), "--page-size", str(PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        assert process.stdout
        told = json.loads(process.stdout.readline())
        try:
            yield {**os.environ, **told["env"], "PROJECT": "9c53a566cb3443ab910cf0daebca90c4", "REAPER_MODE": "delete"}
        finally:
            process.terminate()


def run(code: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run a piece of code in a process of its own; what it prints last, as JSON."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_sweep_over_100_000_images_takes_at_most_twice_the_time_of_reading_them(
    environment: dict[str, str],
) -> None:
    ratios, peaks = [], []
    for _ in range(ROUNDS):
        plain, swept = run(BARE, environment), run(SWEEP, environment)
        assert plain["seen"] == swept["found"]["looked_at"] == IMAGES
        assert swept["found"]["selected"] == SELECTED
        assert not swept["ok"]  # over its limit: what is measured is the decision
        ratios.append(swept["seconds"] / plain["seconds"])
        peaks.append(swept["peak"] / 1e6)
        print(f"\nread {plain['seconds']:.2f} s, decided {swept['seconds']:.2f} s, peak {peaks[-1]:.0f} MB", end="")
    print(f"\nsweep / bare reading {statistics.median(ratios):.2f}")
    assert statistics.median(ratios) <= 2
    assert max(peaks) <= 150
