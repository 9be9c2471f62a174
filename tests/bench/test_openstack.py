"""How fast the handler is on real Glance, against a bare thread pool and openstacksdk: ratios within one run.

Glance has two workers on the same cores as the clients, and its records in PostgreSQL, where deletions run side by
side: it is the limit. Four requests at once is what it can take; more would only queue, for the handler and the pool
alike. The images are private, as those are that Nova makes of servers.

Each client is a process of its own. The import of its code is not counted, the login is but for the bare pool's.

openstacksdk runs twice. `find` looks an image up and deletes what it found: so do its own example, its
`connection.delete_image` and `openstack image delete`. It sends what we send, and it is what must be beaten. `blind` is
a lone `connection.image.delete_image(id)`, one request an image without a look at it, and only told: bare `requests`
need for the two that we send nearly as much CPU as it needs for its one.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.contract.backends import Real
from tests.contract.cloud import Cloud
from tests.openstack import Lab
from tests.openstack.referee import ask

IMAGES = 200
CONCURRENCY = 4
ROUNDS = 5
SETTINGS = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(IMAGES), "REAPER_CONCURRENCY": str(CONCURRENCY)}


@dataclass(frozen=True)
class Cost:
    """What 200 deletions took a client, in seconds; the CPU is the client's alone."""

    seconds: float
    cpu: float


class Race:
    """The clients before a real cloud, each with images and a token of its own in every round."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._cloud = Cloud(Real(lab))

    def handler(self, ids: Sequence[str]) -> Cost:
        return racer("handler", ids, self._lab.env() | SETTINGS)

    def bare(self, ids: Sequence[str]) -> Cost:
        places = {"IMAGES": f"{self._lab.image.url}/v2/images", "SERVERS": f"{self._cloud.compute}/v2.1/servers/detail"}
        return racer("bare", ids, SETTINGS | places | {"TOKEN": self._cloud.new_token()})

    def find(self, ids: Sequence[str]) -> Cost:
        return self._openstacksdk(ids, find=True)

    def blind(self, ids: Sequence[str]) -> Cost:
        return self._openstacksdk(ids, find=False)

    def add_images(self) -> list[str]:
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return list(pool.map(lambda n: self._cloud.add_image(f"ci-{n}", visibility="private"), range(IMAGES)))

    def _openstacksdk(self, ids: Sequence[str], *, find: bool) -> Cost:
        """One image after the other; it checks nothing."""
        verdict = ask(self._lab.env(), ids, find=find)
        assert set(verdict["results"].values()) == {"deleted"}
        return Cost(verdict["seconds"], verdict["cpu"])


def racer(name: str, ids: Sequence[str], env: Mapping[str, str]) -> Cost:
    done = subprocess.run(  # noqa: S603 (every word of it is ours)
        [sys.executable, "-m", "tests.bench.racer", name],
        env={"PATH": os.environ["PATH"], "no_proxy": "127.0.0.1", **env},
        input=json.dumps(ids),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


@pytest.fixture
def race() -> Iterator[Race]:
    with Lab(workers=2, postgres=True) as lab:
        yield Race(lab)


def test_200_images_on_real_glance_cost_little_more_than_bare_requests_and_less_than_openstacksdk(race: Race) -> None:
    runners = {"handler": race.handler, "bare": race.bare, "find": race.find, "blind": race.blind}
    costs: dict[str, list[Cost]] = {name: [] for name in runners}
    names = list(runners)
    for number in range(ROUNDS):
        first = number % len(names)
        for name in names[first:] + names[:first]:  # the database grows: nobody is always the first
            costs[name].append(runners[name](race.add_images()))
    for name, spent in costs.items():
        print(f"\n{name}: " + ", ".join(f"{cost.seconds:.2f} s ({cost.cpu:.2f} s CPU)" for cost in spent), end="")
    wall = {name: ratio(costs, name, lambda cost: cost.seconds) for name in names[1:]}
    cpu = {name: ratio(costs, name, lambda cost: cost.cpu) for name in names[1:]}
    for name in names[1:]:
        print(f"\nhandler to {name}: {wall[name]:.2f}, CPU {cpu[name]:.2f}", end="")
    assert wall["bare"] <= 1.15
    assert wall["find"] < 1
    assert cpu["find"] <= 0.5


def ratio(costs: Mapping[str, Sequence[Cost]], theirs: str, part: Callable[[Cost], float]) -> float:
    """Of the medians: two runs of one round are minutes of a noisy machine apart as well."""
    return statistics.median(map(part, costs["handler"])) / statistics.median(map(part, costs[theirs]))
