"""Credentials that change while an execution environment lives: one environment works for one project."""

import pytest

from handler.compose import warm
from tests.conftest import Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud
from tests.fakecloud.records import REGION
from tests.faults import IMAGE_PATH
from tests.unit.conftest import Reap, Store

AWAY = {"OS_USERNAME": "neighbour", "OS_PROJECT_NAME": "other"}


def at_home(cloud: FakeCloud) -> dict[str, str]:
    return {"OS_PASSWORD": cloud.users["reaper"].password}


def elsewhere(cloud: FakeCloud) -> dict[str, str]:
    return AWAY | {"OS_PASSWORD": cloud.users["neighbour"].password}


def logins(cloud: FakeCloud) -> int:
    return len(cloud.calls_of("POST"))


@pytest.fixture
def warmed(cloud: FakeCloud, store: Store, reap: Reap) -> Reap:
    """A function that has worked for its project, and whose credentials were then replaced by those of another one."""
    store(at_home(cloud))
    assert reap().answer["counts"] == {"deleted": 1}
    store(elsewhere(cloud))
    cloud.rotate_password("new-passw0rd")
    cloud.calls.clear()
    return reap


@pytest.mark.parametrize("pin", ["", DEMO])
def test_another_project_is_refused_for_as_long_as_the_environment_lives(
    pin: str, cloud: FakeCloud, warmed: Reap
) -> None:
    for _ in range(3):
        run = warmed(REAPER_IN_USE_CHECK="off", REAPER_PROJECT_ID=pin)
        assert run.outcomes.popitem()[1] == ("failed", "denied")
    assert (len(cloud.images), len(cloud.dead)) == (3, 1)
    assert not [call for call in cloud.calls if call.status < 400 and call.method != "POST"]


@pytest.mark.usefixtures("warmed")
def test_the_messages_of_another_project_are_returned_each_time(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image()
    for _ in range(3):
        assert invoke(queue({"image_ids": [image]}), OS_PASSWORD="").returned == ["m0"]
    assert image in cloud.images


def test_the_refusal_of_another_project_says_what_to_do(warmed: Reap) -> None:
    for _ in range(2):
        (outcome,) = warmed().answer["outcomes"]
        assert f"for project {OTHER}" in outcome["detail"]
        assert f"for {DEMO}" in outcome["detail"]
        assert "REAPER_PROJECT_ID" in outcome["detail"]


def test_a_refused_project_costs_one_login_for_each_run(cloud: FakeCloud, warmed: Reap) -> None:
    warmed()
    before = logins(cloud)
    for runs in (1, 2, 3):
        warmed()
        assert logins(cloud) == before + runs


@pytest.mark.parametrize("refused_before", [0, 1, 3])
def test_the_first_project_is_taken_again_once_its_credentials_are_back(
    refused_before: int, cloud: FakeCloud, warmed: Reap, store: Store
) -> None:
    for _ in range(refused_before):
        warmed()
    store(at_home(cloud))
    assert warmed().answer["counts"] == {"deleted": 1}


def test_a_late_run_that_leaves_its_token_behind_does_not_forget_the_project(warmed: Reap) -> None:
    warmed()
    (place,) = warm._KEPT._places.values()
    warm.drop_access(place.access)
    assert not len(warm._KEPT)
    assert warmed().outcomes.popitem()[1] == ("failed", "denied")


def test_a_pin_names_the_project_before_any_token_does(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(elsewhere(cloud))
    run = reap(REAPER_PROJECT_ID=DEMO)
    assert run.outcomes.popitem()[1] == ("failed", "denied")
    assert "REAPER_PROJECT_ID" in run.answer["outcomes"][0]["detail"]
    store(at_home(cloud))
    assert reap(REAPER_PROJECT_ID=DEMO).answer["counts"] == {"deleted": 1}


def test_a_project_that_changes_in_the_middle_of_a_run_ends_it(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(at_home(cloud))
    reap()
    cloud.fault("GET", IMAGE_PATH, status=401, then=lambda: store(elsewhere(cloud)))
    cloud.rotate_password("new-passw0rd")
    for _ in range(2):
        assert reap().outcomes.popitem()[1] == ("failed", "denied")


@pytest.mark.parametrize("region", ["RegionTwo", ""])
def test_another_region_is_refused_as_another_project_is(
    region: str, cloud: FakeCloud, store: Store, reap: Reap
) -> None:
    """What is in the first region would look already gone in the second."""
    store(at_home(cloud) | {"OS_REGION_NAME": REGION})
    reap(OS_REGION_NAME="")
    cloud.rotate_password("new-passw0rd")
    store(at_home(cloud) | {"OS_REGION_NAME": region})
    reap(OS_REGION_NAME="")  # the environment takes the new password, and stays in its region
    for _ in range(2):
        (outcome,) = reap(OS_REGION_NAME="").answer["outcomes"]
        assert (outcome["outcome"], outcome["reason"]) == ("failed", "denied")
        assert "OS_REGION_NAME" in outcome["detail"]
    store(at_home(cloud) | {"OS_REGION_NAME": REGION})
    reap(OS_REGION_NAME="")  # a region counts from the next invocation on
    assert reap(OS_REGION_NAME="").answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"CA_BUNDLE": "x"}, {"password": "x"}, {"OS_AUTH_TYPE": "nonsense"}, {"OS_PASSWORD": 5}),
        *({"OS_AUTH_URL": "http://127.0.0.1:1/v3"}, {"OS_PROJECT_NAME": "nothing"}),
    ],
    ids=str,
)
def test_a_secret_that_was_cured_counts_from_the_next_run_on(
    wrong: dict[str, object], cloud: FakeCloud, store: Store, reap: Reap
) -> None:
    store(at_home(cloud) | wrong)
    assert reap().answer.get("counts") != {"deleted": 1}
    store(at_home(cloud))
    assert reap().answer["counts"] == {"deleted": 1}
