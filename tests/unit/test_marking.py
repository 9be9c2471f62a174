"""The steps by which marks are set and taken off, in one table: `plans.txt`, one situation a line.

`test_protocol.py` shows that these steps are safe; here stands which they are, so that no change of them goes unseen.
Whoever means to change them has the table written anew by `python -m tests.unit.test_marking`, and reads what differs.

A line holds the tags of an image, in short: `mark -3` is a mark whose last day was three days ago, `own sign -3` this
sweep's signature for that day, `other draft +7 of -1` the draft of another sweep for a day in a week, begun yesterday.
Then the state that they make, and the steps by which the image is marked, released, and undone.
"""

import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from handler.model.request import Select, SweepRequest
from handler.rules.mark_state import may_release, state_of
from handler.rules.marking import Plan, to_mark, to_release, to_undo
from handler.rules.marks import fingerprint
from tests.examples import DAY, NOW, image

TABLE = Path(__file__).with_name("plans.txt")
GRACE = SweepRequest(Select(name="ci-*"), grace=7 * DAY)
SWEEPS = {
    "": GRACE,
    "deactivates": GRACE._replace(deactivate=True),
    "without grace": GRACE._replace(grace=timedelta(0)),
}
BEFORE = {"": None, "after the first draft": Plan(goes_on=True, begins=True), "after more": Plan(goes_on=True)}
SIGNERS = {"own": fingerprint(GRACE), "other": "0123abcd"}

MARKS = ("", "mark -40", "mark -32", "mark -3", "mark +0", "mark +3", "mark +7", "mark soon", "mark -3, mark +3")
SIGNS = ("", "own sign -3", "own sign +7", "own sign", "other sign -40", "other sign -3", "other sign")
HOLDS = (
    *(
        "",
        "own draft +7 of +0",
        "own draft +7 of -1",
        "own draft +7 of -2",
        "own draft -3 of +0",
        "own draft none of +0",
    ),
    *("own draft none of -2", "own recall -3", "own recall none", "own draft -3 of +0, own recall -3"),
    *("own draft none of +0, other recall -40", "other draft +7 of +0", "other draft -40 of -40", "other recall -40"),
    *("own draft +7 of +0, other draft +7 of +0", "own draft none of +0, other draft -40 of -40"),
)
SWITCHES = ("", "deactivating", "deactivated", "deactivating, deactivated")


def day(number: str) -> str:
    return "0000-00-00" if number == "none" else (NOW + int(number) * DAY).date().isoformat()


def spelled(short: str) -> str:
    """A tag as it is written on an image."""
    match short.split():
        case ["mark", "soon"]:
            return "reaper-delete-after=soon"
        case ["mark", number]:
            return f"reaper-delete-after={day(number)}"
        case [signer, "sign", *number]:
            return "-".join([f"reaper-sweep={SIGNERS[signer]}", *map(day, number)])
        case [signer, "draft", number, "of", begun]:
            return f"reaper-draft-{SIGNERS[signer]}={day(number)}-{day(begun)}"
        case [signer, "recall", number]:
            return f"reaper-recall-{SIGNERS[signer]}={day(number)}"
    return f"reaper-{short}"


def shortened(text: str, tags: list[str]) -> str:
    """The tags of a text in short again, and days by their distance."""
    for tag in tags:
        text = text.replace(spelled(tag), f"<{tag}>")
    for signer, name in SIGNERS.items():
        text = text.replace(name, signer)
    for number in (-40, -32, -3, -2, -1, 0, 3, 7):
        text = text.replace(day(str(number)), f"{number:+}")
    return text


def flags(**said: object) -> list[str]:
    """What is true; anything else than true and false shows."""
    return [name if value is True else f"{name}={value}" for name, value in said.items() if value is not False]


def told(plan: Plan) -> str:
    steps = [f"{step.verb} {step.tag}".strip() for step in plan.steps] or ["nothing"]
    return ", ".join([*steps, *flags(goes_on=plan.goes_on, begins=plan.begins)])


def line(tags: list[str], status: str, sweep_name: str, before_name: str) -> str:
    found = image(tags=frozenset({"x", *map(spelled, tags)}), status=status)
    sweep, before = SWEEPS[sweep_name], BEFORE[before_name]
    mark = state_of(found, sweep, NOW)
    released = may_release(found, mark, sweep, NOW)
    may = flags(removable=mark.removable, forgotten=mark.is_forgotten, may_be_released=released)
    situation = "; ".join(filter(None, [", ".join(tags) or "nothing", status, sweep_name, before_name]))
    result = " | ".join(
        [
            ", ".join([f"{mark.state.name} until {mark.last_day}", *may]),
            told(to_mark(found, mark, sweep, NOW, before)),
            told(to_release(found, mark, sweep, NOW, before)),
            told(to_undo(found, mark, sweep, NOW)),
        ]
    )
    return f"{situation} | {shortened(result, tags)}"


def situations() -> Iterator[tuple[list[str], str, str, str]]:
    """Each kind of tag alone, and all that may stand together."""
    alone = [*((each, "", "", "") for each in MARKS), *(("", each, "", "") for each in SIGNS[1:])]
    alone += [*(("", "", each, "") for each in HOLDS[1:]), *(("", "", "", each) for each in SWITCHES[1:])]
    together = [*alone, *itertools.product(MARKS, SIGNS, HOLDS, SWITCHES)]
    for sweep, before, status, parts in itertools.product(SWEEPS, BEFORE, ("active", "deactivated"), together):
        yield [tag for part in parts for tag in part.split(", ") if tag], status, sweep, before


def chosen() -> Iterator[str]:
    """A line for each that differs from all before it in more than its tags and days, and for each tag alone."""
    seen: set[str] = set()
    for tags, status, sweep, before in situations():
        found = line(tags, status, sweep, before)
        result = re.sub(r"[+-]\d+|none|soon|, mark", "", found.partition(" | ")[2])
        if result not in seen or (len(tags) < 2 and (status, sweep, before) == ("active", "", "")):
            yield found
        seen.add(result)


def parsed(situation: str) -> tuple[list[str], str, str, str]:
    """The tags, the status of the image, the sweep, and the plan before, as a line begins with them."""
    tags, status, *more = situation.split("; ")
    sweep = next((each for each in more if each in SWEEPS), "")
    return (
        [] if tags == "nothing" else tags.split(", "),
        status,
        sweep,
        next((each for each in more if each in BEFORE), ""),
    )


LINES = TABLE.read_text(encoding="utf-8").splitlines()


def test_what_is_planned_in_each_situation_stands_in_the_table() -> None:
    assert len(LINES) > 300
    assert [line(*parsed(each.partition(" | ")[0])) for each in LINES] == LINES


if __name__ == "__main__":
    TABLE.write_text("".join(f"{each}\n" for each in dict.fromkeys(chosen())), encoding="utf-8")
