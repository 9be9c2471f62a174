"""What it costs that images are in many projects: in turns with the same images in one, asked for one by one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.bench.cheap_aws import EVERYTHING
from tests.bench.many import many_projects
from tests.bench.rows import ROOT, Hold, Row, in_turns

IMAGES, BATCH = 50, 10
DELAY = 0.05
"""Seconds that each answer of the cloud takes, as a real one's does."""
Json = dict[str, Any]
Settings = dict[str, str]
WITH = ("", " with table, bucket and topic")
SWEEP = {"select": {"name": "ci-*"}, "limit": IMAGES, "limit_percent": 100}
WORKER = """
import contextlib, json, os, pathlib, sys, time
from handler import app
from handler.shell.runs.running import ShellContext
from tests.conftest import queue
before, bodies = json.load(sys.stdin)
with open(os.devnull, "w") as nobody, contextlib.redirect_stdout(nobody):
    for place in range(0, len(before), 10):
        app.lambda_handler(queue(*before[place : place + 10]), ShellContext(300))
    start, busy = time.perf_counter(), time.process_time()
    for place in range(0, len(bodies), 10):
        answer = app.lambda_handler(queue(*bodies[place : place + 10]), ShellContext(300))
        assert answer == {"batchItemFailures": []}, answer
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak / 1e6}))
"""


def work(env: dict[str, str], bodies: list[Json], before: Sequence[Json] = ()) -> dict[str, float]:
    """Let a worker carry out messages, ten at a time; those `before` take no time."""
    given = {**os.environ, **env, "REAPER_MAX_IMAGES": str(BATCH * IMAGES)}
    command = [sys.executable, "-c", WORKER]
    done = subprocess.run(  # noqa: S603 (our own)
        command, env=given, cwd=ROOT, check=True, capture_output=True, text=True, input=json.dumps([before, bodies])
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def in_many(projects: int, settings: Settings, delay: float = DELAY, *, is_first: bool = False) -> dict[str, float]:
    """A sweep for each of many projects."""
    with many_projects(projects, IMAGES, delay) as told:
        bodies = [{"sweep": SWEEP, "project_id": project_id} for project_id in told["images"]]
        # The first look at a project writes down for each of sixteen items that nothing is in use; later ones do not.
        looks = [body | {"dry_run": True} for body in bodies] if settings and not is_first else []
        done = work(told["env"] | settings, bodies, looks)
    if settings and is_first:
        # Each of them began, and left report, page and journal.
        assert (told["aws"]["PutObject"], told["aws"]["Publish"]) == (4 * projects, projects)
    return done


def in_one(projects: int, settings: Settings) -> dict[str, float]:
    """As many requests for as many images, all of them in one project, which no sweep has to look for."""
    with many_projects(1, projects * IMAGES, DELAY) as told:
        ((project_id, images),) = told["images"].items()
        asked = [images[place : place + IMAGES] for place in range(0, len(images), IMAGES)]
        return work(told["env"] | settings, [{"image_ids": ids, "project_id": project_id} for ids in asked])


def compared(projects: int, rounds: int, settings: Settings) -> Row:
    """The time of many projects against that of one."""
    ours, theirs = in_turns(lambda: in_many(projects, settings), lambda: in_one(projects, settings), rounds)
    what = f"{projects} projects of {IMAGES} images at 50 ms{WITH[bool(settings)]}: wall against one project"
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    return Row(what, most=1.2, ours=seconds[0], theirs=seconds[1])


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["alone", "with-everything"])
def test_images_in_many_projects_take_at_most_1_2_of_the_time_of_the_same_in_one(
    settings: Settings, hold: Hold
) -> None:
    hold(compared(40, rounds=3, settings=settings))


@pytest.mark.long("ten thousand images at 50 ms take a minute each time")
@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["alone", "with-everything"])
def test_so_it_is_with_200_projects(settings: Settings, hold: Hold) -> None:
    hold(compared(200, rounds=3, settings=settings))


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["alone", "with-everything"])
def test_a_worker_for_200_projects_needs_at_most_1_1_of_the_memory_of_one_for_10(
    settings: Settings, hold: Hold
) -> None:
    ours, theirs = in_turns(lambda: in_many(200, settings, 0.0), lambda: in_many(BATCH, settings, 0.0), rounds=3)
    peaks = [[each["peak"] for each in side] for side in (ours, theirs)]
    what = f"a worker for 200 projects{WITH[bool(settings)]}, memory against 10"
    hold(Row(what, most=1.1, ours=peaks[0], theirs=peaks[1], unit="MB"))
