"""`--veto`: what it leaves on an image keeps every sweep away from it, wherever it ends."""

import pytest

from handler.errors import InvalidSettings, Unreachable
from handler.rules.marks import DEACTIVATED, MARK, SWEEP
from handler.work.marks.changing import Told
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import OTHER, FakeCloud, Server
from tests.unit.marked import AT_ONCE, CHANGES, LATER, A, B, Shell, name_of, outcomes, policy, signature, words

pytestmark = pytest.mark.slow("each test sweeps before and after, in both dialects")

NOTICE = policy("1d", deactivate=True, tags=["temporary"])
KEPT = ("refused", "kept")


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    return FakeCloud(request.param)


@pytest.fixture
def shell(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Shell:
    del clean_environment
    return Shell(cloud, server.url)


def stays(shell: Shell, image: str) -> bool:
    """Whether sweeps with grace and without leave the image alone, today and in two months."""
    told = [outcomes(shell.sweep(each, day=day)).get(image) for day in (0, 60) for each in (A, B, AT_ONCE)]
    return told == [KEPT] * 6 and image in shell.cloud.images


def only(told: tuple[Told, ...]) -> Told:
    assert len(told) == 1
    return told[0]


@pytest.mark.parametrize("mode", ["dry-run", "delete", "paused"])
def test_in_every_mode_the_mark_goes_and_the_signature_stays(shell: Shell, cloud: FakeCloud, mode: str) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    told = only(shell.veto(image, REAPER_MODE=mode))
    assert (told.word, told.detail) == ("vetoed", "its mark until 2026-06-16 was taken off")
    assert told.tags == (f"{SWEEP}={name_of(A)}-2026-06-16",)
    assert shell.ours(image) == [SWEEP]
    assert stays(shell, image)


def test_where_no_policy_has_signed_the_keep_tag_is_set_first(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary", f"{MARK}=2026-06-01"])
    told = only(shell.veto(image, REAPER_KEEP_TAG="hands-off"))
    assert (told.word, told.tags) == ("vetoed", tuple(set(cloud.images[image].tags) - {"temporary"}))
    assert "tagged hands-off" in told.detail
    shell.given["REAPER_KEEP_TAG"] = "hands-off"
    assert stays(shell, image)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("done", [True, False])
def test_what_a_veto_leaves_that_dies_permits_no_deletion_and_the_next_one_completes_it(
    shell: Shell,
    cloud: FakeCloud,
    step: int,
    *,
    signed: bool,
    done: bool,
) -> None:
    tags = [f"{MARK}=2026-12-24", *([signature(A, "2026-12-24")] if signed else [])]
    image = cloud.add_image("ci-1", tags=["temporary", *tags])
    shell.dies(step, done=done)
    shell.veto(image)
    cloud.faults.clear()
    shell.sweep(AT_ONCE)
    assert words(shell.veto(image)) == {image: "vetoed"}
    assert stays(shell, image)


def test_an_answer_that_is_lost_is_read_back(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    cloud.fault("DELETE", "/tags/", status=502, apply=True)
    assert words(shell.veto(image)) == {image: "vetoed"}
    assert shell.ours(image) == [SWEEP]


@pytest.mark.parametrize("cloud", ["openstack"], indirect=True)
@pytest.mark.parametrize("step", range(5))
def test_what_a_sweep_has_deactivated_is_active_again_once_the_mark_is_off(
    shell: Shell, cloud: FakeCloud, step: int
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(NOTICE)
    shell.dies(step, done=False)
    shell.veto(image)
    assert cloud.images[image].status == "deactivated" or MARK not in shell.ours(image)
    cloud.faults.clear()
    assert words(shell.veto(image)) == {image: "vetoed"}
    assert (cloud.images[image].status, shell.ours(image)) == ("active", [SWEEP])
    assert stays(shell, image)


@pytest.mark.parametrize("cloud", ["openstack"], indirect=True)
def test_every_mark_goes_also_one_that_was_set_by_hand(shell: Shell, cloud: FakeCloud) -> None:
    tags = [f"{MARK}=2026-06-20", f"{MARK}=2026-07-01", signature(A, "2026-06-20")]
    image = cloud.add_image("ci-1", tags=["temporary", *tags])
    shell.veto(image)
    assert shell.ours(image) == [SWEEP]
    assert stays(shell, image)


@pytest.mark.parametrize("tag", ["", "reaper-other", DEACTIVATED])
def test_an_image_without_a_mark_is_left_as_it_is(shell: Shell, cloud: FakeCloud, tag: str) -> None:
    image = cloud.add_image("ci-1", tags=[tag] if tag else [])
    told = only(shell.veto(image))
    assert (told.word, told.is_failure) == ("not marked", True)
    assert [call for call in cloud.calls if call.method != "GET" and "/tags" in call.path] == []


def test_a_second_veto_changes_nothing_and_says_so(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    shell.veto(image)
    before, calls = list(cloud.images[image].tags), len(cloud.calls)
    told = only(shell.veto(image))
    assert (told.word, told.detail) == ("vetoed", "it was vetoed before: its mark was taken off")
    assert cloud.images[image].tags == before
    assert {call.method for call in cloud.calls[calls:] if "/images" in call.path} == {"GET"}


def test_ids_that_are_unknown_or_of_another_project_or_no_ids_fail_alone(shell: Shell, cloud: FakeCloud) -> None:
    image, theirs = cloud.add_image("ci-1", tags=["temporary"]), cloud.add_image(owner=OTHER, visibility="public")
    cloud.images[theirs].tags = [f"{MARK}=2026-12-24"]
    shell.sweep(A)
    told = shell.veto(UNKNOWN_ID, theirs, "ci-1", image, image)
    assert [each.word for each in told] == ["unknown", "failed", "failed", "vetoed"]
    assert f"belongs to project {OTHER}" in told[1].detail
    assert (cloud.images[theirs].tags, [each.is_failure for each in told]) == (
        [f"{MARK}=2026-12-24"],
        [True] * 3 + [False],
    )


@pytest.mark.parametrize("step", range(8))
def test_beside_a_sweep_that_takes_its_mark_off_a_veto_leaves_a_trace(
    shell: Shell, cloud: FakeCloud, step: int
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    cloud.images[image].tags.remove("temporary")
    told: list[str] = []
    cloud.fault(None, "/tags", skip=step, status=None, then=lambda: told.extend(words(shell.veto(image)).values()))
    shell.sweep(A)
    cloud.images[image].tags.append("temporary")
    if told == ["vetoed"]:
        assert stays(shell, image)
    else:
        assert (told, shell.ours(image)) in ((["not marked"], []), ([], []))


@pytest.mark.parametrize("step", range(4))
def test_beside_a_sweep_that_sets_its_mark_a_veto_leaves_a_trace(shell: Shell, cloud: FakeCloud, step: int) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    told: list[str] = []
    cloud.fault(None, "/tags", skip=step, status=None, then=lambda: told.extend(words(shell.veto(image)).values()))
    shell.sweep(A)
    assert told == (["vetoed"] if step else ["not marked"])
    assert stays(shell, image) or told == ["not marked"]


def test_where_the_signature_goes_with_the_mark_the_keep_tag_is_set_after_it(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    tags = cloud.images[image].tags
    cloud.fault("DELETE", "/tags/", status=None, then=lambda: tags.remove(signature(A, "2026-06-16")))
    assert words(shell.veto(image)) == {image: "vetoed"}
    assert shell.ours(image) == []
    assert stays(shell, image)


def test_a_veto_that_comes_too_late_says_so(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    cloud.fault("DELETE", "/tags/", status=None, then=lambda: cloud.images.pop(image))
    told = only(shell.veto(image))
    assert (told.word, told.detail.partition(";")[0]) == ("failed", "it was deleted meanwhile")


def test_without_the_right_to_change_tags_it_says_what_the_cloud_says(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    cloud.fault(None, CHANGES, status=403, times=None, headers=LATER)
    assert words(shell.veto(image)) == {image: "failed"}
    assert len(shell.ours(image)) == 2


def test_a_cloud_that_can_t_be_reached_is_told_once_before_anything_is_begun(shell: Shell) -> None:
    shell.given |= {"OS_AUTH_URL": "http://127.0.0.1:9/v3"}
    with pytest.raises(Unreachable):
        shell.veto(UNKNOWN_ID, UNKNOWN_ID)


def test_where_each_project_has_a_secret_of_its_own_it_is_turned_down(shell: Shell) -> None:
    shell.given |= {"REAPER_CREDENTIALS_SECRET": "reaper/{project_id}"}
    with pytest.raises(InvalidSettings, match="put its id in the place of"):
        shell.veto(UNKNOWN_ID)
