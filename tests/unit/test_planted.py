"""The planted faults fit the handler as it is, and the observer finds some of them; `make chaos-planted` tries all."""

import subprocess
from pathlib import Path

import pytest

from tests.chaos.planted import ROOT, Find, apply, look_for, patches, run, why

PATCHES = patches()


def test_there_are_enough_of_them() -> None:
    assert len(PATCHES) >= 25


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_patch_says_which_promise_it_breaks_and_fits_the_handler(patch: Path) -> None:
    text = patch.read_text("utf-8")
    assert why(patch).endswith(".")
    assert [line[:14] for line in text.splitlines() if line.startswith("+++")] == ["+++ b/handler/"]
    apply(patch, ROOT, "--check")


def test_a_patch_that_does_not_fit_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        apply(PATCHES[0], tmp_path, "--check")


@pytest.mark.slow("it tries worlds")
@pytest.mark.parametrize(
    ("name", "promise"), [("public-rule-left-out", "public"), ("reclaimed-bytes-of-refused-images", "metrics")]
)
def test_a_planted_fault_is_found(name: str, promise: str) -> None:
    (patch,) = patches([name])
    find = look_for(patch, operations=1000)
    assert find is not None
    assert find.promise == promise


@pytest.mark.slow("it tries all scripts")
def test_a_fault_that_needs_a_rare_situation_is_found_in_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    (patch,) = patches(["mark-of-another-policy-counts"])
    assert run(iter([(patch, look_for(patch, seeds=()))]))
    assert "'foreign mark' in a script after 4 operations" in capsys.readouterr().out


def test_a_fault_that_nobody_finds_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = PATCHES[:2]
    assert run(iter([(first, Find("cap", "one too many", 1, 30))]))
    assert not run(iter([(first, Find("cap", "one too many", 1, 30)), (second, None)]))
    told = capsys.readouterr().out.splitlines()
    assert told[1] == "1 of 1 planted faults found"
    assert told[2:] == [
        f"{first.stem}: 'cap' in seed 1 after 30 operations",
        f"{second.stem}: NOT FOUND",
        f"  {why(second)}",
        "1 of 2 planted faults found",
    ]
