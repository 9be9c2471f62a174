"""Knocking at the doors: hypothesis draws, every door is tried, and the smallest event of each violation is kept."""

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from tests.chaos.doors.doorways import RECORDED, RIGHT, WRAPPED, knocks_of, knocks_with
from tests.chaos.doors.heavy import KINDS, LAMBDA, QUEUE, knock_of, weigh
from tests.chaos.doors.odd import odd
from tests.chaos.doors.oracle import Broken, judge
from tests.chaos.doors.schemas import requests
from tests.chaos.doors.spoiling import IN_TEXT, Spoil, spoils, spoilt
from tests.chaos.doors.world import Knock, World, opened

DOORS = {"requests": 19, "events": 7, "large": 1}
"""How many events are made of one example, about."""
Watch = Callable[[Knock], None]
# Most events are to end where they are read: one that is carried out takes ten times as long, and tells less.
_SPOILT = st.lists(spoils, min_size=1, max_size=3)
SHARES = {"requests": 0.62, "events": 0.37, "large": 0.0008}
"""What part of the events is what; a large one takes as long as hundreds of others."""


def knock(events: int, seed: int, watch: Watch | None = None) -> tuple[int, list[str]]:
    """Try so many events at the doors; returns how many were tried, and a line for each promise that was broken.

    The same seed gives the same events, which `watch` is shown. A line ends with the smallest event that was found.
    """
    with opened() as world:
        round_ = _Round(world, events, seed, watch)
        for about in (round_.large, round_.events, round_.requests):
            about()
        return round_.tried, list(dict.fromkeys(round_.broken))


class _Round:
    """One run, and what it has come to."""

    def __init__(self, world: World, events: int, number: int, watch: Watch | None) -> None:
        self.world, self.tried, self.broken = world, 0, list[str]()
        self._events, self._seed, self._watch = events, number, watch
        self._until, self._failing = 0, ""

    def large(self) -> None:
        """Events as large as may be."""
        sizes = st.sampled_from([20_000, *[QUEUE] * 8, LAMBDA])

        def try_one(kind: str, door: str, size: int) -> None:
            if found := knock_of(kind, door, size):
                self._try(found, weigh)

        self._run("large", try_one, st.sampled_from(KINDS), st.sampled_from(sorted(WRAPPED)), sizes)

    def events(self) -> None:
        """The recorded events, spoilt in up to three places."""

        def try_one(name: str, changes: list[Spoil]) -> None:
            # What gets too deep to be written by its changes is no event.
            with suppress(RecursionError):
                for found in knocks_with(spoilt(RECORDED[name], changes)):
                    self._try(found)

        self._run("events", try_one, st.sampled_from(sorted(RECORDED)), _SPOILT)

    def requests(self) -> None:
        """Requests of the schema, spoilt or not, at every door."""
        # Chosen first: a union of unions is one large union, in which nearly every value is an odd one.
        kinds = (st.sampled_from(RIGHT), st.sampled_from(RIGHT), requests(), odd)
        drawn = st.sampled_from(range(len(kinds))).flatmap(lambda number: kinds[number])

        def try_one(request: Any, changes: list[Spoil], manner: str) -> None:  # noqa: ANN401 (any JSON)
            with suppress(RecursionError):
                text = json.dumps(spoilt(request, changes))
                for found in knocks_of(IN_TEXT[manner](text) if manner else text):
                    self._try(found)

        manners = st.just("") | st.just("") | st.sampled_from(sorted(IN_TEXT))
        self._run("requests", try_one, drawn, _SPOILT | st.just([]), manners)

    def _try(self, found: Knock, judged: Callable[[Knock, World], None] | None = None) -> None:
        # Where one door fails, the others need not be knocked at to make the event smaller.
        if found.door != self._failing if self._failing else self.tried >= self._until:
            return
        if not self._failing:
            self.tried += 1
            if self._watch:
                self._watch(found)
        try:
            if judged:
                judged(found, self.world)
            else:
                judge(found, self.world.deliver(found), self.world)
        except Broken:
            self._failing = found.door
            raise

    def _run(self, part: str, test: Callable[..., None], *drawn: st.SearchStrategy[Any]) -> None:
        share = max(round(self._events * SHARES[part]), 1)
        # The last part makes up for what the others could not try.
        self._until = self._events if part == "requests" else min(self.tried + share, self._events)
        for number in count(self._seed * 1000):
            if self.tried >= self._until or self._failing:
                break
            self._draw(given(*drawn)(test), number, (self._until - self.tried) // DOORS[part] + 1)
        self._failing = ""

    def _draw(self, test: Callable[[], None], number: int, examples: int) -> None:
        """Draw so many examples, and shrink what breaks a promise."""
        run = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            report_multiple_bugs=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(seed(number)(test))
        try:
            run()
        except Broken as broken:
            self.broken.append(str(broken))
        except BaseExceptionGroup as group:
            self.broken += [str(broken) for broken in group.exceptions]
        except Flaky as flaky:
            self.broken.append(f"not twice the same: {flaky}")
