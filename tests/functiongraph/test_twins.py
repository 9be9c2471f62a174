"""The runtime's own packages, older than ours and before ours on the path: the zip's are loaded all the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakecloud import Server
from tests.functiongraph.runtime import TWINS, Function, Runtime

Launch = Callable[[Function], Runtime]

OLD = ("requests", "typing_extensions", "idna", "certifi", "urllib3")
OURS = (*OLD, "handler", "pydantic_core._pydantic_core", "aws_lambda_powertools")
LOADED = {"code": 0, "body": ""}


def assert_ours(runtime: Runtime, package: Path) -> None:
    """Everything is loaded, and from the zip."""
    places = runtime.places_of(OURS)
    assert places.keys() == set(OURS)
    assert not [place for place in places.values() if not Path(place).is_relative_to(package)]


def test_without_the_root_module_old_twins_would_keep_it_from_loading(launch: Launch, package: Path) -> None:
    function = Function(
        package, handler="handler.functiongraph.handler", initializer="handler.functiongraph.initializer"
    )
    loaded = launch(function).find(path=[TWINS]).load().value
    assert "typing_extensions" in loaded["body"]
    assert loaded["code"]


def test_old_twins_first_on_the_path_are_not_loaded(launch: Launch, package: Path) -> None:
    runtime = launch(Function(package)).find(path=[TWINS])
    assert runtime.load().value == LOADED
    assert_ours(runtime, package)


def test_old_twins_that_the_runtime_has_imported_are_not_used(launch: Launch, package: Path) -> None:
    runtime = launch(Function(package)).find(path=[TWINS], imported=OLD)
    assert Path(runtime.places_of(["idna"])["idna"]).is_relative_to(TWINS)
    assert runtime.load().value == LOADED
    assert_ours(runtime, package)


def test_the_runtime_can_still_use_the_twins_that_it_has_imported(
    launch: Launch, package: Path, server: Server
) -> None:
    runtime = launch(Function(package)).find(path=[TWINS], imported=OLD)
    runtime.load()
    assert runtime.ask(f"{server.url}/_state") == {"status": 200, "version": "2.24.0"}


def test_a_library_that_the_runtime_has_loaded_is_loaded_again_from_the_zip(
    launch: Launch, package: Path, tmp_path: Path
) -> None:
    for name in ("annotated_types", "pydantic", "pydantic_core", "typing_inspection"):
        shutil.copytree(package / name, tmp_path / name)
    shutil.copy(package / "typing_extensions.py", tmp_path)
    runtime = launch(Function(package)).find(path=[tmp_path], imported=["pydantic"])
    assert runtime.load().value == LOADED
    assert_ours(runtime, package)


def test_a_package_of_the_runtime_with_the_name_of_ours_is_not_used(
    launch: Launch, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "handler.py").write_text("whose = 'the runtime'\n")
    runtime = launch(Function(package)).find(path=[tmp_path], imported=["handler"])
    assert runtime.load().value == LOADED
    assert_ours(runtime, package)


def test_what_is_not_in_the_zip_is_left_alone(launch: Launch, package: Path) -> None:
    runtime = launch(Function(package)).find(path=[TWINS], imported=["chardet"])
    before = runtime.places_of(["chardet", "chardet.universaldetector", "yr.code_manager", "json"])
    runtime.load()
    assert len(before) == 4
    assert runtime.places_of(list(before)) == before
    assert runtime.is_same("chardet")


def test_a_twin_that_is_in_the_way_all_the_same_is_named_with_its_path_in_one_sentence(
    launch: Launch, package: Path
) -> None:
    loaded = launch(Function(package)).find(insisted=TWINS).load().value
    assert loaded["code"]
    assert f"image-reaper needs its own certifi, and the runtime gives {TWINS}/certifi/__init__.py" in loaded["body"]


@pytest.mark.parametrize("order", ["first", "last"])
def test_wherever_the_runtime_has_the_code_on_its_path_nothing_of_it_is_loaded_twice(
    order: str, launch: Launch, package: Path
) -> None:
    path = [package, TWINS] if order == "first" else [TWINS, package]
    runtime = launch(Function(package)).find(path=path)
    assert runtime.load().value == LOADED
    assert_ours(runtime, package)
