"""What it costs that images are in many projects: in turns with the same images in one, asked for one by one."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.bench.many import many_projects
from tests.bench.rows import ROOT, Hold, Row, in_turns

IMAGES, BATCH = 50, 10
DELAY = 0.05
"""Seconds that each answer of the cloud takes, as a real one's does."""
SWEEP = {"select": {"name": "ci-*"}, "limit": IMAGES, "limit_percent": 100}
WORKER = """
import contextlib, json, os, pathlib, sys, time
from handler import app
from handler.__main__ import ShellContext
from tests.conftest import queue
bodies = json.load(sys.stdin)
with open(os.devnull, "w") as nobody, contextlib.redirect_stdout(nobody):
    start = time.perf_counter()
    for place in range(0, len(bodies), 10):
        answer = app.lambda_handler(queue(*bodies[place : place + 10]), ShellContext(300))
        assert answer == {"batchItemFailures": []}, answer
    seconds = time.perf_counter() - start
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"seconds": seconds, "peak": peak / 1e6}))
"""


def work(env: dict[str, str], bodies: list[dict[str, Any]]) -> dict[str, float]:
    """Let a worker carry out messages, ten at a time."""
    given = {**os.environ, **env, "REAPER_MAX_IMAGES": str(BATCH * IMAGES)}
    command = [sys.executable, "-c", WORKER]
    done = subprocess.run(  # noqa: S603 (our own)
        command, env=given, cwd=ROOT, check=True, capture_output=True, text=True, input=json.dumps(bodies)
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def in_many(projects: int, delay: float = DELAY) -> dict[str, float]:
    """A sweep for each of many projects."""
    with many_projects(projects, IMAGES, delay) as told:
        return work(told["env"], [{"sweep": SWEEP, "project_id": project_id} for project_id in told["images"]])


def in_one(projects: int) -> dict[str, float]:
    """As many requests for as many images, all of them in one project, which no sweep has to look for."""
    with many_projects(1, projects * IMAGES, DELAY) as told:
        ((project_id, images),) = told["images"].items()
        asked = [images[place : place + IMAGES] for place in range(0, len(images), IMAGES)]
        return work(told["env"], [{"image_ids": ids, "project_id": project_id} for ids in asked])


def compared(projects: int, rounds: int) -> Row:
    """The time of many projects against that of one."""
    ours, theirs = in_turns(lambda: in_many(projects), lambda: in_one(projects), rounds)
    what = f"{projects} projects of {IMAGES} images at 50 ms: wall against one project"
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    return Row(what, most=1.2, ours=seconds[0], theirs=seconds[1])


def test_images_in_many_projects_take_at_most_1_2_of_the_time_of_the_same_in_one(hold: Hold) -> None:
    hold(compared(40, rounds=3))


@pytest.mark.long("ten thousand images at 50 ms take a minute each time")
def test_so_it_is_with_200_projects(hold: Hold) -> None:
    hold(compared(200, rounds=3))


def test_a_worker_for_200_projects_needs_at_most_1_1_of_the_memory_of_one_for_10(hold: Hold) -> None:
    ours, theirs = in_turns(lambda: in_many(200, 0.0), lambda: in_many(BATCH, 0.0), rounds=3)
    peaks = [[each["peak"] for each in side] for side in (ours, theirs)]
    hold(Row("a worker for 200 projects, memory against 10", most=1.1, ours=peaks[0], theirs=peaks[1], unit="MB"))
