"""The sample of mutants, and the list of those that are the same program; `make mutants` tries them."""

import json

import pytest

from tests.mutants import known
from tests.mutants.mutant import Mutant, mutants, sample

PATH = "handler/age.py"
TEXT = "def is_old(age: int) -> bool:\n    return age > 1\n\n\nLIMIT = 1\n"
TEN = "def ten() -> int:\n    return 10\n\n\n"


def row(place: str, before: str, after: str, text: str = TEXT) -> list[object]:
    """A row as the maker of mutants prints it."""
    start = text.index(before)
    printed = json.dumps([PATH, place, 1, 2, start, start + len(before), after])
    made: list[object] = json.loads(printed)
    return made


def made(text: str = TEXT) -> list[Mutant]:
    rows = [
        row("is_old", "> 1", ">= 1", text),
        row("is_old", "age > 1", "age > 2", text),
        row("LIMIT", "= 1", "= 2", text),
    ]
    return mutants(rows, {PATH: text})


def test_a_mutant_is_named_by_its_place_and_the_lines_that_differ() -> None:
    assert made()[0].name == f"{PATH} is_old\n- return age > 1\n+ return age >= 1"
    assert made()[0].text == TEXT.replace("> 1", ">= 1")


def test_a_mutant_keeps_its_name_when_its_lines_are_moved() -> None:
    assert [mutant.name for mutant in made(TEN + TEXT)] == [mutant.name for mutant in made()]


def test_mutants_that_differ_alike_have_names_of_their_own() -> None:
    text = "def both() -> int:\n    a = 1\n    a = 1\n"
    rows: list[list[object]] = [[PATH, "both", 1, 3, place, place + 1, "2"] for place in (27, 37)]
    assert [mutant.number for mutant in mutants(rows, {PATH: text})] == [1, 2]


def test_what_is_no_python_or_no_other_text_is_no_mutant() -> None:
    assert mutants([row("LIMIT", "= 1", "= ="), row("LIMIT", "= 1", "= 1")], {PATH: TEXT}) == []


def test_a_sample_is_the_same_for_one_seed_and_another_for_another() -> None:
    assert sample(made(), "1", 2) == sample(reversed(made()), "1", 2)
    assert len({tuple(sample(made(), str(seed), 2)) for seed in range(20)}) == 3


def test_a_sample_changes_no_more_than_the_code_does() -> None:
    changed = TEXT.replace("LIMIT = 1", "LIMIT = 1 + 0")
    before, after = ({m.name for m in sample(made(text), "1", 2)} for text in (TEXT, changed))
    assert len(before - after) <= 1


def test_the_list_is_one_of_reasons() -> None:
    listed = known.read_list(known.LIST.read_text(encoding="utf-8"))
    assert all(len(entry.reason) > 20 for entry in listed)


def test_an_entry_without_a_reason_or_twice_is_none() -> None:
    entry = '[[same]]\nplace = "a.py f"\ndiffers = "- x\\n+ y"\nreason = "{}"\n'
    with pytest.raises(ValueError, match="without a reason"):
        known.read_list(entry.format(""))
    with pytest.raises(ValueError, match="twice"):
        known.read_list(entry.format("why") * 2)
    assert known.gone(known.read_list(entry.format("why")), ["a.py f\n- x\n+ z"]) == ["a.py f\n- x\n+ y"]
