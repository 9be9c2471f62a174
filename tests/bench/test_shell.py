"""How soon the command says something on a terminal, how steadily it then tells how far it is, and what that costs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.at_terminal import Session, at_pipes, at_terminal
from tests.bench.client import client_start
from tests.bench.clouds import image_ids, running
from tests.bench.million import OLD
from tests.bench.rows import ROOT, Hold, Row, in_turns

LOOKED_AT, SELECTED, FAMILIES = 10_000, 2_000, 20
SWEEP = ("--sweep", "--name", "ci-*", "--older-than", "1d", "--limit", str(SELECTED))
ROUNDS = 7


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cloud with 10,000 images, of which a fifth is due; the variables for a rehearsal."""
    due = [{"name": f"ci-{family}", "count": SELECTED // FAMILIES, "created_at": OLD} for family in range(FAMILIES)]
    rest = {"name": "web", "count": LOOKED_AT - SELECTED - 1, "created_at": OLD}
    one = {"name": "web", "id": image_ids(1)[0], "created_at": OLD}
    with running(tmp_path, [*due, rest, one], page_size=1000) as cloud:
        yield {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **cloud, "REAPER_MAX_IMAGES": str(SELECTED)}


def told_the_end(session: Session, *texts: str) -> Session:
    said = b"".join(chunk for _, chunk in session.said).decode()
    assert session.code == 0, said
    assert all(text in said for text in texts), said[-1000:]
    return session


def rehearsed_one(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until the first line of a rehearsal of one image, and until its end."""
    session = told_the_end(at_terminal(*image_ids(1), environment=environment), image_ids(1)[0], "1 would_delete")
    return session.first_line, session.wall


def swept(session: Session) -> Session:
    """One rehearsed sweep, which ended as it must."""
    return told_the_end(session, f"{SELECTED} would_delete")


def help_start() -> float:
    """Seconds that the command takes to say what it can do."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "handler", "--help"], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def test_the_first_line_is_on_a_terminal_in_at_most_0_35_of_the_start_of_the_client(
    variables: dict[str, str], hold: Hold
) -> None:
    ours, starts = in_turns(lambda: rehearsed_one(variables), lambda: (client_start(), help_start()))
    (first, whole), (theirs, told) = zip(*ours, strict=True), zip(*starts, strict=True)
    hold(
        Row("the first line on a terminal against openstack --version", most=0.35, ours=first, theirs=theirs),
        Row("image-reaper --help against openstack --version", most=0.35, ours=told, theirs=theirs),
        Row("a whole rehearsal of one image against openstack --version", most=None, ours=whole, theirs=theirs),
    )


def test_a_sweep_of_10_000_images_tells_how_far_it_is_twice_a_second_and_costs_at_most_1_03_of_a_silent_one(
    variables: dict[str, str], hold: Hold
) -> None:
    ours, theirs = in_turns(
        lambda: swept(at_terminal(*SWEEP, environment=variables)),
        lambda: swept(at_pipes(*SWEEP, environment=variables)),
        rounds=ROUNDS,
    )
    wall, cpu = ([[getattr(each, of) for each in side] for side in (ours, theirs)] for of in ("wall", "cpu"))
    gaps = [each.longest_gap for each in ours]
    hold(
        Row("the longest time without a sign of progress", most=0.5, ours=gaps),
        Row("a sweep of 10,000 images at a terminal, wall against a pipe", most=1.03, ours=wall[0], theirs=wall[1]),
        Row("a sweep of 10,000 images at a terminal, CPU against a pipe", most=1.03, ours=cpu[0], theirs=cpu[1]),
    )
