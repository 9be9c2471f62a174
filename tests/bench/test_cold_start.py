"""How soon a cold function answers, and what it keeps: ratios within one run, under AWS's own runtime."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.runtime import PACKAGE, ROOT, Runtime
from tests.fakecloud import FakeCloud, Server

CLIENT = (str(ROOT / ".venv-bench/bin/openstack"), "--version")
ROUNDS = 9
DELETED = {"deleted": 1}

Measure = Callable[[], float]


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


def client_start() -> float:
    """Seconds that OpenStack's own client takes to say its version."""
    start = time.perf_counter()
    subprocess.run(CLIENT, check=True, capture_output=True)  # noqa: S603 (our own command)
    return time.perf_counter() - start


def ratio(name: str, ours: Measure, theirs: Measure) -> float:
    """Our median as a share of theirs, measured in turns after one turn that only warms the disk up."""
    pairs = [(ours(), theirs()) for _ in range(ROUNDS + 1)][1:]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"\ncold start {mine:.3f} s, {name} {other:.3f} s: {mine / other:.2f}")
    return float(mine / other)


def resident(runtime: Runtime) -> int:
    """Bytes of memory that the process of the function has."""
    status = Path(f"/proc/{runtime.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_a_cold_start_takes_at_most_0_6_of_one_that_compiles(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(PACKAGE, plain, ignore=shutil.ignore_patterns("__pycache__"))
    log = tmp_path / "log"
    share = ratio(
        "without .pyc files",
        lambda: cold_start(PACKAGE, environment, cloud, log),
        lambda: cold_start(plain, environment, cloud, log),
    )
    assert not list(plain.rglob("*.pyc"))
    assert share <= 0.6


def test_a_cold_start_takes_at_most_0_35_of_the_start_of_the_client(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path
) -> None:
    share = ratio(
        "openstack --version", lambda: cold_start(PACKAGE, environment, cloud, tmp_path / "log"), client_start
    )
    assert share <= 0.35


def test_100_invocations_need_at_most_5_percent_more_memory_than_10(
    environment: dict[str, str], cloud: FakeCloud, tmp_path: Path
) -> None:
    sizes = {}
    with Runtime(environment, tmp_path / "log") as runtime:
        for number in range(1, 101):
            assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
            sizes[number] = resident(runtime)
    print(f"\nresident after 10: {sizes[10] / 1e6:.1f} MB, after 100: {sizes[100] / 1e6:.1f} MB")
    assert sizes[100] <= 1.05 * sizes[10]
