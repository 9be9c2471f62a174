"""One lab for all tests here that do not need one of their own, and the function before it."""

from collections.abc import Iterator

import pytest

from tests.openstack import Lab
from tests.openstack.stage import Stage


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture
def stage(lab: Lab, clean_environment: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage(lab, clean_environment)
    yield made
    made.cloud.clear()
