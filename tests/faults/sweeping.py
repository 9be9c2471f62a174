"""Any project, any policy, any fault; and a second reading of what a policy may delete, which shares no code with ours.

Everything is written as JSON says it and as the fake cloud remembers it, so that nothing of `handler` decides what is
right.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.model.outcome import Outcome
from handler.model.request import SweepRequest
from handler.report.report import Report
from handler.rules.marks import fingerprint
from handler.sources.schema import read_request
from handler.work.sweeps import sweep
from tests.fakecloud import DEMO, OTHER, FakeCloud, ImageRecord, Server
from tests.fakecloud.records import time_text
from tests.faults import Clock, Hurry, new_run
from tests.properties import REPEATABLE, tried

Json = Any

NOW = datetime(2031, 5, 17, 12, tzinfo=UTC)
FORGOTTEN_AFTER = 31
UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
MARKED, SIGNED, SWITCHED_OFF, SWITCHING_OFF = (
    f"reaper-{word}" for word in ("delete-after", "sweep", "deactivated", "deactivating")
)

OURS = "the signature of the policy"
"""Stands in the tags of an image for the signature of the policy that the test is about."""

thorough = tried(40, REPEATABLE)


def merged(parts: Sequence[Json], least: int, most: int) -> st.SearchStrategy[Json]:
    """Some of these objects in one."""
    several = st.lists(st.sampled_from(parts), min_size=least, max_size=most)
    return several.map(lambda chosen: {key: value for part in chosen for key, value in part.items()})


# Policies

NAMES = ("ci-1", "ci-2", "ci-3", "ci", "web-1", "web-2-x", "", "-")
CONDITIONS: tuple[Json, ...] = (
    *({"name": glob} for glob in ("*", "ci-*", "*-?", "[cw]*", "?*", "x*")),
    *({"family": family} for family in ("ci", "web", "web-2", "x")),
    *({"tags": tags} for tags in (["a"], ["b"], ["a", "b"], ["c=1"])),
    *({"properties": wanted} for wanted in ({"os": "linux"}, {"cpus": "4"}, {"os": "linux", "cpus": "4"})),
    *({"status": status} for status in ("active", "active", "deactivated", "killed")),
    {"status": "queued", "older_than": "36h"},
    *({"older_than": age} for age in ("1h", "36h", "10d", "2w", "99999w")),
    *({"created_before": (NOW + timedelta(days=days)).isoformat()} for days in (-9999, -10, -1, 0, 1)),
    *({"size_over": size} for size in (0, 1023, 1024, 10**15)),
)
selects = merged(CONDITIONS, 1, 3)
keeps = st.fixed_dictionaries(
    {"newest": st.sampled_from([1, 1, 2, 3])},
    optional={"group_by": st.sampled_from(["property:os", "property:status", "tag-prefix:app:", "tag-prefix:a"])},
)
caps = st.just({"limit": 1000, "limit_percent": 100}) | st.fixed_dictionaries(
    {}, optional={"limit": st.sampled_from([0, 1, 2, 5]), "limit_percent": st.sampled_from([0, 20, 33.4, 75, 99.9])}
)
graces: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"grace": st.sampled_from(["12h", "7d"])}, optional={"deactivate": st.booleans()}
)


@st.composite
def policies(draw: st.DrawFn) -> Json:
    """Any policy that the schema takes, most of them about many images, and every other one with grace."""
    select = draw(st.sampled_from([{"name": "*"}, {"older_than": "1h"}]) | selects)
    keep = draw(st.just({}) | st.fixed_dictionaries({"keep": keeps}))
    # No more of a queued image than that it is old: what the schema takes of them is said in its own tests.
    select |= {"older_than": "36h"} if select.get("status") == "queued" else {}
    policy = {"select": select} | keep | draw(caps) | (draw(graces) if draw(st.booleans()) else {})
    return policy | {"deactivate": False} if policy.get("deactivate") and "status" in select else policy


# Projects


def mark(days: int) -> str:
    return f"{MARKED}={(NOW + timedelta(days=days)).date()}"


SOUND = {"name": "ci-1", "age": 10, "size": 1024}
ODDITIES: tuple[Json, ...] = (
    *({"owner": OTHER, "visibility": shown} for shown in ("private", "public", "shared")),
    *({"visibility": shown} for shown in ("public", "community")),
    *({"visibility": "shared", "members": {OTHER: status}} for status in ("accepted", "pending", "rejected")),
    *({"status": status} for status in ("deactivated", "deactivated", "killed", "queued", "saving")),
    {"protected": True},
    *({"tags": [f"keep{rest}"]} for rest in ("", "=x", "-until=2031-05-17", "-until=2031-05-16", "-until=some day")),
    *({"size": size} for size in (None, 0, 4096)),
    *({"age": age} for age in (None, -0.01, -400)),
    {"os_hidden": True},
    {"used": True},
)
PROPERTIES = ({"os": "linux"}, {"os": "windows"}, {"os": None}, {"cpus": 4}, {"cpus": "4"}, {"cpus": 8})
TAGS = (["a"], ["b"], ["a", "b"], ["c=1"], ["c.1"], ["app:web"], ["app:web", "app:api"])
SIGNATURES: tuple[list[str], ...] = ([], [OURS], [OURS], [f"{SIGNED}=0123abcd"])
MARKS = (*([mark(days)] for days in (-40, -3, -3, -1, 0, 2)), [mark(-3), mark(0)], [f"{MARKED}=never"], [MARKED], [])
SWITCHES: tuple[Json, ...] = (
    {},
    {},
    {"tags": [SWITCHED_OFF], "status": "deactivated"},
    {"tags": [SWITCHED_OFF]},
    {"tags": [SWITCHING_OFF]},
)


@st.composite
def images(draw: st.DrawFn, *, marked: bool = True) -> Json:
    """Any image, most of them with little about them that keeps them from being deleted."""
    image = SOUND | {"name": draw(st.sampled_from(NAMES)), "age": draw(st.sampled_from([0.5, 1, 5, 10, 10.1, 30]))}
    parts = [draw(merged(ODDITIES, 0, 2) | st.just({})), draw(merged(PROPERTIES, 0, 2))]
    parts += [{"tags": draw(st.sampled_from(TAGS))}] if draw(st.booleans()) else []
    if marked and draw(st.booleans()):
        parts += [{"tags": draw(st.sampled_from(MARKS)) + draw(st.sampled_from(SIGNATURES))}]
        parts += [draw(st.sampled_from(SWITCHES))]
    tags = [tag for part in parts for tag in part.get("tags", [])]
    return {key: value for part in (image, *parts) for key, value in part.items()} | {"tags": list(dict.fromkeys(tags))}


projects = st.lists(images(), min_size=0, max_size=9) | st.lists(images(), min_size=4, max_size=9)


@dataclass
class Scene:
    """The function, armed and in a hurry, before a cloud that is filled anew for each example."""

    cloud: FakeCloud
    server: Server

    def __post_init__(self) -> None:
        self.cloud.now = NOW

    def fill(self, described: Iterable[Json], policy: Json) -> None:
        """Let the cloud hold these images and nothing else, each under an id that tells its place.

        What their tags say of `OURS` is the signature of this policy.
        """
        self.cloud.faults.clear()
        for held in (self.cloud.images, self.cloud.dead, self.cloud.servers, self.cloud.calls):
            held.clear()
        for number, fields in enumerate(described):
            rest = {key: value for key, value in fields.items() if key not in {"age", "used"}}
            rest["tags"] = [signature(policy) if tag == OURS else tag for tag in rest["tags"]]
            image_id = self.cloud.add_image(**rest, created_at=born(fields["age"]), id=image_id_of(number))
            if fields.get("used"):
                self.cloud.add_server(image=image_id)

    def run(self, request: Json, *, now: datetime = NOW, **settings: str) -> Report:
        """Have a request carried out that a caller sends."""
        self.cloud.calls.clear()
        environment = {**self.cloud.env(self.server.url), "REAPER_MODE": "delete", "REAPER_CONCURRENCY": "1"}
        return invocation.process(request, Hurry(), Settings.from_env(environment | settings), aws, now=now)

    def run_patiently(self, policy: Json) -> list[Outcome]:
        """Have a policy carried out where there is time to try again, on a clock that passes only by waiting."""
        run = new_run(self.cloud, self.server, Clock(), REAPER_CONCURRENCY="1")._replace(now=NOW)
        return list(sweep(_read(policy), "", run).outcomes)


def signature(policy: Json) -> str:
    """How the tag begins by which a policy signs its marks; earlier versions wrote no more than this."""
    return f"{SIGNED}={fingerprint(_read(policy))}"


def _read(policy: Json) -> SweepRequest:
    request = read_request({"sweep": policy})
    assert isinstance(request, SweepRequest)
    return request


def image_id_of(number: int) -> str:
    return str(UUID(int=(number * 7919 + 1) << 64, version=4))


def born(age: float | None) -> str:
    return "long ago" if age is None else time_text(NOW - timedelta(days=age))


# Faults


def _garbage(body: str) -> dict[str, Json]:
    return {"status": 200, "body": body}


ANSWERS: tuple[Json, ...] = (
    *({"status": status, "body": "<p>no"} for status in (400, 401, 403, 404, 409, 413, 418, 429, 500, 503, 504)),
    *({"status": None, "cut": cut} for cut in (True, "half")),
    *({"status": status, "headers": {"Location": "/"}} for status in (202, 302)),
    {"cut": True},
)
TO_READ: tuple[Json, ...] = (
    *ANSWERS,
    *(_garbage(body) for body in ("", "null", "[]", "{}", "<html>", '{"images": 1}', '{"servers": [1]}', '{"id": 1}')),
    {"status": 204},
)
"""What may be answered to a GET as well: elsewhere it would be a lie about what was done."""
PLACES = (
    *(("GET", path) for path in (r"/images$", r"/images$", r"/images/[^/]+$", r"/members$", r"/servers/detail$")),
    *(("DELETE", path) for path in (r"/images/[^/]+$", r"/tags/")),
    *(("POST", path) for path in (r"/actions/", r"/auth/tokens$")),
    ("PUT", r"/tags/"),
    (None, "/"),
)


@st.composite
def single_faults(draw: st.DrawFn) -> Json:
    method, path = draw(st.sampled_from(PLACES))
    answer = draw(st.sampled_from(TO_READ if method == "GET" else ANSWERS))
    times, skip = draw(st.sampled_from([1, 1, 2, None])), draw(st.sampled_from([0, 0, 1, 2, 5]))
    return {"method": method, "path": path, **answer, "times": times, "skip": skip}


faults = st.lists(single_faults(), max_size=3)


def break_down(cloud: FakeCloud, planned: Iterable[Json]) -> None:
    for fault in planned:
        cloud.fault(**fault)


# What is right


def seconds(age: str) -> int:
    return int(age[:-1]) * UNITS[age[-1]]


def glob_fits(glob: str, name: str) -> bool:
    return re.fullmatch(glob.replace("*", ".*").replace("?", "."), name, re.DOTALL) is not None


def created(image: ImageRecord) -> datetime | None:
    known = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", image.created_at)
    return datetime.strptime(image.created_at, "%Y-%m-%dT%H:%M:%S%z") if known else None


def fits(select: Json, image: ImageRecord, now: datetime) -> bool:
    """Whether every condition holds."""
    moment = created(image)
    if moment is None or moment > now:
        return False
    limit = select.get("size_over")
    return (
        glob_fits(select.get("name", "*"), image.name or "")
        and select.get("family") in (None, *groups(image, "name"))
        and all({tag, tag.replace("=", ".")} & set(image.tags) for tag in select.get("tags", []))
        and all(_said(image, key) == value for key, value in select.get("properties", {}).items())
        and select.get("status", image.status) == image.status
        and ("older_than" not in select or (now - moment).total_seconds() > seconds(select["older_than"]))
        and ("created_before" not in select or moment < datetime.fromisoformat(select["created_before"]))
        and (limit is None or (image.size is not None and image.size > limit))
    )


def _said(image: ImageRecord, key: str) -> str | None:
    value = image.properties.get(key, getattr(image, key, None))
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def groups(image: ImageRecord, group_by: str) -> list[str]:
    if group_by == "name":
        return [re.sub(r"(?<=.)-[^-]*$", "", image.name)] if image.name else []
    if group_by.startswith("property:"):
        return [value] if (value := _said(image, group_by[9:])) is not None else []
    return [tag for tag in image.tags if tag.startswith(group_by[11:])]


def newest(policy: Json, project: Iterable[ImageRecord], now: datetime) -> set[str]:
    """The images that stay since they are among the newest of a group."""
    keep = policy.get("keep")
    found: dict[str, list[tuple[datetime, str]]] = {}
    for image in project if keep else ():
        moment = created(image)
        if image.owner == DEMO and image.status == "active" and moment and moment <= now:
            for group in groups(image, keep.get("group_by", "name")):
                found.setdefault(group, []).append((moment, image.id))
    return {image_id for members in found.values() for _, image_id in sorted(members)[-keep["newest"] :]}


def selected(policy: Json, project: Iterable[ImageRecord], now: datetime) -> set[str]:
    """The images that a policy is about, less those that it keeps."""
    ours = [image for image in project if image.owner == DEMO]
    stay, keep = newest(policy, ours, now), policy.get("keep")
    return {
        image.id
        for image in ours
        if fits(policy["select"], image, now) and image.id not in stay
        if not keep or groups(image, keep.get("group_by", "name"))
    }


def may_go(image: ImageRecord, cloud: FakeCloud, now: datetime, policy: Json) -> bool:
    """Whether the rules of any deletion allow it, with the settings as they are by default."""
    accepted = image.visibility == "shared" and any(
        status not in {"pending", "rejected"} for status in image.members.values()
    )
    used = any(server.image == image.id and server.project == DEMO for server in cloud.servers.values())
    at_rest = image.status in {"active", "deactivated", "killed", policy["select"].get("status")}
    hidden_from_others = image.visibility in {"private", "shared"} and not accepted
    return (
        image.owner == DEMO and hidden_from_others and at_rest and not image.protected and not used
    ) and not is_kept(image.tags, now)


def is_kept(tags: Iterable[str], now: datetime) -> bool:
    return any(
        tag == "keep" or tag.startswith("keep=") or (tag.startswith("keep-until=") and not _over(tag[11:], now))
        for tag in tags
    )


def _over(day: str, now: datetime) -> bool:
    """Whether a day can be read and has ended."""
    last = day_of(day)
    return last is not None and datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1) <= now


def day_of(text: str) -> date | None:
    return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None


def marks_of(image: ImageRecord) -> list[str]:
    """The days of the marks, as they are written."""
    return [tag[len(MARKED) + 1 :] for tag in image.tags if re.match(rf"{MARKED}(=|\.|$)", tag)]


def is_vetoed(image: ImageRecord) -> bool:
    """Whether its tags say that somebody wants a marked image to stay."""
    days = marks_of(image)
    signed = any(tag.startswith(SIGNED) for tag in image.tags)
    revived = SWITCHED_OFF in image.tags and image.status == "active"
    return (signed and not days) or any(day_of(day) is None for day in days) or (bool(days) and revived)


def is_signed(image: ImageRecord, policy: Json) -> bool:
    return any(tag.startswith(signature(policy)) for tag in image.tags)


def is_signed_by_others_alone(image: ImageRecord, policy: Json) -> bool:
    return any(tag.startswith(SIGNED) for tag in image.tags) and not is_signed(image, policy)


def is_begun(image: ImageRecord) -> bool:
    """Whether a run was setting a mark, or taking it off."""
    return any(tag.startswith(("reaper-draft", "reaper-recall")) for tag in image.tags)


def is_due(image: ImageRecord, policy: Json, now: datetime) -> bool:
    """Whether its grace is over, if it has one, and nobody has promised a longer one or has objected."""
    days = marks_of(image)
    over = all(_over(day, now) for day in days)
    if is_vetoed(image):
        return False
    if "grace" not in policy:
        return over
    told = not (policy.get("deactivate") and SWITCHING_OFF in image.tags and is_signed(image, policy))
    return bool(days) and over and told and not is_signed_by_others_alone(image, policy) and not is_begun(image)


def is_acted_on(image: ImageRecord, policy: Json, now: datetime) -> bool:
    """Whether a run deletes, marks or deactivates it."""
    days, others = marks_of(image), is_signed_by_others_alone(image, policy)
    if is_vetoed(image):
        return False
    forgotten = others and all(_over(day, now - timedelta(days=FORGOTTEN_AFTER)) for day in days)
    told = SWITCHED_OFF in image.tags or SWITCHING_OFF in image.tags
    switched = policy.get("deactivate", False) and is_signed(image, policy) and image.status == "active" and not told
    return not days or forgotten or switched or is_due(image, policy, now)


def is_over(policy: Json, project: Mapping[str, ImageRecord], now: datetime) -> bool:
    """Whether more is selected than one run may do, not counting what waits, or stays by a veto."""
    ours = [image for image in project.values() if image.owner == DEMO]
    acts = [image_id for image_id in selected(policy, ours, now) if is_acted_on(project[image_id], policy, now)]
    share = policy.get("limit_percent", 50)
    return len(acts) > policy.get("limit", 25) or len(acts) > float(share) / 100 * len(ours)


def deletable(policy: Json, cloud: FakeCloud, now: datetime) -> set[str]:
    """What a run may delete: selected, allowed by every rule, due, and not too much."""
    if is_over(policy, cloud.images, now):
        return set()
    return {
        image_id
        for image_id in selected(policy, cloud.images.values(), now)
        if may_go(image := cloud.images[image_id], cloud, now, policy) and is_due(image, policy, now)
    }


def state_of(cloud: FakeCloud) -> str:
    """Everything that the cloud holds, to be compared."""
    return json.dumps(cloud.summary(), sort_keys=True, default=str)
