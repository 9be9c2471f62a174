"""Events that say that an image has become active, and the request that they stand for."""

import json
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.model.message import Rejected
from handler.model.request import Keep, Select, SweepRequest, Target
from handler.sources.activation import activated, check, request_for
from handler.sources.shapes import read_event
from tests.conftest import UNKNOWN_ID, Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
IMAGE = {"name": "ci-build-7", "image_id": ID, "owner": DEMO}
TOLD = {**IMAGE, "family": "ci-build"}
GLANCE = {
    "event_type": "image.activate",
    "payload": {"id": ID, "name": "ci-build-7", "owner": DEMO, "status": "active"},
}
TRACE = {
    "service_type": "IMS",
    "trace_name": "createImage",
    "resource_id": ID,
    "resource_name": "ci-build-7",
    "project_id": DEMO,
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "ours": ("Image Activated", IMAGE),
    "glance": ("Glance Notification", GLANCE),
    "glance over oslo": ("Glance Notification", {"oslo.version": "2.0", "oslo.message": json.dumps(GLANCE)}),
    "trace": ("Cloud Trace", TRACE),
    "trace of a trigger": ("Cloud Trace", {"cts": TRACE}),
}
TEMPLATE = {"sweep": {"select": {"family": "{family}"}, "keep": {"newest": 3}, "limit_percent": 100}}
BY_GLOB = {"sweep": {"select": {"name": "{family}-*"}, "keep": {"newest": 3}, "limit_percent": 100}}
ACTIVATED = Target(ID, (("name", "ci-build-7"), ("owner", DEMO), ("status", "active")))
shapes = pytest.mark.parametrize(("kind", "detail"), SHAPES.values(), ids=list(SHAPES))


def bus(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"version": "0", "detail-type": kind, "source": "our.cloud", "detail": detail}


@shapes
def test_an_activated_image_is_recognised_in_every_shape(kind: str, detail: dict[str, Any]) -> None:
    assert activated(kind, detail) == TOLD


@pytest.mark.parametrize(
    "detail",
    [
        {},
        IMAGE,
        GLANCE | {"event_type": "image.delete"},
        GLANCE | {"payload": "x"},
        TRACE | {"trace_name": "deleteImage"},
        TRACE | {"service_type": "ECS"},
        TRACE | {"trace_status": "warning"},
        {"cts": "x"},
    ],
    ids=str,
)
def test_any_other_event_is_no_activation(detail: dict[str, Any]) -> None:
    assert activated("Something Else", detail) is None


def test_the_values_of_the_event_fill_the_template_in() -> None:
    template = TEMPLATE | {"project_id": "{owner}", "reason": "{name} ({image_id}) is active"}
    assert request_for(TOLD, json.dumps(template)) == SweepRequest(
        Select(family="ci-build"),
        Keep(3),
        limit_percent=100,
        project_id=DEMO,
        reason=f"ci-build-7 ({ID}) is active",
        activated=ACTIVATED,
    )


@pytest.mark.parametrize("name", ["*-1", "?-1", "[a-z]-1", "*"])
def test_a_name_with_wildcards_selects_only_itself(name: str) -> None:
    values = activated("Image Activated", {"name": name, "image_id": ID})
    assert values
    found = request_for(values, json.dumps(BY_GLOB))
    assert isinstance(found, SweepRequest)
    assert found.select.name == values["family"].replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") + "-*"


def test_a_reason_that_gets_too_long_is_cut() -> None:
    template = TEMPLATE | {"reason": "{name} is active"}
    found = request_for(TOLD | {"name": "x" * 255}, json.dumps(template))
    assert len(found.reason) == 256


@pytest.mark.parametrize("name", [None, "", 7, ["ci"]])
def test_an_event_that_does_not_tell_what_is_asked_for_is_refused(name: object) -> None:
    values = activated("Image Activated", {"name": name, "image_id": ID})
    assert values is not None
    with pytest.raises(InvalidRequest, match="does not give the family"):
        request_for(values, json.dumps(TEMPLATE))


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{", "not JSON"),
        ('{"sweep": {"select": {"name": "{flavour}"}}}', r"\{flavour\} is none of"),
        ('{"sweep": {"select": {"name": "{}"}}}', r"\{\} is none of"),
        ('{"sweep": {"select": {}}}', "at least one condition"),
        ('{"image_ids": ["{name}"]}', "must be a UUID"),
    ],
)
def test_a_template_that_no_event_could_fill_in_is_refused(template: str, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        check(template)


def test_a_request_in_the_event_wins_over_the_template() -> None:
    event = bus("Image Activated", {"image_ids": [ID]})
    (message,) = read_event(event, lifecycle_request=json.dumps(TEMPLATE)).messages
    assert not isinstance(message.request, SweepRequest | Rejected)


@shapes
def test_an_activation_sweeps_the_family_of_the_image(
    invoke: Invoke, cloud: FakeCloud, kind: str, detail: dict[str, Any]
) -> None:
    builds = add_family(cloud, "ci-build", 4)
    others = {*add_family(cloud, "ci-build-gpu", 5), cloud.add_image("ci-other-1"), cloud.add_image("ci-buildx-1")}
    new = cloud.add_image("ci-build-7", id=ID, created_at="2026-01-09T00:00:00Z")
    run = invoke(bus(kind, detail), REAPER_LIFECYCLE_REQUEST=json.dumps(TEMPLATE))
    assert run.answer["counts"] == {"deleted": 2}
    assert set(cloud.images) == {*builds[2:], new, *others}


FALSE_CLAIMS: dict[str, dict[str, Any]] = {
    "another name": {"name": "prod-7"},
    "another project": {"owner": OTHER},
    "still queued": {"status": "queued"},
    "deactivated": {"status": "deactivated"},
    "another id": {"id": UNKNOWN_ID},
}


@pytest.mark.parametrize("truth", FALSE_CLAIMS.values(), ids=list(FALSE_CLAIMS))
@pytest.mark.parametrize("settings", [{}, {"REAPER_MODE": "dry-run"}], ids=["armed", "rehearsed"])
@pytest.mark.parametrize("template", [TEMPLATE, BY_GLOB, {"image_ids": ["{image_id}"]}], ids=["family", "glob", "id"])
def test_the_name_in_an_event_decides_nothing_unless_the_image_bears_it(
    invoke: Invoke, cloud: FakeCloud, truth: dict[str, Any], settings: dict[str, str], template: dict[str, Any]
) -> None:
    builds = add_family(cloud, "ci-build", 5)
    claimed = cloud.add_image(**{"name": "ci-build-7", "id": ID} | truth)
    event = bus("Image Activated", IMAGE)
    run = invoke(event, REAPER_LIFECYCLE_REQUEST=json.dumps(template), **settings)
    (outcome,) = run.answer["outcomes"]
    assert (outcome["image_id"], outcome["outcome"]) == (ID, "refused")
    assert outcome["reason"] in {"changed", "not_owner"}
    assert set(cloud.images) == {*builds, claimed}


def test_the_owner_in_an_event_decides_nothing_unless_the_image_has_it(invoke: Invoke, cloud: FakeCloud) -> None:
    template = {"sweep": {"select": {"tags": ["team={owner}"]}, "limit_percent": 100}}
    others, claimed = cloud.add_image("ci-1", tags=["team=victim"]), cloud.add_image("ci-build-7", id=ID)
    event = bus("Image Activated", IMAGE | {"owner": "victim"})
    run = invoke(event, REAPER_LIFECYCLE_REQUEST=json.dumps(template))
    assert run.outcomes == {ID: ("refused", "changed")}
    assert set(cloud.images) == {others, claimed}


def test_a_cloud_that_does_not_show_the_activated_image_is_a_failure(invoke: Invoke, cloud: FakeCloud) -> None:
    builds = {*add_family(cloud, "ci-build", 5), cloud.add_image("ci-build-7", id=ID)}
    cloud.fault("GET", ID, status=403, body={"message": "Forbidden by policy"}, times=None)
    event = bus("Image Activated", IMAGE)
    run = invoke(event, REAPER_LIFECYCLE_REQUEST=json.dumps(TEMPLATE))
    assert f"{ID} denied" in str(run.error)
    assert set(cloud.images) == builds


@pytest.mark.parametrize("image_id", [None, "", 7, "../servers", ID.replace("-", "")], ids=repr)
def test_an_event_without_the_id_of_its_image_is_turned_down(
    invoke: Invoke, cloud: FakeCloud, image_id: object
) -> None:
    builds = add_family(cloud, "ci-build", 5)
    event = bus("Image Activated", IMAGE | {"image_id": image_id})
    run = invoke(event, REAPER_LIFECYCLE_REQUEST=json.dumps(TEMPLATE))
    assert isinstance(run.error, InvalidRequest)
    assert "image_id" in str(run.error)
    assert set(cloud.images) == set(builds)
    assert not cloud.calls


def add_family(cloud: FakeCloud, family: str, number: int) -> list[str]:
    """Images of one family, from the oldest to the newest."""
    names = [(f"{family}-{n}", f"2026-01-0{n}T00:00:00Z") for n in range(1, number + 1)]
    return [cloud.add_image(name, created_at=born) for name, born in names]


@shapes
def test_without_a_template_an_activation_is_turned_down(
    invoke: Invoke, cloud: FakeCloud, kind: str, detail: dict[str, Any]
) -> None:
    image = cloud.add_image("ci-build-1")
    assert "REAPER_LIFECYCLE_REQUEST is not set" in str(invoke(bus(kind, detail)).error)
    assert invoke(queue(bus(kind, detail))).returned == ["m0"]
    assert set(cloud.images) == {image}
