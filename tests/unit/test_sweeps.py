from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler import app
from handler.config import Settings
from handler.report import Report
from tests.conftest import Context, Invoke, queue
from tests.fakecloud import FakeCloud, Server

OLD = "2026-01-01T00:00:00Z"


def sweep(select: dict[str, Any] | None = None, **policy: Any) -> dict[str, Any]:
    """A sweep request with caps that nothing of these tests reaches."""
    return {"sweep": {"select": select or {"name": "ci-*"}, "limit_percent": 100, **policy}}


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_sweep_deletes_what_it_selects_and_nothing_else(invoke: Invoke, cloud: FakeCloud) -> None:
    selected, other = cloud.add_image("ci-1"), cloud.add_image("prod-1")
    done = invoke(sweep())
    assert done.outcomes == {selected: ("deleted", "")}
    assert set(cloud.images) == {other}


def test_a_sweep_tells_how_much_it_saw_and_why_the_rest_stays(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("prod-1")
    found = [{"looked_at": 2, "selected": 1, "stay": {"name": 1}}]
    done = invoke(sweep())
    assert done.answer["sweeps"] == found
    assert done.logged("run.finished")[0]["sweeps"] == found
