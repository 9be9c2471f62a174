"""Every file of `events/` before the fake cloud and before the real services: the same images go, the others stay."""

import json
from typing import Any

from handler.errors import ReaperError
from tests.conftest import EVENTS, load_event
from tests.contract.cloud import Cloud
from tests.contract.handling import Function
from tests.fakecloud import FakeCloud, Server

DEMO_SEED = EVENTS.parent / "tests/fakecloud/seed_demo.json"
SCHEDULED = {"image_ids": ["6cad483b-e281-4985-a345-7afef1f3c504"]}
ACTIVATED = {"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 1}}}
BUSY, DELETED, GONE, WOULD = "refused not_ready", "deleted", "already_gone", "would_delete"
UNKNOWN = ("apig", "rabbitmq", "obs", "lts", "dds", "gaussdb", "dis", "failure")
FILES: dict[str, str | dict[str, str]] = {
    "direct": {"501": WOULD, "502": WOULD, "503": "refused changed", "505": "refused protected", "000": GONE},
    "direct-approve": "InvalidRequest",
    "direct-bad": "InvalidRequest",
    "queue": {"501": DELETED, "502": DELETED, "505": "refused protected", "000": GONE},
    "queue-bad": {"502": GONE},
    "queue-fifo": {"506": "refused in_use", "503": DELETED, "504": DELETED},
    "topic": {"504": GONE, "507": "refused shared", "508": "refused not_owner"},
    "topic-bad": "InvalidRequest",
    "topic-test": {},
    "schedule": {"510": BUSY, "514": "refused kept", "513": DELETED},
    "schedule-bad": "InvalidRequest",
    "schedule-sweep": {"515": DELETED, "516": DELETED, "517": DELETED},
    "schedule-scheduler": {"504": GONE},
    "lifecycle": {"506": "refused in_use", "511": "refused kept", "503": GONE},
    "lifecycle-bad": "InvalidRequest",
    "lifecycle-activated": {"518": DELETED},
    "lifecycle-custom": {"501": GONE, "509": "refused public", "512": DELETED},
    "stack-create": {},
    "stack-delete": {"513": GONE, "000": GONE},
    "stack-bad": {},
    "unknown-s3": "UnknownEvent",
    "functiongraph-timer": {"519": DELETED},
    "functiongraph-timer-bad": "InvalidRequest",
    "functiongraph-smn": {"504": GONE, "507": "refused shared"},
    "functiongraph-kafka": {"501": GONE, "502": GONE, "505": "refused protected"},
    "functiongraph-kafka-bad": "ImagesFailed",
    "functiongraph-rocketmq": {"503": GONE},
    "functiongraph-cts": {"518": "refused changed"},
    "functiongraph-eventgrid": {"519": "refused changed"},
    **{f"functiongraph-unknown-{name}": "UnknownEvent" for name in UNKNOWN},
}
"""What each file does, one after the other: outcome and reason of each image, by the end of its id; or an error."""


def build_house(cloud: Cloud) -> list[str]:
    """Make the images of the demo, and its server: what cannot be made through the APIs is left out. Gives the ids."""
    seed = json.loads(DEMO_SEED.read_text())
    for image in seed["images"]:
        user = "neighbour" if "owner" in image else "reaper"
        shared = {"visibility": "shared"} if "members" in image or image.get("visibility") == "public" else {}
        known = {key: image[key] for key in ("id", "protected", "tags") if key in image}
        (cloud.queue if "status" in image else cloud.add_image)(image["name"], user, **known, **shared)
        if image.get("visibility") == "public":
            cloud.backend.publish(image["id"])
        if "members" in image:
            cloud.share(image["id"], accept=True, owner=user)
    for server in seed["servers"]:
        if "image" in server:
            cloud.add_server(server["name"], image=server["image"])
    return [image["id"] for image in seed["images"]]


def run_file(function: Function, name: str, sink: Server, project_id: str) -> str | dict[str, str]:
    """Run one of the files, as a project of this cloud would send it; what its outcomes were, or what it raised."""
    event = load_event(name)
    if "owner" in event.get("detail", {}):
        event["detail"]["owner"] = project_id
    if "ResponseURL" in event:
        event["ResponseURL"] = f"{sink.url}/sink/{name}"
    scheduled, activated = json.dumps(SCHEDULED), json.dumps(ACTIVATED)
    for trace in (event.get("cts"), event.get("data")):
        if isinstance(trace, dict) and "project_id" in trace:
            trace["project_id"] = project_id
    standing: Any = {"REAPER_SCHEDULED_REQUEST": scheduled, "REAPER_LIFECYCLE_REQUEST": activated}
    run = function.invoke(event, there=name.startswith("functiongraph-"), **standing)
    assert run.error is None or isinstance(run.error, ReaperError)
    told = [line for line in run.logs if line["message"].startswith("image.") and "outcome" in line]
    outcomes = {line["image_id"][-3:]: f"{line['outcome']} {line['reason']}".strip() for line in told}
    return type(run.error).__name__ if run.error else outcomes


def test_every_file_of_events_does_the_same_everywhere(cloud: Cloud, function: Function) -> None:
    image_ids = build_house(cloud)
    sink_of_cloudformation = FakeCloud()
    with Server(sink_of_cloudformation) as sink:
        assert {name: run_file(function, name, sink, cloud.demo) for name in FILES} == FILES
    answers = {name: json.loads(body)["Status"] for name, (body,) in sink_of_cloudformation.sink.items()}
    assert answers == {"stack-create": "SUCCESS", "stack-delete": "SUCCESS", "stack-bad": "FAILED"}
    gone = {"501", "502", "503", "504", "512", "513", "515", "516", "517", "518", "519"}
    stay = [image_id for image_id in image_ids if image_id[-3:] not in gone]
    assert [image_id for image_id in image_ids if cloud.stands(image_id, owner_of(image_id))] == stay


def owner_of(image_id: str) -> str:
    return "neighbour" if image_id[-3:] in {"508", "509"} else "reaper"


def test_every_file_is_run() -> None:
    assert set(FILES) == {path.stem for path in EVENTS.glob("*.json")}
