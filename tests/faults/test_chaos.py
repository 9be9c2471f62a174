"""A small share of the simulated worlds that `make chaos` tries by the hundred thousand, and what it rests on."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.rounds import Script, play, read_script, try_seed
from tests.chaos.shrink import shrunk
from tests.chaos.table import TABLE, Table
from tests.chaos.world import Step, World
from tests.fakecloud.api import Request

SCRIPTS = sorted((Path(__file__).parent.parent / "chaos" / "scripts").glob("*.json"))


@pytest.mark.slow("it carries out hundreds of operations")
@pytest.mark.parametrize("seed", [101, 102, 103, 108])
def test_a_world_in_which_everything_goes_wrong_breaks_no_promise(seed: int, tmp_path: Path) -> None:
    done = try_seed(seed, 400, 1, tmp_path)
    assert (done.operations >= 400, done.violations) == (True, 0), done.told


@pytest.mark.slow("it carries out hundreds of operations")
def test_many_images_at_a_time_break_no_promise(tmp_path: Path) -> None:
    done = try_seed(104, 400, 16, tmp_path)
    assert done.violations == 0, done.told


@pytest.mark.slow("it carries out hundreds of operations")
def test_one_seed_tells_one_story() -> None:
    stories = []
    for _ in range(2):
        with World(plan.cast(105), 105) as world:
            for step in plan.steps(105):
                world.carry_out([step])
                if world.operations > 250:
                    break
            stories.append(world.told)
    assert stories[0] == stories[1]
    assert len(stories[0]) > 250


def test_the_table_of_a_world_knows_nothing_of_the_world_before() -> None:
    assert [_counted_in(Table()), _counted_in(Table())] == ["1", "1"]


def _counted_in(table: Table) -> str:
    """What a table says that it has counted, once it has counted one deletion."""
    asked = {
        "TableName": TABLE,
        "Key": {"id": {"S": "x"}},
        "UpdateExpression": "ADD used :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        "ReturnValues": "UPDATED_NEW",
    }
    headers = {"X-Amz-Target": "DynamoDB_20120810.UpdateItem"}
    reply = table.answer(Request("POST", "/aws", headers=headers, body=json.dumps(asked).encode()))
    counted: str = json.loads(reply.body)["Attributes"]["used"]["N"]
    return counted


@pytest.mark.slow("each is a world of its own")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_once_went_wrong_goes_right(path: Path) -> None:
    assert play(read_script(path)).violations == []


def test_a_script_is_read_as_it_was_written(tmp_path: Path) -> None:
    script = Script(7, plan.cast(7), [{"do": "wait", "hours": 1}], "cap")
    (tmp_path / "x.json").write_text(script.text())
    assert read_script(tmp_path / "x.json") == script


def test_a_schedule_is_shrunk_to_what_its_failure_needs() -> None:
    steps: list[Step] = [{"do": str(number), "images": [1, 2, 3], "faults": [{"at": "a"}]} for number in range(64)]

    def fails(left: Sequence[Step]) -> bool:
        named = {step["do"]: step for step in left}
        return {"11", "50"} <= named.keys() and 2 in named["50"]["images"] and bool(named["11"]["faults"])

    assert shrunk(steps, fails) == [
        {"do": "11", "images": [], "faults": [{"at": "a"}]},
        {"do": "50", "images": [2], "faults": []},
    ]
