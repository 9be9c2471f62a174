"""Fairness over many deliveries: no message dies in a queue only because others came with it."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.test_template import FUNCTIONS, TEMPLATE
from tests.unit.virtual_queue import BATCH, MOST_RECEIVES, VirtualQueue

SEEDS = range(100)
BURSTS: Mapping[str, dict[str, Any]] = {
    "ten as large as the limit": {"sizes": [100] * 10, "most": 100},
    "forty as large as the limit": {"sizes": [10] * 40, "most": 10},
    "forty, four batches at the same moment": {"sizes": [10] * 40, "most": 10, "workers": 4},
    "forty, and a slow cloud": {"sizes": [10] * 40, "most": 10, "overhead": 20.0},
    "forty, and a cloud that takes nearly all the time": {"sizes": [10] * 40, "most": 10, "overhead": 110.0},
    "a hundred": {"sizes": [10] * 100, "most": 10},
    "sixty of all sizes": {"sizes": [random.Random(7).randint(1, 100) for _ in range(60)], "most": 100},
    "three as large as can be": {"sizes": [1000] * 3, "most": 1000},
    "three larger than the limit": {"sizes": [1000] * 3, "most": 400},
    "one larger than the limit, and nine of one image": {"sizes": [300, *[1] * 9], "most": 100},
}


@pytest.mark.parametrize("burst", BURSTS.values(), ids=list(BURSTS))
def test_no_message_dies_only_because_others_came_with_it(burst: dict[str, Any]) -> None:
    for seed in SEEDS:
        queue = VirtualQueue(**burst, seed=seed)
        queue.drain()
        assert queue.dead == []


def test_one_that_is_too_large_for_all_its_receives_takes_no_other_with_it() -> None:
    for seed in SEEDS:
        queue = VirtualQueue([1000, *[1] * 9], 100, seed=seed)
        queue.drain()
        (large,) = queue.dead
        assert (large.images, large.left) == (1000, 1000 - (91 + 4 * 100))


def test_the_queue_is_like_that_of_the_template() -> None:
    (event,) = [event["Properties"] for event in FUNCTIONS["QueueFunction"]["Events"].values()]
    assert event["BatchSize"] == BATCH
    assert TEMPLATE["Resources"]["Queue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == MOST_RECEIVES
