"""The stop flag under AWS's own runtime: what an operator writes stops a run under way within five seconds."""

import json
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.aws import KEYS, Client, state_table
from tests.e2e.conftest import Start
from tests.e2e.runtime import PATIENCE, Runtime
from tests.fakecloud import FakeCloud

TABLE = "image-reaper"
OPERATIONS = Path(__file__).parents[2] / ".github" / "OPERATIONS.md"
IMAGES = 500
PROMISED = 5.0
"""Seconds after which no DELETE comes in any more."""


@pytest.fixture
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as dynamodb:
        yield dynamodb


class Stopped:
    """One run that is stopped after so many DELETEs: for how many seconds more they came in, and its report."""

    def __init__(self, runtime: Runtime, cloud: FakeCloud, table: Client, after: int) -> None:
        self._after = after
        self._arrivals = list[float]()
        self._is_under_way = Event()
        cloud.faults.clear()
        # At four images at a time, the run would go on for more than twelve seconds.
        cloud.fault("DELETE", status=None, times=None, delay=0.1, then=self._arrived)
        request = {"image_ids": [cloud.add_image() for _ in range(IMAGES)]}
        with ThreadPoolExecutor(1) as threads:
            run = threads.submit(runtime.invoke, request)
            self._is_under_way.wait(PATIENCE)
            table.put_item(TableName=TABLE, Item=item_of_the_emergency())
            written_at = time.monotonic()
            self.report: dict[str, Any] = run.result(PATIENCE).value
        table.delete_item(TableName=TABLE, Key={"id": {"S": "stop"}})
        self.seconds = max(self._arrivals) - written_at

    def _arrived(self) -> None:
        self._arrivals.append(time.monotonic())
        if len(self._arrivals) == self._after:
            self._is_under_way.set()


def item_of_the_emergency() -> dict[str, Any]:
    """What the first command of the emergency box writes."""
    command = next(line for line in OPERATIONS.read_text(encoding="utf-8").splitlines() if "dynamodb put-item" in line)
    words = shlex.split(command.removeprefix("> $ "))
    item: dict[str, Any] = json.loads(words[words.index("--item") + 1])
    return item


def test_a_stop_is_heeded_within_five_seconds_in_ten_of_ten_runs(
    start: Start, cloud: FakeCloud, moto: str, table: Client
) -> None:
    settings = KEYS | {"AWS_ENDPOINT_URL": moto, "REAPER_STATE_TABLE": TABLE}
    runtime = start(timeout=60, REAPER_MAX_IMAGES="1000", REAPER_CONCURRENCY="4", **settings)
    for number in range(10):
        # At another moment between two readings each time.
        stopped = Stopped(runtime, cloud, table, after=20 + 9 * number)
        failed = [one for one in stopped.report["outcomes"] if one["outcome"] != "deleted"]
        assert stopped.seconds <= PROMISED
        assert {(one["outcome"], one["reason"]) for one in failed} == {("failed", "paused")}
        assert failed[0]["detail"].endswith(", by: me")
        print(f"{stopped.seconds:.2f} s, {len(failed)} images were spared")
