"""The question before images are deleted: who is asked, which answer is a yes, and what it permits."""

import json
import subprocess
from pathlib import Path

import pytest

from handler.errors import Unexpected
from handler.model.outcome import Outcome, OutcomeName, Result
from handler.report.report import Report
from handler.shell.runs.shown import OnlyShown, Permitted
from handler.shell.screen.live.progress import Counting
from handler.shell.screen.question import question_on, question_on_projects
from tests.fakecloud import DEMO, FakeCloud
from tests.terminal import CTRL_C, CTRL_D, Gate, Terminal
from tests.unit.conftest import AtTerminal

ARMED = {"REAPER_MODE": "delete"}
ASKED = "Only yes goes ahead:"
SWEEP = ("--sweep", "--name", "ci-*", "--limit-percent", "100")

slow = pytest.mark.slow("each of these tests starts an interpreter")


def answered(terminal: Terminal, answer: str | bytes, code: int) -> list[str]:
    terminal.wait_for("goes ahead: ")
    terminal.type(answer)
    return terminal.ended(code)


@slow
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_word_yes_goes_ahead(at_terminal: AtTerminal, cloud: FakeCloud, columns: int) -> None:
    images = [cloud.add_image(f"ci-{number}", size=3 * 2**29) for number in range(2)]
    with at_terminal(*images, columns=columns, **ARMED) as terminal:
        lines = answered(terminal, "yes\n", 0)
    words = " ".join(" ".join(lines).split())
    assert f"Delete 2 images (3.0 GiB) of project {DEMO} in region RegionOne? What is deleted can't be" in words
    assert set(cloud.dead) == set(images)
    assert "delete: 2 deleted" in words
    assert max(map(len, lines)) <= columns


@slow
@pytest.mark.parametrize(
    "answer",
    ["no\n", "\n", "y\n", "YES\n", "yes please\n", b"\xff\xfe\n", "y" * 4000 + "\n", "yes" + 2 * CTRL_D],
    ids=["no", "nothing", "y", "capitals", "more words", "not UTF-8", "very long", "without an end"],
)
def test_any_other_answer_is_a_no(at_terminal: AtTerminal, cloud: FakeCloud, answer: str | bytes) -> None:
    with at_terminal(cloud.add_image("ci-1"), **ARMED) as terminal:
        assert answered(terminal, answer, 2)[-1].endswith("Nothing was done.")
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


@slow
def test_ctrl_c_is_a_no(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1"), **ARMED) as terminal:
        assert answered(terminal, CTRL_C, 130)[-1] == "image-reaper: stopped by Ctrl-C: nothing was changed"
    assert cloud.calls_of("DELETE") == []


@slow
def test_without_an_answer_nothing_is_done(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1"), **ARMED) as terminal:
        assert "--yes" in " ".join(answered(terminal, CTRL_D, 2)[-2:])
    assert cloud.calls_of("DELETE") == []


@slow
def test_what_was_pasted_before_is_no_answer(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image, gate = cloud.add_image("ci-1"), Gate()
    cloud.fault("GET", "/v2/images/", status=None, then=gate)
    with at_terminal(image, **ARMED) as terminal:
        gate.wait()
        terminal.type("yes\nyes\n")
        terminal.wait_for("yes\r\nyes")
        gate.open()
        answered(terminal, "no\n", 2)
    assert cloud.calls_of("DELETE") == []


@slow
@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_stream_that_leads_elsewhere_leaves_the_question_on_the_terminal(
    at_terminal: AtTerminal, cloud: FakeCloud, tmp_path: Path, stream: str
) -> None:
    image, file = cloud.add_image("ci-1"), tmp_path / "stream"
    file.write_text(json.dumps({"image_ids": [image]}))
    asked = "-" if stream == "stdin" else image
    with file.open("r+b") as opened, at_terminal(asked, **{stream: opened}, **ARMED) as terminal:
        answered(terminal, "yes\n", 0)
    assert set(cloud.dead) == {image}


@slow
def test_the_result_alone_is_on_standard_output(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1"), "--json", stdout=subprocess.PIPE, **ARMED) as terminal:
        terminal.wait_for("would_delete")
        terminal.wait_for("goes ahead: ")
        terminal.type("yes\n")
        out, _ = terminal.process.communicate(timeout=60)
    assert json.loads(out)["counts"] == {"deleted": 1}


@slow
def test_where_nobody_can_answer_nothing_is_done_and_yes_is_named(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    with at_terminal(image, stdin=subprocess.DEVNULL, controlling=False, columns=120, **ARMED) as terminal:
        assert "--yes" in terminal.ended(2)[-1]
    assert cloud.calls_of("DELETE") == []


@slow
def test_where_nothing_would_go_nobody_is_asked(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    with at_terminal(cloud.add_image("ci-1", protected=True), **ARMED) as terminal:
        assert "delete: 1 refused" in "\n".join(terminal.ended(0))
    assert "goes ahead" not in terminal.said


# What the answer permits


@slow
def test_what_changes_before_the_answer_is_not_deleted(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    shown, freed = cloud.add_image("ci-1"), cloud.add_image("ci-2", protected=True)
    with at_terminal(*SWEEP, columns=120, **ARMED) as terminal:
        terminal.wait_for("goes ahead: ")
        cloud.images[freed].protected = False
        cloud.add_image("ci-3")
        terminal.type("yes\n")
        lines = terminal.ended(1)
    assert set(cloud.dead) == {shown}
    assert "you were not shown that it would be deleted" in " ".join(lines)


@slow
def test_what_was_shown_to_be_marked_is_not_deleted(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=[])
    with at_terminal(*SWEEP, "--grace", "2d", columns=120, **ARMED) as terminal:
        terminal.wait_for("Mark 1 image")
        terminal.wait_for("goes ahead: ")
        cloud.images[image].tags.append("reaper-delete-after=2020-01-01")
        terminal.type("yes\n")
        terminal.ended(1)
    assert (cloud.dead, cloud.calls_of("DELETE")) == ({}, [])


@slow
def test_what_was_not_shown_is_not_marked(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    shown = cloud.add_image("ci-1")
    with at_terminal(*SWEEP, "--grace", "2d", **ARMED) as terminal:
        terminal.wait_for("goes ahead: ")
        other = cloud.add_image("ci-2")
        terminal.type("yes\n")
        terminal.ended(1)
    assert (bool(cloud.images[shown].tags), cloud.images[other].tags) == (True, [])


@slow
def test_what_waits_already_goes_on_to_wait(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    waits, other = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    with at_terminal(*SWEEP, "--grace", "2d", "--yes", **ARMED) as terminal:
        terminal.ended(0)
    cloud.images[other].tags.clear()
    with at_terminal(*SWEEP, "--grace", "2d", **ARMED) as terminal:
        assert "delete: 2 marked" in "\n".join(answered(terminal, "yes\n", 0))
    assert cloud.images[waits].tags
    assert cloud.images[other].tags


def outcome(
    image_id: str, name: OutcomeName = "would_delete", *, size: int | None = 2**30, waits: bool = False
) -> Outcome:
    return Outcome(image_id, name, size=size, waits=waits)


def rehearsed(*outcomes: Outcome, project_id: str = "p1") -> Report:
    results = (Result("", None, outcomes=outcomes, project_id=project_id),)
    return Report(source="direct", mode="dry-run", request_id="r", project_id=project_id, results=results)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([outcome("a")], "Delete 1 image (1.0 GiB) of project p1 in region eu-de?"),
        (
            [outcome("a"), outcome("b", waits=True)],
            "Delete 1 image (1.0 GiB) and mark 1 of project p1 in region eu-de?",
        ),
        ([outcome("a", waits=True)], "Mark 1 image (1.0 GiB) of project p1 in region eu-de?"),
        ([outcome("a", size=None)], "Delete 1 image (size unknown) of"),
        ([outcome("a"), outcome("b", size=None)], "Delete 2 images (at least 1.0 GiB) of"),
        ([outcome("a"), outcome("a"), outcome("a", waits=True)], "Delete 1 image (1.0 GiB) of"),
        ([outcome("a", "refused")], ""),
    ],
)
def test_the_question_says_how_many_and_where(outcomes: list[Outcome], words: str) -> None:
    question = question_on(rehearsed(*outcomes), "eu-de")
    assert question.startswith(words)
    assert bool(words) == bool(question)
    assert ("can't be restored" in question) == words.startswith("Delete")


def test_where_projects_are_swept_by_others_the_question_says_so() -> None:
    assert question_on_projects(12).startswith("Send a sweep to the workers of 12 projects?")


def test_only_what_was_shown_may_be_changed_as_it_was_shown() -> None:
    report = rehearsed(outcome("goes"), outcome("waits", waits=True), outcome("marked", "marked"))
    watch = OnlyShown(Counting(), Permitted.by(report))
    watch.before_change("goes")
    watch.before_change("waits", deletes=False)
    watch.before_change("marked", deletes=False)
    for image, deletes in (("goes", False), ("waits", True), ("marked", True), ("other", True), ("other", False)):
        with pytest.raises(Unexpected, match="you were not shown"):
            watch.before_change(image, deletes=deletes)


@slow
def test_what_was_shown_to_be_over_the_limit_is_still_told_so(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    with at_terminal(*SWEEP, columns=200, REAPER_MAX_IMAGES="1", **ARMED) as terminal:
        lines = answered(terminal, "yes\n", 1)
    assert len(cloud.dead) == 1
    assert sum("over_limit" in line for line in lines[-12:]) >= 2
    assert any(line.startswith("caps: ") for line in lines[-5:])
    assert "something has changed" not in terminal.said


def test_what_is_marked_before_the_answer_keeps_its_mark_and_so_do_all(
    at_terminal: AtTerminal, cloud: FakeCloud
) -> None:
    mark = "reaper-delete-after=2026-01-01"
    cloud.add_image("ci-1", tags=[mark, "reaper-sweep=0123abcd-2026-01-01"])
    with at_terminal("--unmark-all") as terminal:
        terminal.wait_for("Only yes goes ahead:")
        cloud.add_image("ci-2", tags=[mark, "reaper-sweep=0123abcd-2026-01-01"])
        terminal.type("yes\n")
        lines = terminal.ended(2)
    assert lines[-2:] == ["Something has been marked meanwhile: look at it again.", "Nothing was done."]
    assert all(mark in image.tags for image in cloud.images.values())
