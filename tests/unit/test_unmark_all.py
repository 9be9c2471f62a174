"""`--unmark-all`: every mark goes that no person has decided on, and no image goes that did not before.

`test_freeing.py` explores all that may happen meanwhile; here the same promises stand one by one, before a cloud.
"""

import pytest

from handler.compose.engines import shell as engine
from handler.errors import Busy, CloudError, Paused
from handler.rules.marks import DEACTIVATED, DEACTIVATING, DRAFT, MARK, SWEEP
from handler.work.marks.freeing import BY_HAND, NAME
from tests.fakecloud import OTHER, FakeCloud, Server
from tests.unit.marked import AT_ONCE, LATER, A, B, Json, Shell, Watching, name_of, outcomes, policy, signature, words

pytestmark = pytest.mark.slow("each test sweeps before and after, in both dialects")

NOTICE = policy("1d", deactivate=True, tags=["temporary"])
GONE, SOON = "2026-06-14", "2026-06-20"
GLANCE = pytest.mark.parametrize("cloud", ["openstack"], indirect=True)
STEPS = pytest.mark.parametrize("step", range(7))
DONE = pytest.mark.parametrize("done", [True, False])


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    return FakeCloud(request.param)


@pytest.fixture
def shell(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Shell:
    del clean_environment
    return Shell(cloud, server.url)


@pytest.mark.parametrize("mode", ["dry-run", "delete", "paused"])
def test_in_every_mode_nothing_of_ours_is_left_and_a_sweep_would_begin_anew(
    shell: Shell, cloud: FakeCloud, mode: str
) -> None:
    shell.given["REAPER_MODE"] = mode
    images = [cloud.add_image(f"ci-{number}", tags=["temporary"]) for number in range(3)]
    other = cloud.add_image("web-1", tags=["x"])
    shell.sweep(A)
    told = shell.unmark_all()
    assert [(each.word, each.detail) for each in told] == [("unmarked", "its mark until 2026-06-16 was taken off")] * 3
    assert [cloud.images[image].tags for image in (*images, other)] == [["temporary"]] * 3 + [["x"]]
    assert outcomes(shell.sweep(B, day=2)) == dict.fromkeys(images, ("marked", ""))


@STEPS
@DONE
def test_what_a_run_leaves_that_dies_permits_no_deletion_and_the_next_one_completes_it(
    shell: Shell, cloud: FakeCloud, step: int, *, done: bool
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    shell.dies(step, done=done)
    shell.unmark_all()
    cloud.faults.clear()
    is_marked = MARK in shell.ours(image)
    assert (SWEEP in shell.ours(image)) <= is_marked
    for day in (2, 3):
        assert outcomes(shell.sweep(B, day=day)) == {image: ("marked", "")}
    if is_marked:
        assert words(shell.unmark_all(day=3)) == {image: "unmarked"}
        assert cloud.images[image].tags == ["temporary"]


@STEPS
@DONE
def test_what_a_run_leaves_that_dies_holds_back_a_sweep_without_grace_as_long_as_the_mark_is_there(
    shell: Shell, cloud: FakeCloud, step: int, *, done: bool
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(B)
    shell.dies(step, done=done)
    shell.unmark_all()
    cloud.faults.clear()
    is_marked = MARK in shell.ours(image)
    shell.sweep(AT_ONCE, day=20)
    assert (image in cloud.images) is is_marked
    assert words(shell.unmark_all(day=20)) == ({image: "unmarked"} if is_marked else {})


@GLANCE
@pytest.mark.parametrize("step", range(11))
@DONE
def test_what_a_sweep_has_deactivated_is_active_again_wherever_a_run_has_died(
    shell: Shell, cloud: FakeCloud, step: int, *, done: bool
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(NOTICE)
    shell.dies(step, done=done)
    shell.unmark_all()
    cloud.faults.clear()
    assert cloud.images[image].status == "active" or {DEACTIVATING, DEACTIVATED} & set(shell.ours(image))
    shell.unmark_all()
    assert (cloud.images[image].status, cloud.images[image].tags) == ("active", ["temporary"])


@GLANCE
def test_an_image_that_its_owner_has_deactivated_stays_so(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"], status="deactivated")
    shell.sweep(NOTICE)
    shell.unmark_all()
    assert (cloud.images[image].status, cloud.images[image].tags) == ("deactivated", ["temporary"])


DECISIONS: dict[str, tuple[list[str], str]] = {
    "a veto": ([signature(B, SOON)], "vetoed: its mark was taken off"),
    "a recall alone": ([f"reaper-recall-{name_of(B)}={SOON}"], "vetoed: its mark was taken off"),
    "no day": ([f"{MARK}=soon", signature(B, SOON)], "vetoed: its mark reaper-delete-after has no date"),
    "another spelling": (["Reaper_Delete_After: 2026-07-01"], "vetoed: its mark reaper-delete-after has no date"),
    "a mark that was set by hand": ([f"{MARK}={SOON}"], BY_HAND),
    "one whose day has passed": ([f"{MARK}={GONE}"], BY_HAND),
    "another day": ([f"{MARK}={SOON}", signature(B, GONE)], BY_HAND),
}


@pytest.mark.parametrize(("tags", "why"), DECISIONS.values(), ids=DECISIONS)
def test_what_a_person_has_decided_on_stays_as_it_is(shell: Shell, cloud: FakeCloud, tags: list[str], why: str) -> None:
    image, other = cloud.add_image("ci-1", tags=tags), cloud.add_image("ci-2", tags=["temporary"])
    shell.sweep(A)
    told = {each.image_id: each for each in shell.unmark_all()}
    assert (told[image].word, told[other].word) == ("stays", "unmarked")
    assert told[image].detail.startswith(why)
    assert (told[image].tags, cloud.images[image].tags) == (tuple(sorted(tags)), tags)


@GLANCE
def test_a_later_day_beside_the_mark_stays_with_all_of_it(shell: Shell, cloud: FakeCloud) -> None:
    tags = [f"{MARK}={GONE}", f"{MARK}={SOON}", signature(A, GONE)]
    image = cloud.add_image("ci-1", tags=tags)
    assert words(shell.unmark_all()) == {image: "stays"}
    assert cloud.images[image].tags == tags


@GLANCE
def test_an_image_that_was_vetoed_becomes_active_and_stays_vetoed(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(NOTICE)
    cloud.images[image].tags = [tag for tag in cloud.images[image].tags if not tag.startswith(MARK)]
    told = shell.unmark_all()
    assert [(each.word, each.detail) for each in told] == [
        ("stays", "vetoed: its mark was taken off; it is active again")
    ]
    assert (cloud.images[image].status, shell.ours(image)) == ("active", [SWEEP])
    assert outcomes(shell.sweep(NOTICE, day=60)) == {image: ("refused", "kept")}


@GLANCE
def test_a_veto_by_activation_stays(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(NOTICE)
    cloud.images[image].status = "active"
    before = list(cloud.images[image].tags)
    assert words(shell.unmark_all()) == {image: "stays"}
    assert cloud.images[image].tags == before


# What died, or is under way


@pytest.mark.parametrize("step", range(5))
def test_what_a_sweep_has_left_that_died_while_it_marked_goes_once_no_run_can_be_at_it(
    shell: Shell, cloud: FakeCloud, step: int
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.dies(step, done=False)
    shell.sweep(A)
    cloud.faults.clear()
    before = list(cloud.images[image].tags)
    is_held = any(tag.startswith(DRAFT) for tag in before)
    assert words(shell.unmark_all(day=1)) == ({image: "failed"} if is_held else {image: "unmarked"} if step else {})
    assert cloud.images[image].tags == (before if is_held else ["temporary"])
    shell.unmark_all(day=2)
    assert cloud.images[image].tags == ["temporary"]


@STEPS
@pytest.mark.parametrize("other", [A, B, AT_ONCE], ids=["the policy", "another", "no grace"])
def test_beside_a_sweep_no_image_goes_that_did_not_before_and_no_veto_is_made_up(
    shell: Shell, cloud: FakeCloud, step: int, other: Json
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    marked: list[bool] = []

    def sweep() -> None:
        marked.append(MARK in shell.ours(image))
        shell.sweep(other)

    cloud.fault(None, "/tags", skip=step, status=None, then=sweep)
    shell.unmark_all()
    if marked in ([True], []) or other is not AT_ONCE:
        assert (SWEEP in shell.ours(image)) <= (MARK in shell.ours(image))
        shell.unmark_all()
        shell.unmark_all(day=2)
        assert cloud.images[image].tags == ["temporary"]


@STEPS
def test_of_two_runs_at_once_each_ends_and_nothing_is_left(shell: Shell, cloud: FakeCloud, step: int) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    cloud.fault(None, "/tags", skip=step, status=None, then=shell.unmark_all)
    assert words(shell.unmark_all()) == {image: "unmarked"}
    assert cloud.images[image].tags == ["temporary"]


@STEPS
def test_a_veto_that_is_given_meanwhile_stays(shell: Shell, cloud: FakeCloud, step: int) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    given: list[bool] = []

    def veto() -> None:
        given.append(shell.ours(image).count(MARK) == shell.ours(image).count(SWEEP) == 1)
        cloud.images[image].tags = [tag for tag in cloud.images[image].tags if not tag.startswith(MARK)]

    cloud.fault(None, "/tags", skip=step, status=None, then=veto)
    told = words(shell.unmark_all())
    if given == [True]:
        assert told == {image: "stays"}
        for each in (A, B, AT_ONCE):
            assert outcomes(shell.sweep(each, day=50)) == {image: ("refused", "kept")}


# Many images


def test_what_fails_costs_the_others_nothing(shell: Shell, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{number}", tags=["temporary"]) for number in range(20)]
    shell.sweep(A | {"sweep": A["sweep"] | {"limit": 100}})
    cloud.fault(None, f"{images[7]}/tags", status=403, times=None)
    told = shell.unmark_all()
    assert {each.image_id for each in told if each.is_failure} == {images[7]}
    assert [image for image in images if shell.ours(image)] == [images[7]]


def test_after_a_halt_no_other_image_is_begun_and_each_is_told(shell: Shell, cloud: FakeCloud) -> None:
    shell.given["REAPER_CONCURRENCY"] = "1"
    images = [cloud.add_image(f"ci-{number}", tags=["temporary"]) for number in range(5)]
    shell.sweep(A)
    watch = Watching(2, lambda deadline: deadline.halt(Paused("stopped by Ctrl-C")))
    told = shell.unmark_all(watch=watch)
    assert [each.word for each in told if each.image_id] == ["unmarked"] * 2 + ["failed"] * 3
    assert {each.detail for each in told if each.image_id in images[2:]} == {"stopped by Ctrl-C"}
    assert [len(shell.ours(image)) for image in images] == [0, 0, 2, 2, 2]


def test_whoever_says_no_has_nothing_changed(shell: Shell, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    before = list(cloud.images[image].tags)
    assert shell.unmark_all(confirmed=False) == ()
    assert [each.image.id for each in shell.shown[0].marked] == [image]
    assert cloud.images[image].tags == before


def test_nobody_is_asked_where_nothing_is_marked(shell: Shell, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", tags=["temporary"])
    theirs = cloud.add_image("ci-2", owner=OTHER, visibility="public", tags=[f"{MARK}={GONE}", signature(A, GONE)])
    assert (shell.unmark_all(), shell.shown) == ((), [])
    assert len(shell.ours(theirs)) == 2


def test_a_list_that_breaks_off_has_nothing_changed(shell: Shell, cloud: FakeCloud) -> None:
    cloud.page_size = 1
    images = [cloud.add_image(f"ci-{number}", tags=["temporary"]) for number in range(3)]
    shell.sweep(A)
    cloud.fault("GET", "images$", skip=2, times=None, status=500, headers=LATER)
    with pytest.raises(CloudError):
        shell.unmark_all()
    assert [len(shell.ours(image)) for image in images] == [2] * 3


def test_an_image_that_is_marked_meanwhile_is_told(shell: Shell, cloud: FakeCloud) -> None:
    image, late = cloud.add_image("ci-1", tags=["temporary"]), cloud.add_image("ci-2")
    shell.sweep(A)
    cloud.fault(None, "/tags", status=None, then=lambda: cloud.images[late].tags.append(f"{MARK}={SOON}"))
    told = {each.image_id: each for each in shell.unmark_all()}
    assert (told[image].word, told[late].word) == ("unmarked", "failed")
    assert told[late].detail.startswith("a sweep has marked it meanwhile: stop all sweeps")


@pytest.mark.parametrize("cloud", ["otc"], indirect=True)
def test_without_room_for_its_tags_an_image_is_left_as_it_is(shell: Shell, cloud: FakeCloud) -> None:
    tags = [*(f"t{number}" for number in range(7)), f"{MARK}={SOON}", signature(A, SOON)]
    image = cloud.add_image("ci-1", tags=tags)
    assert "needs room for 2 more: take some tags off" in shell.unmark_all()[0].detail
    assert cloud.images[image].tags == tags


class Lease:
    """A lease that a sweep has, or that is taken away after so many requests."""

    def __init__(self, *, is_free: bool) -> None:
        self.done: list[str] = []
        self._is_free = is_free

    def take(self) -> None:
        self.done.append("take")
        if not self._is_free:
            message = "another sweep of the project is under way"
            raise Busy(message)

    def hold(self) -> float:
        self.done.append("hold")
        if self.done.count("hold") > 2:
            message = "another run has it now"
            raise Busy(message)
        return float("inf")

    def release(self) -> None:
        self.done.append("release")


def test_while_a_sweep_has_the_lease_nothing_is_changed(
    shell: Shell, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    monkeypatch.setattr(engine, "lease", lambda *_: Lease(is_free=False))
    with pytest.raises(Busy):
        shell.unmark_all()
    assert shell.ours(image) == [MARK, SWEEP]


def test_once_another_run_has_the_lease_nothing_more_is_changed(
    shell: Shell, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cloud.add_image("ci-1", tags=["temporary"])
    shell.sweep(A)
    lease = Lease(is_free=True)
    monkeypatch.setattr(engine, "lease", lambda *_: lease)
    assert words(shell.unmark_all()) == {image: "failed"}
    assert shell.ours(image) == [MARK, f"{DRAFT}-{NAME}", f"reaper-recall-{NAME}", SWEEP]
    assert (lease.done[0], lease.done[-1]) == ("take", "release")
