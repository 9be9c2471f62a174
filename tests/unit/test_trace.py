"""X-Ray's header: what a sweep leaves to workers can be followed to them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws import KEYS, client
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud
from tests.unit.conftest import Relay

SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit": 1000, "limit_percent": 100}}
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
OTHER = "Root=1-5759e989-cd862e3fe1be46a994272793;Parent=63995c3f42cd8ad8;Sampled=0;Lineage=1:a87bd80c:1|68fd508a:5"


@pytest.fixture
def settings(moto: str, relay: Relay, cloud: FakeCloud) -> Iterator[dict[str, str]]:
    """The settings of a sweep that has twelve images for its workers, and so two messages."""
    for number in range(12):
        cloud.add_image(f"ci-{number}")
    sqs = client("sqs", moto)
    url = str(sqs.create_queue(QueueName="traced")["QueueUrl"])
    yield KEYS | {"REAPER_FANOUT_QUEUE_URL": url, "AWS_ENDPOINT_URL_SQS": relay.url}
    sqs.delete_queue(QueueUrl=url)


def attributes(relay: Relay) -> list[dict[str, Any]]:
    """What each message said beside its body, and the entry's own id, since the last look."""
    sent = [entry for call in relay.calls for entry in json.loads(call.body)["Entries"]]
    relay.calls.clear()
    return [{key: value for key, value in entry.items() if key not in {"Id", "MessageBody"}} for entry in sent]


def traced(header: str) -> dict[str, Any]:
    return {"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}}


def test_each_invocation_passes_its_own_trace_on_to_its_workers(
    invoke: Invoke, relay: Relay, settings: dict[str, str]
) -> None:
    for header in (HEADER, OTHER):
        assert invoke(SWEEP, _X_AMZN_TRACE_ID=header, **settings).answer["counts"] == {"would_delete": 12}
        assert attributes(relay) == [traced(header)] * 2


@pytest.mark.parametrize(
    "header",
    [
        *("", "nonsense", "Root=1-5759e988", f"{HEADER}\r\nX-Other: 1", f"{HEADER};", f"{HEADER};Self=\u00e4"),
        *(f"Root=2{HEADER[6:]}", f"{HEADER};A={'b' * 256}", f" {HEADER}", f"{HEADER}\n"),
    ],
    ids=range(10),
)
def test_a_header_that_is_none_is_not_passed_on_and_keeps_nothing_back(
    header: str, invoke: Invoke, relay: Relay, settings: dict[str, str]
) -> None:
    assert invoke(SWEEP, _X_AMZN_TRACE_ID=header, **settings).answer["counts"] == {"would_delete": 12}
    assert attributes(relay) == [{}] * 2


def test_an_event_that_is_handed_over_has_no_trace(invoke: Invoke, relay: Relay, settings: dict[str, str]) -> None:
    """Each redrive would take it one hop further, and in the end Lambda would drop it as a loop."""
    failed = KEYS | {"REAPER_FAILED_TO": settings["REAPER_FANOUT_QUEUE_URL"], "AWS_ENDPOINT_URL_SQS": relay.url}
    over = {"sweep": SWEEP["sweep"] | {"limit": 1}}
    event = {"detail-type": "Scheduled Event", "detail": over}
    assert not invoke(event, _X_AMZN_TRACE_ID=HEADER, **failed).answer["ok"]
    assert attributes(relay) == [{}]
