"""A world on FunctionGraph, where it differs from Lambda: in settings, events, context, and the topic of failures.

A broker delivers its messages once, and takes none back. Every event is sent again if the function raises.
"""

import json
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.fakecloud import DEMO

if TYPE_CHECKING:
    from tests.chaos.world import World

Json = dict[str, Any]
ENGINE = "functiongraph"
REGION = "eu-de"
TOPIC = f"urn:smn:{REGION}:{DEMO}:failures"
REFUSED = (
    "REAPER_STATE_TABLE",
    "REAPER_BUDGET",
    "REAPER_FANOUT_QUEUE_URL",
    "REAPER_CREDENTIALS_SECRET",
    "REAPER_COMPLETE_LIFECYCLE_ACTION",
    "REAPER_REPORT_BUCKET",
    "REAPER_NOTICE_TOPIC",
)
"""The settings that need AWS, or what a world has only there."""
STANDING = json.dumps({"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 2}}, "reason": "a new {name}"})
EVERY = 4
"""Every fourth seed is a world on FunctionGraph."""


class Keys(NamedTuple):
    """The temporary keys of the function's agency."""

    access_key: str
    secret_key: str
    security_token: str


class Context:
    """The context of an invocation; its remaining time is as wrong as that of the open-source counterpart."""

    def __init__(self, request_id: str, keys: Sequence[str]) -> None:
        self._request_id, self._keys = request_id, Keys(*keys)

    def getRequestID(self) -> str:  # noqa: N802 (the runtime's name)
        return self._request_id

    def getRemainingTimeInMilliSeconds(self) -> int:  # noqa: N802 (the same)
        return 30

    def getSecurityAccessKey(self) -> str:  # noqa: N802 (the same)
        return self._keys.access_key

    def getSecuritySecretKey(self) -> str:  # noqa: N802 (the same)
        return self._keys.secret_key

    def getSecurityToken(self) -> str:  # noqa: N802 (the same)
        return self._keys.security_token

    def getUserData(self, _name: str) -> str | None:  # noqa: N802 (the same)
        return None


def cast(seed: int, on_lambda: Mapping[str, Any]) -> Json:
    """The cast of a seed on FunctionGraph; on Lambda, the given one."""
    rng = random.Random(f"engine {seed}")
    if seed % EVERY:
        return dict(on_lambda)
    api = rng.choice(("ims", "ims", "ecs-v2.1", "ecs-v2"))
    own = {
        "REAPER_IMAGE_API": api,
        "REAPER_FAILED_TO": rng.choice((TOPIC, TOPIC, "")),
        "REAPER_LIFECYCLE_REQUEST": rng.choice((STANDING, STANDING, "")),
    }
    settings = {**on_lambda["settings"], **own}
    return {**on_lambda, "engine": ENGINE, "api": api, "flavour": "otc", "fifo": False, "settings": fitting(settings)}


def fitting(settings: Mapping[str, str]) -> dict[str, str]:
    """Those settings that a function on FunctionGraph takes."""
    taken = {name: value for name, value in settings.items() if name not in REFUSED}
    return taken | ({"REAPER_FAILED_TO": TOPIC} if taken.get("REAPER_FAILED_TO") else {})


def variables(project: str, front: Mapping[str, str]) -> dict[str, str]:
    """What the runtime itself puts into the environment, and the way to the cloud."""
    return {"RUNTIME_PROJECT_ID": project, "OS_REGION_NAME": REGION, **front}


def event(source: str, asked: Json, world: "World") -> Json:
    """An event of any source but a broker."""
    if source == "schedule":
        told = {"version": "v1.0", "time": "2031-05-17T12:00:00Z", "trigger_type": "TIMER", "trigger_name": "nightly"}
        return told | {"user_event": json.dumps(asked)}
    if source == "topic":
        smn = {"topic_urn": f"urn:smn:{REGION}:{DEMO}:reap", "message": json.dumps(asked), "type": "notification"}
        return {"record": [{"event_version": "1.0", "smn": smn, "event_source": "smn"}], "functionname": "reaper"}
    return {"cts": _trace(world)} if source == "lifecycle" else asked


def _trace(world: "World") -> Json:
    """A trace that says that one of the images was made; which one depends on how many there are."""
    made = list(world.history.images.values())
    image = made[len(made) // 2][-1][1] if made else None
    number = len(made)
    return {
        "time": (1765788999507, 1765788999, "2031/05/17 12:00:00 GMT+00:00")[number % 3],
        "service_type": "IMS",
        "trace_name": "createImage",
        "trace_status": "normal",
        "resource_type": "ims",
        "resource_id": image.id if image else world.new_id(),
        "resource_name": image.name if image else "none",
        "request": ("", {}, "{}")[number % 3],
        "response": ({}, "", "{}")[number % 3],
        "code": (200, "200", 0)[number % 3],
    } | ({"project_id": world.land.other if number % 7 == 3 else world.land.project} if number % 4 else {})


def batch(bodies: Sequence[str], number: int) -> Json:
    """A batch as a broker delivers it: in one record, or in two."""
    half = len(bodies) // 2 if number % 3 == 0 else 0
    parts = [part for part in (bodies[:half], bodies[half:]) if part]
    return {
        "event_version": "v1.0",
        "event_time": 1576737962,
        "trigger_type": ("KAFKA", "ROCKETMQ")[number % 2],
        "region": REGION,
        "instance_id": "08fd3e1b",
        "records": [{"messages": list(part), "topic_id": f"topic-{n}"} for n, part in enumerate(parts)],
    }
