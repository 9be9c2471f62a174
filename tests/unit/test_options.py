"""Options that are wrong: each ends the command before it begins, with a line that says which one, and why."""

import pytest

from handler.shell.options import OF_SWEEPS, parse, spelled
from tests.commands import Command
from tests.conftest import UNKNOWN_ID

MAY_BE_REPEATED = {"tag", "property", "deactivate"}
VALUES = {"size_over": "5", "keep": "3", "limit": "9", "limit_percent": "5", "today": "2026-12-31"}
OTHERS = ("apply", "approve", "veto", "cloud", "reason", "plan", "html", "journal", "today")
ARMS = "what passes every check is deleted if REAPER_MODE=delete is set"

WRONG: dict[str, tuple[list[str], str]] = {
    "a stream for a file": (["--sweep", "--name", "x", "--plan", "-"], "--plan: takes the name of a file"),
    "nothing": ([], "say what to do: name a file or ids of images, or give --sweep"),
    "no sweep": (["--name", "ci-*"], "--name: needs --sweep"),
    "a slip": (["--sweep", "--nmae", "ci-*"], "--nmae: unknown option; did you mean --name?"),
    "a letter less": (["--swep"], "--swep: unknown option; did you mean --sweep?"),
    "a secret": (["--password=hunter2", UNKNOWN_ID], "--password: unknown option"),
    "help": (["--hlep"], "--hlep: unknown option; did you mean --help?"),
    "a control character": (["--\x1b[2J"], "--?[2J: unknown option"),
    "a rehearsal": (
        ["--dry-run", UNKNOWN_ID],
        "--dry-run: unknown option; leave it out: everything is a rehearsal unless REAPER_MODE=delete is set",
    ),
    "a deletion": (
        ["--sweep", "--delete"],
        f"--delete: unknown option; {ARMS}",
    ),
    "force": (
        ["--force"],
        f"--force: unknown option; no check can be left out; {ARMS}",
    ),
    "apply": (
        ["--sweep", "--apply"],
        f"--apply: needs a plan, as in --apply=PLAN; {ARMS}",
    ),
    "no value": (["--sweep", "--name"], "--name: needs a value, as in --name=VALUE"),
    "no ids": (["--veto"], "--veto: needs a value, as in --veto=VALUE"),
    "a value too many": (["--sweep=yes"], "--sweep: takes no value"),
    "no number": (["--sweep", "--keep", "three"], "--keep: must be a number, not 'three'"),
    "no day": (["x.json", "--today", "soon"], "--today: 'soon' is no day: write it like 2026-12-31"),
    "gigabytes": (["--size-over", "3GB"], "--size-over: must be a number of bytes, such as 3000000000, not '3GB'"),
    "gibibytes": (["--size-over", "1.5 GiB"], "--size-over: must be a number of bytes, such as 1610612736, not "),
    "no size": (["--size-over", "big"], "--size-over: must be a number of bytes, such as 3000000000, not 'big'"),
}


@pytest.mark.parametrize(("typed", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_our_words(command: Command, typed: list[str], said: str) -> None:
    ended = command(*typed)
    assert (ended.returncode, ended.stdout) == (2, "")
    first, last = ended.stderr.splitlines()
    assert first.startswith(f"image-reaper: {said}")
    assert "hunter2" not in first
    assert last == "image-reaper --help lists the options."


@pytest.mark.parametrize("name", sorted({*OF_SWEEPS, *OTHERS} - MAY_BE_REPEATED))
def test_no_value_silently_replaces_another(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = [spelled(name), VALUES.get(name, "x")]
    with pytest.raises(SystemExit, match="2"):
        parse([*given, *given])
    assert capsys.readouterr().err.startswith(f"image-reaper: {spelled(name)}: given twice\n")


def test_every_option_that_may_not_be_repeated_is_tried() -> None:
    holders = {name for name, value in vars(parse([UNKNOWN_ID])).items() if value is None}
    assert holders == {*OF_SWEEPS, *OTHERS} - {"deactivate"}


def test_what_holds_no_value_may_be_repeated() -> None:
    options = parse(["--sweep", "--sweep", "--tag", "a", "--tag", "b", "--yes", "--yes"])
    assert (options.sweep, options.tag, options.yes) == (True, ["a", "b"], True)


def test_ids_may_stand_before_options_and_behind_them() -> None:
    assert parse(["a", "--yes", "b"]).asked == ["a", "b"]
