"""A policy, decided without a cloud: what it selects, and which of them stay."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from handler.model.image import Image
from handler.model.outcome import Decision
from handler.model.request import Keep, Select, SweepRequest
from handler.rules.selection import decide, family, groups_of, objection
from tests.examples import DAY, EVERY_SELECT, IMAGE, NOW, SECOND, image, tagged


def family_of(*ages: float | None, name: str = "ci-{}", **changes: Any) -> list[Image]:  # noqa: ANN401 (any attribute)
    """Images of so many days, whose ids are their places in the list."""
    born = [None if age is None else NOW - age * DAY for age in ages]
    return [image(id=str(n), name=name.format(n), created_at=moment, **changes) for n, moment in enumerate(born)]


def why_not(select: Select, found: Image = IMAGE) -> str | None:
    """The condition that does not hold."""
    said = objection(found, select, NOW)
    return said.reason if said else None


def decisions(images: Iterable[Image], keep: Keep | None, select: Select = Select(name="*")) -> list[Decision]:  # noqa: B008 (frozen)
    return list(decide(images, SweepRequest(select, keep), NOW))


def selected(images: Iterable[Image], keep: Keep | None, select: Select = Select(name="*")) -> list[str]:  # noqa: B008 (frozen)
    return sorted(decision.image.id for decision in decisions(images, keep, select) if decision.objection is None)


# Conditions


@pytest.mark.parametrize(
    ("glob", "name", "holds"),
    [
        ("ci-*", "ci-1", True),
        ("ci-?", "ci-1", True),
        ("ci-[0-9]", "ci-1", True),
        ("ci-[!0-9]", "ci-1", False),
        ("CI-*", "ci-1", False),
        ("ci", "ci-1", False),
        ("*", None, True),
        ("?*", None, False),
        ("*", "a\nb", True),
        ("a*", "b\na", False),
    ],
)
def test_a_name_fits_as_a_whole_and_in_the_case_that_it_has(glob: str, name: str | None, holds: bool) -> None:  # noqa: FBT001
    assert why_not(Select(name=glob), image(name=name)) == (None if holds else "name")


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        *(("ubuntu-1", True), ("ubuntu-2026.01", True), ("ubuntu-", True), ("ubuntu", True)),
        *(
            ("ubuntu-gpu-1", False),
            ("ubuntus-1", False),
            ("Ubuntu-1", False),
            ("-ubuntu-1", False),
            ("ubuntu-1-", False),
        ),
        *((None, False), ("", False)),
    ],
)
def test_a_family_is_a_group_and_not_a_prefix(name: str | None, holds: bool) -> None:  # noqa: FBT001
    assert why_not(Select(family="ubuntu"), image(name=name)) == (None if holds else "family")


@pytest.mark.parametrize("family", ["*", "ubuntu*", "ubunt?", "[u]buntu", "ubuntu-*"])
def test_a_family_is_no_pattern(family: str) -> None:
    assert why_not(Select(family=family), image(name="ubuntu-1")) == "family"
    assert why_not(Select(family=family), image(name=f"{family}-1")) is None


@pytest.mark.parametrize("tags", [{"ci"}, {"ci", "x"}, set()])
def test_an_image_has_all_tags_that_are_asked_for_and_may_have_more(tags: set[str]) -> None:
    assert why_not(Select(tags=frozenset(tags))) is None


@pytest.mark.parametrize("tags", [{"c"}, {"ci", "y"}, {"ci", "x", "y"}, {"CI"}])
def test_an_image_that_lacks_one_of_the_tags_is_not_selected(tags: set[str]) -> None:
    assert why_not(Select(tags=frozenset(tags))) == "tags"


@pytest.mark.parametrize(
    "properties",
    [(("os_type", "linux"),), (("os_type", "linux"), ("cpus", "4")), (("secure", "true"),), (("empty", ""),)],
)
def test_properties_are_compared_as_texts_and_all_of_them(properties: tuple[tuple[str, str], ...]) -> None:
    assert why_not(Select(properties=properties)) is None


@pytest.mark.parametrize(
    "properties",
    [
        (("os_type", "windows"),),
        (("os_type", "linux"), ("cpus", "5")),
        (("note", "None"),),
        (("note", ""),),
        (("missing", ""),),
        (("missing", "None"),),
    ],
)
def test_a_property_that_differs_or_is_not_there_keeps_an_image(properties: tuple[tuple[str, str], ...]) -> None:
    assert why_not(Select(properties=properties)) == "properties"


@pytest.mark.parametrize("status", ["active", "deactivated", "killed", "queued"])
def test_a_status_that_is_asked_for_must_be_that_one(status: str) -> None:
    assert why_not(Select(status="active"), image(status=status)) == (None if status == "active" else "status")


@pytest.mark.parametrize(("older", "holds"), [(timedelta(0), False), (SECOND, True), (-SECOND, False)])
def test_an_image_exactly_as_old_as_asked_for_is_not_older(older: timedelta, holds: bool) -> None:  # noqa: FBT001
    born = NOW - 30 * DAY - older
    assert why_not(Select(older_than=30 * DAY), image(created_at=born)) == (None if holds else "age")


@pytest.mark.parametrize(("before", "holds"), [(timedelta(0), False), (SECOND, True), (-SECOND, False)])
def test_an_image_created_at_the_very_time_was_not_created_before_it(before: timedelta, holds: bool) -> None:  # noqa: FBT001
    moment = NOW - 30 * DAY
    assert why_not(Select(created_before=moment), image(created_at=moment - before)) == (None if holds else "age")


def test_times_are_compared_over_time_zones() -> None:
    east = timezone(timedelta(hours=14))
    moment = datetime(2026, 6, 1, 13, 59, tzinfo=east)  # 31 May, 23:59 UTC
    born = datetime(2026, 6, 1, tzinfo=UTC)
    assert why_not(Select(created_before=moment), image(created_at=born)) == "age"
    assert why_not(Select(created_before=moment), image(created_at=born - 2 * timedelta(minutes=1))) is None


@pytest.mark.parametrize("select", EVERY_SELECT.values(), ids=list(EVERY_SELECT))
@pytest.mark.parametrize("created_at", [None, NOW + SECOND, NOW + 9999 * DAY])
def test_an_image_of_unknown_or_future_age_is_never_selected(select: Select, created_at: datetime | None) -> None:
    assert why_not(select) is None
    assert why_not(select, image(created_at=created_at)) == "age"


@pytest.mark.parametrize(("size", "holds"), [(1025, True), (1024, False), (0, False), (None, False)])
def test_an_image_is_over_a_size_if_it_is_known_to_be_larger(size: int | None, holds: bool) -> None:  # noqa: FBT001
    assert why_not(Select(size_over=1024), image(size=size)) == (None if holds else "size")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "web"}, "name"),
        ({"tags": frozenset()}, "tags"),
        ({"record": {}}, "properties"),
        ({"status": "killed"}, "status"),
        ({"created_at": NOW}, "age"),
        ({"size": 1}, "size"),
        ({"name": "ci-x-1"}, "family"),
    ],
)
def test_each_condition_alone_keeps_an_image(change: dict[str, Any], reason: str) -> None:
    select = Select("ci-*", frozenset({"ci"}), (("os_type", "linux"),), "active", 9 * DAY, NOW - 9 * DAY, 1000, "ci")
    assert why_not(select) is None
    assert why_not(select, image(**change)) == reason


# The newest of each group


def test_the_newest_of_a_group_stay_in_whatever_order_images_come() -> None:
    images = family_of(5, 1, 3, 2, 4)
    for turned in (images, images[::-1], images[2:] + images[:2]):
        assert selected(turned, Keep(2)) == ["0", "2", "4"]


def test_every_image_gets_one_decision_and_what_is_selected_needs_little_memory() -> None:
    images = [*family_of(1, 2, 3), image(id="x", name=None), image(id="y", created_at=None)]
    made = decisions(images, Keep(1))
    assert sorted(decision.image.id for decision in made) == ["0", "1", "2", "x", "y"]
    assert [decision.image.record for decision in made if decision.objection is None] == [{}, {}]


def test_each_group_keeps_its_own_newest() -> None:
    web = [replace(found, id=f"web-{found.id}") for found in family_of(1, 2, name="web-{}")]
    assert selected([*family_of(10, 20, 30), *web], Keep(1)) == ["1", "2", "web-1"]


@pytest.mark.parametrize("newest", [3, 4, 1000])
def test_a_group_of_no_more_than_the_newest_stays_as_a_whole(newest: int) -> None:
    assert selected(family_of(1, 2, 3), Keep(newest)) == []


def test_without_keep_none_of_the_newest_stays() -> None:
    assert selected(family_of(1, 2, 3), None) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("ci-1", "ci"),
        ("ci-2026-01", "ci-2026"),
        ("ci", "ci"),
        ("ci-", "ci"),
        ("-1", "-1"),
        ("-", "-"),
        ("a b-1", "a b"),
    ],
)
def test_a_family_is_a_name_up_to_its_last_hyphen_or_all_of_it(name: str, group: str) -> None:
    assert family(name) == group
    assert groups_of(image(name=name), "name") == (group,)


@pytest.mark.parametrize("name", [None, ""])
def test_an_image_without_a_name_is_in_no_family_and_stays(name: str | None) -> None:
    nameless = image(name=name)
    assert groups_of(nameless, "name") == ()
    assert [d.objection.reason for d in decisions([nameless], Keep(1)) if d.objection] == ["group"]
    assert selected([nameless], None) == [IMAGE.id]


@pytest.mark.parametrize(("key", "group"), [("os_type", ("linux",)), ("cpus", ("4",)), ("empty", ("",))])
def test_a_property_makes_a_group_of_each_of_its_values(key: str, group: tuple[str, ...]) -> None:
    assert groups_of(IMAGE, f"property:{key}") == group


@pytest.mark.parametrize("key", ["note", "missing"])
def test_an_image_without_the_property_is_in_no_group_and_stays(key: str) -> None:
    assert groups_of(IMAGE, f"property:{key}") == ()
    assert selected(family_of(1, 2, 3), Keep(1, f"property:{key}")) == []


def test_a_property_s_name_may_hold_a_colon() -> None:
    assert groups_of(image(record={"a:b": "c"}), "property:a:b") == ("c",)


def test_the_newest_of_each_value_of_a_property_stay() -> None:
    linux, windows = family_of(1, 2, record={"os": "linux"}), family_of(3, 4, record={"os": "windows"})
    windows = [replace(found, id=f"w{found.id}") for found in windows]
    assert selected([*linux, *windows], Keep(1, "property:os")) == ["1", "w1"]


def test_an_image_is_in_the_group_of_each_tag_with_the_prefix() -> None:
    assert groups_of(tagged("app:web", "app:api", "apps", "x"), "tag-prefix:app:") == ("app:api", "app:web")
    assert groups_of(tagged("x"), "tag-prefix:app:") == ()


def test_an_image_in_several_groups_stays_if_it_is_among_the_newest_of_one() -> None:
    both, web, api = family_of(3, 2, 4)
    images = [
        replace(both, tags=frozenset({"app:web", "app:api"})),
        replace(web, tags=frozenset({"app:web"})),
        replace(api, tags=frozenset({"app:api"})),
    ]
    assert selected(images, Keep(1, "tag-prefix:app:")) == ["2"]  # the first is the newest of api, though not of web


def test_of_images_created_at_once_just_so_many_stay_and_always_the_same() -> None:
    images = family_of(1, 1, 1, 1)
    assert selected(images, Keep(2)) == selected(images[::-1], Keep(2)) == ["0", "1"]


@pytest.mark.parametrize("status", ["deactivated", "killed", "queued", "saving"])
def test_an_image_that_cannot_be_used_is_not_one_of_the_newest(status: str) -> None:
    newest, older, oldest = family_of(1, 2, 3)
    assert selected([replace(newest, status=status), older, oldest], Keep(1)) == ["0", "2"]


@pytest.mark.parametrize("created_at", [None, NOW + SECOND])
def test_an_image_of_unknown_or_future_age_is_not_one_of_the_newest(created_at: datetime | None) -> None:
    strange, older, oldest = family_of(1, 2, 3)
    assert selected([replace(strange, created_at=created_at), older, oldest], Keep(1)) == ["2"]


def test_an_image_created_just_now_is_one_of_the_newest() -> None:
    assert selected(family_of(0, 2, 3), Keep(1)) == ["1", "2"]


def test_images_that_the_conditions_do_not_hold_for_count_among_the_newest() -> None:
    made = decisions(family_of(1, 2, 30, 40), Keep(2), Select(older_than=20 * DAY))
    assert sorted(decision.image.id for decision in made if decision.objection is None) == ["2", "3"]
    assert selected(family_of(1, 30, 40), Keep(2), Select(older_than=20 * DAY)) == ["2"]


def test_why_an_image_stays_is_told() -> None:
    new, old, other = family_of(1, 2, 3)
    made = decisions([new, old, replace(other, name="web")], Keep(1), Select(name="ci-*"))
    told = {decision.image.id: decision.objection.reason if decision.objection else "" for decision in made}
    assert told == {"0": "newest", "1": "", "2": "name"}
