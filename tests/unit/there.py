"""The function on FunctionGraph, with a fake cloud that looks like Open Telekom Cloud, and its events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Invocation, Invoke, load_event
from tests.contexts import RuntimeContext
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.front import Front

TIMER, SMN, KAFKA, CTS, EVENTGRID = (
    load_event(f"functiongraph-{name}") for name in ("timer", "smn", "kafka", "cts", "eventgrid")
)


OBS = "obs.eu-de.otc.t-systems.com"


class There:
    """The function on FunctionGraph: armed, with an agency, unless a setting says otherwise."""

    def __init__(self, invoke: Invoke, front: Front, cloud: FakeCloud) -> None:
        self._invoke = invoke
        self._front = front
        self.cloud = cloud
        self.context = RuntimeContext(keys=keys_of(cloud), project=DEMO)

    def __call__(self, event: object, *, seconds: float = 60.0, context: object = None, **settings: str) -> Invocation:
        """Invoke it once."""
        return self._invoke(event, self.environment() | settings, seconds, context or self.context)

    def environment(self) -> dict[str, str]:
        """The variables of a function that has an agency."""
        return {"REAPER_MODE": "delete", "OS_REGION_NAME": "eu-de", **self._front.environment()}

    def published(self, topic: str) -> list[dict[str, Any]]:
        """The messages that were published to a topic; the event in each is parsed."""
        told = [json.loads(one["message"]) for one in self.cloud.topics[topic]]
        return [one | {"request_payload": json.loads(one["request_payload"])} for one in told]


def keys_of(cloud: FakeCloud, number: int = 1) -> tuple[str, str, str]:
    """Temporary keys of the agency, which the cloud knows from now on."""
    key = cloud.keys.temporary(number)
    return key.access, key.secret, key.token


@pytest.fixture
def there(invoke_there_with: Invoke, moto: str) -> Iterator[There]:
    """The function, with moto's server in the place of OBS."""
    cloud, at = FakeCloud("otc"), urlsplit(moto)
    with Server(cloud) as server, Front(server, more={OBS: (str(at.hostname), at.port or 0)}) as front:
        yield There(invoke_there_with, front, cloud)


def timer(request: object) -> dict[str, Any]:
    return TIMER | {"user_event": request if isinstance(request, str) else json.dumps(request)}


def smn(*messages: object, topic: str = "urn:smn:eu-de:p:builds") -> dict[str, Any]:
    (record,) = SMN["record"]
    told = [{"message": one if isinstance(one, str) else json.dumps(one), "topic_urn": topic} for one in messages]
    return SMN | {"record": [record | {"smn": record["smn"] | one} for one in told]}


def kafka(*records: Sequence[object], trigger: str = "KAFKA") -> dict[str, Any]:
    texts = [[one if isinstance(one, str) else json.dumps(one) for one in messages] for messages in records]
    told = [{"messages": messages, "topic_id": f"topic-{n}"} for n, messages in enumerate(texts)]
    return KAFKA | {"trigger_type": trigger, "records": told}


def trace(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"cts": CTS["cts"] | changes}
