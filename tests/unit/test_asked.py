"""What is asked for by options: the very request that a file would hold, and words that name the option."""

from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.shell.asked import event_of
from handler.shell.options import OF_SWEEPS, parse
from handler.sources.schema import SweepOrder, read_request
from tests.conftest import UNKNOWN_ID

KEY = f"runs/2026-11-27/p1/r1/plan-{'0a' * 32}.json"

# Each option of a sweep, as it is typed and as the request has it.
SELECTED: dict[str, tuple[list[str], dict[str, Any]]] = {
    "name": (["--name", "ci-*"], {"name": "ci-*"}),
    "family": (["--family", "ci-build"], {"family": "ci-build"}),
    "tag": (["--tag", "a", "--tag", "b=c"], {"tags": ["a", "b=c"]}),
    "property": (
        ["--property", "os=linux", "--property", "args=a=b=c", "--property", "empty="],
        {"properties": {"os": "linux", "args": "a=b=c", "empty": ""}},
    ),
    "status": (["--status", "active"], {"status": "active"}),
    "older_than": (["--older-than", "30d"], {"older_than": "30d"}),
    "created_before": (["--created-before", "2026-01-31"], {"created_before": "2026-01-31"}),
    "size_over": (["--size-over", "0"], {"size_over": 0}),
    "unused_for": (["--unused-for", "2w"], {"unused_for": "2w"}),
}
DONE: dict[str, tuple[list[str], dict[str, Any]]] = {
    "keep": (["--keep", "3"], {"keep": {"newest": 3}}),
    "group_by": (["--keep", "3", "--group-by", "property:os"], {"keep": {"newest": 3, "group_by": "property:os"}}),
    "limit": (["--limit", "0"], {"limit": 0}),
    "limit_percent": (["--limit-percent", "12.5"], {"limit_percent": 12.5}),
    "grace": (["--grace", "7d"], {"grace": "7d"}),
    "deactivate": (["--grace", "7d", "--deactivate"], {"grace": "7d", "deactivate": True}),
}
WRONG: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "--sweep: would be about every image"),
    "an age": (["--older-than", "14 days"], "--older-than: must be a whole number of hours, days or weeks"),
    "no age": (["--older-than", "0d"], "--older-than: must be more than zero"),
    "a time": (["--created-before", "soon"], "--created-before: must be a time such as"),
    "a status": (["--status", "gone"], "--status: "),
    "a young upload": (["--status", "saving"], "--status: saving needs --older-than of at least 1d"),
    "a size": (["--size-over", "-1"], "--size-over: "),
    "an empty name": (["--name", ""], "--name: "),
    "an empty tag": (["--tag", ""], "--tag: "),
    "no pair": (["--property", "os"], "--property: os: must be KEY=VALUE"),
    "no key": (["--property", "=linux"], "--property: =linux: must be KEY=VALUE"),
    "two values": (["--property", "a=1", "--property", "a=2"], "--property: a: given twice"),
    "one pair twice": (["--property", "a=1", "--property", "a=1"], "--property: a: given twice"),
    "a long value": (["--property", f"{'k' * 300}=1"], "--property: "),
    "none kept": (["--name", "a", "--keep", "0"], "--keep: "),
    "a group": (["--name", "a", "--keep", "1", "--group-by", "nam"], "--group-by: "),
    "a limit": (["--name", "a", "--limit", "-1"], "--limit: "),
    "a share": (["--name", "a", "--limit-percent", "101"], "--limit-percent: "),
    "no share": (["--name", "a", "--limit-percent", "nan"], "--limit-percent: "),
    "a grace": (["--name", "a", "--grace", "soon"], "--grace: must be a whole number of hours"),
    "no grace": (["--name", "a", "--deactivate"], "--deactivate: needs --grace, and can't be combined with --status"),
    "a memory": (["--unused-for", "900w"], "--unused-for: must be at most"),
    "a long reason": (["--name", "a", "--reason", "r" * 300], "--reason: "),
}


def asked(*words: str) -> dict[str, Any]:
    return event_of(parse(words))


@pytest.mark.parametrize(("words", "select"), SELECTED.values(), ids=SELECTED)
def test_each_condition_has_its_option(words: list[str], select: dict[str, Any]) -> None:
    assert asked("--sweep", *words) == {"sweep": {"select": select}}
    assert read_request(asked("--sweep", *words)) == read_request({"sweep": {"select": select}})


@pytest.mark.parametrize(("words", "sweep"), DONE.values(), ids=DONE)
def test_each_cap_has_its_option(words: list[str], sweep: dict[str, Any]) -> None:
    request = {"sweep": {"select": {"name": "a"}, **sweep}}
    assert asked("--sweep", "--name", "a", *words) == request
    assert read_request(asked("--sweep", "--name", "a", *words)) == read_request(request)


def test_every_option_of_a_sweep_is_tried_and_every_field_has_one() -> None:
    assert {*SELECTED, *DONE} == set(OF_SWEEPS)
    sweep, select = SweepOrder.model_fields["sweep"].annotation, {"tag": "tags", "property": "properties"}
    assert sweep is not None
    fields = {*sweep.model_fields, *sweep.model_fields["select"].annotation.model_fields} - {"select"}
    assert {select.get(name, name) for name in OF_SWEEPS} - {"group_by"} == fields


@pytest.mark.parametrize(("words", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_names_the_option_that_was_typed(words: list[str], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked("--sweep", *words)
    assert str(caught.value).startswith(problem)
    assert "sweep." not in str(caught.value)
    assert "_" not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidRequest, match=r"^--older-than: must .*; --limit: "):
        asked("--sweep", "--older-than", "x", "--limit", "-1")


def test_a_stored_plan_is_approved_by_its_key() -> None:
    assert asked("--approve", KEY) == {"approve": {"plan": KEY, "sha256": "0a" * 32}}
    with pytest.raises(InvalidRequest, match=r"^--approve: must be the key of a plan"):
        asked("--approve", "plan.json")


@pytest.mark.parametrize("words", [[UNKNOWN_ID], ["--sweep", "--name", "a"], ["--approve", KEY]], ids=str)
def test_a_reason_is_that_of_the_request(words: list[str]) -> None:
    assert asked(*words, "--reason", "the weekly review")["reason"] == "the weekly review"


def test_a_day_that_none_can_follow_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse([UNKNOWN_ID, "--today", "9999-12-31"])
    assert "is too late: the last year is 2999" in capsys.readouterr().err
