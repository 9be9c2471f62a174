"""This checkout's artifact against that of another revision, in one run: `make bench-against OLD=<revision>`.

Each artifact is staged by the Makefile of its own revision, with its own lock and its own cuts: what is compared is
what would be deployed. Both are then measured in turns before the same fake cloud, each time in new processes under
the function's Python (lap.py). Times are CPU times, so that it does not matter who else waits for the machine:

- cold start: the import of the function, and the first image that it deletes
- an image: 200 images deleted by an environment that is warm
- a sweep: 5,000 images listed and judged, and nothing deleted
- memory: the most that the process ever had, after the 200 images and after the sweep

What decides is the median of the ratios of the pairs. The two of a pair are seconds apart and share what the machine
is busy with, so their ratio says more than either number; the median leaves out the pairs in which it did not. The
same artifact measured against itself came out between 0.99 and 1.01.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.clouds import image_ids, running
from tests.conftest import UNKNOWN_ID
from tests.e2e.runtime import INTERPRETER, PACKAGE, ROOT

ROUNDS = 40
MOST = 1.03
IMAGES = 200
LISTED = 5_000
SINCE = "2026-01-01T00:00:00Z"
SWEEP = {"sweep": {"select": {"name": "*", "older_than": "1d"}, "keep": {"newest": 3}, "limit": 0}}
SETTINGS = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(IMAGES), "REAPER_CONCURRENCY": "16"}
LAP = Path(__file__).with_name("lap.py")

Costs = dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Compare, and say on the way how it goes; 1 if anything became dearer than MOST."""
    with TemporaryDirectory() as name, temporary_clouds(Path(name)) as clouds:
        folder = Path(name)
        old, new = stage(arguments[0], folder), folder / "new"
        shutil.copytree(PACKAGE, new)  # so that the paths of the two are of one length
        pairs = [pair(number, (old, new), clouds) for number in range(ROUNDS + 1)][1:]  # the first warms the disk up
    ratios = {what: [after[what] / before[what] for before, after in pairs] for what in pairs[0][0]}
    for what, shares in ratios.items():
        low, middle, high = statistics.quantiles(shares, n=4)
        before, after = (statistics.median(side[what] for side in sides) for sides in zip(*pairs, strict=True))
        print(f"{what:22} {before:10.3f} -> {after:10.3f}   x {middle:.3f} (half of them {low:.3f} to {high:.3f})")
    dearer = [what for what, shares in ratios.items() if statistics.median(shares) > MOST]
    print(f"more than {MOST}: {', '.join(dearer) or 'nothing'}")
    return int(bool(dearer))


def stage(revision: str, folder: Path) -> Path:
    """The artifact of a revision, for the Python that ours is for; what was checked out for it is removed again."""
    checkout = folder / "checkout"
    run("git", "worktree", "add", "--quiet", "--detach", str(checkout), revision)
    try:
        run("make", "stage-here", f"LAMBDA_PYTHON={INTERPRETER}", f"PYTHON={sys.executable}", cwd=checkout)
        shutil.copytree(checkout / PACKAGE.relative_to(ROOT), folder / "old")
    finally:
        run("git", "worktree", "remove", "--force", str(checkout))
    return folder / "old"


def run(*command: str, cwd: Path = ROOT) -> None:
    """Run a command that must succeed, away from the `make` that runs us."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(command, cwd=cwd, env=environment, check=True)  # noqa: S603 (our own commands)


class Clouds:
    """Two fake clouds: from one images are deleted, and the other is only swept."""

    def __init__(self, deleting: dict[str, str], swept: dict[str, str], ids: Iterator[str]) -> None:
        self.deleting = deleting
        self.swept = swept
        self._ids = ids

    def some(self, count: int) -> dict[str, Any]:
        """A request for images that nobody asked for yet."""
        return {"image_ids": [next(self._ids) for _ in range(count)]}


@contextmanager
def temporary_clouds(folder: Path) -> Iterator[Clouds]:
    ids = image_ids(2 * (ROUNDS + 1) * (IMAGES + 1))
    deleting = [{"name": "ci", "id": image_id} for image_id in ids]
    swept = [{"name": f"web-{family}", "count": LISTED // 100, "created_at": SINCE} for family in range(100)]
    with running(folder, deleting) as one, running(folder, swept) as other:
        yield Clouds(one, other, iter(ids))


def pair(number: int, packages: tuple[Path, Path], clouds: Clouds) -> tuple[Costs, Costs]:
    """What both cost, the old first; they take turns in who begins."""
    order = packages if number % 2 else packages[::-1]
    costs = {package: cost(package, clouds) for package in order}
    return costs[packages[0]], costs[packages[1]]


def cost(package: Path, clouds: Clouds) -> Costs:
    """What one artifact costs once."""
    first, warm = laps(package, clouds.deleting, [clouds.some(1), clouds.some(IMAGES)])
    assert (first["answer"]["counts"], warm["answer"]["counts"]) == ({"deleted": 1}, {"deleted": IMAGES})
    loaded, swept = laps(package, clouds.swept, [{"image_ids": [UNKNOWN_ID]}, SWEEP])
    assert swept["answer"]["sweeps"][0]["looked_at"] == LISTED
    return {
        "cold start, ms": 1e3 * first["cpu"],
        "an image, ms": 1e3 * (warm["cpu"] - first["cpu"]) / IMAGES,
        "a sweep, ms": 1e3 * (swept["cpu"] - loaded["cpu"]),
        "memory of deletion, MB": warm["peak"] / 1e6,
        "memory of a sweep, MB": swept["peak"] / 1e6,
    }


def laps(package: Path, cloud: dict[str, str], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One cold environment of an artifact, and what its process had cost after each event."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 (our own command)
        [str(INTERPRETER), "-S", "-P", str(LAP)],
        env=environment | cloud | SETTINGS,
        cwd=package.parent,
        input=json.dumps(events),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
