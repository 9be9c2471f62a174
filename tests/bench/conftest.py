"""What the benchmarks share: the option `--json FILE`, and the fixture that prints, keeps and holds their rows."""

from pathlib import Path

import pytest

from tests.bench import rows
from tests.bench.rows import Hold, Row


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--json", type=Path, metavar="FILE", help="add each row that is measured to a file, as JSON")


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Hold:
    """Print rows, keep them, and fail if any is not held."""
    history = request.config.getoption("--json")

    def hold_all(*measured: Row) -> None:
        rows.hold(measured, history)

    return hold_all
