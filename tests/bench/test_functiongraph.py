"""How soon a function is ready in FunctionGraph's open runtime, against one that loads `requests` and no more."""

import shutil
from pathlib import Path

import pytest

from tests.bench.rows import Hold, Row, in_turns
from tests.functiongraph.runtime import VERSIONS, Function, Runtime, unpacked

VERSION = VERSIONS[-1]
SETTINGS = {"OS_REGION_NAME": "eu-de"}
ALONE = "import requests\ndef initializer(context): ...\ndef handler(event, context): ...\n"
SHARE, SECONDS = 1.3, 0.6


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(VERSION, tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def alone(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A function that only imports requests, as compiled as ours is."""
    folder = tmp_path_factory.mktemp("alone")
    for name in ("requests", "urllib3", "idna", "certifi"):
        shutil.copytree(package / name, folder / name)
    (folder / "index.py").write_text(ALONE)
    return folder


def begin(package: Path, log: Path) -> float:
    """Seconds in which the runtime loads and initialises a function."""
    with Runtime(VERSION, Function(package, SETTINGS), log) as runtime:
        loaded, begun = runtime.find().load(), runtime.initialise()
    assert loaded.value["body"] == ""
    assert begun.value["message"] == "success"
    return loaded.seconds + begun.seconds


def test_a_function_is_ready_within_1_3_times_requests_alone_plus_0_6_seconds(
    package: Path, alone: Path, tmp_path: Path, hold: Hold
) -> None:
    log = tmp_path / "log"
    ours, theirs = in_turns(lambda: begin(package, log), lambda: begin(alone, log))
    most = [SHARE * seconds + SECONDS for seconds in theirs]
    hold(
        Row("load and initialise on FunctionGraph, against 1.3 of requests alone plus 0.6 s", 1.0, ours, most),
        Row("load and initialise on FunctionGraph, against requests alone", None, ours, theirs),
    )
