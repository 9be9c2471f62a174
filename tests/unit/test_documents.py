"""The documents say what the code says: every name, every link, every command of the tour."""

import ast
import re
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.spellings import TODAY
from handler.config.network import BUNDLE
from handler.config.settings import Settings
from handler.config.several import SETTINGS
from handler.config.signing import ACCESS_KEY, PROJECT, SECRET_KEY, TOKEN
from handler.errors import CloudError
from handler.report.reporter import LOST, METRICS
from handler.rules.safety import RULES
from handler.shell.command import FIRST_LINES
from handler.shell.options import OF_SWEEPS, parse
from handler.shell.runs.signals import NAMES
from handler.sources.policies import Kept, Selection, Sweep
from tests.terminal import Terminal
from tests.unit.test_template import ENVIRONMENT, FAILED_TO, PARAMETERS, behind, failures

ROOT = Path(__file__).parents[2]
README, OPERATIONS = ROOT / "README.md", ROOT / ".github" / "OPERATIONS.md"
EVENTS, TESTS = ROOT / "events" / "README.md", ROOT / "tests" / "README.md"
HOUSE = ROOT / "handler" / "README.md"
FOLDERS = (".github", "events", "handler", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
CURRENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
"""The documents that tell how things are, and not how they were."""

SOURCES = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "handler").rglob("*.py"))]
DOTTED = re.compile(r"[a-z]+\.[a-z_]+")
NO_EVENTS = {
    *("amazonaws.com", "amazonaws.eu", "aws.autoscaling"),
    *("image.activate", "metering.image_id", "oslo.message"),
    *("begun.json", "page.html", "report.json"),
}
"""Dotted names in the code that are not names of log events."""
POWERTOOLS = {"POWERTOOLS_LOG_LEVEL", "LOG_LEVEL"}
"""What Powertools reads by itself."""
OURS = re.compile(r"\b(?:REAPER|OS|POWERTOOLS)_[A-Z_]*[A-Z]\b")
OF_OTHERS = {*TODAY, "OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_DEFAULT_DOMAIN"}
"""Variables that are no settings, but are read for what they say of settings."""
OF_TERRAFORM = {"OS_ACCESS_KEY", "OS_SECRET_KEY"}
"""What its provider reads, and nobody here."""


# Documents, read


def table(path: Path, head: str) -> dict[str, list[str]]:
    """The rows of the tables whose first column has this head: the first cell, and all the cells of its row."""
    rows: dict[str, list[str]] = {}
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        inside = bool(cells) and (inside or cells[0] == head)
        if inside and cells[0] != head and set(cells[0]) != {"-"}:
            rows[cells[0]] = cells
    return rows


def names(cells: object) -> set[str]:
    """What stands between backticks."""
    return set(re.findall(r"`([^`\n]+)`", str(cells)))


def commands(path: Path) -> Iterator[str]:
    """What a reader may type: the lines of the consoles, and what stands between backticks."""
    text = path.read_text(encoding="utf-8")
    yield from re.findall(r"^\s*\$ (.*)$", text, re.MULTILINE)
    yield from re.findall(r"`(make[^`\n]*)`", text)


def anchors(path: Path) -> set[str]:
    """The places in a document that can be linked to, as GitHub names them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


# The code, read


def texts() -> Iterator[str]:
    """Every text in the code that is not a docstring; of one with values in it, the part before the first."""
    for tree in SOURCES:
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.value


def log_events() -> set[str]:
    """The names of the log events: what looks like one and is nothing else. `image.` goes before every outcome."""
    assert "image." in set(texts())
    return {text for text in texts() if DOTTED.fullmatch(text)} - NO_EVENTS | {f"image.{name}" for name in METRICS}


def metrics() -> set[str]:
    """The metrics: one for each outcome, for what could not be left behind, and those with a name of their own."""
    calls = [node for tree in SOURCES for node in ast.walk(tree) if isinstance(node, ast.Call)]
    added = [call for call in calls if getattr(call.func, "attr", "") == "add_metric"]
    own = {call.args[0].value for call in added if isinstance(call.args[0], ast.Constant)}
    return {str(name) for name in own} | set(METRICS.values()) | set(LOST.values())


def aliases() -> set[str]:
    return {SETTINGS} | {field.alias for field in Settings.model_fields.values() if field.alias}


def credentials() -> set[str]:
    signing = {ACCESS_KEY, SECRET_KEY, TOKEN, PROJECT}
    return {f"OS_{name.upper()}" for name in Credentials.model_fields} | signing | {BUNDLE}


# Names


def test_the_settings_are_those_of_the_code() -> None:
    given = table(OPERATIONS, "variable")
    assert set().union(*map(names, given)) == aliases() | credentials()


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_names_a_variable_that_nobody_reads(path: Path) -> None:
    named = set(OURS.findall(path.read_text(encoding="utf-8")))
    assert named <= aliases() | credentials() | POWERTOOLS | OF_OTHERS | OF_TERRAFORM


def test_each_setting_stands_beside_its_parameter() -> None:
    told = {variable: names(row[1]) for row in table(OPERATIONS, "variable").values() for variable in names(row[0])}
    one_each = {variable: parameters for variable, parameters in told.items() if variable.startswith("REAPER_")}
    alone = {name for name in one_each if name not in {*ENVIRONMENT, FAILED_TO}}
    assert one_each == {name: {"MoreSettings"} if name in alone else behind(ENVIRONMENT.get(name)) for name in one_each}


def test_every_parameter_is_explained_and_no_other() -> None:
    beside = set().union(*(names(row[1]) for row in table(OPERATIONS, "variable").values()))
    alone = set().union(*map(names, table(OPERATIONS, "parameter")))
    assert beside | alone == PARAMETERS.keys()


def test_the_defaults_are_those_of_the_code() -> None:
    told = {name: names(row[2]) for row in table(OPERATIONS, "variable").values() if (name := row[0].strip("`"))}
    fields = {field.alias: field.default for field in Settings.model_fields.values() if field.alias}
    texts_and_numbers = {name: {str(value)} for name, value in fields.items() if value and type(value) in {str, int}}
    assert {name: told[name] for name in texts_and_numbers} == texts_and_numbers


def test_the_outcomes_are_those_of_the_code() -> None:
    assert set().union(*map(names, table(EVENTS, "outcome"))) == METRICS.keys()


def test_the_reasons_of_a_refusal_are_those_of_the_code_in_their_order() -> None:
    rules = [rule.__name__.removeprefix("_") for rule in RULES]
    assert [cell.strip("`") for cell in table(EVENTS, "refused")] == rules
    assert {cell.strip("`") for cell in table(README, "refused")} == set(rules)


@pytest.mark.parametrize("path", [EVENTS, OPERATIONS], ids=["events", "operations"])
def test_the_reasons_of_a_failure_are_those_of_the_code(path: Path) -> None:
    assert {cell.strip("`") for cell in table(path, "failed")} == set(failures(CloudError))


def test_the_metrics_are_those_of_the_code() -> None:
    named = set().union(*map(names, table(OPERATIONS, "metric")))
    with_reasons = {f"{METRICS[outcome]}_<reason>" for outcome in ("refused", "failed")}
    assert named == metrics() | with_reasons


def test_the_log_events_are_those_of_the_code() -> None:
    assert set().union(*map(names, table(OPERATIONS, "event"))) == log_events()
    assert set(texts()) >= NO_EVENTS


def test_the_alarms_are_those_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    alarms = re.findall(r"^  (\w+)Alarm:$", template, re.MULTILINE)
    assert {cell.strip("`") for cell in table(OPERATIONS, "alarm")} == set(alarms)


def test_the_outputs_that_are_named_are_those_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8").split("\nOutputs:\n")[1]
    outputs = set(re.findall(r"^  (\w+):$", template, re.MULTILINE))
    named = names(OPERATIONS.read_text(encoding="utf-8"))
    said = {name for name in named if re.fullmatch(r"\w+(Url|LogGroupName|FunctionArn)", name)}
    assert said
    assert said <= outputs | PARAMETERS.keys()


# The command


@pytest.fixture
def told_by_help(capsys: pytest.CaptureFixture[str]) -> str:
    """What `image-reaper --help` prints."""
    with pytest.raises(SystemExit):
        parse(["--help"])
    return capsys.readouterr().out


def test_every_option_of_the_command_is_explained_and_no_other(told_by_help: str) -> None:
    options = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", told_by_help, re.MULTILINE))
    written = set().union(*(names(row[1]) for row in table(OPERATIONS, "to").values()))
    assert len(options) > 30
    assert {option.split()[0] for option in written} - {"ID", "FILE", "-", "-h"} == options


def test_an_option_is_explained_with_what_its_help_calls_its_value(told_by_help: str) -> None:
    values = dict(re.findall(r"^  (--[a-z-]+) ([A-Z][A-Z=-]*)", told_by_help, re.MULTILINE))
    written = set().union(*(names(row[1]) for row in table(OPERATIONS, "to").values()))
    options = [option.split() for option in written if option.startswith("--")]
    assert len(values) > 20
    assert {option: value[0] for option, *value in options if value} == values


def test_every_field_of_a_sweep_is_an_option_of_the_command() -> None:
    fields = {*Selection.model_fields, *Kept.model_fields, *Sweep.model_fields} - {"select"}
    spelled = {"tags": "tag", "properties": "property", "newest": "keep"}
    assert {spelled.get(field, field) for field in fields} == set(OF_SWEEPS)


def test_the_exit_codes_are_those_of_the_help(told_by_help: str) -> None:
    codes = dict(re.findall(r"^  (\d+(?:, \d+)*) +(.*)$", told_by_help, re.MULTILINE))
    assert {code: row[1] for code, row in table(OPERATIONS, "exit code").items()} == codes
    ended = [*NAMES, signal.SIGPIPE]
    assert {code for several in codes for code in several.split(", ")} == {
        *("0", "1", "2"),
        *(str(128 + number) for number in ended),
    }


# Files, links, commands


def test_every_event_file_is_explained_and_no_other() -> None:
    explained = {re.sub(r"\[(.*)\]\(.*\)", r"\1", cell) for cell in table(EVENTS, "file")}
    assert explained == {path.name for path in EVENTS.parent.glob("*.json")}


def test_every_test_is_on_the_map_and_no_other() -> None:
    folders = {"unit", "faults", "e2e", "functiongraph", "page"}
    there = {
        str(path.relative_to(TESTS.parent))
        for folder in folders
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    }
    named = set(
        re.findall(r"\b(?:unit|faults|contract|e2e|functiongraph|page)/test_\w+\.py", TESTS.read_text(encoding="utf-8"))
    )
    assert there <= named
    assert not [name for name in named if not (TESTS.parent / name).exists()]


def rooms() -> Iterator[str]:
    """The modules of the tables of rooms: each table names its wing in its head."""
    wing = ""
    for line in HOUSE.read_text(encoding="utf-8").splitlines():
        cell = line.split("|")[1].strip() if line.startswith("|") else ""
        if cell == "room" or cell.endswith("/`"):
            wing = cell.removeprefix("room").strip("`")
        else:
            yield from (wing + name for name in names(cell))


def test_every_module_is_a_room_of_the_house_and_no_other() -> None:
    files = [path for path in HOUSE.parent.rglob("*") if path.suffix in {".py", ".html"} and path.name != "__init__.py"]
    assert set(rooms()) == {str(path.relative_to(HOUSE.parent)) for path in files}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (path.parent / name).resolve() if name else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            lost.append(target)
    assert lost == []


def test_every_target_that_a_document_names_is_one() -> None:
    makefiles = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", ROOT / ".ci/artifact.mk"))
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefiles, re.MULTILINE))
    typed = [command for path in CURRENT for command in commands(path)]
    named = {word for command in typed for word in re.findall(r"\bmake ([a-z][a-z-]*)", command)}
    assert named
    assert named <= targets


def test_the_readme_is_for_a_newcomer() -> None:
    assert 140 <= len(README.read_text(encoding="utf-8").splitlines()) <= 165


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_is_too_long_but_rows_of_tables(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


# The tour


PROGRAMS = {"image-reaper": '-m handler "$@"', "python": '"$@"'}
"""What `make setup` and the environment give a newcomer, as scripts for the interpreter of the tests."""
YES = "Only yes goes ahead: "
"""How the question ends that a newcomer answers."""
AGE = re.compile(r" +[\d,]+ d\b")


@pytest.mark.slow("it starts a fake cloud, and an interpreter for each command")
def test_the_tour_shows_at_a_terminal_what_the_readme_says(tmp_path: Path) -> None:
    tour = list(steps())
    write_programs(tmp_path / "bin")
    script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + "".join(f"echo '>'\n{command}\n" for command, _ in tour)
    (tmp_path / "tour.sh").write_text(script, encoding="utf-8")
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    with Terminal("tour.sh", env={"PATH": path}, cwd=tmp_path, columns=120, rows=300, module="tests.bash") as terminal:
        terminal.wait_for(YES)
        terminal.type("yes\n")
        shown = "\n".join(terminal.ended(0)).removeprefix(">").split("\n>")
    assert len(shown) == len(tour)
    for screen, (command, expected) in zip(shown, tour, strict=True):
        lines = abridged(screen)
        assert fits(lines, expected), "\n".join([f"$ {command}", *lines])
    assert (tmp_path / "build/plan.html").exists()


def write_programs(folder: Path) -> None:
    folder.mkdir()
    for name, arguments in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\nexec {sys.executable} {arguments}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def abridged(screen: str) -> list[str]:
    """What a command has shown, without its first line and the empty ones, which the tour leaves out."""
    left_out = {"", *FIRST_LINES.values()}
    return [line for line in screen.splitlines() if line not in left_out]


def fits(shown: list[str], expected: list[str]) -> bool:
    """Whether this is what was to be shown: `...` stands for any lines, and images grow older every day."""
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(AGE.sub("", line)) + "\n" for line in expected)
    return bool(re.fullmatch(pattern, "".join(f"{AGE.sub('', line)}\n" for line in shown)))


def steps() -> Iterator[tuple[str, list[str]]]:
    """The commands of the tour, each with what it shows, on a port that is free and on the days that are now."""
    text = README.read_text(encoding="utf-8").split("## Try it")[1].split("\n## ")[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text = text.replace("8080", str(free.getsockname()[1]))
    for written, days in (("2026-12-24", 3), ("2026-12-25", 4)):
        text = text.replace(written, (datetime.now(UTC) + timedelta(days=days)).date().isoformat())
    text = text.replace("sleep 2", "until [ -s build/cloud.json ]; do sleep 0.1; done")
    text = text.replace("make setup && source .venv/bin/activate && ", "")
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = step.splitlines()
            yield command, shown
