"""Any history of uses and looks: what counts as unused was so at every look, for as long as somebody has looked."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.state.uses.memory import Memory
from handler.errors import BudgetUnknown
from handler.model.history import History, Unused
from handler.model.request import Select
from handler.rules.unused import why_not_unused
from tests.aws import KEYS, REGION, Client, state_table
from tests.examples import image
from tests.fakecloud.faults import Fault
from tests.properties import REPEATABLE, tried
from tests.unit.conftest import Relay

TABLE = "state"
ACCESS = AwsAccess(REGION, KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])
START = datetime(2026, 11, 1, 3, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What is promised: two days, and an hour for schedules that are not exact.
LONGEST_GAP = 2 * DAY + HOUR
IDS = ("a0000000-0000-4000-8000-000000000000", "a0000000-0000-4000-8000-000000000001", str(uuid.UUID(int=11 << 124)))
AGES = (HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY)


class Step(NamedTuple):
    """What happens next: time passes, an item may get lost, and a look finds some ids in use, or dies on its way."""

    hours: float
    in_use: frozenset[str]
    lost: str
    dies_after: int | None


steps = st.builds(
    Step,
    hours=st.sampled_from([0.2, 6, 23, 24, 24, 25, 47, 48, 49, 49.1, 50, 72]),
    in_use=st.frozensets(st.sampled_from(IDS), max_size=2),
    lost=st.sampled_from(["", "", "", "", "", "used/{}/a", "used/{}/0", "watched/{}"]),
    dies_after=st.sampled_from([None, None, None, None, 0, 1, 11, 12, 16, 17]),
)


@dataclass
class Story:
    """One project, in whose memory the steps are written, and what has really happened."""

    relay: Relay
    table: Client
    project: str = field(default_factory=lambda: uuid.uuid4().hex)
    now: datetime = START
    looks: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)
    losses: list[datetime] = field(default_factory=list)
    has_died: bool = False

    def take(self, step: Step) -> History | None:
        """Let a step happen; None if its look has died."""
        self.now += step.hours * HOUR
        if step.lost and self.looks:
            self.table.delete_item(TableName=TABLE, Key={"id": {"S": step.lost.format(self.project)}})
            self.losses.append(self.now)
        self.relay.faults.clear()
        if step.dies_after is not None:
            denied = {"__type": "x#AccessDeniedException"}
            self.relay.faults.add(Fault(status=400, body=denied, times=None, skip=step.dies_after))
        memory = Memory(TABLE, replace(ACCESS, endpoints=(("", self.relay.url),)), self.project, self.now)
        try:
            history = memory.remember(step.in_use)
        except BudgetUnknown:
            self.has_died = True
            return None
        self.looks.append((self.now, step.in_use))
        return history

    def was_watched(self, start: datetime) -> bool:
        """Whether somebody has looked from a moment on, without a gap, and nothing has got lost since."""
        moments = [moment for moment, _ in self.looks]
        before = [moment for moment in moments if moment <= start]
        if not before or any(moment > before[-1] for moment in self.losses):
            return False
        watched = moments[len(before) - 1 :]
        return all(after - moment <= LONGEST_GAP for moment, after in pairwise(watched))

    def was_seen(self, image_id: str, start: datetime) -> bool:
        """Whether a look has found an image in use on the day of a moment, or later."""
        return any(image_id in in_use and moment.date() >= start.date() for moment, in_use in self.looks)


@pytest.fixture(scope="module")
def table(moto: str) -> Iterator[Client]:
    with state_table(TABLE, moto) as client:
        yield client


@pytest.mark.slow("each look is eighteen requests")
@tried(40, REPEATABLE)
@given(told=st.lists(steps, min_size=1, max_size=9))
def test_what_counts_as_unused_was_so_at_every_look(told: list[Step], relay: Relay, table: Client) -> None:
    story = Story(relay, table)
    for step in told:
        history = story.take(step)
        for image_id in IDS if history else ():
            for age in AGES:
                start = story.now - age
                is_unused = not why_not_unused(
                    image(id=image_id, created_at=START - 99 * DAY),
                    Select(unused_for=Unused(age, history)),
                    story.now,
                )
                really = story.was_watched(start) and not story.was_seen(image_id, start)
                event(f"unused: {is_unused}")
                assert really or not is_unused
                # A look that died may have written down a use, which counts as well.
                assert is_unused or not really or story.has_died
