"""People who review plans and approve them, and a bucket and a topic that fail: put among the steps of a schedule.

Drawn from a lot of its own, so that everything else in the schedule of a seed stays as it is.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.chaos.faulty import BUCKET, TOPIC

Step = dict[str, Any]
NAME = BUCKET.rpartition("aws/")[2].strip("/")
SHARE, TROUBLED = 0.07, 0.12
"""How many steps are followed by a review, and how many runs meet a bucket, a topic or a claim that fails."""
LONG = 400.0
"""Seconds that a run has which is to be overtaken: a claim holds for sixty."""
TELLING = 6.0
"""Seconds that a function needs longer, with a bucket or a topic."""
RUNS = frozenset({"poll", "call"})


def cast(seed: int, others: Mapping[str, Any]) -> Step:
    """The cast of a seed, with a bucket, a topic, and for how long its plans are good."""
    rng = random.Random(f"approvals {seed}")
    # Without a table, no plan is carried out.
    has_table = bool(others["settings"]["REAPER_STATE_TABLE"])
    own = {
        "REAPER_REPORT_BUCKET": rng.choice((NAME, NAME, NAME, "") if has_table else (NAME, "", "", "")),
        "REAPER_NOTICE_TOPIC": rng.choice((TOPIC, TOPIC, "")),
        "REAPER_PLAN_LIFE": rng.choice(("", "1d", "12h")),
    }
    return {**others, "settings": {**others["settings"], **own}}


def longer(variables: Mapping[str, str]) -> float:
    """How many seconds longer than others a function with these variables is given."""
    return TELLING if {"REAPER_REPORT_BUCKET", "REAPER_NOTICE_TOPIC"} & variables.keys() else 0.0


def among(steps: Iterable[Step], rng: random.Random) -> Iterator[Step]:
    """The same steps, with reviews among them."""
    for number, step in enumerate(steps):
        yield _troubled(step, rng) if step["do"] in RUNS and rng.random() < TROUBLED else step
        if number and rng.random() < SHARE:
            yield from _review(rng)


def _troubled(step: Step, rng: random.Random) -> Step:
    return {**step, "faults": [*step.get("faults", ()), _fault(rng, ("put", "put", "put", "fetch", "notice"))]}


def _fault(rng: random.Random, places: tuple[str, ...]) -> Step:
    what, amount = rng.choice(FAULTS)
    fault: Step = {"at": rng.choice(places), "nth": rng.choice((0, 0, 0, 1, 2)), "what": what}
    fault |= {} if amount is None else {"amount": amount}
    return fault | ({"times": 40} if rng.random() < 0.5 else {})


FAULTS: tuple[tuple[str, Any], ...] = (
    ("denied", None),
    ("denied", None),
    ("status", 500),
    ("status", 503),
    ("status-after", 502),
    ("html", 200),
    ("html-after", 200),
    ("cut", None),
    ("cut-after", None),
    ("half", None),
    ("length", None),
    ("slow", 3.0),
    ("slow", 20.0),
    ("kill", None),
    ("kill-after", None),
)


def _review(rng: random.Random) -> Iterator[Step]:
    """A rehearsal leaves its plan, which is reviewed, and approved, by one or by several."""
    rehearsal: Step = {"do": "call", "source": rng.choice(("direct", "schedule")), "dry_run": True, "granted": 60.0}
    rehearsal |= {"sweep": {"select": rng.choice(SELECTED), "limit": 100, "limit_percent": 100}}
    yield _troubled(rehearsal, rng) if rng.random() < 0.15 else rehearsal
    yield from _meanwhile(rng)
    plan = rng.choice((0, 0, 0, 0, 0, 1, 2))
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        yield _approval(rng, plan)
    for _ in range(rng.choice((1, 2, 3))):
        poll: Step = {"do": "poll", "most": 10, "granted": 60.0, "seconds": rng.choice((1.0, 70.0, 130.0, 600.0))}
        yield poll | {"faults": rng.choice(_PLOTS)(rng, plan)} if rng.random() < 0.4 else poll


def _meanwhile(rng: random.Random) -> Iterator[Step]:
    """What happens between a rehearsal and its approval: to the images, to the plan, and nothing for a while."""
    if rng.random() < 0.15:
        settings = {"REAPER_REPORT_BUCKET": rng.choice((*[NAME] * 6, ""))}
        yield {"do": "operate", "what": "set", "settings": settings}
    for _ in range(rng.choice((0, 0, 1, 2))):
        what, detail = rng.choice((("tag", "keep"), ("rename", "db-1"), ("delete", ""), ("protect", "")))
        yield {"do": "own", "what": what, "detail": detail, "image": rng.randrange(50), "marked": False}
    if rng.random() < 0.25:
        yield {"do": "operate", "what": "alter", "plan": 0, "how": rng.choice(ALTERED), "image": rng.randrange(9)}
    if rng.random() < 0.1:
        yield {"do": "wait", "hours": rng.choice((1, 11, 25, 24 * 8))}


SELECTED: tuple[Step, ...] = ({"name": "*"}, {"name": "ci-*"}, {"name": "web*"}, {"tags": ["tmp"]}, {"size_over": 2000})
"""What is rehearsed: without grace, so that there is a plan."""
ALTERED = ("add", "add", "add", "cut", "remove", "beside", "far", "restore")


def _asked(rng: random.Random, plan: int) -> Step:
    step: Step = {"plan": plan}
    for key, value, share in (("dry_run", True, 0.05), ("reason", "yes", 0.3), ("wrong", "key", 0.03)):
        step |= {key: value} if rng.random() < share else {}
    step |= {"wrong": "digest"} if rng.random() < 0.03 else {}
    return step | ({"not_after": rng.choice((-1, 1, 30))} if rng.random() < 0.1 else {})


def _approval(rng: random.Random, plan: int) -> Step:
    how = rng.choice(("queue", "queue", "direct", "direct", "topic", "lifecycle"))
    if how == "queue":
        envelope = rng.choice((None, None, "sns", "bus"))
        sent: Step = {"do": "send", "group": rng.randrange(3), "seconds": 0.1} | _asked(rng, plan)
        return sent | ({"envelope": envelope} if envelope else {})
    step: Step = {"do": "call", "source": how, "granted": rng.choice((60.0, 60.0, LONG, 10.0))} | _asked(rng, plan)
    return step | ({"faults": rng.choice(_PLOTS)(rng, plan)} if rng.random() < 0.6 else {})


def _rival(rng: random.Random, plan: int) -> Step:
    return {"do": "call", "source": rng.choice(("direct", "topic")), "plan": plan, "granted": 60.0, "seconds": 0.0}


def _killed(rng: random.Random, _: int) -> list[Step]:
    """The run dies with a part of the plan carried out."""
    at = rng.choice(("delete", "delete", "delete", "read", "claim", "put"))
    return [{"at": at, "nth": rng.randrange(4), "what": rng.choice(("kill", "kill-after"))}]


def _met(rng: random.Random, plan: int) -> list[Step]:
    """Somebody else approves the same plan while it is carried out."""
    place: Step = {"at": rng.choice(("delete", "delete", "read", "fetch", "claim")), "nth": rng.choice((0, 0, 1))}
    return [{**place, "what": rng.choice(("before", "after")), "do": [_rival(rng, plan)]}]


def _overtaken(rng: random.Random, plan: int) -> list[Step]:
    """The run stands still for so long that another one takes the plan over."""
    place: Step = {"at": rng.choice(("delete", "read")), "nth": rng.choice((0, 0, 1, 2))}
    return [{**place, "what": "freeze", "amount": rng.choice((30.0, 61.0, 75.0)), "do": [_rival(rng, plan)]}]


def _altered(rng: random.Random, plan: int) -> list[Step]:
    """Somebody writes over the plan right before it is read, or right after."""
    act = {"do": "operate", "what": "alter", "plan": plan, "how": rng.choice(ALTERED)}
    return [{"at": "fetch", "nth": 0, "what": rng.choice(("before", "after")), "do": [act]}]


def _failing(rng: random.Random, _: int) -> list[Step]:
    """The bucket or the claim fails."""
    return [_fault(rng, ("fetch", "fetch", "claim", "claim", "put"))]


_PLOTS = (*[_killed] * 2, *[_met] * 2, *[_overtaken] * 2, _altered, _failing)
