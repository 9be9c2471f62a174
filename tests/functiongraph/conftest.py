"""What the tests of FunctionGraph share: environments of the function under each Python, before a fake cloud."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functiongraph.runtime import VERSIONS, Function, Runtime, unpacked

Start = Callable[..., Runtime]


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A Python that this machine has the open runtime for."""
    return str(request.param)


@pytest.fixture(scope="session")
def package(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they lie there: unpacked."""
    return unpacked(version, tmp_path_factory.mktemp("code"))


@pytest.fixture
def launch(version: str, tmp_path: Path) -> Iterator[Callable[[Function], Runtime]]:
    """Start an environment of a function, which is not loaded yet."""
    with ExitStack() as stack:
        yield lambda function: stack.enter_context(Runtime(version, function, tmp_path / "runtime.log"))
