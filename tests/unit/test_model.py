"""The values: ages, and what images, outcomes and results say of themselves."""

import ast
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import timedelta
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.image import EXPECTABLE, Image
from handler.model.outcome import Outcome, OutcomeName, Result
from handler.model.request import DeletionRequest, Target, parse_age

IMAGE = Image("i", "n", "o", "active", "private", False, frozenset(), frozenset(), None, None, 1, None, {})  # noqa: FBT003
MODULES = [f"handler.model.{path.stem}" for path in Path("handler/model").glob("[a-z]*.py")]
REQUEST = DeletionRequest((Target("i"),))


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("0d", timedelta(0)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(days=14)),
        ("007d", timedelta(days=7)),
        ("99999w", timedelta(weeks=99_999)),
    ],
)
def test_an_age_is_a_number_of_hours_days_or_weeks(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


NO_AGES = ["", "d", "30", "30D", "30 d", " 30d", "30d ", "30d\n", "-1d", "+1d", "1.5d", "1,5d", "1m", "1y"]


@pytest.mark.parametrize("text", [*NO_AGES, "30days", "1d12h", "1e3d", "0x1d", "100000d", "P30D"])
def test_anything_else_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="such as 12h, 30d or 2w"):
        parse_age(text)


@given(text=st.text() | st.from_regex(r"\A\d{0,7}[hdwm]?\Z"))
def test_no_text_becomes_a_negative_age_or_another_error(text: str) -> None:
    try:
        assert parse_age(text) >= timedelta(0)
    except ValueError:
        assert text[-1:] not in {"h", "d", "w"} or not (text.isascii() and text[:-1].isdecimal()) or len(text) > 6


@pytest.mark.parametrize(
    ("visibility", "imagetype", "expected"),
    [
        ("private", "private", False),
        ("private", None, False),
        ("private", "shared", True),
        ("shared", "private", True),
        ("public", "gold", True),
        ("community", None, True),
    ],
)
def test_only_a_private_image_that_ims_does_not_call_shared_has_no_members(
    visibility: str, imagetype: str | None, *, expected: bool
) -> None:
    image = replace(IMAGE, visibility=visibility, record={"__imagetype": imagetype})
    assert image.may_be_shared is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("True", True), (True, True), ("false", False), ("", False), (None, False)],
    ids=repr,
)
def test_a_whole_image_has_a_backup(value: object, *, expected: bool) -> None:
    assert replace(IMAGE, record={"__whole_image": value}).has_backup is expected
    assert IMAGE.has_backup is False


@pytest.mark.parametrize("record", [{"__backup_id": "b"}, {"__backup_id": "b", "__whole_image": "false"}], ids=str)
def test_an_image_that_names_a_backup_has_one(record: dict[str, object]) -> None:
    assert replace(IMAGE, record=record).has_backup


@pytest.mark.parametrize("value", [None, ""])
def test_an_image_that_names_no_backup_has_none(value: str | None) -> None:
    assert not replace(IMAGE, record={"__backup_id": value}).has_backup


@pytest.mark.parametrize(
    ("mapping", "snapshots"),
    [
        ('[{"snapshot_id": "s1", "boot_index": 0}, {"snapshot_id": "s2"}, {"snapshot_id": "s1"}]', ("s1", "s2")),
        ([{"snapshot_id": "s1"}], ("s1",)),
        ('[{"snapshot_id": null}, {"image_id": "i"}, 7, "x", null]', ()),
        *[(odd, ()) for odd in ("[]", "", "{", "null", "7", '"text"', '{"snapshot_id": "s1"}', "[" * 100_000, None, 7)],
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_image_made_of_volumes_names_their_snapshots(mapping: object, snapshots: tuple[str, ...]) -> None:
    assert replace(IMAGE, record={"block_device_mapping": mapping}).volume_snapshots == snapshots


@pytest.mark.parametrize("name", get_args(OutcomeName))
def test_only_the_outcome_failed_has_failed(name: OutcomeName) -> None:
    assert Outcome("i", name).failed is (name == "failed")


def test_a_message_failed_if_any_of_its_images_failed_or_it_had_a_problem() -> None:
    gone, failed = Outcome("i", "already_gone"), Outcome("j", "failed", "denied")
    assert not Result("m", REQUEST, (gone, Outcome("k", "refused", "kept"))).failed
    assert Result("m", REQUEST, (gone, failed)).failed
    assert Result("m", None, problem="not JSON").failed


def test_the_values_are_frozen() -> None:
    classes = [
        thing
        for module in map(import_module, MODULES)
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and not getattr(thing, "_is_protocol", False)
    ]
    frozen = [thing for thing in classes if is_dataclass(thing) and thing.__dataclass_params__.frozen]  # type: ignore[attr-defined]  # is_dataclass
    assert len(classes) >= 13
    assert set(classes) == {*frozen, *(thing for thing in classes if issubclass(thing, tuple | Enum))}
    with pytest.raises(FrozenInstanceError):
        IMAGE.protected = True  # type: ignore[misc]  # that is what is tested


def test_what_a_request_may_expect_are_attributes_of_an_image() -> None:
    known = {"name", "owner", "checksum", "status", "updated_at", "size", "tags", "protected", "visibility"}
    assert set(EXPECTABLE) == known
    assert set(EXPECTABLE) <= {field.name for field in fields(Image)}


def test_a_description_of_an_image_shows_nothing_of_its_record() -> None:
    image = replace(IMAGE, record={"direct_url": "swift+https://user:secret@store"})
    assert "secret" not in repr(image)
    assert "secret" not in repr(Outcome("i", "deleted", image=image))


def named_tuples(trees: list[ast.Module]) -> set[str]:
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {found.name for found in classes if "NamedTuple" in map(ast.unparse, found.bases)}


def test_a_value_of_more_than_two_fields_is_made_with_keywords() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path("handler").rglob("*.py")]
    known = named_tuples(trees)
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) in known]
    assert len(made) > 30
    assert [ast.unparse(call) for call in made if len(call.args) > 2] == []
