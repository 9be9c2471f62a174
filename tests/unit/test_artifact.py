"""What of our own package is deployed: what a door of the function loads, and nothing that only a shell needs."""

import runpy
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("handler.app", "handler.functiongraph")
CUTS = runpy.run_path(str(ROOT / ".ci/artifact.py"))["cuts_for"]
PLATFORMS = ("lambda", "functiongraph")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports what of ours, functions included."""
    return grimp.build_graph("handler")


def with_packages(names: set[str]) -> set[str]:
    """Modules, and the packages that hold them."""
    return names | {name[:end] for name in names for end, letter in enumerate(name) if letter == "."}


def loaded_by_doors(graph: grimp.ImportGraph) -> set[str]:
    return with_packages({*DOORS}.union(*(graph.find_upstream_modules(door) for door in DOORS)))


def cut_out(graph: grimp.ImportGraph, platform: str) -> set[str]:
    """The modules that the cuts for a platform take out of our package."""
    removed = [name for cut in CUTS(platform) if cut.is_ours for name in cut.removed if name.startswith("handler/")]
    names = [name.removesuffix(".py").replace("/", ".") for name in removed]
    return {module for module in graph.modules if any(f"{module}.".startswith(f"{name}.") for name in names)}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_function_holds_just_the_modules_that_its_doors_load(graph: grimp.ImportGraph, platform: str) -> None:
    assert graph.modules - cut_out(graph, platform) == loaded_by_doors(graph)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_function_holds_no_module_of_the_shell(graph: grimp.ImportGraph, platform: str) -> None:
    ours = graph.modules - cut_out(graph, platform)
    assert not [name for name in ours if name.startswith(("handler.shell", "handler.__main__"))]


def test_the_function_locks_nothing_that_an_extra_brings() -> None:
    locked = {line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    assert "requests" in locked
    assert not locked & {"openstacksdk", "tqdm"}
