"""Marks while others act between any two steps, and runs die: from the event to the state of the cloud."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.report.report import Report
from handler.rules.marks import MARK, SWEEP, fingerprint
from handler.sources.schema import read_request
from tests.conftest import Context
from tests.fakecloud import FakeCloud, Server

LATER = {"Retry-After": "3600"}
"""Longer than any invocation: what is answered so fails at once."""
TODAY = datetime(2026, 6, 15, 12, tzinfo=UTC)
DIALECTS = ("glance", "ims")
Json = dict[str, Any]
Run = Callable[..., Report]


def policy(grace: str = "", **select: object) -> Json:
    return {"sweep": {"select": select, "limit_percent": 100} | ({"grace": grace} if grace else {})}


A = policy("1d", tags=["temporary"])
B = policy("30d", name="ci-*")
AT_ONCE = policy(name="ci-*")
NOBODY_S = policy("7d", name="nothing-*")


def plain_signature(request: Json) -> str:
    """The tag by which earlier versions signed."""
    return f"{SWEEP}={fingerprint(read_request(request))}"  # type: ignore[arg-type]  # a sweep


@pytest.fixture(params=DIALECTS)
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    return FakeCloud("otc" if request.param == "ims" else "openstack")


@pytest.fixture
def run(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Run:
    """Carry a request out so many days after TODAY, through the API that the cloud's flavour has."""
    del clean_environment
    api = {"REAPER_IMAGE_API": "ims" if cloud.flavour == "otc" else "glance", "REAPER_MODE": "delete"}

    def run_once(request: Json, *, day: float = 0) -> Report:
        chosen = Settings.from_env(cloud.env(server.url) | api)
        return invocation.process(request, Context(), chosen, aws, now=TODAY + timedelta(days=day))

    return run_once


def told(report: Report) -> dict[str, tuple[str, str]]:
    return {outcome.image_id: (outcome.outcome, outcome.reason) for outcome in report.outcomes}


def keys(cloud: FakeCloud, image: str) -> list[str]:
    """What our tags on an image are called."""
    return sorted(tag.partition("=")[0] for tag in cloud.images[image].tags if tag.startswith("reaper-"))


def off(cloud: FakeCloud, image: str, start: str) -> Callable[[], None]:
    """What an owner does who takes off the tags that begin so."""
    tags = cloud.images[image].tags
    return lambda: tags.__setitem__(slice(None), [tag for tag in tags if not tag.startswith(start)])


# A mark binds everybody until its day has passed


@pytest.mark.parametrize("value", ["=2099-12-31", "=soon", "=20991231", "=2026-W25-1", ""])
def test_a_day_that_has_not_passed_holds_back_a_sweep_without_grace_though_nobody_signed_it(
    value: str, run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", tags=[f"{MARK}{value}"])
    run(AT_ONCE)
    assert cloud.images[image].tags == [f"{MARK}{value}"]


@pytest.mark.parametrize(
    "key", ["Reaper-Delete-After=", "reaper_delete_after=", "reaper-delete-after:", " reaper-delete-after ="]
)
@pytest.mark.parametrize("request_", [AT_ONCE, B], ids=["at once", "with grace"])
def test_a_mark_that_somebody_has_spelled_in_another_way_holds_back_every_sweep(
    key: str, request_: Json, run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", tags=[f"{key}2099-12-31"])
    assert [told(run(request_, day=day)) for day in (0, 40)] == [{image: ("refused", "kept")}] * 2
    assert cloud.images[image].tags == [f"{key}2099-12-31"]


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("done", [True, False])
def test_what_a_run_leaves_that_dies_while_it_marks_holds_back_a_sweep_without_grace(
    step: int,
    done: bool,  # noqa: FBT001 (given by pytest)
    run: Run,
    cloud: FakeCloud,
) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault(None, "/tags", skip=step, status=503, apply=done, times=None, headers=LATER)
    run(B)
    cloud.faults.clear()
    is_promised = MARK in keys(cloud, image)
    run(AT_ONCE, day=29)
    assert (image in cloud.images) is is_promised
    run(AT_ONCE, day=31)
    assert image in cloud.dead


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("done", [True, False])
def test_what_a_run_leaves_that_dies_while_it_marks_permits_nobody_with_grace_a_deletion(
    step: int,
    done: bool,  # noqa: FBT001 (given by pytest)
    run: Run,
    cloud: FakeCloud,
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    cloud.fault(None, "/tags", skip=step, status=503, apply=done, times=None, headers=LATER)
    run(A)
    cloud.faults.clear()
    settled = keys(cloud, image) == [MARK, SWEEP]
    for day, request in ((2, B), (3, B), (4, A)):
        run(request, day=day)
        assert image in cloud.images or (settled and request is A)


def test_a_mark_that_nobody_signed_counts_once_its_day_has_passed(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=[f"{MARK}=2026-06-14"])
    assert told(run(B)) == {image: ("deleted", "")}


# Taking a mark off


@pytest.mark.slow("one run for each step")
@pytest.mark.parametrize("step", range(8))
@pytest.mark.parametrize("done", [True, False])
def test_what_a_run_leaves_that_dies_while_it_takes_a_mark_off_permits_no_deletion(
    step: int,
    done: bool,  # noqa: FBT001 (given by pytest)
    run: Run,
    cloud: FakeCloud,
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    run(A)
    cloud.images[image].tags.remove("temporary")
    cloud.fault(None, "/tags", skip=step, status=503, apply=done, times=None, headers=LATER)
    run(A)
    cloud.faults.clear()
    assert (SWEEP in keys(cloud, image)) <= (MARK in keys(cloud, image))
    for day in (2, 3):
        assert told(run(B, day=day)) == {image: ("marked", "")}
    run(A, day=4)
    run(B, day=5)
    assert keys(cloud, image) == [MARK, SWEEP]
    assert told(run(B, day=36)) == {image: ("deleted", "")}


@pytest.mark.parametrize("day", ["2099-12-31", "2026-06-14", "2026-01-01"])
def test_a_mark_that_nobody_signed_is_left_on_images_that_a_policy_does_not_select(
    day: str, run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("other-1", tags=[f"{MARK}={day}"])
    assert told(run(NOBODY_S)) == {}
    assert cloud.images[image].tags == [f"{MARK}={day}"]


@pytest.mark.parametrize("cloud", ["glance"], indirect=True)
def test_of_a_mark_that_two_policies_signed_each_takes_off_only_its_own_signature(run: Run, cloud: FakeCloud) -> None:
    others, mark = plain_signature(B), f"{MARK}=2026-06-20"
    image = cloud.add_image("ci-1", tags=[mark, plain_signature(A), others])
    assert told(run(A)) == {image: ("refused", "changed")}
    assert set(cloud.images[image].tags) == {mark, others}
    assert told(run(B)) == {image: ("marked", "")}


def test_a_later_day_that_an_owner_wrote_outlives_the_policy_that_it_answered(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    run(A)
    off(cloud, image, MARK)()
    cloud.images[image].tags.append(f"{MARK}=2026-12-31")
    cloud.images[image].tags.remove("temporary")
    run(A, day=1)
    assert cloud.images[image].tags == [f"{MARK}=2026-12-31"]
    run(AT_ONCE, day=100)
    assert image in cloud.images


def test_a_lost_answer_to_taking_a_mark_off_leaves_nothing_that_permits_a_deletion(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    run(A)
    cloud.images[image].tags.remove("temporary")
    cloud.fault("DELETE", "/tags/", status=502, apply=True)
    run(A)
    assert told(run(B, day=2)) == {image: ("marked", "")}
    run(A, day=3)
    run(B, day=4)
    assert keys(cloud, image) == [MARK, SWEEP]


def test_a_forgotten_mark_is_left_where_no_policy_selects_the_image(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("other-1", tags=[f"{MARK}=2026-01-01", f"{SWEEP}=0123abcd"])
    assert told(run(NOBODY_S)) == {}
    assert keys(cloud, image) == [MARK, SWEEP]


def test_a_forgotten_mark_goes_where_a_rule_refuses_what_a_policy_selects(run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=[f"{MARK}=2026-01-01", f"{SWEEP}=0123abcd"], protected=True)
    assert told(run(B)) == {image: ("refused", "protected")}
    assert cloud.images[image].tags == []


# Two policies, and an owner, at the same moment


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("other", [NOBODY_S, B, AT_ONCE, A], ids=["selects nothing", "grace", "no grace", "itself"])
def test_a_policy_that_runs_while_another_marks_makes_no_veto_of_it(
    step: int, other: Json, run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    cloud.fault(None, "/tags", skip=step, status=None, then=lambda: run(other))
    run(A)
    run(A)
    assert image in cloud.dead or keys(cloud, image) == [MARK, SWEEP]
    for day in (40, 41):
        run(A, day=day)
        run(B, day=day)
    assert image in cloud.dead


@pytest.mark.parametrize("step", range(8))
def test_a_mark_that_its_owner_takes_off_while_it_is_set_free_stays_off(step: int, run: Run, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    run(A)
    cloud.images[image].tags.remove("temporary")
    vetoed: list[bool] = []

    def veto() -> None:
        vetoed.append(keys(cloud, image).count(MARK) == keys(cloud, image).count(SWEEP) == 1)
        off(cloud, image, MARK)()

    cloud.fault(None, "/tags", skip=step, status=None, then=veto)
    run(A)
    for day in (2, 50) if vetoed == [True] else ():
        for request in (A, B, AT_ONCE):
            assert ("deleted", "") not in told(run(request, day=day)).values()
            assert keys(cloud, image) == [SWEEP]


@pytest.mark.parametrize("step", range(5))
def test_a_mark_that_its_owner_takes_off_before_it_is_signed_is_no_veto_of_ours(
    step: int, run: Run, cloud: FakeCloud
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    cloud.fault(None, "/tags", skip=step, status=None, then=lambda: off(cloud, image, MARK)())  # noqa: PLW0108 (the tags of that moment)
    run(A)
    is_vetoed = keys(cloud, image) == [SWEEP]
    assert is_vetoed or keys(cloud, image) == [MARK, SWEEP]
    assert told(run(A, day=1)) == {image: ("refused", "kept") if is_vetoed else ("marked", "")}


# What is said of an image that somebody changes while it is marked


def take_away(cloud: FakeCloud, image: str) -> None:
    cloud.images.pop(image)


def object_to_it(cloud: FakeCloud, image: str) -> None:
    cloud.images[image].tags.append(f"{MARK}=never")


@pytest.mark.parametrize(
    ("act", "said"), [(take_away, ("already_gone", "")), (object_to_it, ("refused", "kept"))], ids=["gone", "veto"]
)
def test_an_image_that_is_not_marked_in_the_end_is_not_called_marked(
    run: Run, cloud: FakeCloud, act: Callable[[FakeCloud, str], None], said: tuple[str, str]
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"], created_at="2026-06-01T00:00:00Z")
    cloud.fault(None, f"{image}/tags", status=None, then=lambda: act(cloud, image))
    assert told(run(A)) == {image: said}
