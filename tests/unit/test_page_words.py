"""The words of the page: what holds for a run, how much there is of it, and what a reader may do about it."""

from dataclasses import replace
from typing import Any

import pytest

from handler.model.outcome import Outcome, Result
from handler.model.request import Select, SweepRequest
from tests.fakecloud import FakeCloud
from tests.unit.test_page import GIB, LAMBDA, Show, boxed, image, show, shown, sweep

__all__ = ["show"]

# What holds


def test_the_cap_of_the_invocation_stands_beside_those_of_the_sweep(show: Show) -> None:
    caps = "3 images, and 50% of all; at most 7 in one invocation (REAPER_MAX_IMAGES)"
    assert caps in show(sweep(limit=3, limit_percent=50), REAPER_MAX_IMAGES="7").texts["facts"]


def test_what_the_operator_has_set_stands_on_the_page(show: Show, cloud: FakeCloud) -> None:
    plain = show({"image_ids": [cloud.add_image("ci-1")]}).texts["facts"]
    assert "Capsat most 100 in one invocation (REAPER_MAX_IMAGES)" in plain
    assert "Modedry-run (REAPER_MODE)" in plain
    assert "Never goeswhat is tagged keep (REAPER_KEEP_TAG); used by a server" in plain
    given = {"REAPER_KEEP_TAG": "hands-off", "REAPER_IN_USE_ALSO": "volumes,images", "REAPER_MIN_AGE": "1d"}
    given |= {"REAPER_REQUIRE_TAG": "mine", "REAPER_ALLOW_NAMES": "a*,b*", "REAPER_ALLOW_SHARED": "true"}
    told = show(sweep(), **given).texts["facts"]
    used = "used by a server, or by what REAPER_IN_USE_ALSO names: images, volumes; younger than 1 day (REAPER_MIN_AGE)"
    assert f"what is tagged hands-off (REAPER_KEEP_TAG); {used}; not tagged mine (REAPER_REQUIRE_TAG); " in told
    assert "of a name other than a*, b* (REAPER_ALLOW_NAMES)" in told
    assert "May gowhat other projects may use as well (REAPER_ALLOW_SHARED)" in told


def test_the_page_says_where_nobody_asks_what_is_used(show: Show) -> None:
    told = show(sweep(), REAPER_IN_USE_CHECK="off").texts["facts"]
    assert "nobody asks whether an image is used (REAPER_IN_USE_CHECK is off)" in told
    assert "used by" not in told


def test_an_armed_function_that_rehearses_says_why(show: Show) -> None:
    told = show({**sweep(), "dry_run": True}, REAPER_MODE="delete").texts["facts"]
    assert "delete (REAPER_MODE), and the request asks for a rehearsal" in told


# Numbers


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"select": {"older_than": "1d"}}, "older than 1 day\nK"),
        ({"select": {"older_than": "2d"}}, "older than 2 days\nK"),
        ({"select": {"older_than": "1h"}}, "older than 1 hour\nK"),
        ({"select": {"older_than": "25h"}}, "older than 25 hours\nK"),
        ({"keep": {"newest": 1}}, "the newest of each group, "),
        ({"keep": {"newest": 2}}, "the 2 newest of each group, "),
        *(
            ({"limit": number}, f"Caps{words}, and ")
            for number, words in enumerate(("0 images", "1 image", "2 images"))
        ),
        ({"grace": "1d"}, "Grace1 day between"),
        ({"grace": "1h"}, "Grace1 hour between"),
    ],
    ids=str,
)
def test_the_policy_tells_one_from_several(show: Show, policy: dict[str, Any], words: str) -> None:
    assert words in show(sweep(**{"keep": {"newest": 3}, **policy})).texts["facts"]


@pytest.mark.parametrize(
    ("number", "asked", "headline", "unknown"),
    [
        (1, "1 image by its id", "1 of 1 image asked for", "1 image is unknown: it counts"),
        (2, "2 images by their ids", "2 of 2 images asked for", "2 images is unknown: they count"),
    ],
)
def test_a_request_by_ids_tells_one_from_several(  # noqa: PLR0913, PLR0917 (one row of the table)
    show: Show, cloud: FakeCloud, number: int, asked: str, headline: str, unknown: str
) -> None:
    seen = show({"image_ids": [cloud.add_image(f"ci-{at}", size=None) for at in range(number)]})
    assert asked in seen.texts["facts"]
    assert seen.headline == f"{headline} would be deleted"
    assert f"The size of {unknown} as zero" in seen.texts["verdict note"]


def result_of(outcome: Outcome, number: int) -> Result:
    request = SweepRequest(Select("ci-*"))
    return Result("", request, tuple(replace(outcome, image_id=f"id-{at}", name="ci") for at in range(number)))


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome("", "deleted", size=GIB), ("1 of 1 image was deleted", "2 of 2 images were deleted")),
        (Outcome("", "marked"), ("; 1 waiting for its day", "; 2 waiting for their day")),
        (Outcome("", "would_delete"), ("; 1 left to a worker", "; 2 left to workers")),
        (Outcome("", "failed", "denied"), ("1 image failed, and must", "2 images failed, and must")),
    ],
    ids=lambda given: given.outcome if isinstance(given, Outcome) else "",
)
def test_what_became_of_images_tells_one_from_several(outcome: Outcome, told: tuple[str, str]) -> None:
    for number, words in enumerate(told, start=1):
        seen = shown(result_of(outcome, number), mode="delete")
        assert words in seen.headline + seen.texts.get("verdict note", "")


def test_a_cap_tells_one_from_several(show: Show, cloud: FakeCloud) -> None:
    for words in ("1 of 1 image is selected, and", "2 of 2 images are selected, and"):
        cloud.add_image("ci-1")
        assert words in show(sweep(limit=0)).texts["verdict"]


def test_none_one_and_several_are_told_apart_in_the_sums() -> None:
    sized, unsized = (Outcome("", "refused", "protected", size=size) for size in (GIB, None))
    assert "Stays 0 GiB0 images0.0%" in shown(result_of(sized, 0)).texts["cards"]
    for number, words in ((1, "1 image"), (2, "2 images")):
        several, nobody_knows = (shown(result_of(each, number)).texts["refused"] for each in (sized, unsized))
        assert several.startswith(f"Refused by a rule {words}, {number}.0 GiBAsked for")
        assert nobody_knows.startswith(f"Refused by a rule {words}, of unknown sizeAsked for")


# What a reader may do


def test_the_page_says_how_a_waiting_image_is_kept(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    seen = show(sweep(grace="7d"), REAPER_KEEP_TAG="hands off")
    assert "openstack image unset --tag reaper-delete-after=2026-11-08 IMAGE" in seen.texts["waits"]
    assert "openstack image set --tag 'hands off' IMAGE" in seen.texts["waits"]
    cloud.add_image("ci-2", tags=["reaper-delete-after=2026-11-05"])
    seen = show(sweep(grace="7d"))
    assert "openstack image unset --tag reaper-delete-after=DAY IMAGE" in seen.texts["waits"]
    assert seen.images("waits")["ci-2"] == ("marked", "reaper-delete-after=2026-11-05")


def test_the_page_says_how_its_plan_is_carried_out(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    told = show(sweep()).texts["goes"]
    assert "rehearse with --plan plan.json, and carry that plan out until 2026-11-08 12:30 UTC" in told
    assert "REAPER_MODE=delete image-reaper --apply plan.json" in told
    assert "image-reaper" not in show(sweep(), REAPER_MODE="delete").texts["goes"]


def test_a_page_with_a_box_says_only_there_how_its_plan_is_carried_out() -> None:
    assert "--apply" not in boxed(LAMBDA, image(1)).source
