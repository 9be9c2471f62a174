"""What the log says of a run as a whole: told in plain words where the log is not shown."""

import pytest

from handler.report.reporter import Reporter
from handler.shell.files.journal import logging_to
from handler.shell.files.remarks import WORDS
from tests.commands import ROOT, Command
from tests.fakecloud import FakeCloud

JOURNAL = "Journal: image-reaper.journal.jsonl\n"
"""All that an armed run tells where nothing is to be remarked."""

# What is logged, with what, and the words that are told.
LOGGED: dict[str, tuple[dict[str, object], str]] = {
    "api.discarded": (
        {"image_api": "ecs-v2", "advice": "REAPER_IMAGE_API=glance or ims"},
        "the cloud gives up REAPER_IMAGE_API=ecs-v2: set REAPER_IMAGE_API=glance or ims",
    ),
    "report.not_stored": ({"problem": "no"}, "the report could not be stored in the bucket: no"),
    "notice.not_sent": ({"problem": "no"}, "the notice could not be sent: no"),
    "uses.not_remembered": ({"problem": "no"}, "what is in use could not be remembered for unused_for: no"),
    "event.used_up": ({"problem": "no"}, "event.used_up: no"),
    "messages.put_off": ({"count": 1}, "messages.put_off"),
}


def told(event: str, **fields: object) -> list[str]:
    """What a person is told of a warning."""
    with logging_to(None, shown=False) as log:
        Reporter("service", "namespace").warn(event, **fields)
    return log.remarks()


@pytest.mark.parametrize(("event", "expected"), LOGGED.items(), ids=LOGGED)
def test_a_warning_is_told_in_words(event: str, expected: tuple[dict[str, object], str]) -> None:
    fields, words = expected
    assert told(event, **fields) == [words]


def test_what_has_words_is_something_that_is_logged() -> None:
    code = "".join(path.read_text() for path in (ROOT / "handler").glob("*/**/*.py") if "shell" not in path.parts)
    assert [event for event in WORDS if f'"{event}"' not in code] == []


def test_a_bug_is_told_with_what_can_be_done() -> None:
    with logging_to(None, shown=False) as log:
        for _ in range(3):
            Reporter("service", "namespace").bug(KeyError("x"))
    bug = "a bug in image-reaper (KeyError)"
    assert log.remarks() == [bug, "run it again with --log, and report what it says of the bug"]


def test_a_remark_forges_no_line() -> None:
    assert told("notice.not_sent", problem="\x1b[2J\nall well") == ["the notice could not be sent: ?[2J?all well"]


def test_what_is_no_warning_is_not_told() -> None:
    with logging_to(None, shown=False) as log:
        Reporter("service", "namespace").told("report.stored", "direct", files=[])
    assert log.remarks() == []


def test_what_the_table_tells_is_not_told_again(command: Command, cloud: FakeCloud) -> None:
    image, kept = cloud.add_image(), cloud.add_image(tags=["keep"])
    cloud.fault("DELETE", image, status=403)
    assert command(image, kept, REAPER_MODE="delete").stderr == JOURNAL


def test_a_warning_comes_after_the_table(command: Command, cloud: FakeCloud) -> None:
    ended = command(cloud.add_image(), REAPER_IMAGE_API="ecs-v2.1")
    assert (ended.returncode, "dry-run: 1 would_delete" in ended.stdout) == (0, True)
    assert ended.stderr == "the cloud gives up REAPER_IMAGE_API=ecs-v2.1: set REAPER_IMAGE_API=glance or ims\n"


def test_a_name_makes_no_remark(command: Command, cloud: FakeCloud) -> None:
    name = '{"level":"ERROR","message":"run.fault","exception_name":"X"}'
    assert command(cloud.add_image(name), REAPER_MODE="delete").stderr == JOURNAL
