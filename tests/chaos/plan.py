"""The schedule of a seed: a cast, and one step after the other. Drawn from the seed alone, never from what happens."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos import functiongraph, reviews, rivals, stops
from tests.chaos.door import FAILURES, SECRET, WORKERS
from tests.chaos.events import REPEATED
from tests.chaos.table import TABLE

Step = dict[str, Any]
NAMES = ("ci", "web", "web-gpu", "db", "nightly")
EXPECTED = ("name", "owner", "status", "updated_at", "size", "tags", "protected", "visibility", "checksum")
POLICIES: tuple[Step, ...] = (
    {"select": {"name": "ci-*"}, "keep": {"newest": 2}},
    {"select": {"name": "ci-*"}},
    {"select": {"family": "nightly"}},
    {"select": {"name": "*", "older_than": "2d"}, "keep": {"newest": 1}, "grace": "1d"},
    {"select": {"name": "web-*"}, "grace": "2d", "deactivate": True},
    {"select": {"family": "web"}, "grace": "12h"},
    {"select": {"tags": ["tmp"]}, "grace": "0d"},
    {"select": {"tags": ["tmp"]}, "grace": "36h"},
    {"select": {"properties": {"os": "linux"}}, "keep": {"newest": 1, "group_by": "property:os"}},
    {"select": {"size_over": 2000, "older_than": "1d"}},
    {"select": {"name": "*", "older_than": "1d"}},
    {"select": {"tags": ["tmp"], "older_than": "36h"}, "keep": {"newest": 1}},
    {"select": {"created_before": "2031-05-17T00:00:00Z"}, "keep": {"newest": 1, "group_by": "tag-prefix:team=a"}},
    {"select": {"status": "queued", "older_than": "1d"}},
    {"select": {"name": "*"}, "keep": {"newest": 3, "group_by": "name"}, "limit": 100, "limit_percent": 100},
)
LIMITS = (
    {},
    {"limit": 1, "limit_percent": 100},
    {"limit": 3},
    {"limit": 7, "limit_percent": 100},
    {"limit_percent": 20},
    {"limit": 100, "limit_percent": 35},
    *([{"limit": 100, "limit_percent": 100}] * 8),
)
SETTINGS: tuple[Step, ...] = (
    {"REAPER_MAX_IMAGES": "100"},
    {"REAPER_MAX_IMAGES": "4"},
    {"REAPER_MAX_IMAGES": "3"},
    {"REAPER_MAX_IMAGES": "2"},
    {"REAPER_MIN_AGE": ""},
    {"REAPER_MIN_AGE": "6h"},
    {"REAPER_ALLOW_NAMES": ""},
    {"REAPER_ALLOW_NAMES": "ci-*,web-*,nightly-*"},
    {"REAPER_REQUIRE_TAG": ""},
    {"REAPER_REQUIRE_TAG": ""},
    {"REAPER_REQUIRE_TAG": ""},
    {"REAPER_REQUIRE_TAG": "tmp"},
    {"REAPER_ALLOW_SHARED": ""},
    {"REAPER_ALLOW_SHARED": ""},
    {"REAPER_ALLOW_SHARED": "true"},
    {"REAPER_IN_USE_CHECK": ""},
    {"REAPER_IN_USE_CHECK": ""},
    {"REAPER_IN_USE_CHECK": "off", "REAPER_IN_USE_ALSO": ""},
    {"REAPER_IN_USE_ALSO": "volumes"},
    {"REAPER_IN_USE_ALSO": "volumes", "REAPER_IN_USE_CHECK": ""},
    {"REAPER_KEEP_TAG": ""},
    {"REAPER_KEEP_TAG": "hold"},
    {"REAPER_BUDGET": ""},
    {"REAPER_BUDGET": "10/1h", "REAPER_STATE_TABLE": TABLE},
    {"REAPER_BUDGET": "12/1d", "REAPER_STATE_TABLE": TABLE},
    {"REAPER_FAILED_TO": ""},
    {"REAPER_FAILED_TO": FAILURES},
    {"REAPER_FANOUT_QUEUE_URL": ""},
    {"REAPER_FANOUT_QUEUE_URL": WORKERS},
)
"""What operators change while a world goes on, so that each world sees most of it."""
ARMED = "delete"
MODES = (ARMED, ARMED, ARMED, ARMED, "dry-run", "paused")


def cast(seed: int, concurrency: int = 1) -> Step:
    """What kind of world it is, and how the function is set up in it."""
    rng = random.Random(f"cast {seed}")
    api = rng.choice(("glance", "glance", "glance", "ims", "ecs-v2.1", "ecs-v2"))
    settings = {
        "REAPER_MODE": ARMED,
        "REAPER_IMAGE_API": api,
        "REAPER_CONCURRENCY": str(concurrency),
        "REAPER_MAX_IMAGES": rng.choice(("100", "100", "20", "5", "3")),
        "REAPER_MIN_AGE": rng.choice(("", "", "6h")),
        "REAPER_ALLOW_NAMES": rng.choice(("", "", "ci-*,web-*,nightly-*")),
        "REAPER_REQUIRE_TAG": rng.choice(("", "", "", "tmp")),
        "REAPER_ALLOW_SHARED": rng.choice(("", "", "true")),
        "REAPER_IN_USE_ALSO": rng.choice(("", "volumes")),
        "REAPER_KEEP_TAG": rng.choice(("", "", "hold")),
        "REAPER_CREDENTIALS_SECRET": rng.choice(("", SECRET)),
        "REAPER_FANOUT_QUEUE_URL": rng.choice(("", "", WORKERS)),
        "REAPER_STATE_TABLE": rng.choice((TABLE, TABLE, TABLE, "")),
        "REAPER_FAILED_TO": rng.choice((FAILURES, FAILURES, "")),
    }
    if rng.random() < 0.4:
        settings |= {"REAPER_BUDGET": rng.choice(("30/1h", "60/1d", "10/1h")), "REAPER_STATE_TABLE": TABLE}
    on_lambda = {
        "api": api,
        "flavour": "openstack" if api == "glance" and rng.random() < 0.8 else "otc",
        "page_size": rng.choice((1000, 7, 3)),
        "fifo": rng.random() < 0.4,
        "receives": rng.choice((3, 4, 5)),
        "skew": rng.choice((0, 0, 240, -240)),
        "cloud_skew": rng.choice((0, 0, 180, -180)),
        "policies": [_policy(rng) for _ in range(4)],
        "settings": settings,
    }
    return functiongraph.cast(seed, reviews.cast(seed, on_lambda))


def steps(seed: int) -> Iterator[Step]:
    """The steps, for ever."""
    # There is no state table on FunctionGraph.
    if not seed % functiongraph.EVERY:
        return _steps(seed)
    stopped = stops.among(_steps(seed), random.Random(f"stops {seed}"))
    met = rivals.among(stopped, random.Random(f"rivals {seed}"))
    return reviews.among(met, random.Random(f"approvals {seed}"))


def _steps(seed: int) -> Iterator[Step]:
    rng = random.Random(f"steps {seed}")
    yield {"do": "make", "count": 12, "fields": _fields(rng)}
    while True:
        (draw,) = rng.choices([one for one, _ in _DRAWS], [weight for _, weight in _DRAWS])
        yield (step := draw(rng))
        if step.get("settings", {}).get("REAPER_MODE", ARMED) != ARMED:
            # For a while: what is only rehearsed, or put off, is little work for the observer.
            yield from (rng.choice((_poll, _call, _own))(rng) for _ in range(rng.randrange(2, 7)))
            yield {"do": "operate", "what": "set", "settings": {"REAPER_MODE": ARMED}}
        if "policy" in step and step["do"] == "call" and rng.random() < 0.4:
            yield from _life_of_marks(rng, step["policy"])
        if not step.get("publish", True):
            yield from (rng.choice((_poll, _call, _send))(rng) for _ in range(rng.randrange(2, 5)))
            yield {"do": "operate", "what": "publish"}


def _life_of_marks(rng: random.Random, policy: int) -> Iterator[Step]:
    """What may become of the marks of a policy: owners object, or put off the day, and the policy comes again."""
    for _ in range(rng.randrange(3)):
        what, detail = rng.choice((("unmark", ""), ("later", 2), ("later", 5), ("activate", ""), ("tag", "keep")))
        yield {"do": "own", "what": what, "detail": detail, "image": rng.randrange(50), "marked": True}
    for hours in rng.choice(((25,), (13, 13), (49,), (25, 25))):
        yield {"do": "wait", "hours": hours}
        yield {"do": "call", "source": "schedule", "policy": policy}


def _policy(rng: random.Random) -> Step:
    return {**rng.choice(POLICIES), **rng.choice(LIMITS)}


def _fields(rng: random.Random) -> Step:
    fields: Step = {
        "name": f"{rng.choice(NAMES)}-{rng.randrange(9)}",
        "size": rng.choice((1024, 1024, 4096, 2**31)),
        "age": rng.choice((0, 1, 12, 30, 60, 24 * 40)),
        "tags": rng.choice(([], [], ["tmp"], ["tmp", "team=a"], ["tmp", "team=b"])),
        "properties": rng.choice(({}, {}, {"os": "linux"}, {"os": "windows"})),
    }
    if rng.random() < 0.15:
        fields["kernel"] = rng.randrange(50)
    return fields | rng.choice((*([{}] * 18), *ODDITIES))


ODDITIES: tuple[Step, ...] = (
    {"protected": True},
    {"visibility": "public"},
    {"visibility": "community"},
    {"properties": {"os_glance_importing_to_stores": "cheap"}},
    {"tags": ["tmp", "keep-until=soon"]},
    {"status": "queued"},
    {"foreign": True},
    {"foreign": True, "shared": "accepted"},
    {"shared": "accepted"},
    {"shared": "pending"},
    {"tags": ["keep"]},
    {"keep_days": 0},
    {"keep_days": 1},
    {"tags": ["tmp", "hold"]},
    {"properties": {"keep": "yes", "os": "linux"}},
)
"""What only one rule keeps, where nothing else does."""


def _make(rng: random.Random) -> Step:
    return {"do": "make", "count": rng.choice((1, 2, 4, 8)), "fields": _fields(rng), "seconds": rng.choice((0, 1, 60))}


ACTS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("protect", ("",)),
    ("unprotect", ("",)),
    ("unprotect", ("",)),
    ("tag", ("keep", "tmp", "hold", "keep=x")),
    ("untag", ("keep", "hold", "tmp", "keep=x")),
    ("keep-until", (0, 1, 3)),
    ("rename", tuple(f"{name}-{number}" for name in NAMES for number in (1, 5))),
    ("share", ("accepted", "pending", "rejected")),
    ("hide", ("",)),
    ("publish", ("",)),
    ("unmark", ("",)),
    ("unmark", ("",)),
    ("later", (2, 5)),
    ("deactivate", ("",)),
    ("activate", ("",)),
    ("delete", ("",)),
    ("property", ("os=linux", "os=windows")),
)


def _own(rng: random.Random) -> Step:
    what, details = rng.choice(ACTS)
    marked = what in {"unmark", "later", "activate", "rename", "untag"} or rng.random() < 0.2
    return {"do": "own", "what": what, "detail": rng.choice(details), "image": rng.randrange(50), "marked": marked}


def _serve(rng: random.Random) -> Step:
    what = rng.choice(("start", "start", "build", "stop", "stop", "stop", "rebuild", "volume"))
    return {"do": "serve", "what": what, "image": rng.randrange(50), "which": rng.randrange(20)}


def _act(rng: random.Random) -> Step:
    return _serve(rng) if rng.random() < 0.4 else _own(rng)


def _operate(rng: random.Random) -> Step:
    what = rng.choice(("set",) * 4 + ("policy",) * 4 + ("rotate", "publish", "revoke", "retire"))
    step: Step = {"do": "operate", "what": what}
    if what == "set":
        step["settings"] = {"REAPER_MODE": rng.choice(MODES)} | rng.choice(SETTINGS)
    elif what == "policy":
        step |= {"which": rng.randrange(4), "policy": _policy(rng)}
    elif what == "rotate":
        step |= {"password": f"rotated-{rng.getrandbits(64):x}", "publish": rng.random() < 0.8}
    return step


def _wait(rng: random.Random) -> Step:
    return {"do": "wait", "hours": rng.choice((0.1, 1, 6, 13, 25, 25, 49, 24 * 33))}


def _asked(rng: random.Random) -> Step:
    """The request of a deletion."""
    count = rng.choice((1, 1, 2, 3, 5, 10, 20))
    step: Step = {"images": [rng.randrange(rng.choice((12, 30, 60, 400))) for _ in range(count)]}
    if rng.random() < 0.35:
        step["expect"] = rng.sample(EXPECTED, rng.randrange(1, 5))
        if rng.random() < 0.5:
            step["spoilt"] = {"name": "other", "size": 7, "protected": True, "tags": ["x"], "owner": "me"}
    for key, value, share in _EXTRAS:
        if rng.random() < share:
            step[key] = value
    if rng.random() < 0.1:
        step["not_after"] = rng.choice((-1, 1, 30))
    return step


_EXTRAS = (
    ("dry_run", True, 0.06),
    ("unknown", 2, 0.1),
    ("project", "ours", 0.1),
    ("project", "other", 0.03),
    ("reason", "yes", 0.3),
    ("upper", True, 0.04),
)


def _send(rng: random.Random) -> Step:
    step: Step = {"do": "send", "group": rng.randrange(3), "seconds": 0.1}
    if rng.random() < 0.05:
        return step | {"bad": rng.randrange(20)}
    if rng.random() < 0.06:
        return step | {"policy": rng.randrange(4)}
    envelope = rng.choice((None, None, None, "sns", "bus"))
    return step | _asked(rng) | ({"envelope": envelope} if envelope else {})


def _poll(rng: random.Random) -> Step:
    step: Step = {"do": "poll", "most": rng.choice((1, 3, 10)), "granted": rng.choice((60.0, 60.0, 60.0, 8.0))}
    step |= {"workers": True} if rng.random() < 0.25 else {}
    step |= {"duplicate": True} if rng.random() < 0.1 else {}
    return step | {"seconds": rng.choice((1.0, 130.0))} | _trouble(rng)


def _call(rng: random.Random) -> Step:
    source = rng.choice(("schedule", "schedule", "schedule", "direct", "topic", "lifecycle", "stack"))
    # CloudFormation is answered in the last ten seconds.
    granted = 60.0 if source == "stack" else rng.choice((60.0, 60.0, 10.0))
    step: Step = {"do": "call", "source": source, "granted": granted}
    if source == "schedule" or (source != "stack" and rng.random() < 0.4):
        step |= {"policy": rng.randrange(4)} | ({"dry_run": True} if rng.random() < 0.1 else {})
        step |= {"scheduler": True} if rng.random() < 0.3 else {}
    else:
        step |= _asked(rng)
    if "policy" in step and rng.random() < 0.15:
        return step | {"faults": _no_longer_selected(rng)}
    if source in REPEATED and rng.random() < 0.1:
        return step | {"faults": _killed(rng)}
    return step | _trouble(rng)


AT = ("delete", "delete", "delete", "read", "read", "list", "servers", "members", "tag", "action", "token", "volumes")
KINDS: tuple[tuple[str, tuple[Any, ...], int], ...] = (
    ("cut", (None,), 4),
    ("cut-after", (None,), 4),
    ("half", (None,), 2),
    ("length", (None,), 1),
    ("status", (401, 403, 409, 429, 500, 502, 503, 504), 5),
    ("status-after", (500, 502, 504), 3),
    ("html", (200, 404, 404, 503), 4),
    ("html-after", (200, 502), 1),
    ("throttle", (0, 1, 5), 3),
    ("slow", (0.3, 0.9, 1.5, 3.0, 7.0, 20.0, 50.0), 6),
    ("repeat", (None,), 1),
    ("part", (None,), 4),
    ("revoke", (None,), 2),
    ("freeze", (0.5, 2.0, 30.0, 7200.0), 2),
    ("kill", (None,), 1),
    ("kill-after", (None,), 1),
    ("hold", (None,), 1),
    ("before", (None,), 10),
    ("after", (None,), 10),
)
STOPS = ("response", "connect", "request", "journal")


def _trouble(rng: random.Random) -> Step:
    """What goes wrong with an invocation, if anything."""
    if rng.random() < 0.4:
        return {}
    if rng.random() < 0.4:
        return {"faults": rng.choice(_PLOTS)(rng)}
    return {"faults": [_fault(rng) for _ in range(rng.choice((1, 2, 3, 5, 8)))]}


def _late_server(rng: random.Random) -> list[Step]:
    """Servers are started while the cloud is slow: what is known of servers is too old afterwards."""
    place: Step = {"at": "read", "nth": rng.randrange(4)}
    what, image = rng.choice(("start", "build", "build")), rng.randrange(50)
    # Two of them: the image of one may have been dealt with by then.
    starts = [{"do": "serve", "what": what, "image": image + more, "which": 0, "aimed": True} for more in (0, 1)]
    return [
        {**place, "what": "before", "do": starts},
        {**place, "what": "slow", "amount": rng.choice((5.5, 7.0, 12.0))},
    ]


def _changed_in_between(rng: random.Random) -> list[Step]:
    """A DELETE is turned down for now, and somebody changes its image before the next one."""
    place: Step = {"at": "delete", "nth": rng.randrange(3)}
    change = {**_own(rng), "here": True, "marked": False}
    return [{**place, "what": "status", "amount": rng.choice((500, 503))}, {**place, "what": "after", "do": [change]}]


def _accepted(rng: random.Random) -> list[Step]:
    """A DELETE is accepted, and never carried out."""
    return [{"at": "delete", "nth": rng.randrange(4), "what": "status", "amount": 202}]


def _gone_in_between(rng: random.Random) -> list[Step]:
    """Somebody else deletes an image right before its DELETE."""
    act: Step = {"do": "own", "what": "delete", "detail": "", "image": 0, "here": True}
    return [{"at": "delete", "nth": rng.randrange(3), "what": "before", "do": [act]}]


def _throttled(rng: random.Random) -> list[Step]:
    """The cloud asks for fewer requests, and for longer than anything else that fails would be tried."""
    place: Step = {"at": rng.choice(("read", "delete", "servers")), "nth": rng.randrange(3)}
    return [{**place, "what": "throttle", "amount": rng.choice((0, 1)), "times": 6}]


def _killed(rng: random.Random) -> list[Step]:
    """The run dies with some of its images deleted: its engine sends the event again."""
    return [{"at": "delete", "nth": rng.randrange(3), "what": "kill-after"}]


def _no_longer_selected(rng: random.Random) -> list[Step]:
    """Images change right before they are read."""
    change: Step = {"do": "own", "image": 0, "here": True}
    changes = [{**change, "what": what, "detail": detail} for what, detail in (("rename", "db-1"), ("untag", "tmp"))]
    return [{"at": "read", "nth": nth, "what": "before", "do": [rng.choice(changes)]} for nth in (0, 1, 2, 3, 5)]


_PLOTS = (*[_late_server] * 3, _changed_in_between, _accepted, _gone_in_between, _throttled)
"""What goes wrong together, and would seldom come together by chance."""


def _fault(rng: random.Random) -> Step:
    if rng.random() < 0.2:
        return _standstill(rng)
    (kind,) = rng.choices(KINDS, [weight for *_, weight in KINDS])
    what, amounts, _ = kind
    if what == "part":
        return {"at": "send", "nth": rng.choice((0, 0, 0, 1)), "what": what}
    at = (
        rng.choice(("budget", "secret", "send", "hide", "sink", *AT))
        if what not in {"before", "after"}
        else rng.choice(AT)
    )
    fault: Step = {"at": at, "nth": rng.choice((0, 0, 0, 1, 1, 2, 4, 9)), "what": what}
    amount = rng.choice(amounts)
    fault |= {"amount": amount} if amount is not None else {}
    return fault | ({"do": _meanwhile(rng)} if what in {"before", "after", "freeze"} else {})


def _standstill(rng: random.Random) -> Step:
    """The environment is frozen somewhere, or its name server is silent."""
    if rng.random() < 0.1:
        return {"at": "name", "nth": rng.randrange(3), "what": "hang"}
    at, nth = rng.choice(STOPS), rng.choice((0, 1, 2, 3, 5, 8, 13, 21))
    if rng.random() < 0.15:
        return {"at": at, "nth": nth, "what": "kill"}
    return {"at": at, "nth": nth, "what": "freeze", "amount": rng.choice((0.3, 2.0, 30.0)), "do": _meanwhile(rng)}


def _meanwhile(rng: random.Random) -> Sequence[Mapping[str, Any]]:
    """What others do while an invocation is under way: another one, at times."""
    if rng.random() < 0.2:
        quiet = {"seconds": 0.0}
        return [{"do": "poll", "most": 3, **quiet} if rng.random() < 0.6 else _quiet_call(rng)]
    where: tuple[Step, ...] = ({}, {"aimed": True}, {"here": True, "aimed": True})
    return [_act(rng) | rng.choice(where) for _ in range(rng.choice((1, 1, 2)))]


def _quiet_call(rng: random.Random) -> Step:
    return {"do": "call", "source": "direct", "policy": rng.randrange(4)}


_DRAWS = ((_make, 12), (_own, 9), (_serve, 5), (_operate, 5), (_wait, 5), (_send, 22), (_poll, 18), (_call, 9))
