"""Each test here runs against the fake cloud, and with `--openstack` against the real services too."""

from collections.abc import Iterator

import pytest

from tests.conftest import Invoke
from tests.contract.backends import Fake, Real
from tests.contract.cloud import Cloud
from tests.contract.handling import Function
from tests.fakecloud import FakeCloud, Server
from tests.openstack import Lab


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--openstack", action="store_true", help="run the contract against the real services too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cloud" in metafunc.fixturenames:
        real = metafunc.config.getoption("--openstack", default=False)
        metafunc.parametrize("cloud", ["fake", "real"] if real else ["fake"], indirect=True)


@pytest.fixture(scope="session")
def real() -> Iterator[Real]:
    with Lab() as lab:
        yield Real(lab)


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    if request.param == "real":
        made = Cloud(request.getfixturevalue("real"))
        yield made
        made.clear()
    else:
        fake = FakeCloud()
        with Server(fake) as server:
            yield Cloud(Fake(fake, server))


@pytest.fixture
def function(cloud: Cloud, invoke_with: Invoke, invoke_there_with: Invoke) -> Function:
    return Function(cloud, invoke_with, invoke_there_with)
