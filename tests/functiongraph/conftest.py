"""What the tests of FunctionGraph share: environments of the function under each Python, before a fake cloud.

The cloud looks like Open Telekom Cloud, and is reached by the names of its real hosts: a signature is for these.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.front import Front
from tests.functiongraph.runtime import VERSIONS, Function, Runtime, unpacked

Launch = Callable[[Function], Runtime]
Begin = Callable[..., Runtime]


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A Python that this machine has the open runtime for."""
    return str(request.param)


@pytest.fixture(scope="session")
def package(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they lie there: unpacked."""
    return unpacked(version, tmp_path_factory.mktemp("code"))


@pytest.fixture
def cloud() -> FakeCloud:
    """A cloud of its own for each test."""
    return FakeCloud("otc")


@pytest.fixture
def front(server: Server) -> Iterator[Front]:
    """What leads the names of the real hosts to the cloud."""
    with Front(server) as front:
        yield front


@pytest.fixture
def launch(version: str, tmp_path: Path) -> Iterator[Launch]:
    """Start an environment of a function, which is not loaded yet."""
    with ExitStack() as stack:
        yield lambda function: stack.enter_context(Runtime(version, function, tmp_path / "runtime.log"))


@pytest.fixture
def prepare(version: str, package: Path, front: Front, tmp_path: Path) -> Iterator[Begin]:
    """Start an environment of the function and load it, in mode `delete` unless a setting says otherwise."""
    with ExitStack() as stack:

        def prepare_one(*, timeout: int = 30, encrypted: dict[str, str] | None = None, **settings: str) -> Runtime:
            given = {"REAPER_MODE": "delete", "OS_REGION_NAME": "eu-de", "OS_CACERT": front.ca_file} | settings
            function = Function(package, given, encrypted or {}, timeout)
            outside = {"HTTPS_PROXY": front.url}
            runtime = stack.enter_context(Runtime(version, function, tmp_path / "runtime.log", outside)).find()
            assert not runtime.load().value["body"]
            return runtime

        yield prepare_one


@pytest.fixture
def begin(prepare: Begin) -> Begin:
    """The same, and initialise it."""

    def begin_one(**given: Any) -> Runtime:  # noqa: ANN401 (what `prepare` takes)
        runtime = prepare(**given)
        assert runtime.initialise().value["message"] == "success"
        return runtime

    return begin_one


@pytest.fixture
def agency(cloud: FakeCloud) -> dict[str, str]:
    """The header of a call, with the keys of the function's agency."""
    return header(cloud)


def header(cloud: FakeCloud, number: int = 1) -> dict[str, str]:
    """The header with temporary keys, by number: the cloud knows them from now on."""
    key = cloud.keys.temporary(number)
    names = ("X-Security-Access-Key", "X-Security-Secret-Key", "X-Security-Token")
    return dict(zip(names, (key.access, key.secret, key.token), strict=True))
