"""What each cut of a dependency gains: the artifact against one in which that cut of .ci/artifact.py is not made."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.against import Clouds, laps, temporary_clouds
from tests.bench.rows import Hold, Row, in_turns
from tests.e2e.runtime import PACKAGE, ROOT
from tests.e2e.test_artifact import CUTS, SURGERY, files

ROUNDS = 30


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    with temporary_clouds(tmp_path_factory.mktemp("clouds")) as clouds:
        yield clouds


def uncut(name: str, folder: Path) -> Path:
    """The artifact without one of the cuts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "stage-here", f"UNCUT={name}", f"STAGE={folder}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603 (our own command)
    return folder / "package"


def megabytes(package: Path) -> float:
    return sum(path.stat().st_size for path in files(package)) / 1e6


def cold_start(package: Path, clouds: Clouds) -> float:
    """CPU seconds to the first answer."""
    return float(laps(package, clouds.deleting, [clouds.some(1)])[0]["cpu"])


@pytest.mark.parametrize("cut", [cut for cut in CUTS if not cut.is_ours], ids=lambda cut: str(cut.name))
def test_a_cut_gains_3_percent_of_a_cold_start_or_half_a_megabyte(
    cut: Any,  # noqa: ANN401 (a class of a script)
    clouds: Clouds,
    tmp_path: Path,
    hold: Hold,
) -> None:
    package = uncut(cut.name, tmp_path)
    weight = megabytes(package) - megabytes(PACKAGE)
    ours, theirs = in_turns(lambda: cold_start(PACKAGE, clouds), lambda: cold_start(package, clouds), rounds=ROUNDS)
    most = None if weight >= SURGERY["LEAST_MEGABYTES"] else 1 - SURGERY["LEAST_SHARE"]
    hold(Row(f"a cold start with the cut {cut.name} ({weight:.2f} MB)", most=most, ours=ours, theirs=theirs))
