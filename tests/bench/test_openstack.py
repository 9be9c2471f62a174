"""How fast the handler is on real Glance, against a bare thread pool and openstacksdk: ratios within one run.

Glance has two workers on the same cores as the clients, and its records in PostgreSQL, where deletions run side by
side: it is the limit. Four requests at once is what it can take; more would only queue, for the handler and the pool
alike. The images are private, as those are that Nova makes of servers.

Each client is a process of its own. The import of its code is not counted, the login is.

openstacksdk runs twice. `find` looks an image up and deletes what it found: so do its own example, its
`connection.delete_image` and `openstack image delete`. It sends what we send, and it is what must be beaten. `blind` is
a lone `connection.image.delete_image(id)`, one request an image without a look at it, and only told: bare `requests`
need for the two that we send nearly as much CPU as it needs for its one.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.bench.racer import Cost, race
from tests.bench.rows import Hold, Row
from tests.contract.backends import Real
from tests.contract.cloud import Cloud
from tests.openstack import Lab
from tests.openstack.referee import ask

IMAGES = 200
CONCURRENCY = 4
ROUNDS = 5
SETTINGS = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(IMAGES), "REAPER_CONCURRENCY": str(CONCURRENCY)}


class Race:
    """The clients before a real cloud, each with images and a token of its own in every round."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._cloud = Cloud(Real(lab))

    def handler(self, ids: Sequence[str]) -> Cost:
        return race("handler", ids, self._lab.env() | SETTINGS)

    def bare(self, ids: Sequence[str]) -> Cost:
        return race("pool", ids, self._lab.env() | SETTINGS)

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


@pytest.fixture
def racing() -> Iterator[Race]:
    with Lab(workers=2, postgres=True) as lab:
        yield Race(lab)


def test_200_images_on_real_glance_cost_little_more_than_bare_requests_and_less_than_openstacksdk(
    racing: Race, hold: Hold
) -> None:
    runners = {"handler": racing.handler, "pool": racing.bare, "find": racing.find, "blind": racing.blind}
    costs: dict[str, list[Cost]] = {name: [] for name in runners}
    names = list(runners)
    for number in range(ROUNDS):
        first = number % len(names)
        for name in names[first:] + names[:first]:  # the database grows: nobody is always the first
            costs[name].append(runners[name](racing.add_images()))
    wall = {name: [cost.seconds for cost in spent] for name, spent in costs.items()}
    cpu = {name: [cost.cpu for cost in spent] for name, spent in costs.items()}
    ours = wall["handler"]
    hold(
        Row("real Glance, wall against a bare pool", most=1.05, ours=ours, theirs=wall["pool"]),
        Row("real Glance, wall against openstacksdk's find and delete", most=0.6, ours=ours, theirs=wall["find"]),
        Row("real Glance, CPU against the same", most=0.35, ours=cpu["handler"], theirs=cpu["find"]),
        Row("real Glance, wall against a blind delete", most=None, ours=ours, theirs=wall["blind"]),
    )
