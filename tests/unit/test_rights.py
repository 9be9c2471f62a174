"""The calls that the function sends to the cloud are those of the table of rights, feature by feature."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest

from handler.compose import secret
from tests.conftest import UNKNOWN_ID, Invocation, Invoke
from tests.fakecloud import DEMO, FakeCloud
from tests.fakecloud.records import Call
from tests.fakecloud.rights import ACTIONS
from tests.fakecloud.urls import HOST, ROUTES
from tests.rights import SECTION, Row, access_rules, rows
from tests.signing import signing
from tests.unit.test_documents import OPERATIONS, names, table

# What they run through, the tests of each feature cover.
pytestmark = pytest.mark.no_cover

SERVICES = {"iam": "identity", "ims": "image", "ecs": "compute", "volume": "volumev3", "evs": "volumev3"}
"""The types of the services that the fake cloud puts under paths of other names."""
PLACES = {"identity": "iam", "image": "ims", "compute": "ecs", "volumev3": "evs", "as": "as"}
"""Where the fake cloud puts each service when it looks like Open Telekom Cloud."""
ROWS = rows()


# The features


def delete(invoke: Invoke, cloud: FakeCloud, *, backup: bool = False, **settings: str) -> Invocation:
    """Let a shared image be deleted beside a server that was booted from a volume."""
    image, used = cloud.add_image(visibility="shared"), cloud.add_image()
    cloud.add_volume(image=used, server=cloud.add_server())
    request = {"image_ids": [image, used]} | ({"delete_backup": True} if backup else {})
    run = invoke(request, **settings)
    done = "would_delete" if settings.get("REAPER_MODE") == "dry-run" else "deleted"
    assert run.outcomes == {image: (done, ""), used: ("refused", "in_use")}
    return run


def sweep(invoke: Invoke, cloud: FakeCloud, **settings: str) -> None:
    image = cloud.add_image("ci-1")
    invoke({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}, **settings)
    assert image in cloud.dead


def mark_and_release(invoke: Invoke, cloud: FakeCloud, *, deactivate: bool = False, **settings: str) -> None:
    image = cloud.add_image("ci-1")
    policy = {"select": {"name": "ci-*"}, "limit_percent": 100, "grace": "7d"}
    request = {"sweep": policy | ({"deactivate": True} if deactivate else {})}
    assert invoke(request, **settings).outcomes == {image: ("marked", "")}
    cloud.images[image].name = "prod-1"
    invoke(request, **settings)
    assert (cloud.images[image].tags, cloud.images[image].status) == ([], "active")


def use_ims(invoke: Invoke, cloud: FakeCloud) -> None:
    sweep(invoke, cloud, REAPER_IMAGE_API="ims")
    mark_and_release(invoke, cloud, REAPER_IMAGE_API="ims")


def use_ecs(invoke: Invoke, cloud: FakeCloud, api: str) -> None:
    delete(invoke, cloud, REAPER_IMAGE_API=api)
    cloud.catalog_without("image")
    secret.forget()  # with the catalogue that it knows
    assert invoke({"image_ids": [UNKNOWN_ID]}, REAPER_IMAGE_API=api).outcomes == {UNKNOWN_ID: ("already_gone", "")}


class Scene(NamedTuple):
    """A feature at work, in a cloud of some flavour, and what else it brings with it."""

    play: Callable[[Invoke, FakeCloud], object]
    flavour: str = "openstack"
    brings: tuple[str, ...] = ()


SCENES: Mapping[str, Scene] = {
    "": Scene(delete),
    "Mode=dry-run": Scene(lambda invoke, cloud: delete(invoke, cloud, REAPER_MODE="dry-run")),
    "delete_backup": Scene(
        lambda invoke, cloud: delete(invoke, cloud, backup=True, REAPER_IMAGE_API="ims"), flavour="otc"
    ),
    "sweep": Scene(sweep),
    "grace": Scene(mark_and_release, brings=("sweep",)),
    "deactivate": Scene(
        lambda invoke, cloud: mark_and_release(invoke, cloud, deactivate=True), brings=("sweep", "grace")
    ),
    "InUseAlso=images": Scene(lambda invoke, cloud: delete(invoke, cloud, REAPER_IN_USE_ALSO="images")),
    "InUseAlso=volumes": Scene(lambda invoke, cloud: delete(invoke, cloud, REAPER_IN_USE_ALSO="volumes,snapshots")),
    "InUseAlso=scaling": Scene(
        lambda invoke, cloud: delete(invoke, cloud, REAPER_IN_USE_ALSO="scaling"), flavour="otc"
    ),
    "Auth=aksk": Scene(lambda invoke, cloud: delete(invoke, cloud, REAPER_IMAGE_API="glance"), flavour="otc"),
    "ImageApi=ims": Scene(use_ims, flavour="otc"),
    "ImageApi=ecs-v2.1": Scene(lambda invoke, cloud: use_ecs(invoke, cloud, "ecs-v2.1"), flavour="otc"),
    "ImageApi=ecs-v2": Scene(lambda invoke, cloud: use_ecs(invoke, cloud, "ecs-v2"), flavour="otc"),
}


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    """A cloud for the scene that a test asks for."""
    feature = request.node.callspec.params.get("feature", "") if hasattr(request.node, "callspec") else ""
    return FakeCloud(SCENES[feature].flavour)  # type: ignore[arg-type]  # one of the two


@pytest.fixture
def invoke_to(
    invoke: Invoke, invoke_with: Invoke, clean_environment: pytest.MonkeyPatch, cloud: FakeCloud
) -> Iterator[Callable[[str], Invoke]]:
    """The function for a feature: it signs its requests where that is the feature."""
    with signing(cloud, invoke_with, clean_environment) as signatory:
        yield lambda feature: signatory.carry_out if feature == "Auth=aksk" else invoke


def asked(call: Call) -> tuple[str, str, str]:
    """Method, path and service of a call. The name of the host, or the first part of the path, tells the service."""
    named = HOST.fullmatch(call.headers.get("Host", ""))
    place, _, path = ("", "", call.path[1:]) if named else call.path[1:].partition("/")
    service = named["service"] if named else place
    return call.method, f"/{path}", SERVICES.get(service, service)


def used(feature: str, invoke: Invoke, cloud: FakeCloud) -> list[Row]:
    """The rows that speak of the calls of a feature, each call of exactly one."""
    SCENES[feature].play(invoke, cloud)
    found = [[row for row in ROWS if row.is_of(*asked(call))] for call in cloud.calls]
    assert [asked(call) for call, matching in zip(cloud.calls, found, strict=True) if len(matching) != 1] == []
    return [row for (row,) in found]


# What is called


@pytest.mark.parametrize("feature", SCENES)
def test_each_call_of_a_feature_is_in_the_table_and_for_nothing_else(
    feature: str, invoke_to: Callable[[str], Invoke], cloud: FakeCloud
) -> None:
    features = {feature, *SCENES[feature].brings}
    calls = used(feature, invoke_to(feature), cloud)
    assert {row.rule["path"] for row in calls if row.only and row.only.isdisjoint(features)} == set()
    if feature == "Mode=dry-run":
        assert {row.role for row in calls} == {"", "reader"}


@pytest.mark.parametrize(
    ("row", "feature"),
    [(row, feature) for row in ROWS for feature in sorted(row.only) or [""]],
    ids=str,
)
def test_no_right_is_asked_for_that_a_feature_does_not_use(
    row: Row, feature: str, invoke_to: Callable[[str], Invoke], cloud: FakeCloud
) -> None:
    assert row in used(feature, invoke_to(feature), cloud)


# What permits it


def action_of(row: Row) -> str:
    """The action that Open Telekom Cloud asks for, as the fake cloud has it from its documentation."""
    names_of = {"{project_id}": DEMO, "{image_id}": UNKNOWN_ID, "*": "x"}
    path = f"/{PLACES[row.service]}{row.path}"
    for name, value in names_of.items():
        path = path.replace(name, value)
    routes = (route for route in ROUTES if route.method == row.method and route.pattern.fullmatch(path))
    return ACTIONS.get(next(routes).handler, "")


@pytest.mark.parametrize("row", [row for row in ROWS if row.right], ids=str)
def test_each_right_on_open_telekom_cloud_is_the_one_that_its_call_needs(row: Row) -> None:
    assert row.right == action_of(row)


def test_the_rights_are_those_of_the_agency_and_of_the_discarded_api() -> None:
    of_the_agency = set().union(*map(names, table(OPERATIONS, "right")))
    rights = {row.right for row in ROWS} - {""}
    assert rights - of_the_agency == {"ecs:images:delete", "ecs:images:get"}
    assert {right for right in of_the_agency - rights if not right.startswith(("smn:", "obs:"))} == {
        "ecs:servers:get",
        "ecs:serverVolumes:use",
    }


def test_the_access_rules_are_the_calls_that_have_a_policy_in_the_order_that_the_text_says() -> None:
    permitted = [row for row in ROWS if row.policy]
    assert access_rules() == [row.rule for row in permitted]
    assert [sorted(row.only) for row in permitted[-4:]] == [["grace"]] * 2 + [["deactivate"]] * 2
    assert "sweep" in permitted[-5].only
    assert not any(row.only for row in permitted[:-5])
    assert "openstack application credential create image-reaper --role member --restricted" in SECTION


def test_only_what_changes_an_image_needs_more_than_the_role_of_a_reader() -> None:
    roles = {(row.method, row.role) for row in ROWS if row.policy}
    assert roles == {("GET", "reader"), *((method, "member") for method in ("DELETE", "POST", "PUT"))}


# What is missing


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("row", [row for row in ROWS if row.policy and not row.only], ids=str)
def test_a_call_that_is_not_permitted_is_named_and_nothing_is_deleted(
    row: Row, status: int, invoke: Invoke, cloud: FakeCloud
) -> None:
    image = cloud.add_image(visibility="shared")
    cloud.add_server()
    pattern = row.path.replace("{image_id}", "[^/]+").replace("{project_id}", DEMO)
    cloud.fault(row.method, f"{pattern}$", status=status, times=None)
    (told,) = invoke({"image_ids": [image]}).answer["outcomes"]
    assert (told["outcome"], told["reason"], image in cloud.images) == ("failed", "denied", True)
    path = row.path.replace("{image_id}", image).replace("{project_id}", DEMO)
    assert re.match(f"{row.method} /[a-z]+{path} answered HTTP {status}", told["detail"])
