"""How fast a warm handler is, in turns with bare `requests` that send the same: what is over is ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.clouds import image_ids, running
from tests.bench.racer import Cost, race
from tests.bench.rows import ROUNDS, Hold, Row, in_turns

IMAGES = 200
SETTINGS = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(IMAGES), "REAPER_CONCURRENCY": "16"}
DELAY = 0.05

Runner = Callable[[], Cost]


@contextmanager
def runners(folder: Path, delay: float, *names: str, **settings: str) -> Iterator[list[Runner]]:
    """Clients by their names, before one fake cloud; each run deletes images that are there for it alone."""
    ids = image_ids(len(names) * (ROUNDS + 1) * (1 + IMAGES))
    fresh = (ids[start : start + 1 + IMAGES] for start in range(0, len(ids), 1 + IMAGES))
    with running(folder, [{"name": "ci", "id": image_id} for image_id in ids], delay=delay) as environment:
        yield [lambda name=name: race(name, next(fresh), environment | SETTINGS | settings, warm=1) for name in names]  # type: ignore[misc]


def test_200_images_at_50_ms_take_at_most_1_06_of_a_bare_pool_with_the_same_calls(tmp_path: Path, hold: Hold) -> None:
    with runners(tmp_path, DELAY, "handler", "pool") as (ours, theirs):
        mine, other = in_turns(ours, theirs)
    wall = [[cost.seconds for cost in side] for side in (mine, other)]
    hold(Row("200 images at 50 ms, wall against a bare pool", most=1.06, ours=wall[0], theirs=wall[1]))


def test_an_image_costs_at_most_1_15_of_the_cpu_of_bare_clients_with_the_same_calls(tmp_path: Path, hold: Hold) -> None:
    # Against a lone session one image at a time: what threads cost each other is no work of ours. Beside a pool of as
    # many threads, that falls on both.
    rows = []
    for partner, concurrency in (("session", "1"), ("pool", "16")):
        with runners(tmp_path, 0, "handler", partner, REAPER_CONCURRENCY=concurrency) as (ours, theirs):
            mine, other = in_turns(ours, theirs)
        cpu = [[cost.cpu for cost in side] for side in (mine, other)]
        rows.append(Row(f"200 images at 0 ms, CPU against a bare {partner}", most=1.15, ours=cpu[0], theirs=cpu[1]))
    hold(*rows)
