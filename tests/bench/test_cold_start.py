"""How soon a cold function answers, and what it keeps: ratios within one run, under AWS's own runtime."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bench.client import client_start
from tests.bench.rows import Hold, Row, in_turns
from tests.e2e.runtime import PACKAGE, Runtime
from tests.fakecloud import FakeCloud, Server

DELETED = {"deleted": 1}


@pytest.fixture
def environment(cloud: FakeCloud, server: Server) -> dict[str, str]:
    return cloud.env(server.url) | {"REAPER_MODE": "delete"}


def cold_start(package: Path, environment: Mapping[str, str], cloud: FakeCloud, log: Path) -> float:
    """Seconds from the start of the runtime's process, which the first invocation starts, to the first answer."""
    image_id = cloud.add_image()
    with Runtime(environment, log, package=package) as runtime:
        start = time.perf_counter()
        answer = runtime.invoke({"image_ids": [image_id]})
        seconds = time.perf_counter() - start
    assert answer.value["counts"] == DELETED
    return seconds


def resident(runtime: Runtime) -> int:
    """Bytes of memory that the process of the function has."""
    status = Path(f"/proc/{runtime.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_a_cold_start_takes_at_most_0_6_of_one_that_compiles(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path, hold: Hold
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(PACKAGE, plain, ignore=shutil.ignore_patterns("__pycache__"))
    log = tmp_path / "log"
    ours, theirs = in_turns(
        lambda: cold_start(PACKAGE, environment, cloud, log), lambda: cold_start(plain, environment, cloud, log)
    )
    assert not list(plain.rglob("*.pyc"))
    hold(Row("a cold start against one that compiles", most=0.6, ours=ours, theirs=theirs))


def test_a_cold_start_takes_at_most_0_35_of_the_start_of_the_client(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path, hold: Hold
) -> None:
    ours, theirs = in_turns(lambda: cold_start(PACKAGE, environment, cloud, tmp_path / "log"), client_start)
    hold(Row("a cold start against openstack --version", most=0.35, ours=ours, theirs=theirs))


def test_100_invocations_need_at_most_5_percent_more_memory_than_10(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path, hold: Hold
) -> None:
    sizes = {}
    with Runtime(environment, tmp_path / "log") as runtime:
        for number in range(1, 101):
            assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
            sizes[number] = resident(runtime)
    memory = [sizes[100] / 1e6]
    hold(Row("resident after 100 invocations, against 10", most=1.05, ours=memory, theirs=[sizes[10] / 1e6], unit="MB"))
