"""Images whose record can't be read: named, left alone, and no trouble to a policy that they do not matter to."""

import json
from typing import Any

import pytest

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.model.outcome import Decision
from tests.conftest import Context, Invocation, Invoke
from tests.fakecloud import FakeCloud, Server

ODD: dict[str, Any] = {
    "tags": [None, ["a", 1], "ci", {}],
    "protected": [None, "false", 0],
    "visibility": [None, "all", 7],
    "status": [None, "", 7],
    "name": [7, ["ci-1"]],
    "owner": [7],
    "updated_at": [7],
    "checksum": [{}],
}
CASES = [pytest.param(field, value, id=f"{field}={value!r}") for field, values in ODD.items() for value in values]
LISTS = r"/images$"


def spoil(cloud: FakeCloud, image: str, field: str, *value: object) -> None:
    """Let the cloud give another value for a field of an image, or none, wherever the image is described."""

    def spoilt(record: dict[str, Any]) -> dict[str, Any]:
        rest = {key: old for key, old in record.items() if key != field}
        return rest | ({field: value[0]} if value else {}) if record.get("id") == image else record

    def edit(body: dict[str, Any]) -> dict[str, Any]:
        return body | {"images": list(map(spoilt, body["images"]))} if "images" in body else spoilt(body)

    cloud.fault("GET", rf"/images(/{image})?$", status=None, edit=edit, times=None)


def sweep(select: dict[str, Any] | None = None, **policy: object) -> dict[str, Any]:
    return {"sweep": {"select": select or {"name": "ci-*"}, "limit_percent": 100, **policy}}


def four(cloud: FakeCloud) -> tuple[str, list[str]]:
    """An image that can't be read, and three others."""
    return cloud.add_image("ci-odd", tags=["ci"]), [cloud.add_image(f"ci-{n}", tags=["ci"]) for n in range(3)]


def detail(run: Invocation, image: str) -> str:
    return next(str(told["detail"]) for told in run.answer["outcomes"] if told["image_id"] == image)


@pytest.mark.parametrize(("field", "value"), CASES)
def test_a_sweep_names_an_image_that_it_cannot_read_and_deletes_the_others(
    invoke: Invoke, cloud: FakeCloud, field: str, value: object
) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, field, value)
    run = invoke(sweep())
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}
    assert f"its {field} can't be read: {str(value)!r}" in detail(run, odd)
    assert run.answer["sweeps"][0]["looked_at"] == 4


@pytest.mark.parametrize("field", ["tags", "protected", "visibility", "status", "owner"])
def test_an_image_that_lacks_a_field_is_left_alone(invoke: Invoke, cloud: FakeCloud, field: str) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, field)
    run = invoke(sweep())
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}


@pytest.mark.parametrize(("field", "value"), CASES)
def test_an_image_named_by_id_fails_alone_and_names_the_field(
    invoke: Invoke, cloud: FakeCloud, field: str, value: object
) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, field, value)
    run = invoke({"image_ids": [odd, *others]})
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}
    assert field in detail(run, odd)


@pytest.mark.parametrize("select", [{"name": "web-*"}, {"tags": ["web"]}, {"older_than": "900d"}], ids=str)
def test_a_policy_that_does_not_select_it_by_what_can_be_read_is_not_hurt(
    invoke: Invoke, cloud: FakeCloud, select: dict[str, Any]
) -> None:
    odd, _ = four(cloud)
    spoil(cloud, odd, "protected", "false")
    web = cloud.add_image("web-1", tags=["web"], created_at="2020-01-01T00:00:00Z")
    run = invoke(sweep(select, grace="1d"))
    assert run.outcomes == {web: ("marked", "")}


def test_what_cannot_be_read_may_be_what_the_policy_selects(invoke: Invoke, cloud: FakeCloud) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, "tags", None)
    run = invoke(sweep({"tags": ["ci"]}))
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}


@pytest.mark.parametrize(
    ("field", "group_by", "ends"),
    [
        ("name", "name", True),
        ("tags", "tag-prefix:c", True),
        ("tags", "name", False),
        ("protected", "name", False),
        ("name", "property:kind", False),
    ],
)
def test_a_policy_that_keeps_the_newest_ends_where_nobody_knows_the_group(
    invoke: Invoke, cloud: FakeCloud, field: str, group_by: str, *, ends: bool
) -> None:
    odd = cloud.add_image("ci-odd", tags=["ci"], kind="ci")
    for n in range(3):
        cloud.add_image(f"ci-{n}", tags=["ci"], kind="ci", created_at=f"2020-01-0{n + 1}T00:00:00Z")
    spoil(cloud, odd, field, 7)
    run = invoke(sweep(keep={"newest": 1, "group_by": group_by}))
    assert len(cloud.dead) == (0 if ends else 2)
    assert run.outcomes["" if ends else odd] == ("failed", "unexpected")
    assert odd in run.printed


def test_an_image_that_can_be_among_no_newest_does_not_end_the_policy(invoke: Invoke, cloud: FakeCloud) -> None:
    odd, others = cloud.add_image("ci-odd", status="deactivated"), [cloud.add_image(f"ci-{n}") for n in range(2)]
    spoil(cloud, odd, "name", 7)
    run = invoke(sweep(keep={"newest": 1}))
    assert run.outcomes[odd] == ("failed", "unexpected")
    assert len(set(cloud.dead) & set(others)) == 1


def test_an_image_that_cannot_be_read_counts_for_no_cap(invoke: Invoke, cloud: FakeCloud) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, "tags", None)
    run = invoke(sweep(limit=3))
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("deleted", ""))}


def test_a_rehearsal_names_it_as_well_and_no_plan_holds_it(invoke: Invoke, cloud: FakeCloud) -> None:
    odd, others = four(cloud)
    spoil(cloud, odd, "tags", None)
    run = invoke(sweep(), REAPER_MODE="dry-run")
    assert run.outcomes == {odd: ("failed", "unexpected"), **dict.fromkeys(others, ("would_delete", ""))}
    assert odd not in json.dumps(run.answer["plan"])


def test_an_image_that_cannot_be_read_may_still_need_its_parent(invoke: Invoke, cloud: FakeCloud) -> None:
    parent = cloud.add_image("base")
    odd = cloud.add_image("child", base_image_ref=parent)
    spoil(cloud, odd, "tags", None)
    assert invoke({"image_ids": [parent]}, REAPER_IN_USE_ALSO="images").outcomes == {parent: ("refused", "in_use")}


def test_a_witness_hears_why_an_image_cannot_be_judged(cloud: FakeCloud, server: Server) -> None:
    odd, _ = four(cloud)
    spoil(cloud, odd, "protected", "false")
    heard = list[Decision]()
    invocation.process(sweep(), Context(), Settings.from_env(cloud.env(server.url)), aws, observe=heard.append)
    why = {decision.image.id: decision.objection for decision in heard}[odd]
    assert why
    assert (why.reason, why.detail) == ("unexpected", "its protected can't be read: 'false'")
