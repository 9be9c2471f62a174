"""What it costs that images are in many projects: in turns with the same images in one, asked for one by one."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.bench.many import many_projects
from tests.bench.rows import ROOT, Hold, Row, in_turns

PROJECTS, IMAGES, BATCH = 200, 50, 10
SWEEP = {"select": {"name": "ci-*"}, "limit": IMAGES, "limit_percent": 100}
WORKER = """
import contextlib, io, json, pathlib, sys, time
from handler import app
from handler.__main__ import ShellContext
from tests.conftest import queue
bodies = json.load(sys.stdin)
with contextlib.redirect_stdout(io.StringIO()):
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


def in_many(projects: int = PROJECTS) -> dict[str, float]:
    """A sweep for each of many projects."""
    with many_projects(projects, IMAGES) as told:
        return work(told["env"], [{"sweep": SWEEP, "project_id": project_id} for project_id in told["images"]])


def in_one() -> dict[str, float]:
    """As many requests for as many images, all of them in one project, which no sweep has to look for."""
    with many_projects(1, PROJECTS * IMAGES) as told:
        ((project_id, images),) = told["images"].items()
        asked = [images[place : place + IMAGES] for place in range(0, len(images), IMAGES)]
        return work(told["env"], [{"image_ids": ids, "project_id": project_id} for ids in asked])


def test_images_in_200_projects_take_at_most_1_2_of_the_time_of_the_same_in_one(hold: Hold) -> None:
    ours, theirs = in_turns(in_many, in_one, rounds=3)
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    hold(Row("200 projects of 50 images, wall against one project", most=1.2, ours=seconds[0], theirs=seconds[1]))


def test_a_worker_for_200_projects_needs_at_most_1_1_of_the_memory_of_one_for_10(hold: Hold) -> None:
    ours, theirs = in_turns(in_many, lambda: in_many(BATCH), rounds=3)
    peaks = [[each["peak"] for each in side] for side in (ours, theirs)]
    hold(Row("a worker for 200 projects, memory against 10", most=1.1, ours=peaks[0], theirs=peaks[1], unit="MB"))
